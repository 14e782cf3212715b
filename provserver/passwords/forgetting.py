"""Echo marks that can tell nothing any more are removed, and with them what is left of ended deliveries: how
the last one to each account ended is kept. Ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from provserver.delivery.hourly import Hourly
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, Parameters
from provserver.storage.contract import Store

FIRST: Final = 60.0
"""Seconds after the start. A mark is judged by its age, so it may as well stay longer."""


class Forgetting(Hourly):
    """`echo_memory`: the setting, in seconds."""

    def __init__(
        self,
        store: Store,
        parameters: Parameters,
        clock: IReactorTime,
        wall: Callable[[], float],
        echo_memory: float,
    ) -> None:
        super().__init__(self._forget, clock, first=FIRST, trouble="old echo marks could not be removed")
        self._store = store
        self._parameters = parameters
        self._wall = wall
        self._echo_memory = echo_memory

    async def _forget(self) -> None:
        threshold = await self._parameters.get(AGENT_RESPONSE_THRESHOLD)
        await self._store.forget_marks(self._wall() - max(threshold, self._echo_memory))
