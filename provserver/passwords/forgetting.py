"""Echo marks that can tell nothing any more are removed, and with them what is left of ended deliveries: how
the last one to each account ended is kept. Ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.delivery.driving import drive
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, Parameters
from provserver.storage.contract import Store

_log = Logger(__name__)

FIRST: Final = 60.0
INTERVAL: Final = 3600.0
"""Seconds after the start, and from then on. A mark is judged by its age, so it may as well stay longer."""


class Forgetting(Service):
    """`echo_memory`: the setting, in seconds."""

    def __init__(
        self,
        store: Store,
        parameters: Parameters,
        clock: IReactorTime,
        wall: Callable[[], float],
        echo_memory: float,
    ) -> None:
        self._store = store
        self._parameters = parameters
        self._clock = clock
        self._wall = wall
        self._echo_memory = echo_memory
        self._alarm: IDelayedCall | None = None

    def startService(self) -> None:  # noqa: N802  Twisted's name
        super().startService()  # type: ignore[no-untyped-call]
        self._wait(FIRST)

    def stopService(self) -> None:  # noqa: N802  Twisted's name
        super().stopService()  # type: ignore[no-untyped-call]
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    def _wait(self, seconds: float) -> None:
        if self.running:
            self._alarm = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._alarm = None
        drive(self._forget(), self._failed)

    async def _forget(self) -> None:
        threshold = await self._parameters.get(AGENT_RESPONSE_THRESHOLD)
        await self._store.forget_marks(self._wall() - max(threshold, self._echo_memory))
        self._wait(INTERVAL)

    def _failed(self, error: Exception) -> None:
        _log.error("old echo marks could not be removed: {error!r}", error=error)
        self._wait(INTERVAL)
