"""Persistent searches: how many there may be, and how one waits for the next change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from twisted.internet.defer import Deferred

from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.context import Line
from provserver.storage.contract import Store

PER_CONNECTION: Final = 10
IN_ALL: Final = 200
"""Persistent searches. Each is told of every change, so that every change costs each of them something."""


class Seats:
    """Who persists just now."""

    def __init__(self) -> None:
        self._taken: Counter[int] = Counter()

    @contextmanager
    def taken(self, line: Line) -> Iterator[None]:
        """Persist for as long as the block lasts. Refusal ADMIN_LIMIT_EXCEEDED."""
        here = id(line)
        if self._taken[here] >= PER_CONNECTION:
            raise _too_many(PER_CONNECTION, "on one connection")
        if self._taken.total() >= IN_ALL:
            raise _too_many(IN_ALL, "at the same time")
        self._taken[here] += 1
        try:
            yield
        finally:
            self._taken[here] -= 1
            if not self._taken[here]:
                del self._taken[here]


@contextmanager
def listening(store: Store) -> Iterator[Listener]:
    """One who hears of every change from now on, for as long as the block lasts."""
    listener = Listener()
    stop = store.follow(listener.tell)
    try:
        yield listener
    finally:
        stop()


class Listener:
    """Hears that there are changes, not which: the log has those, however long one was away."""

    def __init__(self) -> None:
        self._heard = False
        self._waiting: Deferred[None] | None = None

    def tell(self) -> None:
        """There are changes."""
        self._heard = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def news(self) -> None:
        """Wait until there is something that was not there when this last returned."""
        if not self._heard:
            waiting = self._waiting = Deferred()
            await waiting
        self._heard = False


def _too_many(most: int, where: str) -> Refusal:
    return Refusal(ResultCode.ADMIN_LIMIT_EXCEEDED, f"expected at most {most} persistent searches {where}")
