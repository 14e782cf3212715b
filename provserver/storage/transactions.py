"""One write transaction at a time: checks first, then writes, and tells memory only when it is on disk.

The reads of a commit that only changes entries are answered by what is in memory, and its rows gather until
`flush`, which sends a whole batch in a few statements. Commits that add, remove or rename write as they go,
inside a savepoint. Everything here runs on the reactor thread.
"""

from __future__ import annotations

import json.encoder
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN, subtree_range
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage import bodies
from provserver.storage import statements as sql
from provserver.storage.cache import Record
from provserver.storage.codes import ADDED, DELETED, MODIFIED, MOVED
from provserver.storage.contract import (
    Commit,
    Committed,
    Conflict,
    JournalEvent,
    Move,
    Put,
    Remove,
    Write,
)
from provserver.storage.database import Database
from provserver.storage.deliveries import DeliveryWrites
from provserver.storage.postings import Term
from provserver.storage.pruning import Pruning
from provserver.storage.steering import Steering
from provserver.storage.tree import EntryRow, Tree, read_row, record_of

_quoted: Final = json.encoder.encode_basestring

Row = tuple[object, ...]

_STEP: Final = 256
"""Rows of a subtree that are in memory at once while it moves."""


class Transaction:
    """`begin`, any number of `commit` and the like, `flush`, COMMIT by the writer, `done`; or `roll_back`."""

    def __init__(self, database: Database, tree: Tree, deliveries: DeliveryWrites) -> None:
        self._database = database
        self._connection = database.writing
        self._execute = database.writing.execute
        self._tree = tree
        self.deliveries = deliveries
        self.steering = Steering(database, deliveries)
        self.pruning = Pruning(database)
        self._next_entry = self._last(sql.LAST_ENTRY) + 1
        self._next_change = self._last(sql.LAST_CHANGE) + 1
        self._next_journal = self._last(sql.LAST_JOURNAL) + 1
        self._clear()

    def _last(self, statement: str) -> int:
        number: int = self._execute(statement).fetchone()[0]
        return number

    def _clear(self) -> None:
        self._counters = self._next_entry, self._next_change, self._next_journal
        self._touched: dict[EntryId, Record | None] = {}
        self._carried: set[EntryId] = set()
        self._stale: set[Term] = set()
        self._parents: dict[str, int] = {}
        self._updates: list[Row] = []
        self._changes: list[Row] = []
        self._journal: list[Row] = []

    # The writer's side

    @property
    def last_change(self) -> int:
        """The number of the change log's last line."""
        return self._next_change - 1

    @property
    def next_entry(self) -> int:
        """The row number that the next entry gets."""
        return self._next_entry

    def took(self, count: int) -> None:
        """So many entries and lines of the change log were written beside this, between two batches."""
        self._next_entry += count
        self._next_change += count

    def begin(self) -> None:
        self._clear()
        self.deliveries.begin()
        self._database.begin()

    def flush(self) -> None:
        """Everything that gathered is in the transaction when this returns."""
        many = self._connection.executemany
        if self._updates:
            many(sql.UPDATE_ENTRY, self._updates)
            self._updates = []
        if self._changes:
            many(sql.INSERT_CHANGE, self._changes)
            self._changes = []
        if self._journal:
            many(sql.INSERT_JOURNAL, self._journal)
            self._journal = []
        self.deliveries.flush()

    def done(self) -> None:
        """The COMMIT has returned: it is true now."""
        tree = self._tree
        for entry_id in self._carried:
            tree.known.forget(entry_id)
        for entry_id, record in self._touched.items():
            if record is None:
                tree.known.forget(entry_id)
            else:
                tree.known.put(record)
        for term in self._stale:
            tree.stale(term)
        self.deliveries.done()

    def roll_back(self) -> None:
        """Nothing of it happened."""
        self._database.roll_back()
        self._next_entry, self._next_change, self._next_journal = self._counters
        self.deliveries.rolled_back()
        self._clear()

    # What can be asked of it

    def commit(self, commit: Commit) -> Committed:
        """Conflict and Refusal leave the transaction as it was."""
        for entry_id, version in commit.reads:
            record = self._record(entry_id)
            if record is None or record.entry.version != version:
                raise Conflict(f"entry {entry_id} is no longer at version {version}")
        if commit.quiet is not None and self.deliveries.on_its_way(commit.quiet):
            raise Conflict(f"a password is on its way to {commit.quiet}")
        if commit.writes:
            changes = self._plain_changes(commit.writes)
            if changes is not None:
                for record, put in changes:
                    self._modify(record, put, commit)
            else:
                self._restructure(commit)
        cancelled = self.deliveries.cancel_for(commit.cancel_for, commit.at) if commit.cancel_for else ()
        for new in commit.deliveries:
            self.deliveries.add(new, commit.at)
        if commit.journal:
            self.note(commit.journal)
        return Committed(self.last_change, cancelled)

    def note(self, events: Sequence[JournalEvent]) -> None:
        """Journal lines."""
        number = self._next_journal
        for event in events:
            fields = _text_of(event.fields) if event.fields else ""
            self._journal.append((number, event.at, event.event, event.text, fields))
            number += 1
        self._next_journal = number

    # Entries

    def _record(self, entry_id: EntryId) -> Record | None:
        """The entry as this transaction sees it."""
        try:
            return self._touched[entry_id]
        except KeyError:
            pass
        record = self._tree.known.with_id(entry_id)
        if record is None:
            row = self._execute(sql.ENTRY_BY_ID, (entry_id,)).fetchone()
            if row is not None:
                record = read_row(row)
        return record

    def _expected(self, entry_id: EntryId, dn: DN, version: int) -> Record:
        record = self._record(entry_id)
        if record is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{dn}' does not exist")
        if record.entry.version != version:
            raise Conflict(f"'{dn}' is at version {record.entry.version}, not {version}")
        return record

    def _plain_changes(self, writes: Sequence[Write]) -> list[tuple[Record, Put]] | None:
        """The writes with their records when all of them change entries in place, checked; else None."""
        changes = []
        for write in writes:
            if not isinstance(write, Put) or not write.expected:
                return None
            record = self._expected(write.entry.id, write.entry.dn, write.expected)
            if record.entry.dn.key != write.entry.dn.key:
                return None
            changes.append((record, write))
        if len(changes) > 1 and len({put.entry.id for _, put in changes}) < len(changes):
            return None
        return changes

    def _modify(self, record: Record, put: Put, commit: Commit) -> None:
        old = record.entry
        changed = self._written(record.seq, put)
        entry, body = changed
        gone, come = self._tree.postings.difference(old, entry)
        if gone or come:
            seq = record.seq
            self._connection.executemany(sql.DELETE_POSTING, [(*term, seq) for term in gone])
            self._connection.executemany(sql.INSERT_POSTING, [(*term, seq) for term in come])
            self._stale |= gone
            self._stale |= come
        self._updates.append((entry.version, entry.dn.text, body, record.seq))
        self._log(MODIFIED, entry, commit)

    def _written(self, seq: int, put: Put | Move) -> tuple[Entry, bytes]:
        """The entry with its new version, and its body; the transaction sees it from now on."""
        entry = put.entry
        version = put.expected + 1
        if entry.version != version:
            entry = Entry(entry.id, entry.dn, entry.attributes, version)
        body = bodies.encode(entry.attributes)
        self._touched[entry.id] = record_of(seq, entry, body)
        return entry, body

    def _log(self, kind: int, entry: Entry, commit: Commit) -> None:
        self._changes.append(
            (self._next_change, commit.at, commit.by, kind, entry.id, entry.dn.text, entry.version)
        )
        self._next_change += 1

    # Adding, removing, renaming

    def _restructure(self, commit: Commit) -> None:
        self.flush()
        touched, counters = self._touched.copy(), (self._next_entry, self._next_change)
        self._execute("SAVEPOINT one_commit")
        try:
            for write in commit.writes:
                if isinstance(write, Remove):
                    self._remove(write, commit)
                elif isinstance(write, Move):
                    self._move(write, commit)
                elif not write.expected:
                    self._add(write, commit)
                else:
                    record = self._expected(write.entry.id, write.entry.dn, write.expected)
                    if record.entry.dn.key != write.entry.dn.key:
                        raise ValueError(f"expected a Move of '{record.entry.dn}', not a Put")
                    self._modify(record, write, commit)
        except (Conflict, Refusal):
            self._execute("ROLLBACK TO one_commit")
            self._execute("RELEASE one_commit")
            self._touched = touched
            self._next_entry, self._next_change = counters
            self._updates, self._changes = [], []
            self._parents = {}
            raise
        self._execute("RELEASE one_commit")

    def _add(self, put: Put, commit: Commit) -> None:
        entry = put.entry
        parent = self._parent_of(entry.dn)
        if self._record(entry.id) is not None:
            raise Refusal(
                ResultCode.ENTRY_ALREADY_EXISTS, f"an entry with the id of '{entry.dn}' exists already"
            )
        self._insert(self._next_entry, parent, put)
        self._next_entry += 1
        self._log(ADDED, self._seen(entry.id), commit)

    def _move(self, move: Move, commit: Commit) -> None:
        """The entry is written anew; what is below it is carried along."""
        self.flush()  # updates that wait would write old names
        record = self._expected(move.entry.id, move.entry.dn, move.expected)
        old, new = record.entry.dn, move.entry.dn
        if new != old and new.is_within(old):
            raise Refusal(ResultCode.UNWILLING_TO_PERFORM, f"'{old}' cannot be moved below itself")
        self._parents = {}
        if new.parent == old.parent:
            parent = self._execute(sql.PARENT_BY_SEQ, (record.seq,)).fetchone()[0]
        else:
            parent = self._parent_of(new)
        renumbered = parent > record.seq
        self._delete_rows(record)
        self._insert(self._next_entry if renumbered else record.seq, parent, move)
        self._next_entry += renumbered
        self._log(MOVED, self._seen(move.entry.id), commit)
        carried = 0
        for row in self._below(old):
            carried += 1
            if carried > move.below:
                break
            self._carry(row, DN.parse(row[2]).relocate(old, new), renumbered, commit)
        if carried != move.below:
            raise Conflict(f"there are no longer {move.below} entries below '{old}'")
        if new != old:
            self._tree.moved(new)  # before it can be read: nobody may meet it under both names

    def _below(self, dn: DN) -> Iterator[EntryRow]:
        """The rows below a name, parents first, while they may leave it."""
        after, high = subtree_range(dn)
        while rows := self._execute(sql.ENTRIES_IN_RANGE, (after, high, _STEP)).fetchall():
            yield from rows
            after = rows[-1][5]

    def _carry(self, row: EntryRow, dn: DN, renumbered: bool, commit: Commit) -> None:
        """A new name for an entry whose parent has one. The row keeps its number if the top could."""
        old, entry_id, _, version, _, _ = row
        seq = old
        if renumbered:
            seq = self._next_entry
            self._next_entry += 1
            terms = self._tree.postings.of(read_row(row).entry)
            self._connection.executemany(sql.DELETE_POSTING, [(*term, old) for term in terms])
            self._connection.executemany(sql.INSERT_POSTING, [(*term, seq) for term in terms])
            self._stale |= terms  # the order of rows is the order of what was found
        self._execute(sql.MOVE_ENTRY, (seq, dn.key, self._parent_of(dn), version + 1, dn.text, old))
        carried = EntryId(entry_id)
        self._touched.pop(carried, None)
        self._tree.known.forget(carried)
        self._carried.add(carried)
        self._log(MOVED, Entry(carried, dn, {}, version + 1), commit)

    def _remove(self, remove: Remove, commit: Commit) -> None:
        record = self._expected(remove.id, remove.dn, remove.expected)
        if self._execute(sql.ANY_CHILD, (record.seq,)).fetchone() is not None:
            raise Refusal(ResultCode.NOT_ALLOWED_ON_NON_LEAF, f"'{remove.dn}' has entries below it")
        self._delete_rows(record)
        entry = record.entry
        self._parents = {}
        self._touched[entry.id] = None
        self._log(DELETED, entry, commit)

    def _parent_of(self, dn: DN) -> int:
        parent = dn.parent
        if dn.depth == 1:
            return 0
        if parent is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, "the root is no entry")
        seq = self._parents.get(parent.key)
        if seq is None:
            row = self._execute(sql.SEQ_BY_KEY, (parent.key,)).fetchone()
            if row is None and self._execute(sql.ANY_ENTRY).fetchone() is None:
                return 0  # the top of a domain of several parts (dc=chicago,dc=usa): the first entry there is
            if row is None:
                raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{parent}' does not exist")
            seq = self._parents[parent.key] = row[0]
        return seq

    def _insert(self, seq: int, parent: int, put: Put | Move) -> None:
        entry, body = self._written(seq, put)
        try:
            self._execute(
                sql.INSERT_ENTRY, (seq, entry.id, entry.dn.key, parent, entry.version, entry.dn.text, body)
            )
        except sqlite3.IntegrityError:
            raise Refusal(ResultCode.ENTRY_ALREADY_EXISTS, f"'{entry.dn}' exists already") from None
        terms = self._tree.postings.of(entry)
        self._connection.executemany(sql.INSERT_POSTING, [(*term, seq) for term in terms])
        self._stale |= terms

    def _delete_rows(self, record: Record) -> None:
        terms = self._tree.postings.of(record.entry)
        self._connection.executemany(sql.DELETE_POSTING, [(*term, record.seq) for term in terms])
        self._execute(sql.DELETE_ENTRY, (record.seq,))
        self._stale |= terms

    def _seen(self, entry_id: EntryId) -> Entry:
        record = self._touched[entry_id]
        assert record is not None  # noqa: S101 -- our own invariant, for the type checker
        return record.entry


def _text_of(fields: Mapping[str, str]) -> str:
    """A JSON object of strings. By hand, since the encoder makes itself anew for each (3 us a line)."""
    return "{" + ",".join([f"{_quoted(name)}:{_quoted(value)}" for name, value in fields.items()]) + "}"
