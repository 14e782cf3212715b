"""The couriers of one endpoint: who takes the next parcel, in which order, over which lines.

Never two attempts for one account at once, and the next one only after the last was settled. A courier
keeps its line between parcels; idle lines are closed. An endpoint that is down keeps nobody else waiting:
it has its own couriers, and its own gate (`gate`), which decides whether anything goes at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.delivery.attempt import Attempts, EndpointDown, EndpointPaused
from provserver.delivery.breaker import Gate
from provserver.delivery.driving import drive
from provserver.delivery.events import Outcome
from provserver.delivery.gate import EndpointGate, Standing
from provserver.delivery.lines import Courier
from provserver.delivery.parcels import Parcel
from provserver.delivery.settling import Settling, Told
from provserver.directory.entries import EntryId
from provserver.imps.endpoints import Endpoint
from provserver.storage.contract import DeliveryState, Settlement, Store

_log = Logger(__name__)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How an endpoint's couriers work."""

    concurrency: int = 4
    """Lines at the same time, where the endpoint's entry says nothing."""
    idle: float = 300.0
    """Seconds after which a line that nobody used is closed."""
    room: int = 256
    """Claimed parcels in memory."""


class Pool:
    """One endpoint's couriers. `released` is called when a parcel is settled, `retrying` with the time of a
    retry, `wanted` when more may be claimed than before."""

    def __init__(
        self,
        endpoint: EntryId,
        store: Store,
        attempts: Attempts,
        gate: EndpointGate,
        clock: IReactorTime,
        wall: Callable[[], float],
        settings: PoolSettings,
        released: Callable[[Pool, Parcel], None],
        retrying: Callable[[float], None],
        wanted: Callable[[EntryId], None],
        told: Told,
    ) -> None:
        self.endpoint = endpoint
        self.claiming = False
        self.claim_again = False
        """Set when more may be in the store than could be taken."""
        self.blocked: set[EntryId] = set()
        """Accounts that were busy when the store was last asked: it may have kept something back for them."""
        self.asking: frozenset[EntryId] = frozenset()
        """The same, while it is being asked."""
        self.size = 0
        self._attempts = attempts
        self._gate = gate
        self._clock = clock
        self._settings = settings
        self._released = released
        self._retrying = retrying
        self._wanted = wanted
        self._settling = Settling(endpoint, store, clock, wall, told, self._settled)
        self._queue: deque[Parcel] = deque()
        self._accounts: dict[EntryId, deque[Parcel] | None] = {}
        """Accounts with a parcel that is not settled, and those that wait behind it."""
        self._couriers: list[Courier] = []
        """Those without work; the one that worked last is the next: its line is the freshest."""
        self._working: list[Courier] = []
        """Those with work."""
        self._rounds = 0
        self._wanted_lines = settings.concurrency
        self._most = settings.concurrency
        """Lines at the same time: fewer than wanted, where the endpoint refuses more."""
        self._version = 0
        """Of the endpoint's entry, when it was looked at."""
        self._starting = False
        self._stopping = False
        self._rested_at = 0.0
        self._closing: IDelayedCall | None = None
        gate.changed = self._gate_changed
        gate.courier = self._courier_for_probe

    def busy(self) -> frozenset[EntryId]:
        """Accounts for which nothing more may be claimed just now."""
        return frozenset(self._accounts)

    @property
    def room(self) -> int:
        """How many more parcels may be claimed."""
        match self._gate.state:
            case Gate.CLOSED:
                return max(0, self._settings.room - self.size)
            case Gate.HALF_OPEN:
                return max(0, 1 - self.size)
            case _:
                return 0

    async def look(self) -> None:
        """Take note of what the endpoint's entry says now."""
        endpoint = await self._attempts.endpoint(self.endpoint)
        if endpoint is not None:
            self._see(endpoint)

    def standing(self) -> Standing:
        """How it stands with the endpoint."""
        lines = sum(_is_up(courier) for courier in (*self._couriers, *self._working))
        return self._gate.standing(lines, self.size)

    def put(self, parcel: Parcel) -> None:
        """Take a parcel in; `work` sends it."""
        self.size += 1
        known = parcel.known
        if known is not None and known[0].version > self._version:
            self._see(known[0])
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
                if self._gate.shut:
                    self._turn_away()
                    continue
                if self._gate.state is Gate.HALF_OPEN and self._rounds:
                    return  # one goes, whose end decides
                courier = self._next_courier()
                if courier is None:
                    return
                if not courier.rounds:
                    self._working.append(courier)
                courier.rounds += 1
                self._rounds += 1
                drive(self._round(courier), self._lost)
        finally:
            self._starting = False

    def resume(self) -> None:
        self._stopping = self._settling.stopping = False
        self._gate.resume()
        self.work()

    def stop(self) -> None:
        """Give back what no courier has yet; what is on its way goes on."""
        self._stopping = self._settling.stopping = True
        self._gate.stop()
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        while self._queue:
            self._give_back(self._queue.popleft())
        self._close_lines()

    # -- who goes

    def _next_courier(self) -> Courier | None:
        if self._couriers:
            return self._couriers.pop()
        if len(self._working) < self._most:
            return Courier(self.work)
        # All lines have something on them: those that take more at once get it, evenly.
        free = [courier for courier in self._working if courier.has_room]
        return min(free, key=_rounds_of) if free else None

    def _turn_away(self) -> None:
        """What waits for an endpoint that takes nothing waits in the outbox, and uses up no retry."""
        outcome, detail = self._gate.reason
        waiting = self._queue
        while waiting and self._gate.shut:
            parcel = waiting.popleft()
            self._settling.settle(parcel, self._attempts.unsent(parcel, outcome, detail), tried=False)

    def _see(self, endpoint: Endpoint) -> None:
        if endpoint.version != self._version:
            self._version = endpoint.version
            self._wanted_lines = self._most = endpoint.concurrency or self._settings.concurrency
        if endpoint.paused is not (self._gate.state is Gate.PAUSED):
            self._gate.pause(endpoint.paused)

    def _gate_changed(self) -> None:
        if self._gate.shut:
            self._turn_away()
        else:
            self._wanted(self.endpoint)
            self.work()

    def _courier_for_probe(self) -> Courier:
        """One whose line a probe may open; it rests with the others from now on."""
        if not self._couriers:
            self._couriers.append(Courier(self.work))
        self._rest()
        return self._couriers[-1]

    # -- a courier's round

    async def _round(self, courier: Courier) -> None:
        queue = self._queue
        attempts = self._attempts
        gate = self._gate
        stays = True
        try:
            while queue and not self._stopping:
                if gate.state is not Gate.CLOSED and (gate.shut or self._rounds > 1):
                    break
                parcel = queue.popleft()
                try:
                    ending = await attempts.make(self.endpoint, courier, parcel)
                except EndpointDown as down:
                    if self._is_one_too_many(courier, down):
                        queue.appendleft(parcel)
                        stays = False
                        break
                    self._settling.settle(parcel, down.ending)
                    gate.unreachable(down.endpoint, down.failure)
                except EndpointPaused:
                    self._settling.settle(parcel, attempts.unsent(parcel, Outcome.PAUSED), tried=False)
                    gate.pause(True)
                else:
                    self._settling.settle(parcel, ending)
                    if ending.outcome is not Outcome.UPDATED or not gate.at_rest:
                        gate.ended(ending.outcome, ending.detail)
        finally:
            self._rounds -= 1
            courier.rounds -= 1
            if not courier.rounds:
                self._working.remove(courier)
                if stays:
                    self._couriers.append(courier)
                self._rest()
            if queue and not self._stopping:
                self.work()

    def _is_one_too_many(self, courier: Courier, down: EndpointDown) -> bool:
        """Whether it is only this line that cannot be had, because the endpoint takes no more than it has:
        then those do it. (That it is gone altogether, they find out themselves.)
        """
        others = sum(_is_up(one) for one in (*self._working, *self._couriers) if one is not courier)
        if not others or down.ending.charged or down.ending.state is not DeliveryState.RETRYING:
            return False
        self._most = min(self._most, others)
        return True

    def _lost(self, error: Exception) -> None:
        _log.error("a courier's round failed: {kind}", kind=type(error).__name__)

    # -- what is settled

    def _settled(self, parcel: Parcel, settlement: Settlement | None) -> None:
        if (
            settlement is not None
            and settlement.state is DeliveryState.RETRYING
            # What was turned away is asked for when the gate opens.
            and (settlement.charged or not self._gate.shut)
        ):
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
        self._settling.settle(parcel, self._attempts.unsent(parcel, Outcome.RELEASED))

    # -- idle lines

    def _rest(self) -> None:
        self._rested_at = self._clock.seconds()
        if self._stopping:
            self._close_lines()
        elif self._closing is None and not self._rounds:
            self._closing = self._clock.callLater(self._settings.idle, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._closing = None
        if self._rounds:
            return  # _rest starts the timer again
        left = self._rested_at + self._settings.idle - self._clock.seconds()
        if left > 0:
            self._closing = self._clock.callLater(left, self._close_if_idle)
        else:
            self._close_lines()

    def _close_lines(self) -> None:
        couriers, self._couriers = self._couriers, []
        self._most = self._wanted_lines
        for courier in couriers:
            drive(courier.hang_up(courier.line), self._lost)


def _is_up(courier: Courier) -> bool:
    return courier.line is not None and courier.line.up


def _rounds_of(courier: Courier) -> int:
    return courier.rounds
