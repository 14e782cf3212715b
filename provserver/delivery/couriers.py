"""Couriers: they deliver passwords from the outbox, and from hand to hand right after the commit.

The fast path takes deliveries that the exchange claimed in its own commit and reads nothing. The other one
asks the store what is due: at the start, when a retry's time has come, and when an endpoint's couriers have
time again.

Order: no older password is sent after a newer commit of the same user. Newer commits are told by
`hand_over`; that a claim is answered before the commits that follow it are, is the store's part (one
writer, answers in order).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.delivery.attempt import Attempts, Ending, Facts, OpenSeal
from provserver.delivery.breaker import Breaker, BreakerSettings, Gate
from provserver.delivery.driving import drive
from provserver.delivery.due_time import DueTime
from provserver.delivery.events import Outcome
from provserver.delivery.gate import EndpointGate, Standing
from provserver.delivery.noting import line_of
from provserver.delivery.parcels import FirstAttempts, InHand, Newest, Parcel
from provserver.delivery.pool import Pool, PoolSettings
from provserver.delivery.settling import Told
from provserver.directory.entries import EntryId
from provserver.storage.contract import ChangeId, Delivery, DeliveryId, DeliveryState, Store

__all__ = ["Couriers", "CourierSettings", "Facts", "FirstAttempts", "OpenSeal", "Standing"]

_log = Logger(__name__)

LONGEST_SLEEP: Final = 60.0
"""Seconds. The wall clock may jump, and another node may have left something: looked at least this often."""
SHORTEST_SLEEP: Final = 0.05
BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class CourierSettings:
    """`concurrency`: lines to one endpoint, where its entry says nothing. `idle`, `lease`, `grace`: seconds.
    `room`: claimed parcels of one endpoint in memory."""

    concurrency: int = 4
    idle: float = 300.0
    lease: float = 300.0
    """How long a claim holds if this process dies; longer than any attempt."""
    room: int = 256
    grace: float = 5.0
    """What is on its way when the server stops has this long to end."""
    breaker: BreakerSettings | None = None


def _nobody(parcel: Parcel, ending: Ending) -> None:
    pass


class Couriers(Service):
    """All endpoints' couriers. `clock` turns timers, `wall` gives the times that are stored."""

    def __init__(
        self,
        store: Store,
        facts: Facts,
        open_seal: OpenSeal,
        clock: IReactorTime,
        wall: Callable[[], float],
        settings: CourierSettings | None = None,
        told: Told = _nobody,
        random: Callable[[], float] = random.random,
    ) -> None:
        """`random`: evenly from 0 to 1; for pauses, which need not be secret."""
        self._store = store
        self._clock = clock
        self._wall = wall
        self._due_time = DueTime(wall, clock.seconds)
        self._settings = settings or CourierSettings()
        self._told = told
        self._random = random
        self._attempts = Attempts(facts, open_seal, self._due_time, random)
        self._pools: dict[EntryId, Pool] = {}
        self._newest: dict[EntryId, Newest] = {}
        self._out = 0
        """Parcels in memory, and questions to the store that are not answered."""
        self._waiting: list[Deferred[None]] = []
        self._alarm: IDelayedCall | None = None
        self._alarm_at = float("inf")

    # -- the fast path

    def hand_over(
        self,
        deliveries: Sequence[Delivery],
        cancelled: Sequence[Delivery] = (),
        *,
        newest: tuple[EntryId, ChangeId] | None = None,
        known: Mapping[DeliveryId, InHand] | None = None,
    ) -> FirstAttempts:
        """To be called right after every commit of an exchange, before anything else is awaited.

        `deliveries` are those of the commit: claimed ones start now, others are claimed when it is their
        turn. `newest` names the user and the change, for a commit without deliveries: what is still on its
        way to that user's accounts is not started any more. `known`: endpoint and account as the exchange
        has just read them, which spares reading them again. `cancelled` is told to the journal.
        """
        first = FirstAttempts(pending=len(deliveries))
        if newest is None and deliveries:
            newest = deliveries[0].user, deliveries[0].change
        if cancelled:
            self._tell_cancelled(cancelled)
        if newest is None:
            return first
        record = self._newest.get(newest[0])
        if record is not None:
            record.change = newest[1]
        parcels = []
        for delivery in deliveries:
            if delivery.state is DeliveryState.CLAIMED:
                parcels.append(self._take(delivery, first, known.get(delivery.id) if known else None))
            else:
                self.wake(delivery.endpoint)
        first.running = len(parcels)
        for parcel in parcels:
            if self.running:
                self._pools[parcel.delivery.endpoint].work()
            parcel.known = None  # what has to wait looks again when its turn comes
        return first

    async def first_attempts(self, attempts: FirstAttempts, wait: float) -> None:
        """Return when the first attempt of each delivery has ended, or after `wait` seconds."""
        if not attempts.running:
            return
        ended = attempts.ended()
        alarm = self._clock.callLater(wait, ended.callback, None)
        try:
            await ended
        finally:
            attempts.stop_waiting()
            if alarm.active():
                alarm.cancel()

    def drained(self) -> Deferred[None]:
        """Fires when nothing is on its way; what is to be retried later, or held, is not."""
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        self._tell_drained()
        return done

    # -- how it stands

    def standing(self, endpoint: EntryId) -> Standing:
        """How it stands with an endpoint; closed, when it had nothing to do with us yet."""
        pool = self._pools.get(endpoint)
        return pool.standing() if pool is not None else Standing(endpoint, Gate.CLOSED)

    def standings(self) -> list[Standing]:
        """Of all endpoints that had to do with us since the start."""
        return [pool.standing() for pool in self._pools.values()]

    # -- the service

    def startService(self) -> None:  # noqa: N802  Twisted's name
        super().startService()  # type: ignore[no-untyped-call]
        for pool in list(self._pools.values()):
            pool.resume()
        self._look()

    def stopService(self) -> Deferred[None]:  # noqa: N802  Twisted's name
        """What no courier has yet is given back; what is on its way has `grace` seconds."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
            self._alarm_at = float("inf")
        for pool in list(self._pools.values()):
            pool.stop()
        stopped = self.drained()
        if not stopped.called:
            grace = self._clock.callLater(self._settings.grace, self._out_of_grace, stopped)
            stopped.addBoth(_stop_timer, grace)
        return stopped

    def _out_of_grace(self, stopped: Deferred[None]) -> None:
        if stopped in self._waiting:
            self._waiting.remove(stopped)
            stopped.callback(None)

    # -- parcels

    def _take(self, delivery: Delivery, first: FirstAttempts | None, known: InHand | None) -> Parcel:
        user = delivery.user
        record = self._newest.get(user)
        if record is None:
            record = self._newest[user] = Newest(delivery.change)
        record.parcels += 1
        self._out += 1
        pool = self._pools.get(delivery.endpoint) or self._new_pool(delivery.endpoint)
        parcel = Parcel(delivery, record, first, known)
        pool.put(parcel)
        return parcel

    def _new_pool(self, endpoint: EntryId) -> Pool:
        settings = self._settings
        pool = self._pools[endpoint] = Pool(
            endpoint,
            self._store,
            self._attempts,
            EndpointGate(
                endpoint,
                self._attempts,
                Breaker(self._random, settings.breaker),
                self._clock,
                self._wall,
                self._store.note,
            ),
            self._clock,
            self._wall,
            PoolSettings(settings.concurrency, settings.idle, settings.room),
            self._released,
            self._wake_at,
            self.wake,
            self._told,
        )
        return pool

    def _released(self, pool: Pool, parcel: Parcel) -> None:
        record = parcel.newest
        record.parcels -= 1
        if not record.parcels:
            del self._newest[parcel.delivery.user]
        self._out -= 1
        account = parcel.delivery.account
        if account in pool.asking:
            pool.claim_again = True  # the store may be keeping something back for it at this moment
        if pool.claim_again and pool.size <= self._settings.room // 2:
            self.wake(pool.endpoint)
        elif pool.blocked:
            pool.blocked.discard(account)
            if not pool.blocked:
                self.wake(pool.endpoint)
        if self._waiting:
            self._tell_drained()

    def _tell_drained(self) -> None:
        while not self._out and self._waiting:
            self._waiting.pop(0).callback(None)

    def _tell_cancelled(self, cancelled: Sequence[Delivery]) -> None:
        now = self._wall()
        for delivery in cancelled:
            self._store.note(line_of(delivery, Outcome.OUT_OF_DATE, DeliveryState.CANCELLED, now))

    # -- asking the store

    def _look(self) -> None:
        """Ask which endpoints have something due, now and next."""
        self._alarm = None
        self._alarm_at = float("inf")
        drive(self._counted(self._find_due()), self._store_failed)

    async def _find_due(self) -> None:
        endpoints, then = await self._store.endpoints_due(self._due_time())
        if not self.running:
            return
        self._wake_at(self._due_time() + LONGEST_SLEEP if then is None else then)
        for endpoint in endpoints:
            self.wake(endpoint)

    def _wake_at(self, when: float) -> None:
        """Look again at this wall-clock time, or earlier if that was said before."""
        if not self.running or when >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        sleep = min(max(when - self._due_time(), SHORTEST_SLEEP), LONGEST_SLEEP)
        self._alarm_at = when
        self._alarm = self._clock.callLater(sleep, self._look)

    def wake(self, endpoint: EntryId) -> None:
        """Ask now what is due for an endpoint."""
        if not self.running:
            return
        pool = self._pools.get(endpoint) or self._new_pool(endpoint)
        if pool.claiming:
            pool.claim_again = True
        else:
            drive(self._counted(self._claim(pool)), self._store_failed)

    async def _claim(self, pool: Pool) -> None:
        """Take what is due, as long as there is room for it."""
        pool.claiming = True
        try:
            await pool.look()
            while self.running:
                pool.claim_again = False
                room = min(BATCH, pool.room)
                if room <= 0:
                    pool.claim_again = True
                    return
                busy = pool.asking = pool.busy()
                rows = await self._store.claim(
                    pool.endpoint, room, self._due_time(), self._settings.lease, busy
                )
                for row in rows:
                    self._take(row, None, None)
                if rows and not self.running:
                    pool.stop()
                    return
                pool.work()
                if len(rows) < room and not pool.claim_again:
                    pool.blocked = set(busy & pool.busy())
                    return
        finally:
            pool.claiming = False
            pool.asking = frozenset()

    async def _counted(self, question: Coroutine[object, object, None]) -> None:
        """While a question is open, more may come of it: it counts as being on the way."""
        self._out += 1
        try:
            await question
        finally:
            self._out -= 1
            self._tell_drained()

    def _store_failed(self, error: Exception) -> None:
        _log.error("the outbox could not be read: {kind}", kind=type(error).__name__)
        self._wake_at(self._due_time() + LONGEST_SLEEP)


def _stop_timer(result: object, timer: IDelayedCall) -> None:
    if timer.active():
        timer.cancel()
