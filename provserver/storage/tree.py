"""The tree as it is on disk, read: entries by name and id, ids by value; with a bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol
from weakref import WeakSet

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.storage import bodies
from provserver.storage import statements as sql
from provserver.storage.cache import Record, Records, Remembered
from provserver.storage.database import Database, StoreUnusable
from provserver.storage.postings import Postings, Term

EntryRow = tuple[int, str, str, int, bytes]
"""seq, id, dn, version, body."""

_WEIGHT_OF_ENTRY: Final = 900
_WEIGHT_OF_ATTRIBUTE: Final = 90
"""Bytes in memory beside the values themselves, so that the sum is the growth of the process that was
measured: 2.8 KB an entry over 70,000 users, accounts and inclusions."""
_LONGEST_REMEMBERED_FIND: Final = 256
_ALL: Final = -1
"""As a LIMIT: none."""


def record_of(seq: int, entry: Entry, body: bytes) -> Record:
    """A record with its weight, as far as the memory of records is concerned."""
    return Record(
        seq, entry, _WEIGHT_OF_ENTRY + 3 * len(body) // 2 + _WEIGHT_OF_ATTRIBUTE * len(entry.attributes)
    )


def read_row(row: EntryRow) -> Record:
    """A row decoded. StoreUnusable names the entry that is damaged."""
    seq, entry_id, dn, version, body = row
    try:
        entry = Entry(EntryId(entry_id), DN.parse(dn), bodies.decode(body), version)
    except (ValueError, TypeError) as error:
        raise StoreUnusable(f"entry {seq} of the store is damaged: {error}") from error
    return record_of(seq, entry, body)


class Wanderer(Protocol):
    """Whoever looks through the tree by name, and must not meet an entry twice that got another one."""

    def moved(self, dn: DN) -> None:
        """An entry and what is below it are getting this name, and had another."""


class Tree:
    """Reads of what is on disk. The writer tells it what has become true (`known`, `stale`)."""

    def __init__(self, database: Database, postings: Postings, *, entry_bytes: int, find_count: int) -> None:
        self._database = database
        self.postings = postings
        self.known = Records(entry_bytes)
        self.found: Remembered[Term, tuple[EntryId, ...]] = Remembered(find_count)
        self.wanderers: WeakSet[Wanderer] = WeakSet()
        self._watched: dict[Term, list[Callable[[], None]]] = {}

    def at(self, key: str) -> Record | None:
        """The record with this DN key."""
        record = self.known.at(key)
        if record is None:
            row = self._database.reading.execute(sql.ENTRY_BY_KEY, (key,)).fetchone()
            if row is not None:
                record = self._remember(row)
        return record

    def with_id(self, entry_id: EntryId) -> Record | None:
        record = self.known.with_id(entry_id)
        if record is None:
            row = self._database.reading.execute(sql.ENTRY_BY_ID, (entry_id,)).fetchone()
            if row is not None:
                record = self._remember(row)
        return record

    def find(self, key: str, value: bytes) -> tuple[EntryId, ...]:
        """Ids of the entries with this value. KeyError: not indexed."""
        term = self.postings.term(key, value)
        if term is None:
            return ()
        ids = self.found.get(term)
        if ids is None:
            ids = tuple(EntryId(row[0]) for row in self._database.reading.execute(sql.IDS_BY_POSTING, term))
            if len(ids) <= _LONGEST_REMEMBERED_FIND:
                self.found.put(term, ids, 1 + len(ids))
        return ids

    def few(self, term: Term) -> tuple[EntryId, ...] | None:
        """The ids with a value, parents first, remembered; None: they are too many to be remembered."""
        ids = self.found.get(term)
        if ids is None:
            rows = self._database.reading.execute(
                sql.FEW_IDS_BY_POSTING, (*term, _LONGEST_REMEMBERED_FIND + 1)
            )
            ids = tuple(EntryId(row[0]) for row in rows)
            if len(ids) > _LONGEST_REMEMBERED_FIND:
                return None
            self.found.put(term, ids, 1 + len(ids))
        return ids

    def has_children(self, key: str) -> bool:
        seq = self.seq_at(key)
        return seq is not None and self._any(sql.ANY_CHILD, (seq,))

    def count_children(self, key: str) -> int:
        seq = self.seq_at(key)
        return 0 if seq is None else int(self.rows(sql.COUNT_CHILDREN, (seq, _ALL))[0][0])

    def seq_at(self, key: str) -> int | None:
        """The row number of a DN key; 0 for the root, which is no entry but may have children."""
        if not key:
            return 0
        record = self.at(key)
        return record.seq if record is not None else None

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Any]:
        """All rows of a bounded read; its transaction ends here."""
        return self._database.reading.execute(statement, parameters).fetchall()

    def records(self, rows: Sequence[EntryRow], *, remember: bool) -> list[Record]:
        """Rows as records; those in memory are not decoded again."""
        records = []
        for row in rows:
            record = self.known.with_id(EntryId(row[1]))
            if record is None or record.entry.version != row[3]:
                record = self._remember(row) if remember else read_row(row)
            records.append(record)
        return records

    def stale(self, term: Term) -> None:
        """Other entries than before have this value."""
        self.found.pop(term)
        for changed in self._watched.get(term, ()):
            changed()

    def watch(self, term: Term, changed: Callable[[], None]) -> None:
        """Call `changed` whenever a term becomes `stale`."""
        self._watched.setdefault(term, []).append(changed)

    def moved(self, dn: DN) -> None:
        """An entry and what is below it are getting this name."""
        for wanderer in self.wanderers:
            wanderer.moved(dn)

    def last(self) -> int:
        """The largest row number: rows that come later have larger ones."""
        return int(self.rows(sql.LAST_ENTRY, ())[0][0])

    def _remember(self, row: EntryRow) -> Record:
        record = read_row(row)
        self.known.put(record)
        return record

    def _any(self, statement: str, parameters: Sequence[object]) -> bool:
        return self._database.reading.execute(statement, parameters).fetchone() is not None
