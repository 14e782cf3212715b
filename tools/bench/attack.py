"""Clients who mean harm, for as long as they are let: what a server has to endure beside its work.

    python attack.py HOST PORT --clients 200 [--kinds garbage,huge-value]

Six kinds, each a connection that behaves badly in one way until it is cut off, and then comes again. They do
so at a fixed pace (`PAUSES`), so two servers endure the same: this is ill will, not a flood. As a program it
reads a line with its speech (JSON, the messages in hexadecimal), says `attacking`, and ends with its input;
then it writes what it counted. In a test, a short form:

    counts = await attack(host, port, Speech(bind, search), asyncio.sleep(0.5), clients=12, pace=0.05)

`Speech` is an honest client's bind and its largest search: some kinds bind first, because a server trusts
strangers less. The attack ends quietly whatever the server does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Final

PATIENCE: Final = 5.0
"""Seconds (times the pace) that an attacker waits to be answered or cut off; then it leaves by itself."""
DEEP: Final = 90
"""Nesting of a filter that a server has to accept, or at least to read."""
TOO_DEEP: Final = 10_000
HUGE: Final = 2**20
ANNOUNCED: Final = 2**31 - 1
"""The length of a message that never comes."""
PAUSES: Final[Mapping[str, float]] = {
    "slow-writer": 0.1,
    "slow-reader": 0.1,
    "deep-filter": 0.5,
    "huge-value": 1.0,
    "garbage": 0.5,
    "tls-hello": 0.5,
}
"""Seconds between two acts of one client."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What an honest client would say, as whole messages."""

    bind: bytes = field(repr=False)
    search: bytes
    """A search with many large entries: the slow reader's."""


@dataclass(slots=True)
class Counts:
    """What one kind did. `cut_off`: times that the server ended a connection, or would not take one."""

    connections: int = 0
    acts: int = 0
    cut_off: int = 0


