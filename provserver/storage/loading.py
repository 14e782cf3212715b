"""The SQLite store while it is loaded: all is one transaction of one connection, whatever its length.

In the place of the log there is a rollback journal for that time: what is new goes straight to its place
in the file, a page is written once, and of what was there the pages that change are kept beside it until
the end (nearly none, in a store that is filled). A process that dies on the way leaves that journal, and
whoever opens the store next puts everything back. Memory is bounded by SQLite's page cache.

What costs most at random is put off. Postings gather in a temporary table and are inserted in their order
(`_settle`) before anybody asks for them; and when more entries have come than there were, the index of ids
is made anew at that time instead of being kept up. Source: measured, docs/decisions/0016.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.ldap.filters import Filter, Scope
from provserver.storage import bodies
from provserver.storage import statements as sql
from provserver.storage.arrivals import Arrivals, Found, LoadedStore
from provserver.storage.codes import ADDED
from provserver.storage.contract import Commit, Committed, Put, SearchLimits, Trail
from provserver.storage.database import Database, StoreUnusable
from provserver.storage.sqlite import SqliteStore

_PAGE_CACHE_KIB: Final = 49_152
_ENTRY_BYTES: Final = 16 * 2**20
_PARENTS: Final = 10_000
_PATIENCE: Final = 1_000_000
"""Steps of SQLite's machine, some tens of milliseconds, between two looks whether we are interrupted."""


