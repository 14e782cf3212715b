"""The processes that read LDIF for a load, and the order that is kept among them.

Python runs on one core; so what can be done for a record without looking at the tree is done by workers, a
block of records at a time, and what they made of it comes back in the order of the file.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from provserver.cli.casting_worker import READY, Order
from provserver.cli.failure import CommandFailed
from provserver.directory.ldifblocks import Block
from provserver.operations.casting import Caster, Part

T = TypeVar("T")

MOST_WORKERS: Final = 4
"""More would find nothing to do: one process writes the store."""
_AHEAD: Final = 2
"""Blocks that are under way for each worker."""
_SHORT: Final = 4 * 2**20
"""Octets that are read here before workers are worth their start (half a second)."""
_RUN: Final = "from provserver.cli.casting_worker import main; main()"


def default_workers() -> int:
    """One for each core that we may use; none where there is only one."""
    cores = len(os.sched_getaffinity(0))
    return min(cores, MOST_WORKERS) if cores > 1 else 0


class _Worker:
    """One process, and the line to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 -- ourselves
                [sys.executable, "-P", "-c", _RUN, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                process_group=0,  # Ctrl-C is for us
            )
        self._line = Connection(ours.detach())

    def ask(self, question: object) -> Any:
        """What it answers. CommandFailed: it is gone."""
        try:
            self._line.send(question)
            return self._line.recv()
        except (EOFError, OSError):
            code = self.process.wait()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise CommandFailed(f"a process that reads LDIF ended before its work did ({how})") from None

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._line.close()


class Crew:
    """Workers that are started when there is enough to do for them. Use it in a `with`."""

    def __init__(self, here: Caster, order: Order, workers: int | None = None) -> None:
        """`here` does the same in this process: what comes first, and all of what is short. `workers`: so
        many, from the first block on; None: as many as there are cores, where they are worth it.
        """
        self._here = here
        self._order = order
        self._at_once = workers is not None
        self._count = default_workers() if workers is None else workers
        self._threads = ThreadPoolExecutor(max(1, self._count), thread_name_prefix="crew")
        self.workers: list[_Worker] = []
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._greetings: list[Future[str]] = []
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.end()
        self._threads.shutdown(cancel_futures=True)

    def cast(self, blocks: Iterable[tuple[T, Block]]) -> Iterator[tuple[T, Block, list[Part]]]:
        """What each block comes to, in their order. CommandFailed: a worker is gone."""
        under_way: deque[tuple[T, Block, Future[list[Part]]]] = deque()
        read = 0
        for mark, block in blocks:
            if not self._may_ask(read):
                yield mark, block, self._here.parts(block)
            else:
                under_way.append((mark, block, self._threads.submit(self._ask_any, block)))
                if len(under_way) > _AHEAD * self._count:
                    first, its_block, answer = under_way.popleft()
                    yield first, its_block, answer.result()
            read += len(block.octets)
        for first, its_block, answer in under_way:
            yield first, its_block, answer.result()

    def _may_ask(self, read: int) -> bool:
        """Whether the workers are there; after so many octets they are sent for."""
        if not self._ready and self._count:
            if not self.workers and (self._at_once or read >= _SHORT):
                self.workers = [_Worker() for _ in range(self._count)]
                self._greetings = [self._threads.submit(one.ask, self._order) for one in self.workers]
            self._ready = bool(self.workers) and (
                self._at_once or all(greeting.done() for greeting in self._greetings)
            )
            if self._ready:
                for worker, greeting in zip(self.workers, self._greetings, strict=True):
                    if greeting.result() != READY:
                        raise CommandFailed("a process that reads LDIF is not ready for it")
                    self._idle.put(worker)
        return self._ready

    def _ask_any(self, block: Block) -> list[Part]:
        worker = self._idle.get()
        try:
            parts: list[Part] = worker.ask(block)
        finally:  # one that is gone too: who asks it next learns that, instead of waiting for another
            self._idle.put(worker)
        return parts
