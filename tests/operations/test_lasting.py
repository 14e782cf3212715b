"""Work that goes on although nobody waits for its answer any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, globalLogPublisher

from provserver.ldap.results import Refusal, ResultCode
from provserver.ldap.running import run
from provserver.operations.lasting import Lasting


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    """What is logged meanwhile."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


class Asker:
    """Waits for lasting work, as the wire does."""

    def __init__(self, lasting: Lasting, go: Deferred[str]) -> None:
        self.value: object = None
        self.error: Exception | None = None
        self.work_ended = False

        async def work() -> str:
            try:
                return await go
            finally:
                self.work_ended = True

        self.task = run(lasting.finish(work()), self._done, None)

    def _done(self, key: None, value: str | None, error: Exception | None) -> None:
        self.value, self.error = value, error


def test_the_result_comes_when_the_work_ends() -> None:
    lasting, go = Lasting(), Deferred[str]()
    asker = Asker(lasting, go)
    ended = lasting.ended()
    assert not ended.called
    go.callback("done")
    assert (asker.value, ended.called) == ("done", True)


def test_work_that_ends_at_once_never_waits() -> None:
    lasting, go = Lasting(), Deferred[str]()
    go.callback("done")
    assert Asker(lasting, go).value == "done"
    assert lasting.ended().called


def test_who_leaves_stops_the_waiting_not_the_work() -> None:
    lasting, go = Lasting(), Deferred[str]()
    asker = Asker(lasting, go)
    assert asker.task is not None
    asker.task.cancel()
    assert isinstance(asker.error, CancelledError)
    assert not asker.work_ended
    ended = lasting.ended()
    assert not ended.called
    go.callback("done")
    assert (asker.work_ended, ended.called) == (True, True)


def test_an_error_is_raised_where_it_is_waited_for() -> None:
    lasting, go = Lasting(), Deferred[str]()
    asker = Asker(lasting, go)
    go.errback(Refusal(ResultCode.BUSY, "later"))
    assert isinstance(asker.error, Refusal)


def test_a_fault_that_nobody_waits_for_is_logged(logged: list[LogEvent]) -> None:
    lasting, go = Lasting(), Deferred[str]()
    asker = Asker(lasting, go)
    assert asker.task is not None
    asker.task.cancel()
    go.errback(KeyError("a bug"))
    assert [type(event["log_failure"].value) for event in logged] == [KeyError]


def test_a_refusal_that_nobody_waits_for_is_not_news(logged: list[LogEvent]) -> None:
    lasting, go = Lasting(), Deferred[str]()
    asker = Asker(lasting, go)
    assert asker.task is not None
    asker.task.cancel()
    go.errback(Refusal(ResultCode.BUSY, "later"))
    assert logged == []
