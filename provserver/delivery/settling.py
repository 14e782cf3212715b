"""How an attempt ended, written down: in the store, durably, and in the logs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from provserver.delivery.attempt import Ending
from provserver.delivery.driving import drive
from provserver.delivery.events import sentence
from provserver.delivery.parcels import Parcel
from provserver.directory.entries import EntryId
from provserver.storage.contract import JournalEvent, Settlement, Store

_log = Logger(__name__)

SETTLE_AGAIN: Final[tuple[float, ...]] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds until an outcome that the store could not take is offered again; the last one repeats."""

Told = Callable[[Parcel, Ending], None]
"""Is told how each attempt ended."""


class Settling:
    """One endpoint's. `settled` is called when the store has an outcome; with None, when it could not take
    it before the server stopped: then the next process finds the delivery claimed, and sends it once more.
    """

    def __init__(
        self,
        endpoint: EntryId,
        store: Store,
        clock: IReactorTime,
        wall: Callable[[], float],
        told: Told,
        settled: Callable[[Parcel, Settlement | None], None],
    ) -> None:
        self.stopping = False
        self._endpoint = endpoint
        self._store = store
        self._clock = clock
        self._wall = wall
        self._told = told
        self._settled = settled

    def settle(self, parcel: Parcel, ending: Ending, *, tried: bool = True) -> None:
        """`tried`: whether there was an attempt, which the logs should tell of."""
        outcome, state, mark, detail, due, charged = ending
        delivery = parcel.delivery
        now = self._wall()
        text = sentence(outcome, detail)
        settlement = Settlement(
            delivery.id, delivery.account, delivery.change, state, mark, now, int(outcome), text, due, charged
        )
        if tried:
            self._told(parcel, ending)
        first = parcel.first
        if first is not None:
            parcel.first = None
            first.count(state, self._endpoint)
        drive(self._record(parcel, settlement, tried), _lost)

    async def _record(self, parcel: Parcel, settlement: Settlement, tried: bool) -> None:
        """Until the store has it, the account has no other attempt: else order would be lost with the
        record."""
        for pause in chain(SETTLE_AGAIN, repeat(SETTLE_AGAIN[-1])):
            try:
                await self._store.settle(settlement)
                break
            except Exception as error:
                _log.error(
                    "the outcome of delivery {delivery} could not be stored: {kind}",
                    delivery=settlement.delivery,
                    kind=type(error).__name__,
                )
                if self.stopping:
                    self._settled(parcel, None)
                    return
                await _pause(self._clock, pause)
        if tried:
            self._store.note(_line(self._endpoint, settlement))
        self._settled(parcel, settlement)


def _lost(error: Exception) -> None:
    _log.error("an outcome was lost: {kind}", kind=type(error).__name__)


async def _pause(clock: IReactorTime, seconds: float) -> None:
    over: Deferred[None] = Deferred()
    clock.callLater(seconds, over.callback, None)
    await over


def _line(endpoint: EntryId, settlement: Settlement) -> JournalEvent:
    return JournalEvent(
        settlement.at,
        settlement.event,
        settlement.text,
        {
            "account": settlement.account,
            "endpoint": endpoint,
            "change": settlement.change,
            "state": settlement.state.value,
        },
    )