class Attacker:
    """One bad client: a connection at a time, acts at its pace."""

    def __init__(
        self,
        address: tuple[str, int],
        speech: Speech,
        counts: Counts,
        pause: float,
        randomness: random.Random,
    ) -> None:
        self._address = address
        self._pause = pause
        self.speech = speech
        self.counts = counts
        self.randomness = randomness
        self.line: socket.socket

    async def live(self, behave: Callable[[Attacker], Awaitable[None]]) -> None:
        """Come, behave, be thrown out or leave, come again."""
        await asyncio.sleep(self._pause * self.randomness.random())  # not all in the same moment
        while True:
            with socket.socket() as self.line:
                try:
                    await self._connect()
                    await behave(self)
                except OSError:
                    self.counts.cut_off += 1
            await asyncio.sleep(self._pause)

    async def act(self, octets: bytes) -> None:
        """Send, and pause. OSError when the server has gone."""
        self.counts.acts += 1
        await asyncio.get_running_loop().sock_sendall(self.line, octets)
        await asyncio.sleep(self._pause)

    async def hear(self, most: int) -> bytes:
        """What is there to read, up to `most` bytes. OSError when the server has gone."""
        octets = await asyncio.get_running_loop().sock_recv(self.line, most)
        if not octets:
            raise ConnectionResetError
        return octets

    async def wait_for_the_end(self) -> None:
        """Read until the server closes, within patience."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE * self._pause / max(PAUSES.values())):
                while True:
                    await self.hear(65536)

    async def _connect(self) -> None:
        self.line.setblocking(False)
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a slow reader's must be small
        await asyncio.get_running_loop().sock_connect(self.line, self._address)
        self.counts.connections += 1


async def write_slowly(attacker: Attacker) -> None:
    """An honest bind, byte by byte."""
    for octet in attacker.speech.bind:
        await attacker.act(bytes([octet]))
    await attacker.hear(4096)


async def read_slowly(attacker: Attacker) -> None:
    """Asks for much, many times over, and takes it in sips."""
    await attacker.act(attacker.speech.bind)
    await attacker.hear(4096)
    for number in range(20):
        await attacker.act(numbered(attacker.speech.search, 2 + number))
    while True:
        await attacker.hear(64)
        await attacker.act(b"")  # nothing is said, it is only time that passes


def numbered(message: bytes, number: int) -> bytes:
    """A message under another id, below 128: none may be that of a request in progress (RFC 4511 4.1.1.1)."""
    start = 2 if message[1] < 0x80 else 2 + (message[1] & 0x7F)
    assert message[start : start + 2] == b"\x02\x01", "an id of one octet"  # noqa: S101
    return message[: start + 2] + bytes([number]) + message[start + 3 :]


async def filter_deeply(attacker: Attacker) -> None:
    """Filters nested as deep as is allowed, then deeper."""
    await attacker.act(attacker.speech.bind)
    await attacker.hear(4096)
    for _ in range(5):
        await attacker.act(nested_search(DEEP))
        await attacker.hear(65536)
    await attacker.act(nested_search(TOO_DEEP))
    await attacker.wait_for_the_end()


async def weigh_down(attacker: Attacker) -> None:
    """A megabyte where a name is expected; then, as a stranger would, two gigabytes that never come."""
    await attacker.act(attacker.speech.bind)
    await attacker.hear(4096)
    await attacker.act(search_for(equality(b"cn", attacker.randomness.randbytes(HUGE))))
    await attacker.hear(65536)
    await attacker.act(b"\x30\x84" + ANNOUNCED.to_bytes(4, "big") + bytes(64))
    await attacker.wait_for_the_end()


async def babble(attacker: Attacker) -> None:
    """Bytes that mean nothing."""
    await attacker.act(attacker.randomness.randbytes(512))
    await attacker.wait_for_the_end()


async def greet_in_tls(attacker: Attacker) -> None:
    """A TLS hello where no TLS is spoken."""
    await attacker.act(tls_hello())
    await attacker.wait_for_the_end()


KINDS: Final[Mapping[str, Callable[[Attacker], Awaitable[None]]]] = {
    "slow-writer": write_slowly,
    "slow-reader": read_slowly,
    "deep-filter": filter_deeply,
    "huge-value": weigh_down,
    "garbage": babble,
    "tls-hello": greet_in_tls,
}


async def attack(
    host: str,
    port: int,
    speech: Speech,
    until: Awaitable[object],
    *,
    clients: int,
    kinds: Sequence[str] = tuple(PAUSES),
    pace: float = 1.0,
    begun: Callable[[], None] = lambda: None,
    seed: int = 1,
) -> Mapping[str, Counts]:
    """Attack with so many clients, of these kinds in turn, until `until` is over; what was done, by kind.

    `pace` below 1 is faster. `begun` is called when all have had the time to begin.
    """
    counts = {kind: Counts() for kind in kinds}
    async with asyncio.TaskGroup() as crowd:
        tasks = []
        for number in range(clients):
            kind = kinds[number % len(kinds)]
            randomness = random.Random(seed * 10_000 + number)  # noqa: S311  not secret
            attacker = Attacker((host, port), speech, counts[kind], PAUSES[kind] * pace, randomness)
            tasks.append(crowd.create_task(attacker.live(KINDS[kind])))
        await asyncio.sleep(2 * pace * max(PAUSES.values()))
        begun()
        await until
        for task in tasks:
            task.cancel()
    return counts


# ---- bytes that no honest encoder makes


def tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


def equality(attribute: bytes, value: bytes) -> bytes:
    """An equality filter (RFC 4511 4.5.1.7)."""
    return tlv(0xA3, tlv(0x04, attribute) + tlv(0x04, value))


def search_for(filter: bytes) -> bytes:
    """A search of the root DSE with this filter, as a whole message."""
    fields = tlv(0x04, b"") + b"\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00"
    return tlv(0x30, b"\x02\x01\x02" + tlv(0x63, fields + filter + tlv(0x30, b"")))


@cache
def nested_search(depth: int) -> bytes:
    """A search whose filter is a not in a not in a not."""
    filter = equality(b"cn", b"x")
    lengths = len(filter)
    heads = []
    for _ in range(depth):
        heads.append(b"\xa2\x84" + lengths.to_bytes(4, "big"))
        lengths += 6
    return search_for(b"".join(reversed(heads)) + filter)


@cache
def tls_hello() -> bytes:
    """What a TLS client says first."""
    said = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="ldap.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


def main() -> None:
    parser = argparse.ArgumentParser(description="Attack an LDAP server until standard input ends.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--kinds", default=",".join(KINDS), help="default: all of %(default)s")
    options = parser.parse_args()
    said = json.loads(sys.stdin.readline())
    speech = Speech(bytes.fromhex(said["bind"]), bytes.fromhex(said["search"]))

    async def attacked() -> Mapping[str, Counts]:
        return await attack(
            options.host,
            options.port,
            speech,
            asyncio.to_thread(sys.stdin.read),
            clients=options.clients,
            kinds=options.kinds.split(","),
            begun=lambda: print("attacking", flush=True),
        )

    print(json.dumps({kind: asdict(counts) for kind, counts in asyncio.run(attacked()).items()}))


if __name__ == "__main__":
    main()
