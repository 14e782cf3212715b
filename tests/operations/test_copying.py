"""What is sent to a consumer, and how fast."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.copying import Outflow
from provserver.operations.sending import Deadline


class Line:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.sent = 0
        self.waited: list[int] = []
        """After how many octets the consumer was waited for."""

    def send(self, data: bytes) -> None:
        self.sent += len(data)

    async def drained(self) -> None:
        self.waited.append(self.sent)


def done(work: Any) -> None:
    ended: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(ended.append)
    [result] = ended
    if result is not None:
        result.raiseException()


@pytest.fixture
def line() -> Any:
    return Line()


def test_a_consumer_is_waited_for_whenever_much_was_sent(line: Any) -> None:
    out = Outflow(line)
    for _ in range(10):
        done(out.send(b"x" * 16_384))
    assert line.waited == [65_536, 131_072]
    done(out.pause())
    assert line.waited == [65_536, 131_072, 163_840]


def test_entries_are_counted_other_messages_are_not(line: Any) -> None:
    out = Outflow(line, size=2)
    for _ in range(2):
        done(out.entry(b"entry"))
        done(out.send(b"cookie"))
    with pytest.raises(Refusal) as caught:
        done(out.entry(b"entry"))
    assert caught.value.code is ResultCode.SIZE_LIMIT_EXCEEDED
    assert line.sent == 2 * len(b"entrycookie")


def test_a_refresh_that_takes_too_long_ends(line: Any) -> None:
    clock = Clock()
    out = Outflow(line, deadline=Deadline(5, clock.seconds))
    clock.advance(5)
    done(out.pause())
    clock.advance(1)
    with pytest.raises(Refusal) as caught:
        done(out.pause())
    assert caught.value.code is ResultCode.TIME_LIMIT_EXCEEDED
