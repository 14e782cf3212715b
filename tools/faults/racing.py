"""The race: connections that change one user's password, each from an account of its own, as fast as they are
answered; and the moments at which the server is killed.

A connection does not repeat what was not acknowledged, but goes on with another password: so every password
is sent once, and what became of it can be told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from racetrack import Account, Track, on_wire
from twisted.internet.defer import Deferred, FirstError, ensureDeferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from provserver.testing.wire import Hung, WireClient

PATIENCE: Final = 60.0
"""Seconds without an acknowledgement after which it is a deadlock."""
AIM: Final = 0.03
"""Seconds after its acknowledgement in which a kill may hit."""
TOLD_EVERY: Final = 2.0
_NEVER: Final = float("inf")


class Deadlock(Exception):
    """Nobody was answered for so long; the text says how far it came."""


@dataclass(slots=True)
class Attempt:
    """One password, sent once. Times by the wall clock, as the journal has them."""

    account: str
    password: str = field(repr=False)
    sent: float
    ended: float = _NEVER
    """When it was answered, or the line was lost."""
    acknowledged: bool = False
    refusal: str = ""
    """What it was answered with instead."""

    @property
    def wait(self) -> float:
        return self.ended - self.sent


@dataclass(frozen=True, slots=True)
class Plan:
    changes: int
    connections: int
    kills: int = 0
    seed: int = 0

    def quotas(self) -> list[int]:
        """How many changes of each connection are to be answered."""
        each, more = divmod(self.changes, self.connections)
        return [each + (number < more) for number in range(self.connections)]

    def moments(self) -> list[int]:
        """The answers after which the server is killed: one in each part of the race, and none at its end."""
        random = Random(self.seed)  # noqa: S311  not for secrets: it must be repeatable
        part = 0.75 * (self.changes - self.connections) / max(self.kills, 1)
        return [max(1, int((number + random.random()) * part)) for number in range(self.kills)]


class Race:
    """`is_quiet` says whether everything that a dead server sent was read; `tell` is told how it goes."""

    def __init__(
        self,
        reactor: Any,
        plan: Plan,
        track: Track,
        riders: Sequence[Account],
        is_quiet: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> None:
        self.attempts: list[Attempt] = []
        self.kills = 0
        self.seconds = 0.0
        self._reactor = reactor
        self._plan = plan
        self._track = track
        self._riders = riders
        self._is_quiet = is_quiet
        self._tell = tell
        self._moments = plan.moments()
        self._aim = Random(plan.seed + 1)  # noqa: S311
        self._answered = 0
        self._striking = False
        self._over: Deferred[None] = Deferred()

    async def run(self) -> None:
        """From the first attempt to the last answer. Deadlock, BenchFailed."""
        began = time.monotonic()
        riding = gatherResults(
            [
                ensureDeferred(self._ride(rider, quota))
                for rider, quota in zip(self._riders, self._plan.quotas(), strict=True)
            ],
            consumeErrors=True,
        )
        riding.addCallbacks(lambda _: self._end(None), self._end)
        self._watch(began, self._answered, began)
        await self._over
        self.seconds = time.monotonic() - began

    # -- one connection

    async def _ride(self, rider: Account, quota: int) -> None:
        client: WireClient | None = None
        while quota:
            client = client or await self._line()
            attempt = Attempt(rider.dn, f"Race-{len(self.attempts):06d}", time.time())
            self.attempts.append(attempt)
            try:
                told = await client.sync(on_wire(rider.dn), attempt.password)
            except Hung:
                attempt.ended = time.time()
                client = None
                continue
            attempt.ended = time.time()
            attempt.refusal = f"{told.code.name}: {told.text}" if told.code else ""
            attempt.acknowledged = not told.code
            quota -= 1
            self._count()
        if client is not None:
            client.hang_up()

    async def _line(self) -> WireClient:
        while (client := await self._track.line(self._reactor)) is None:
            await pause(self._reactor, 0.01)
        return client

    # -- the kills

    def _count(self) -> None:
        self._answered += 1
        if self._moments and self._answered >= self._moments[0] and not self._striking:
            del self._moments[0]
            self._striking = True
            self._reactor.callLater(self._aim.uniform(0, AIM), self._strike)

    def _strike(self) -> None:
        ensureDeferred(self._kill_and_restart()).addErrback(self._end)

    async def _kill_and_restart(self) -> None:
        # Of every connection one answer may be on its way: others must come after it, from the new process.
        if self._plan.changes - self._answered > self._plan.connections:
            self._track.kill()
            self.kills += 1
            while not self._is_quiet():
                await pause(self._reactor, 0.001)
            await deferToThread(self._track.start)
        self._striking = False

    # -- the end

    def _watch(self, began: float, answered: int, progressed: float) -> None:
        if self._over.called:
            return
        now = time.monotonic()
        if self._answered > answered:
            progressed = now
        if now - progressed > PATIENCE:
            self._over.errback(Deadlock(f"no answer for {PATIENCE:g} s, after {self._answered} of them"))
            return
        rate = self._answered / (now - began or 1)
        self._tell(f"{self._answered} of {self._plan.changes} changes, {rate:.0f}/s, {self.kills} kills")
        self._reactor.callLater(TOLD_EVERY, self._watch, began, self._answered, progressed)

    def _end(self, failure: Failure | None) -> None:
        if self._over.called:
            return
        if failure is None:
            self._over.callback(None)
            return
        reason = failure.value
        self._over.errback(reason.subFailure if isinstance(reason, FirstError) else failure)


async def pause(reactor: Any, seconds: float) -> None:
    over: Deferred[None] = Deferred()
    reactor.callLater(seconds, over.callback, None)
    await over
