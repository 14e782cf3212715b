"""The tree as it is on disk, read: entries by name and id, ids by value; with a bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol
from weakref import WeakSet

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.packed import Packed
from provserver.storage import bodies
from provserver.storage import statements as sql
from provserver.storage.cache import Record, Records, Remembered
from provserver.storage.database import Database, StoreUnusable
from provserver.storage.postings import Postings, Term

EntryRow = tuple[int, EntryId, str, int, bytes, str]
"""seq, id, dn, version, body, key."""

_WEIGHT_OF_ENTRY: Final = 900
_WEIGHT_OF_ATTRIBUTE: Final = 120
"""Bytes in memory beside the values themselves, so that the sum is the growth of the process that was
measured: 4.7 KB for accounts with 22 attributes in a body of 816 bytes."""
_WEIGHT_OF_PACKED: Final = 750
"""The same while the attributes are packed: 1.6 KB for these accounts."""
_LONGEST_REMEMBERED_FIND: Final = 256
_AT_ONCE: Final = 16
"""Entries that are read together with the ids of those that have a value."""
_ALL: Final = -1
"""As a LIMIT: none."""
_ANY_SEQ: Final = 2**63 - 1


def record_of(seq: int, entry: Entry, body: bytes) -> Record:
    """A record with its weight, as far as the memory of records is concerned."""
    return _record(seq, entry, len(body))


def _record(seq: int, entry: Entry, length: int) -> Record:
    weight = _WEIGHT_OF_ENTRY + 3 * length // 2 + _WEIGHT_OF_ATTRIBUTE * len(entry.attributes)
    return Record(seq, entry, weight)


def read_row(row: EntryRow) -> Record:
    """The record in a row, its attributes packed. StoreUnusable names the entry that is damaged."""
    return Record(row[0], read_entry(row), _WEIGHT_OF_PACKED + len(row[4]), packed=True)


def read_entry(row: EntryRow) -> Entry:
    """The entry in a row, its attributes packed. StoreUnusable, as read_row."""
    seq, entry_id, dn, version, body, key = row
    try:
        return Entry(entry_id, DN(None, key, dn), bodies.read(body), version)
    except (ValueError, TypeError) as error:
        raise StoreUnusable(f"entry {seq} of the store is damaged: {error}") from error


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

    def unpacked(self, record: Record) -> Entry:
        """The entry of a record for somebody who will look at it closely, and so do others: the attributes
        are cut up once, and remembered so.
        """
        entry, attributes = record.entry, record.entry.attributes
        if type(attributes) is Packed:
            entry = Entry(entry.id, entry.dn, attributes.unpacked(), entry.version)
            self.known.put(_record(record.seq, entry, record.weight - _WEIGHT_OF_PACKED))
        return entry

    def with_id(self, entry_id: EntryId) -> Record | None:
        record = self.known.with_id(entry_id)
        if record is None:
            row = self._database.reading.execute(sql.ENTRY_BY_ID, (entry_id,)).fetchone()
            if row is not None:
                record = self._remember(row)
        return record

    def with_ids(self, entries: Sequence[EntryId]) -> list[Entry]:
        """Those that exist. Memory stays as it is."""
        read = self._database.reading.execute
        found = []
        for entry_id in entries:
            record = self.known.glimpse(entry_id)
            if record is not None:
                found.append(record.entry)
            else:
                row = read(sql.ENTRY_BY_ID, (entry_id,)).fetchone()
                if row is not None:
                    found.append(read_entry(row))
        return found

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

    def few(self, term: Term) -> tuple[tuple[EntryId, ...], Sequence[Entry] | None] | None:
        """The ids with a value, parents first, remembered; None: they are too many to be remembered. And the
        entries, if they were read at the same time.
        """
        ids = self.found.get(term)
        if ids is not None:
            return ids, None
        rows = self.with_term(term, 0, _ANY_SEQ, _AT_ONCE + 1)
        entries = None
        if len(rows) <= _AT_ONCE:
            entries = self.entries(rows, remember=True)
            ids = tuple([entry.id for entry in entries])
        else:
            found = self.rows(sql.FEW_IDS_BY_POSTING, (*term, _LONGEST_REMEMBERED_FIND + 1))
            if len(found) > _LONGEST_REMEMBERED_FIND:
                return None
            ids = tuple([EntryId(row[0]) for row in found])
        self.found.put(term, ids, 1 + len(ids))
        return ids, entries

    def with_term(self, term: Term, after: int, last: int, size: int) -> list[EntryRow]:
        """Rows of entries with a value, parents first: those after one row number, up to another."""
        attribute, value = term
        return self.rows(sql.ENTRIES_BY_POSTING, (attribute, value, after, last, size))

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

    def entries(self, rows: Sequence[EntryRow], *, remember: bool) -> list[Entry]:
        """Rows as entries; those in memory are the very same."""
        glimpse = self.known.glimpse
        entries = []
        for row in rows:
            record = glimpse(row[1])
            if record is not None and record.entry.version == row[3]:
                record.used = record.used or remember
                entries.append(record.entry)
            else:
                entries.append(self._remember(row).entry if remember else read_entry(row))
        return entries

    def settled(self) -> bool:
        """Whether memory and disk are one: no commit is on its way, of which disk may show more."""
        return not self._database.committing

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
