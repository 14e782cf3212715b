"""The plain poll does what Twisted's does, but for the log context."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import Clock
from twisted.python import log

from provserver.cli.polling import poll_plainly


class Reader:
    """One end of a pair; `does` is what happens when there is something to read."""

    def __init__(self, does: Callable[[], object]) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.does = does
        self.read = 0
        self.written = 0
        self.lost: list[object] = []

    def fileno(self) -> int:
        return self.ours.fileno()

    def logPrefix(self) -> str:
        return "for the old log"

    def doRead(self) -> object:
        self.read += 1
        self.ours.recv(1)
        return self.does()

    def doWrite(self) -> None:
        self.written += 1

    def connectionLost(self, reason: Any) -> None:
        self.lost.append(reason.value)


class Poll:
    """A reactor that nobody has installed, and who is watched by it."""

    def __init__(self) -> None:
        self.reactor = EPollReactor()
        self.readers: list[Reader] = []

    def watched(self, does: Callable[[], object] = lambda: None) -> Reader:
        """Somebody who has an octet to read."""
        reader = Reader(does)
        self.readers.append(reader)
        self.reactor.addReader(reader)
        reader.theirs.send(b"x")
        return reader

    def once(self) -> None:
        self.reactor.doIteration(0)

    def end(self) -> None:
        for reader in self.readers:
            reader.ours.close()
            reader.theirs.close()
        self.reactor.waker.connectionLost(None)
        self.reactor._poller.close()


@pytest.fixture(params=["as Twisted does", "plainly"])
def poll(request: pytest.FixtureRequest) -> Iterator[Poll]:
    poll = Poll()
    if request.param == "plainly":
        poll_plainly(poll.reactor)
    yield poll
    poll.end()


def test_who_has_something_to_read_reads(poll: Poll) -> None:
    one, other = poll.watched(), poll.watched()
    other.ours.recv(1)
    poll.once()
    assert (one.read, other.read) == (1, 0)
    assert not one.lost


def test_who_can_write_writes(poll: Poll) -> None:
    both = poll.watched()
    poll.reactor.addWriter(both)
    poll.once()
    assert (both.read, both.written) == (1, 1)


def test_a_reason_ends_the_connection(poll: Poll) -> None:
    one = poll.watched(lambda: CONNECTION_LOST)
    poll.once()
    assert [type(reason) for reason in one.lost] == [ConnectionLost]
    assert one not in poll.reactor.getReaders()


def test_a_fault_ends_the_connection_and_is_told(poll: Poll) -> None:
    fault = RuntimeError("broken")
    told: list[Any] = []
    log.addObserver(told.append)
    try:

        def fail() -> None:
            raise fault

        one, other = poll.watched(fail), poll.watched()
        poll.once()
    finally:
        log.removeObserver(told.append)
    assert one.lost == [fault]
    assert other.read == 1
    assert any(event.get("isError") and event["failure"].value is fault for event in told)


def test_who_was_closed_by_an_event_before_its_own_is_left_alone(poll: Poll) -> None:
    readers: list[Reader] = []

    def close_the_others() -> None:
        for reader in readers:
            poll.reactor.removeReader(reader)

    readers += [poll.watched(close_the_others) for _ in range(3)]
    poll.once()
    assert sum(reader.read for reader in readers) == 1


def test_another_reactor_stays_as_it_is() -> None:
    clock = Clock()
    before = dict(vars(clock))
    poll_plainly(clock)
    assert vars(clock) == before
