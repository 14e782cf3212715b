"""Coroutines driven by hand."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from provserver.delivery.driving import drive


class Ended:
    def __init__(self) -> None:
        self.said: list[str] = []

    def failed(self, error: Exception) -> None:
        self.said.append(repr(error))


@pytest.fixture
def ended() -> Ended:
    return Ended()


def test_what_never_waits_has_ended_when_drive_returns(ended: Ended) -> None:
    async def quick() -> None:
        assert await succeed(3) == 3
        with pytest.raises(KeyError):
            await fail(KeyError("x"))
        ended.said.append("done")

    drive(quick(), ended.failed)
    assert ended.said == ["done"]


def test_what_waits_goes_on_with_the_result(ended: Ended) -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()

    async def slow() -> None:
        ended.said.append(str(await first + await second))

    drive(slow(), ended.failed)
    first.callback(1)
    assert ended.said == []
    second.callback(2)
    assert ended.said == ["3"]


def test_a_failure_is_raised_where_the_coroutine_waits(ended: Ended) -> None:
    waiting: Deferred[None] = Deferred()

    async def careful() -> None:
        try:
            await waiting
        except ValueError as error:
            ended.said.append(f"caught {error}")

    drive(careful(), ended.failed)
    waiting.errback(ValueError("late"))
    assert ended.said == ["caught late"]


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_that_escapes_is_told_once(ended: Ended, late: bool) -> None:
    waiting: Deferred[None] = Deferred()

    async def broken() -> None:
        if late:
            await waiting
        raise KeyError("x")

    drive(broken(), ended.failed)
    waiting.callback(None)
    assert ended.said == ["KeyError('x')"]


def test_awaiting_something_else_than_a_deferred_is_told(ended: Ended) -> None:
    class Odd:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield "odd"

    async def wrong() -> None:
        await Odd()

    drive(wrong(), ended.failed)
    assert ended.said == ["TypeError('a coroutine awaited str, not a Deferred')"]


def test_a_thousand_waits_that_are_over_at_once_do_not_pile_up(ended: Ended) -> None:
    async def long() -> None:
        for number in range(20_000):
            await succeed(number)
        ended.said.append("done")

    drive(long(), ended.failed)
    assert ended.said == ["done"]
