"""The times that a connection is given: for its handshake, its first bind, and between requests."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from provserver.ldap.limits import Limits
from provserver.ldap.offences import Offence

_LOOK_AGAIN: Final = 1.0
"""Seconds until a time limit that could not be applied (something is in progress) is looked at again."""
_WHAT: Final = {
    Offence.HANDSHAKE_TIME: "the TLS handshake was not done in time",
    Offence.TIME_TO_FIRST_BIND: "nobody has authenticated in time",
    Offence.IDLE_TIME: "the connection was idle for too long",
}


class Timed(Protocol):
    """A connection, as far as its time is concerned."""

    ever_bound: bool
    """Whether somebody has authenticated, be it once."""

    @property
    def binding(self) -> bool:
        """Whether that is in progress."""

    @property
    def busy(self) -> bool:
        """Whether an operation is in progress."""

    def overdue(self, offence: Offence, what: str) -> None:
        """A time limit was reached: the connection is to be ended."""


class Deadlines:
    """One timer for a connection, set to when its first limit may be reached: one for each request would
    cost more.
    """

    __slots__ = ("_call", "_clock", "_connected", "_handshake", "_limits", "_whose", "activity")

    def __init__(self, limits: Limits, clock: IReactorTime, whose: Timed) -> None:
        self._limits = limits
        self._clock = clock
        self._whose = whose
        self._connected = clock.seconds()
        self._handshake: float | None = None
        self._call: IDelayedCall | None = None
        self.activity = self._connected
        """When the last request began or ended; the connection says so."""

    def start(self, *, handshake: bool = False) -> None:
        """Look at the clock from now on, or anew: a handshake begins."""
        now = self._clock.seconds()
        self._handshake = now if handshake else None
        self._arm(now)

    def handshaken(self) -> None:
        """The handshake is over."""
        self._handshake = None

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _arm(self, now: float) -> None:
        self.stop()
        dates = [date for date, _ in self._dates()]
        if dates:
            self._call = self._clock.callLater(max(min(dates) - now, _LOOK_AGAIN), self._look)

    def _look(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for date, offence in self._dates():
            if now >= date and not self._excused(offence):
                self._whose.overdue(offence, _WHAT[offence])
                return
        self._arm(now)

    def _dates(self) -> list[tuple[float, Offence]]:
        """When each limit will be reached."""
        limits = self._limits
        dates = []
        if limits.handshake_time and self._handshake is not None:
            dates.append((self._handshake + limits.handshake_time, Offence.HANDSHAKE_TIME))
        if limits.time_to_first_bind and not self._whose.ever_bound:
            dates.append((self._connected + limits.time_to_first_bind, Offence.TIME_TO_FIRST_BIND))
        if limits.idle_time:
            dates.append((self.activity + limits.idle_time, Offence.IDLE_TIME))
        return dates

    def _excused(self, offence: Offence) -> bool:
        """Whether something is in progress on which we keep the peer waiting, not it us."""
        if offence is Offence.TIME_TO_FIRST_BIND:
            return self._whose.binding
        return offence is Offence.IDLE_TIME and self._whose.busy
