"""Driving coroutines: at once, suspended, cancelled, shielded."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher

from provserver.ldap.running import run, shielded


class Endings(list):
    """Collects what `done` was told, errors as their type's name."""

    def __call__(self, key: object, value: object, error: BaseException | None) -> None:
        self.append((key, value if error is None else type(error).__name__))


@pytest.fixture
def ended() -> Endings:
    return Endings()


async def returns(value: object) -> object:
    return value


async def raises(error: Exception) -> object:
    raise error


async def awaits(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def test_what_ends_at_once_needs_no_task(ended: Endings) -> None:
    assert run(returns(3), ended, "key") is None
    assert run(raises(ValueError()), ended, "bad") is None
    fired: Deferred[int] = Deferred()
    fired.callback(4)
    assert run(awaits(fired), ended, "fired") is None
    assert ended == [("key", 3), ("bad", "ValueError"), ("fired", 4)]


def test_what_waits_goes_on_when_its_deferred_fires(ended: Endings) -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()

    async def adds() -> int:
        return await first + await second

    task = run(adds(), ended, "key")
    assert task is not None
    first.callback(1)
    assert not task.finished
    second.callback(2)
    assert task.finished
    assert ended == [("key", 3)]


def test_a_failure_is_raised_where_it_is_awaited(ended: Endings) -> None:
    deferred: Deferred[int] = Deferred()

    async def catches() -> str:
        try:
            await deferred
        except KeyError:
            return "caught"
        return "missed"

    run(catches(), ended, "key")
    deferred.errback(KeyError("x"))
    assert ended == [("key", "caught")]


def test_an_uncaught_failure_ends_the_coroutine(ended: Endings) -> None:
    deferred: Deferred[int] = Deferred()
    run(awaits(deferred), ended, "key")
    deferred.errback(KeyError("x"))
    assert ended == [("key", "KeyError")]


def test_cancelling_raises_where_it_waits_and_cancels_what_it_waits_for(ended: Endings) -> None:
    cancelled = []
    deferred: Deferred[int] = Deferred(cancelled.append)
    task = run(awaits(deferred), ended, "key")
    assert task is not None
    task.cancel()
    task.cancel()
    assert cancelled == [deferred]
    assert ended == [("key", "CancelledError")]


def test_a_chain_of_deferreds_is_cancelled_at_its_end(ended: Endings) -> None:
    inner: Deferred[int] = Deferred()
    outer: Deferred[int] = Deferred()
    outer.addCallback(lambda _: inner)
    outer.callback(0)
    task = run(awaits(outer), ended, "key")
    assert task is not None
    task.cancel()
    assert ended == [("key", "CancelledError")]


@pytest.mark.parametrize("canceller", [lambda d: d.callback("value"), lambda d: d.errback(KeyError("own"))])
def test_a_canceller_cannot_talk_the_cancellation_away(canceller: Any, ended: Endings) -> None:
    task = run(awaits(Deferred(canceller)), ended, "key")
    assert task is not None
    task.cancel()
    assert ended == [("key", "CancelledError")]


def test_a_broken_canceller_does_not_reach_whoever_cancels(ended: Endings) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("broken")

    deferred: Deferred[int] = Deferred(broken)
    task = run(awaits(deferred), ended, "key")
    assert task is not None
    task.cancel()
    assert ended == []
    deferred.callback(1)
    assert ended == [("key", "CancelledError")]


def test_a_cancelled_coroutine_may_await_to_tidy_up(ended: Endings) -> None:
    broom: Deferred[None] = Deferred()

    async def tidy() -> None:
        try:
            await Deferred()
        finally:
            await broom

    task = run(tidy(), ended, "key")
    assert task is not None
    task.cancel()
    task.cancel()
    assert ended == []
    broom.callback(None)
    assert ended == [("key", "CancelledError")]


def test_a_coroutine_that_causes_its_own_end_learns_it_where_it_waits_next(ended: Endings) -> None:
    start: Deferred[None] = Deferred()
    never: Deferred[None] = Deferred()
    tasks: list[Any] = []

    async def suicidal() -> None:
        await start
        tasks[0].cancel()
        await never

    tasks.append(run(suicidal(), ended, "key"))
    start.callback(None)
    assert ended == [("key", "CancelledError")]


def test_awaiting_something_else_than_a_deferred_is_an_error_in_the_coroutine(ended: Endings) -> None:
    class Odd:
        def __await__(self) -> Any:
            yield "odd"

    assert run(awaits(Odd()), ended, "key") is None
    assert ended == [("key", "TypeError")]


def test_a_shielded_deferred_goes_on_when_the_waiting_is_cancelled(ended: Endings) -> None:
    cancelled: list[object] = []
    results = []
    exchange: Deferred[str] = Deferred(cancelled.append)
    task = run(awaits(shielded(exchange)), ended, "key")
    assert task is not None
    task.cancel()
    assert ended == [("key", "CancelledError")]
    assert cancelled == []
    exchange.addCallback(results.append)
    exchange.callback("done")
    assert results == [None]


def test_a_shielded_deferred_gives_its_result_and_its_failure(ended: Endings) -> None:
    good: Deferred[str] = Deferred()
    bad: Deferred[str] = Deferred()
    run(awaits(shielded(good)), ended, "good")
    run(awaits(shielded(bad)), ended, "bad")
    good.callback("value")
    bad.errback(KeyError("x"))
    assert ended == [("good", "value"), ("bad", "KeyError")]


def test_a_failure_behind_a_cancelled_shield_is_logged(ended: Endings) -> None:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        exchange: Deferred[str] = Deferred()
        task = run(awaits(shielded(exchange)), ended, "key")
        assert task is not None
        task.cancel()
        exchange.errback(KeyError("late"))
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [KeyError]


# Operations that are called off


def test_what_is_recalled_is_told_so_where_it_waits(ended: Endings) -> None:
    task = run(awaits(Deferred()), ended, "key")
    assert task is not None
    task.recall()
    assert ended == [("key", "Recalled")]
    assert (task.cancelled, task.recalled) == (True, True)
    task.recall()
    assert len(ended) == 1


def test_a_recall_is_a_cancellation_to_whoever_tidies_up(ended: Endings) -> None:
    broom: Deferred[None] = Deferred()

    async def tidies() -> None:
        try:
            await Deferred()
        except CancelledError:
            await broom
            raise

    task = run(tidies(), ended, "key")
    assert task is not None
    task.recall()
    assert ended == []
    task.cancel()
    assert not task.recalled, "nobody wants to be told any more"
    broom.callback(None)
    assert ended == [("key", "Recalled")]
