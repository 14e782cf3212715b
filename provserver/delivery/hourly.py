"""Work that is done once an hour while the server runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.delivery.driving import drive

_log = Logger(__name__)

INTERVAL: Final = 3600.0
"""Seconds from the end of one to the beginning of the next, also when it has failed."""


class Hourly(Service):
    """`first`: seconds until it is done for the first time. `trouble`: what could not be done, as the log has
    it.
    """

    def __init__(
        self, work: Callable[[], Awaitable[None]], clock: IReactorTime, *, first: float, trouble: str
    ) -> None:
        self._work = work
        self._clock = clock
        self._first = first
        self._trouble = trouble
        self._alarm: IDelayedCall | None = None

    def startService(self) -> None:  # noqa: N802  Twisted's name
        super().startService()  # type: ignore[no-untyped-call]
        self._wait(self._first)

    def stopService(self) -> None:  # noqa: N802  Twisted's name
        super().stopService()  # type: ignore[no-untyped-call]
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    def _wait(self, seconds: float) -> None:
        if self.running:
            self._alarm = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        self._alarm = None
        drive(self._done(), self._failed)

    async def _done(self) -> None:
        await self._work()
        self._wait(INTERVAL)

    def _failed(self, error: Exception) -> None:
        _log.error("{trouble}: {error!r}", trouble=self._trouble, error=error)
        self._wait(INTERVAL)
