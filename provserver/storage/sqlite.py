"""The embedded store: one SQLite file, one process, one writer.

Reads are answered on the reactor thread, mostly from memory. Writes are gathered and share an fsync
(`writer`). What is where: `tree` and `outbox` read, `transactions` and `deliveries` write, `searching` goes
where `planning` says.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from twisted.internet.defer import Deferred

from provserver.directory.entries import Entry, EntryId
from provserver.directory.filtering import Predicate, compile_filter
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.ldap.filters import Filter, Present, Scope
from provserver.storage import pruning
from provserver.storage import statements as sql
from provserver.storage.batches import batches
from provserver.storage.codes import KINDS
from provserver.storage.contract import (
    LOST_TRACK,
    AccountStatus,
    ChangeRecord,
    Commit,
    Committed,
    Delivery,
    DeliveryId,
    DeliveryState,
    History,
    JournalEvent,
    Mark,
    Pruned,
    SearchLimits,
    Settlement,
    Store,
    Tally,
    Trail,
)
from provserver.storage.database import Database
from provserver.storage.deliveries import DeliveryWrites
from provserver.storage.followers import Followers
from provserver.storage.indexing import index_by
from provserver.storage.lock import StoreLock
from provserver.storage.outbox import Outbox
from provserver.storage.planning import Witness
from provserver.storage.searching import TreeSearch
from provserver.storage.transactions import Transaction
from provserver.storage.tree import Tree
from provserver.storage.writer import QUICK, StoreClosed, Writer

T = TypeVar("T")

_AT_ONCE: Final = 500
"""Rows in one transaction."""


class SqliteStore:
    """A Store (contract.py) in one file. Made by `create`, `open` or `in_memory`; `close` it."""

    def __init__(
        self,
        database: Database,
        schema: Schema,
        reactor: Any,
        lock: StoreLock | None,
        *,
        entry_bytes: int,
        find_count: int,
        mark_count: int,
        quick: float,
    ) -> None:
        self._database = database
        self._schema = schema
        self._reactor = reactor
        self._lock = lock
        self._open = True
        database.make_current()
        database.writing.execute(sql.END_SUPERSEDED_ORPHANS)
        database.writing.execute(sql.RELEASE_ORPHANS, (LOST_TRACK,))
        self._tree = Tree(
            database, index_by(schema, database), entry_bytes=entry_bytes, find_count=find_count
        )
        self._outbox = Outbox(database, mark_count=mark_count)
        deliveries = DeliveryWrites(database, self._outbox)
        self._transaction = Transaction(database, self._tree, deliveries)
        self._followers = Followers(reactor, self._transaction.last_change)
        self._writer = Writer(
            database,
            self._transaction,
            reactor if lock is not None else None,
            self._followers,
            quick=quick,
        )
        self._presence: dict[str, Predicate] = {}
        # Looked up once: these two are asked a dozen times in every password exchange.
        self._known_at = self._tree.known.at
        self._known_with_id = self._tree.known.with_id

    @classmethod
    async def create(
        cls, path: Path, schema: Schema, *, reactor: Any, durable: bool = True, **bounds: Any
    ) -> SqliteStore:
        """A new, empty store. FileExistsError, StoreLocked. Not `durable`: no fsync, for tests."""
        return cls._locked(path, schema, reactor, Database.create, durable, bounds)

    @classmethod
    async def open(
        cls, path: Path, schema: Schema, *, reactor: Any, durable: bool = True, **bounds: Any
    ) -> SqliteStore:
        """The store in a file. FileNotFoundError, StoreLocked, StoreUnusable.

        Deliveries that a dead process had claimed are due again and keep their marks: nobody knows how they
        ended.
        """
        return cls._locked(path, schema, reactor, Database.open, durable, bounds)

    @classmethod
    async def in_memory(cls, schema: Schema, *, reactor: Any = None, **bounds: Any) -> SqliteStore:
        """A store that is gone when it is closed, ready in milliseconds; every call ends at once."""
        return cls(Database.in_memory(), schema, reactor, None, **(_BOUNDS | bounds))

    @classmethod
    def _locked(
        cls,
        path: Path,
        schema: Schema,
        reactor: Any,
        opened: Callable[..., Database],
        durable: bool,
        bounds: dict[str, Any],
    ) -> Self:
        lock = StoreLock.acquire(path)
        database = None
        try:
            database = opened(path, durable=durable)
            return cls(database, schema, reactor, lock, **(_BOUNDS | bounds))
        except BaseException:
            if database is not None:
                database.close()
            lock.release()
            raise

    # The tree

    async def read(self, dn: DN) -> Entry | None:
        record = self._known_at(dn.key) or self._tree.at(dn.key)
        if record is None:
            return None
        return self._tree.unpacked(record) if record.packed else record.entry

    async def read_id(self, entry: EntryId) -> Entry | None:
        record = self._known_with_id(entry) or self._tree.with_id(entry)
        if record is None:
            return None
        return self._tree.unpacked(record) if record.packed else record.entry

    async def read_ids(self, entries: Sequence[EntryId]) -> Sequence[Entry]:
        return self._tree.with_ids(entries)

    async def find(self, key: str, value: bytes) -> tuple[EntryId, ...]:
        return self._tree.find(key, value)

    def search(
        self, base: DN, scope: Scope, filter: Filter, limits: SearchLimits, trail: Trail | None = None
    ) -> AsyncGenerator[Sequence[Entry], None]:
        return batches(
            TreeSearch(
                base,
                scope,
                filter,
                limits,
                trail,
                tree=self._tree,
                schema=self._schema,
                predicate=self._predicate,
                turn=self._turn,
            )
        )

    def unchanged(self, witness: object) -> bool:
        return isinstance(witness, Witness) and witness.still_true(self._tree)

    def watch(self, key: str, values: Collection[bytes], changed: Callable[[], None]) -> None:
        for value in values:
            term = self._tree.postings.term(key, value)
            if term is not None:
                self._tree.watch(term, changed)

    async def has_children(self, dn: DN) -> bool:
        return self._tree.has_children(dn.key)

    async def count_children(self, dn: DN) -> int:
        return self._tree.count_children(dn.key)

    async def commit(self, commit: Commit) -> Committed:
        return await self._writer.submit(self._transaction.commit, commit)

    async def changes(self, after: int, limit: int) -> Sequence[ChangeRecord]:
        lines = [
            ChangeRecord(sequence, at, by, KINDS[kind], EntryId(id_), DN.parse(dn), version)
            for sequence, at, by, kind, id_, dn, version in self._tree.rows(sql.CHANGES_AFTER, (after, limit))
        ]
        if len(lines) == limit > 1:
            await self._turn()
        return lines

    async def history(self) -> History:
        first = self._tree.rows(sql.FIRST_CHANGE, ())
        if not first:
            return History(0.0, 0, 0)
        sequence, at = first[0]
        began = self._tree.rows(sql.META, (sql.BEGAN,))
        return History(began[0][0] if began else at, sequence, self._tree.rows(sql.LAST_CHANGE, ())[0][0])

    def follow(self, told: Callable[[], None]) -> Callable[[], None]:
        return self._followers.add(told)

    # The outbox

    async def claim(
        self, endpoint: EntryId, limit: int, now: float, lease: float, busy: frozenset[EntryId]
    ) -> Sequence[Delivery]:
        if not self._outbox.anything_due(now):
            return ()
        claim = self._transaction.deliveries.claim
        return await self._writer.submit(lambda limit: claim(endpoint, limit, now, lease, busy), limit)

    async def settle(self, settlement: Settlement) -> None:
        await self._writer.submit(self._transaction.deliveries.settle, settlement, patient=True)

    async def endpoints_due(self, now: float) -> tuple[Sequence[EntryId], float | None]:
        return self._outbox.endpoints_due(now)

    async def deliveries(
        self, *, user: EntryId | None = None, account: EntryId | None = None
    ) -> Sequence[Delivery]:
        return self._outbox.deliveries(user, account)

    async def delivery(self, delivery: DeliveryId) -> Delivery | None:
        return self._outbox.waits.delivery(delivery)

    async def outbox(
        self, after: int, limit: int, *, endpoint: EntryId | None = None, state: DeliveryState | None = None
    ) -> Sequence[tuple[int, Delivery]]:
        rows = self._outbox.waits.page(after, limit, endpoint, state)
        if len(rows) == limit > 1:
            await self._turn()
        return rows

    async def tallies(self) -> Sequence[Tally]:
        return self._outbox.waits.tallies()

    async def outbox_size(self) -> int:
        return self._outbox.size

    async def release(self, deliveries: Sequence[DeliveryId], at: float) -> Sequence[Delivery]:
        release = partial(self._transaction.steering.release, at=at)
        released: list[Delivery] = []
        for some in _portions(deliveries):
            released.extend(await self._writer.submit(release, some))
        return released

    async def drop(
        self, deliveries: Sequence[DeliveryId], state: DeliveryState, at: float, event: int, text: str
    ) -> Sequence[Delivery]:
        drop = partial(self._transaction.steering.drop, state=state, at=at, event=event, text=text)
        dropped: list[Delivery] = []
        for some in _portions(deliveries):
            dropped.extend(await self._writer.submit(drop, some))
        return dropped

    async def held_before(self, time: float, limit: int) -> Sequence[Delivery]:
        return self._outbox.waits.held_before(time, limit)

    async def hold_all(self, at: float, event: int, text: str) -> int:
        return await self._writer.submit(
            partial(self._transaction.steering.hold_all, event=event, text=text), at
        )

    async def restored(self) -> bool:
        return bool(self._tree.rows(sql.META, (sql.BACKUP,)))

    async def reseal(self, sealed: Sequence[tuple[DeliveryId, bytes]]) -> int:
        altered = 0
        for some in _portions(sealed):
            altered += await self._writer.submit(self._transaction.steering.reseal, some)
        return altered

    async def on_its_way(self, account: EntryId) -> bool:
        return account in self._outbox.on_their_way

    async def marks(self, account: EntryId) -> Sequence[Mark]:
        return self._outbox.marks(account)

    async def forget_marks(self, older_than: float) -> int:
        forget = partial(self._transaction.deliveries.forget_marks, limit=_AT_ONCE)
        forgotten, rows = 0, _AT_ONCE
        while rows == _AT_ONCE:
            rows, marks = await self._writer.submit(forget, older_than)
            forgotten += marks
        return forgotten

    async def status(self, account: EntryId) -> AccountStatus | None:
        return self._outbox.status(account)

    # The journal

    def note(self, event: JournalEvent) -> None:
        self._writer.note(event)

    async def journal(self, after: int, limit: int) -> Sequence[tuple[int, JournalEvent]]:
        return [
            (sequence, JournalEvent(at, event, text, json.loads(fields) if fields else {}))
            for sequence, at, event, text, fields in self._tree.rows(sql.JOURNAL_AFTER, (after, limit))
        ]

    async def prune(self, journal_before: float, changes_before: float) -> Pruned:
        prune = partial(self._transaction.pruning.prune, changes_before=changes_before)
        journal = changes = 0
        while True:
            pruned = await self._writer.submit(prune, journal_before)
            journal += pruned.journal
            changes += pruned.changes
            if max(pruned.journal, pruned.changes) < pruning.AT_ONCE:
                return Pruned(journal, changes)

    async def close(self) -> None:
        if not self._open:
            return
        self._open = False
        await self._writer.close()
        self._followers.close()
        self._database.checkpoint()
        self._database.close()
        if self._lock is not None:
            self._lock.release()

    # Inside

    def _predicate(self, filter: Filter) -> Predicate:
        """The filter compiled. Only tests of presence are remembered: others hold values."""
        if not isinstance(filter, Present):
            return compile_filter(filter, self._schema)
        known = self._presence.get(filter.attribute)
        if known is None:
            if len(self._presence) >= 256:
                self._presence.clear()
            known = self._presence[filter.attribute] = compile_filter(filter, self._schema)
        return known

    async def _turn(self) -> None:
        """Let the reactor do other things."""
        if self._reactor is not None:
            turn: Deferred[None] = Deferred()
            self._reactor.callLater(0, turn.callback, None)
            await turn


def _portions(many: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many as one transaction is to alter."""
    for start in range(0, len(many), _AT_ONCE):
        yield many[start : start + _AT_ONCE]


_BOUNDS: Final[dict[str, Any]] = {
    "entry_bytes": 192 * 2**20,
    "find_count": 150_000,
    "mark_count": 200_000,
    "quick": QUICK,
}
"""What a store keeps in memory at most: bytes of entries, ids found by value, echo marks. `quick`:
writer.QUICK."""


def _is_a_store(store: SqliteStore) -> Store:
    return store


__all__ = ["SqliteStore", "StoreClosed"]
