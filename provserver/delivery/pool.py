"""The couriers of one endpoint: who takes the next parcel, in which order, over which lines.

Never two attempts for one account at once, and the next one only after the last was settled. A courier
keeps its line between parcels; idle lines are closed. An endpoint that is down keeps nobody else waiting:
it has its own couriers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.delivery.attempt import Attempts, Courier, Ending, EndpointDown
from provserver.delivery.driving import drive
from provserver.delivery.events import Outcome, sentence
from provserver.delivery.parcels import Parcel
from provserver.directory.entries import EntryId
from provserver.storage.contract import DeliveryState, JournalEvent, MarkFate, Settlement, Store

_log = Logger(__name__)

SETTLE_AGAIN: Final[tuple[float, ...]] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds until an outcome that the store could not take is offered again; the last one repeats."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How an endpoint's couriers work."""

    concurrency: int = 4
    idle: float = 300.0
    """Seconds after which a line that nobody used is closed."""


Told = Callable[[Parcel, Ending], None]
"""Is told how each attempt ended."""


class Pool:
    """One endpoint's couriers. `released` is called when a parcel is settled; `retrying` with the time of a
    retry."""

    def __init__(
        self,
        endpoint: EntryId,
        store: Store,
        attempts: Attempts,
        clock: IReactorTime,
        wall: Callable[[], float],
        settings: PoolSettings,
        released: Callable[[Pool, Parcel], None],
        retrying: Callable[[float], None],
        told: Told,
    ) -> None:
        self.endpoint = endpoint
        self.claiming = False
        self.claim_again = False
        """Set when more may be in the store than could be taken."""
        self.blocked: set[EntryId] = set()
        """Accounts that were busy when the store was last asked: it may have kept something back for them."""
        self._store = store
        self._attempts = attempts
        self._clock = clock
        self._wall = wall
        self._settings = settings
        self._released = released
        self._retrying = retrying
        self._told = told
        self._queue: deque[Parcel] = deque()
        self._accounts: dict[EntryId, deque[Parcel] | None] = {}
        """Accounts with a parcel that is not settled, and those that wait behind it."""
        self._couriers: list[Courier] = []
        """Those without work; the one that worked last is the next: its line is the freshest."""
        self._working = 0
        self._starting = False
        self._stopping = False
        self._rested_at = 0.0
        self._closing: IDelayedCall | None = None
        self.size = 0

    def busy(self) -> frozenset[EntryId]:
        """Accounts for which nothing more may be claimed just now."""
        return frozenset(self._accounts)

    def put(self, parcel: Parcel) -> None:
        """Take a parcel in; `work` sends it."""
        self.size += 1
        account = parcel.delivery.account
        accounts = self._accounts
        if account not in accounts:
            accounts[account] = None
            self._queue.append(parcel)
            return
        behind = accounts[account]
        if behind is None:
            accounts[account] = deque((parcel,))
        else:
            behind.append(parcel)

    def work(self) -> None:
        """Let couriers go, as many as there is work for and the endpoint's limit allows."""
        if self._starting:
            return  # the loop below, further up the stack, sees the queue
        self._starting = True
        try:
            while self._queue and not self._stopping:
                if self._couriers:
                    courier = self._couriers.pop()
                elif self._working < self._settings.concurrency:
                    courier = Courier()
                else:
                    return
                self._working += 1
                drive(self._round(courier), self._lost)
        finally:
            self._starting = False

    def resume(self) -> None:
        self._stopping = False
        self.work()

    def stop(self) -> None:
        """Give back what no courier has yet; what is on its way goes on."""
        self._stopping = True
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        while self._queue:
            self._give_back(self._queue.popleft())
        self._close_lines()

    # -- a courier's round

    async def _round(self, courier: Courier) -> None:
        queue = self._queue
        attempts = self._attempts
        try:
            while queue and not self._stopping:
                parcel = queue.popleft()
                try:
                    ending = await attempts.make(self.endpoint, courier, parcel)
                except EndpointDown as down:
                    self._settle(parcel, down.ending)
                    self._fail_the_queue(down)
                else:
                    self._settle(parcel, ending)
        finally:
            self._working -= 1
            self._couriers.append(courier)
            self._rest()

    def _fail_the_queue(self, down: EndpointDown) -> None:
        """What waits for an endpoint that cannot be reached need not find it out one by one."""
        waiting, count = self._queue, len(self._queue)
        for _ in range(count):
            parcel = waiting.popleft()
            self._settle(parcel, self._attempts.after_failure(down.endpoint, parcel, down.failure))

    def _lost(self, error: Exception) -> None:
        _log.error("a courier's round failed: {kind}", kind=type(error).__name__)

    # -- settling

    def _settle(self, parcel: Parcel, ending: Ending) -> None:
        outcome, state, mark, detail, due = ending
        delivery = parcel.delivery
        now = self._wall()
        text = sentence(outcome, detail)
        settlement = Settlement(
            delivery.id, delivery.account, delivery.change, state, mark, now, int(outcome), text, due
        )
        self._told(parcel, ending)
        first = parcel.first
        if first is not None:
            parcel.first = None
            first.count(state)
        drive(self._record(parcel, settlement), self._lost)

    async def _record(self, parcel: Parcel, settlement: Settlement) -> None:
        """Until the store has it, the account has no other attempt: else order would be lost with the
        record."""
        delivery = parcel.delivery
        for pause in chain(SETTLE_AGAIN, repeat(SETTLE_AGAIN[-1])):
            try:
                await self._store.settle(settlement)
                break
            except Exception as error:
                _log.error(
                    "the outcome of delivery {delivery} could not be stored: {kind}",
                    delivery=delivery.id,
                    kind=type(error).__name__,
                )
                if self._stopping:
                    self._release(parcel)  # the next process finds it claimed, and sends it once more
                    return
                await _pause(self._clock, pause)
        self._store.note(_line(self.endpoint, parcel, settlement))
        if settlement.state is DeliveryState.RETRYING:
            self._retrying(settlement.due)
        self._release(parcel)

    def _release(self, parcel: Parcel) -> None:
        account = parcel.delivery.account
        behind = self._accounts[account]
        self.size -= 1
        if behind:
            self._queue.append(behind.popleft())
            if self._stopping:
                self._give_back(self._queue.pop())
            else:
                self.work()
        else:
            del self._accounts[account]
        self._released(self, parcel)

    def _give_back(self, parcel: Parcel) -> None:
        ending: Ending
        if parcel.superseded:
            ending = self._attempts.superseded(parcel)
        else:
            mark = MarkFate.ENDED if parcel.maybe_set else MarkFate.REMOVED
            outcome = Outcome.OUTCOME_UNKNOWN if parcel.maybe_set else Outcome.RELEASED
            ending = Ending(outcome, DeliveryState.RETRYING, mark, "", self._wall())
        self._settle(parcel, ending)

    # -- idle lines

    def _rest(self) -> None:
        self._rested_at = self._clock.seconds()
        if self._stopping:
            self._close_lines()
        elif self._closing is None and not self._working:
            self._closing = self._clock.callLater(self._settings.idle, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._closing = None
        if self._working:
            return  # _rest starts the timer again
        left = self._rested_at + self._settings.idle - self._clock.seconds()
        if left > 0:
            self._closing = self._clock.callLater(left, self._close_if_idle)
        else:
            self._close_lines()

    def _close_lines(self) -> None:
        couriers, self._couriers = self._couriers, []
        for courier in couriers:
            drive(courier.hang_up(), self._lost)


async def _pause(clock: IReactorTime, seconds: float) -> None:
    over: Deferred[None] = Deferred()
    clock.callLater(seconds, over.callback, None)
    await over


def _line(endpoint: EntryId, parcel: Parcel, settlement: Settlement) -> JournalEvent:
    delivery = parcel.delivery
    return JournalEvent(
        settlement.at,
        settlement.event,
        settlement.text,
        {
            "account": delivery.account,
            "endpoint": endpoint,
            "change": delivery.change,
            "state": settlement.state.value,
        },
    )
