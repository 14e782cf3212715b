#!/usr/bin/env python
"""A line that takes its time: hands on what it is given, in each direction so many milliseconds later.

    .venv/bin/python tools/bench/delaying.py TO_PORT MILLISECONDS

Prints its own port. Everything on the loopback address. It limits nothing else: any amount may be on the way.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import Final

HOST: Final = "127.0.0.1"
CHUNK: Final = 1 << 18


async def hand_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    clock = asyncio.get_running_loop().time
    under_way: deque[tuple[float, bytes]] = deque()
    arrived = asyncio.Event()

    async def deliver() -> None:
        while True:
            while not under_way:
                arrived.clear()
                await arrived.wait()
            due, data = under_way.popleft()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                sink.close()
                return
            sink.write(data)

    delivering = asyncio.create_task(deliver())
    try:
        while data := await source.read(CHUNK):
            under_way.append((clock() + delay, data))
            arrived.set()
    except OSError:
        pass
    under_way.append((clock() + delay, b""))
    arrived.set()
    await delivering


async def main(port: int, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(hand_on(reader, there_writer, delay), hand_on(there_reader, writer, delay))

    server = await asyncio.start_server(connected, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
