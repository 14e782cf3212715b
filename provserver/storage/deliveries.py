"""Writes to the outbox inside the writer's transaction; what they change in memory waits for the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from provserver.directory.entries import EntryId
from provserver.storage import statements as sql
from provserver.storage.codes import CLAIMED, FIRST_FINAL, STATE_CODES
from provserver.storage.contract import (
    Delivery,
    DeliveryId,
    DeliveryState,
    MarkFate,
    NewDelivery,
    Settlement,
)
from provserver.storage.database import Database
from provserver.storage.outbox import Claim, DeliveryRow, Outbox, account_hash, delivery_of

CLAIM_AT_COMMIT_LEASE: Final = 600.0
"""Seconds. A delivery claimed in its own commit names no lease; a courier that lost it (a bug of ours) must
not keep it."""

_PENDING_CODE: Final = STATE_CODES[DeliveryState.PENDING]
_FIRST_CLAIMED: Final = CLAIMED
"""States before this one wait."""

Row = tuple[object, ...]


class DeliveryWrites:
    """The deliveries' part of one transaction at a time: `begin`, calls, `flush`, then `done` or nothing."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._next: int = database.writing.execute(sql.LAST_DELIVERY).fetchone()[0] + 1
        self._first = self._next
        self._effects: list[Callable[[], None]] = []
        self._waiting = 0
        self._settled: set[DeliveryId] = set()
        self._claims: list[Claim] = []
        self._claimed_for: set[EntryId] = set()
        self._settlements: list[tuple[int, Settlement, bool]] = []
        self._inserts: list[Row] = []
        self._ends: list[Row] = []
        self._reopens: list[Row] = []

    def begin(self) -> None:
        self._first = self._next
        self._effects = []
        self._waiting = 0
        self._settled = set()
        self._claims = []
        self._claimed_for = set()
        self._settlements = []
        self._inserts = []
        self._ends = []
        self._reopens = []

    def rolled_back(self) -> None:
        self._next = self._first

    def flush(self) -> None:
        """Send to SQLite what has gathered: a few statements for a whole batch."""
        many = self._database.writing.executemany
        if self._inserts:
            many(sql.INSERT_DELIVERY, self._inserts)
            self._inserts = []
        if self._ends:
            many(sql.END_DELIVERY, self._ends)
            self._ends = []
        if self._reopens:
            many(sql.REOPEN_DELIVERY, self._reopens)
            self._reopens = []

    def done(self) -> None:
        """It is on disk."""
        outbox = self._outbox
        outbox.waiting += self._waiting
        for claim in self._claims:
            outbox.was_claimed(claim)
        for seq, settlement, final in self._settlements:
            outbox.was_settled(seq, settlement, final)
        for effect in self._effects:
            effect()

    def add(self, new: NewDelivery, at: float) -> None:
        seq = self._next
        self._next = seq + 1
        if new.claimed:
            state, sent = CLAIMED, at
            self._claims.append(Claim(seq, new, at, at, at + CLAIM_AT_COMMIT_LEASE))
            self._claimed_for.add(new.account)
        else:
            state, sent = _PENDING_CODE, None
            self._waiting += 1
        self._inserts.append(
            (
                seq,
                new.id,
                new.change,
                new.user,
                new.account,
                account_hash(new.account),
                new.endpoint,
                new.sealed,
                new.mark,
                new.options,
                state,
                at,
                at,
                new.event,
                sent,
            )
        )

    def on_its_way(self, account: EntryId) -> bool:
        """Whether something is claimed for an account, as this transaction sees it."""
        if account not in self._outbox.on_their_way and account not in self._claimed_for:
            return False
        claims = (*self._outbox.claimed.values(), *self._claims)
        return any(
            claim.delivery.account == account and claim.delivery.id not in self._settled for claim in claims
        )

    def cancel_for(self, users: Sequence[EntryId], at: float) -> tuple[Delivery, ...]:
        """End what waits for these users: the rows as they were, but cancelled and without passwords."""
        if self._outbox.waiting + self._waiting <= 0:
            return ()
        self.flush()
        execute = self._database.writing.execute
        cancelled = []
        for user in users:
            rows: list[DeliveryRow] = execute(sql.WAITING_OF_USER, (user,)).fetchall()
            for row in rows:
                execute(sql.CANCEL_DELIVERY, (at, at, row[0]))
                delivery = replace(delivery_of(row), state=DeliveryState.CANCELLED, sealed=b"")
                self._waiting -= 1
                self._forget(delivery.account)
                cancelled.append(delivery)
        return tuple(cancelled)

    def settle(self, settlement: Settlement) -> None:
        """Record how an attempt ended."""
        code = STATE_CODES[settlement.state]
        claim = self._outbox.claimed.get(settlement.delivery)
        if claim is not None and settlement.delivery not in self._settled:
            seq, sent, waited = claim.seq, claim.sent, False
        else:
            found = self._row_of(settlement)
            if found is None:
                return
            seq, sent, waited = found[0], found[15], found[9] < _FIRST_CLAIMED
        self._settled.add(settlement.delivery)
        ended: float | None = settlement.at
        if settlement.mark is MarkFate.REMOVED:
            sent = None
        if code >= FIRST_FINAL:
            self._ends.append((code, settlement.event, settlement.text, sent, ended, settlement.at, seq))
            self._waiting -= waited
            self._settlements.append((seq, settlement, True))
            return
        if code in (CLAIMED, _PENDING_CODE):
            raise ValueError(f"an attempt does not end {settlement.state.value}")
        if sent is None:
            ended = None
        self._reopens.append((code, settlement.due, settlement.event, settlement.text, sent, ended, seq))
        self._waiting += not waited
        self._settlements.append((seq, settlement, False))

    def claim(
        self, endpoint: EntryId, limit: int, now: float, lease: float, busy: frozenset[EntryId]
    ) -> Sequence[Delivery]:
        """Take what is due, with marks."""
        self.flush()
        taken: set[EntryId] = set(busy)
        claims: list[Claim] = []
        for over in self._outbox.expired(endpoint, now):
            delivery = over.row()
            if len(claims) < limit and delivery.account not in taken and delivery.id not in self._settled:
                taken.add(delivery.account)
                claims.append(Claim(over.seq, delivery, over.created, now, now + lease))
        if len(claims) < limit:
            rows = self._database.writing.execute(sql.DUE, (endpoint, now))
            for row in rows:
                if row[4] in taken:
                    continue
                delivery = replace(delivery_of(row), state=DeliveryState.CLAIMED)
                taken.add(delivery.account)
                claims.append(Claim(row[0], delivery, delivery.created, now, now + lease))
                self._waiting -= 1
                if len(claims) >= limit:
                    break
            rows.close()
        self._database.writing.executemany(sql.CLAIM_DELIVERY, [(now, claim.seq) for claim in claims])
        self._claims.extend(claims)
        self._claimed_for.update(claim.delivery.account for claim in claims)
        return [claim.row() for claim in claims]

    def forget_marks(self, older_than: float, limit: int) -> tuple[int, int]:
        """Remove up to `limit` marks and remains of ended deliveries: (rows, marks among them)."""
        self.flush()
        execute = self._database.writing.execute
        rows = execute(sql.ENDED_BEFORE, (older_than, limit)).fetchall()
        marks = 0
        for seq, account, change, state, at, event, text, sent in rows:
            if state >= FIRST_FINAL:
                execute(sql.KEEP_STATUS, (account, seq, change, state, at, event, text))
                execute(sql.DELETE_DELIVERY, (seq,))
            else:
                execute(sql.FORGET_MARK, (seq,))
            marks += sent is not None
            self._forget(EntryId(account))
        return len(rows), marks

    def _row_of(self, settlement: Settlement) -> DeliveryRow | None:
        """The row of a delivery that nobody has claimed, if it is still in the outbox."""
        self.flush()
        row: DeliveryRow | None = self._database.writing.execute(
            sql.OPEN_BY_ID, (account_hash(settlement.account), settlement.delivery)
        ).fetchone()
        return row

    def _forget(self, account: EntryId) -> None:
        self._effects.append(lambda: self._outbox.forget(account))
