"""Entries by their ids, named for people: what an event of a delivery names by id has a DN."""

from __future__ import annotations

from provserver.directory.entries import EntryId
from provserver.storage.contract import Store


class Names:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def dn_of(self, entry: str) -> str:
        """As it is now; of an entry that is gone, its id."""
        found = await self._store.read_id(EntryId(entry))
        return str(found.dn) if found is not None else entry
