"""Somebody else who commits at the worst moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from provserver.storage.contract import Commit, Committed, Store


class Interrupted:
    """A store before whose first commit somebody else gets something done."""

    def __init__(self, store: Store, other: Callable[[], Awaitable[object]]) -> None:
        self._store = store
        self._other: Callable[[], Awaitable[object]] | None = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commit: Commit) -> Committed:
        if self._other is not None:
            other, self._other = self._other, None
            await other()
        return await self._store.commit(commit)
