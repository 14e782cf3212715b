"""The SQLite store read from one end to the other by the only process that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from provserver.directory.entries import Attribute
from provserver.directory.names import DN, subtree_range
from provserver.storage import bodies
from provserver.storage import statements as sql
from provserver.storage.database import Database, StoreUnusable
from provserver.storage.lock import StoreLock

_STEP: Final = 256
"""Rows that are in memory at once."""


class DumpedStore:
    """Reads, and changes nothing. `close` it."""

    def __init__(self, path: Path) -> None:
        """The store in a file. FileNotFoundError, StoreLocked, StoreUnusable."""
        self._lock = StoreLock.acquire(path)
        try:
            self._database = Database.open(path, durable=True)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()
        self._lock.release()

    def count(self, base: DN) -> int:
        """How many entries there are at and below a name; 0: there is no such name."""
        if self._database.reading.execute(sql.SEQ_BY_KEY, (base.key,)).fetchone() is None:
            return 0
        every = -1  # as a LIMIT: none
        number: int = self._database.reading.execute(
            sql.COUNT_IN_RANGE, (*subtree_range(base), every)
        ).fetchone()[0]
        return number

    def entries(self, base: DN) -> Iterator[tuple[str, Mapping[str, Attribute]]]:
        """DN text and attributes of the entries at and below a name, parents first. StoreUnusable names the
        entry that is damaged."""
        rows = self._database.reading.execute(sql.ALL_IN_RANGE, subtree_range(base))
        while step := rows.fetchmany(_STEP):
            for dn, body in step:
                try:
                    attributes = bodies.decode(body)
                except bodies.DamagedBody as error:
                    raise StoreUnusable(f"the entry '{dn}' of the store is damaged: {error}") from error
                yield dn, attributes
