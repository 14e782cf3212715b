"""Nothing is kept for ever: what has been held for too long ends, and old lines of the logs go. Ours.

A password that nobody released for days is a risk to keep, and of little use: its user has another one, or
will be given one. So its delivery fails for good, and with the row goes the sealed password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IReactorTime

from provserver.delivery.events import Outcome, sentence
from provserver.delivery.hourly import Hourly
from provserver.delivery.noting import line_of
from provserver.storage.contract import Commit, DeliveryState, Store

_AT_ONCE: Final = 200
"""Deliveries in one transaction."""
_BY: Final = "provserver"


@dataclass(frozen=True, slots=True)
class KeepingTimes:
    """How long things are kept, in seconds; 0 is for ever."""

    held: float = 0.0
    journal: float = 0.0
    changes: float = 0.0


class Keeping(Hourly):
    """Looks for it at the start, too."""

    def __init__(
        self, store: Store, clock: IReactorTime, wall: Callable[[], float], times: KeepingTimes
    ) -> None:
        super().__init__(
            self._end_and_prune,
            clock,
            first=0.0,
            trouble="old deliveries and log lines could not be removed",
        )
        self._store = store
        self._wall = wall
        self._times = times

    async def _end_and_prune(self) -> None:
        now, times = self._wall(), self._times
        if times.held:
            await self._end_held(now - times.held, now)
        if times.journal or times.changes:
            journal_before = now - times.journal if times.journal else 0.0
            changes_before = now - times.changes if times.changes else 0.0
            await self._store.prune(journal_before, changes_before)

    async def _end_held(self, before: float, now: float) -> None:
        outcome = Outcome.KEPT_TOO_LONG
        while self.running:
            held = await self._store.held_before(before, _AT_ONCE)
            if not held:
                return
            ended = await self._store.drop(
                [delivery.id for delivery in held], DeliveryState.FAILED, now, int(outcome), sentence(outcome)
            )
            lines = tuple([line_of(delivery, outcome, DeliveryState.FAILED, now) for delivery in ended])
            await self._store.commit(Commit(now, _BY, journal=lines))
