"""What happened at a server has reached those who follow its journal."""

from __future__ import annotations

from provserver.storage.contract import Commit
from provserver.testing.server import RunningServer


async def followed(server: RunningServer, seconds: float = 1.0) -> None:
    """Deliveries are over, what was noted is in the store, and was read there."""
    await server.delivered()
    await server.service.foundation.store.commit(Commit(server.clock.wall(), "test"))
    server.clock.turn(seconds)
    await server.breathe()
