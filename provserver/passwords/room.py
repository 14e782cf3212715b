"""Whether there is room for more deliveries: new exchanges are refused before the outbox overflows, and
nothing that was accepted is ever given up for it. Ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from provserver.imps.messages import Message
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import DeliveryState, Store

_LOOK: Final = 5.0
"""Seconds for which it is taken that the oldest delivery is still the oldest."""


class Room:
    """`limit`: deliveries. `longest`: seconds that one may wait before no more are taken; 0: for ever."""

    def __init__(self, store: Store, wall: Callable[[], float], limit: int, longest: float) -> None:
        self._store = store
        self._wall = wall
        self._limit = limit
        self._longest = longest
        self._looked = 0.0
        self._oldest: float | None = None

    async def demand(self, part: float) -> None:
        """Refusal BUSY: the outbox is filled to this part, or something waits in it for too long."""
        if await self._store.outbox_size() >= self._limit * part:
            raise Refusal(ResultCode.BUSY, Message.OUTBOX_FULL.say())
        if self._longest and await self._waits_too_long():
            raise Refusal(ResultCode.BUSY, Message.OUTBOX_OLD.say())

    async def _waits_too_long(self) -> bool:
        """Of what is tried by itself: what is held waits for a person."""
        now = self._wall()
        if abs(now - self._looked) >= _LOOK:
            self._looked = now
            tallies = await self._store.tallies()
            self._oldest = min(
                (one.oldest for one in tallies if one.state is not DeliveryState.HELD), default=None
            )
        return self._oldest is not None and now - self._oldest > self._longest
