"""Every engine, under the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from store_tree import SCHEMA, Opening

from provserver.storage.contract import Store
from provserver.storage.sqlite import SqliteStore


@pytest.fixture(params=["sqlite", "sqlite on its thread", "sqlite in memory"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens the store of this test: the first call makes it, later ones (not in memory) find it."""
    from twisted.internet import reactor

    path = tmp_path / "store.db"
    bounds: dict[str, Any] = {"quick": 0.0} if "thread" in request.param else {"quick": 10.0}

    async def opened() -> Store:
        if request.param == "sqlite in memory":
            return await SqliteStore.in_memory(SCHEMA, reactor=reactor)
        if path.exists():
            return await SqliteStore.open(path, SCHEMA, reactor=reactor, **bounds)
        return await SqliteStore.create(path, SCHEMA, reactor=reactor, **bounds)

    opened.lasting = "memory" not in request.param  # type: ignore[attr-defined]
    return opened


@pytest_twisted.async_yield_fixture
async def store(opening: Opening) -> AsyncIterator[Store]:
    """A store with its top entry."""
    store = await opening()
    try:
        yield store
    finally:
        await store.close()