class LoadingDatabase(Database):
    """An open store in which everything is one transaction; what is one elsewhere is a savepoint here."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        super().__init__(path, durable=durable, alone=True)
        self._begun = False
        try:
            self._take()
        except BaseException:
            super().close()
            raise

    def _take(self) -> None:
        execute = self.writing.execute
        try:
            (mode,) = execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError as error:
            raise StoreUnusable(f"{self.path} is in use: {error}") from None
        if mode != "delete":
            raise StoreUnusable(f"{self.path} is in use: its log cannot be put away")
        execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
        execute("PRAGMA temp_store = FILE")
        self.writing.set_progress_handler(lambda: 0, _PATIENCE)

    def begin_all(self) -> None:
        """From here on nothing is true until `commit_all`."""
        super().begin()
        self._begun = True

    def commit_all(self) -> None:
        super().commit()
        self._begun = False

    def begin(self) -> None:
        self.writing.execute("SAVEPOINT batch")

    def commit(self) -> None:
        self.writing.execute("RELEASE batch")

    def roll_back(self) -> None:
        self.writing.execute("ROLLBACK TO batch")
        self.writing.execute("RELEASE batch")

    def close(self) -> None:
        """What was not kept is undone."""
        if self._begun:
            self._begun = False
            super().roll_back()
        super().close()


class LoadingStore(SqliteStore):
    """A LoadedStore (arrivals.py). `close` without `keep` leaves the store as it was."""

    def __init__(self, database: LoadingDatabase, *arguments: Any, **bounds: Any) -> None:
        super().__init__(database, *arguments, **bounds)
        self._all = database
        self._connection = database.writing
        self._parents: dict[str, int] = {}
        self._shared: set[int] = set()
        self._waiting = False
        """Whether there are entries in `arrived`."""
        self._indexed = self._last_row()
        self._since = 0
        """How many entries the index of ids had when it was made, and how many came since."""
        self.many = 50_000
        """Entries that are worth making an index anew."""
        self._can_drop = bool(self._connection.execute(sql.HAS_ID_INDEX).fetchone()[0])
        self._ids_indexed = True
        for statement in sql.LOADING_TABLES:
            self._connection.execute(statement)
        database.begin_all()

    @classmethod
    def open_for_load(cls, path: Path, schema: Schema, *, durable: bool = True) -> LoadingStore:
        """The store in a file, as SqliteStore.open: FileNotFoundError, StoreLocked, StoreUnusable."""
        bounds = {"entry_bytes": _ENTRY_BYTES, "find_count": 0}
        return cls._locked(path, schema, None, LoadingDatabase.open, durable, bounds)

    @property
    def numbers(self) -> Mapping[str, int]:
        return self._tree.postings.numbers

    # What comes

    def arrive(self, arrivals: Arrivals, at: float, by: str) -> bool:
        above = [self._row_at(key) for key in arrivals.above]
        if 0 in above:
            return False
        self._mind_index(len(arrivals.rows), arrivals.given_ids)
        first = self._transaction.next_entry
        rows = [
            (seq, id, key, first + parent if parent >= 0 else above[~parent], dn, body)
            for seq, (id, key, parent, dn, body) in enumerate(arrivals.rows, first)
        ]
        if self._connection.executemany(sql.ARRIVE, rows).rowcount != len(rows):
            self._connection.execute(sql.LEAVE, (first,))
            return False
        change = self._transaction.last_change + 1
        self._connection.execute(sql.CHANGE_OF_ARRIVED, (change - first, at, by, ADDED, first))
        self._transaction.took(len(rows))
        self._found_by(arrivals, first)
        self._since += len(rows)
        return True

    def brief(self, key: str) -> tuple[EntryId, str, Mapping[str, Attribute]] | None:
        row = self._connection.execute(sql.ENTRY_BY_KEY, (key,)).fetchone()
        if row is None:
            return None
        _, entry_id, name, _, body, _ = row
        try:
            return EntryId(entry_id), name, bodies.read(body)
        except bodies.DamagedBody as error:
            raise StoreUnusable(f"the entry '{name}' of the store is damaged: {error}") from error

    def keep(self) -> None:
        self._settle()
        self._all.commit_all()

    def _last_row(self) -> int:
        number: int = self._connection.execute(sql.LAST_ENTRY).fetchone()[0]
        return number

    def _row_at(self, key: str) -> int:
        """The row number of a parent; 0: there is none."""
        seq = self._parents.get(key)
        if seq is None:
            row = self._connection.execute(sql.SEQ_BY_KEY, (key,)).fetchone()
            if row is None:
                return 0
            if len(self._parents) >= _PARENTS:
                self._parents.clear()
            seq = self._parents[key] = row[0]
        return seq

    def _found_by(self, arrivals: Arrivals, first: int) -> None:
        for number in arrivals.shared.keys() - self._shared:
            terms = arrivals.shared[number]
            self._connection.executemany(sql.SHARE, [(number, *term) for term in terms])
            self._shared.add(number)
        self._connection.executemany(sql.ARRIVE_AS, _in_columns(arrivals.found, first))
        self._waiting = True

    # What was put off

    def _mind_index(self, count: int, given_ids: bool) -> None:
        """Ids that we make are new, so that nobody has to look; others may be in use."""
        if given_ids:
            self._index_ids()
        elif self._can_drop and self._ids_indexed and self._since + count > max(self.many, self._indexed):
            self._connection.execute(sql.DROP_ID_INDEX)
            self._ids_indexed = False

    def _index_ids(self) -> None:
        if not self._ids_indexed:
            self._connection.execute(sql.MAKE_ID_INDEX)
            self._ids_indexed = True
            self._indexed += self._since
            self._since = 0

    def _settle(self) -> None:
        """Whatever can be asked is answered by all that came."""
        self._index_ids()
        if self._waiting:
            for statement in sql.SETTLE:
                self._connection.execute(statement)
            self._waiting = False

    async def read_id(self, entry: EntryId) -> Entry | None:
        self._index_ids()
        return await super().read_id(entry)

    async def read_ids(self, entries: Sequence[EntryId]) -> Sequence[Entry]:
        self._index_ids()
        return await super().read_ids(entries)

    async def find(self, key: str, value: bytes) -> tuple[EntryId, ...]:
        self._settle()
        return await super().find(key, value)

    def search(
        self, base: DN, scope: Scope, filter: Filter, limits: SearchLimits, trail: Trail | None = None
    ) -> AsyncGenerator[Sequence[Entry], None]:
        self._settle()
        return super().search(base, scope, filter, limits, trail)

    async def commit(self, commit: Commit) -> Committed:
        if all(isinstance(write, Put) and not write.expected for write in commit.writes):
            self._index_ids()
        else:
            self._settle()
        self._parents.clear()
        return await super().commit(commit)


def _in_columns(found: Sequence[Found], first: int) -> list[tuple[int | bytes | None, ...]]:
    """What entries are found by as rows of `arrived`: one for each, more where the columns do not suffice."""
    rows: list[tuple[int | bytes | None, ...]] = []
    for seq, one in enumerate(found, first):
        if len(one) <= _WIDTH:
            rows.append((seq, *one, *_NOTHING[len(one)]))
            continue
        for start in range(1, len(one), _WIDTH - 1):
            part = one[start : start + _WIDTH - 1]
            shared = one[0] if start == 1 else None
            rows.append((seq, shared, *part, *_NOTHING[1 + len(part)]))
    return rows


_WIDTH: Final = 1 + 2 * sql.OWN_TERMS
_NOTHING: Final = tuple([(None,) * (_WIDTH - length) for length in range(_WIDTH + 1)])


def _is_a_loaded_store(store: LoadingStore) -> LoadedStore:
    return store
