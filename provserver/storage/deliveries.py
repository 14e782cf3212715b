"""Writes to the outbox inside the writer's transaction; what they change in memory waits for the disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from provserver.directory.entries import EntryId
from provserver.storage import statements as sql
from provserver.storage.codes import CLAIMED, FIRST_FINAL, STATE_CODES
from provserver.storage.contract import (
    LOST_TRACK,
    Delivery,
    DeliveryId,
    DeliveryState,
    MarkFate,
    NewDelivery,
    Settlement,
)
from provserver.storage.database import Database
from provserver.storage.delivery_rows import Claim, DeliveryRow, account_hash, delivery_of
from provserver.storage.outbox import Outbox

CLAIM_AT_COMMIT_LEASE: Final = 600.0
"""Seconds. A delivery claimed in its own commit names no lease; a courier that lost it (a bug of ours) must
not keep it."""

_PENDING_CODE: Final = STATE_CODES[DeliveryState.PENDING]
_HELD_CODE: Final = STATE_CODES[DeliveryState.HELD]
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
        self._counts: dict[tuple[str, int], int] = {}
        self._settled: set[DeliveryId] = set()
        self._claims: list[Claim] = []
        self._claimed_for: set[EntryId] = set()
        self._claims_of: dict[EntryId, list[Claim]] = {}
        self._superseded: dict[DeliveryId, Claim] = {}
        self._settlements: list[tuple[int, Settlement, bool]] = []
        self._inserts: list[Row] = []
        self._ends: list[Row] = []
        self._reopens: list[Row] = []

    def begin(self) -> None:
        self._first = self._next
        self._effects = []
        self._counts = {}
        self._settled = set()
        self._claims = []
        self._claimed_for = set()
        self._claims_of = {}
        self._superseded = {}
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
        if self._counts:
            outbox.waits.counted(self._counts)
        for claim in self._superseded.values():
            claim.superseded = True
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
            self._is_claimed(Claim(seq, new, at, at, at + CLAIM_AT_COMMIT_LEASE))
        else:
            state, sent = _PENDING_CODE, None
            self.count(new.endpoint, _PENDING_CODE, 1)
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
        """End what waits for these users: the rows as they were, but cancelled and without passwords. What is
        on its way is not sent again, whatever becomes of it.
        """
        self._supersede(users)
        if self._outbox.waits.total <= 0 and not self._counts:
            return ()
        self.flush()
        execute = self._database.writing.execute
        cancelled = []
        for user in users:
            rows: list[DeliveryRow] = execute(sql.WAITING_OF_USER, (user,)).fetchall()
            for row in rows:
                execute(sql.CANCEL_DELIVERY, (at, at, row[0]))
                delivery = replace(delivery_of(row), state=DeliveryState.CANCELLED, sealed=b"")
                self.count(row[5], row[9], -1)
                self.forget(delivery.account)
                cancelled.append(delivery)
        return tuple(cancelled)

    def _supersede(self, users: Sequence[EntryId]) -> None:
        """Mark, on disk too, what is claimed for these users: no other process may take it up again."""
        mine = self._claims_of
        for user in users:
            for claim in (*self._outbox.claimed_of.get(user, ()), *(mine.get(user, ()) if mine else ())):
                if not claim.superseded and claim.delivery.id not in self._settled:
                    self.flush()
                    self._database.writing.execute(sql.SUPERSEDE_DELIVERY, (claim.seq,))
                    self._superseded[claim.delivery.id] = claim

    def settle(self, settlement: Settlement) -> None:
        """Record how an attempt ended."""
        claim = self._outbox.claimed.get(settlement.delivery)
        if claim is not None and (claim.superseded or settlement.delivery in self._superseded):
            settlement = _last(settlement)
        code = STATE_CODES[settlement.state]
        if claim is not None and settlement.delivery not in self._settled:
            seq, sent, endpoint, former = claim.seq, claim.sent, str(claim.delivery.endpoint), CLAIMED
        else:
            found = self._row_of(settlement)
            if found is None:
                return
            seq, sent, endpoint, former = found[0], found[15], found[5], found[9]
        self._settled.add(settlement.delivery)
        ended: float | None = settlement.at
        if settlement.mark is MarkFate.REMOVED:
            sent = None
        if code >= FIRST_FINAL:
            self._ends.append((code, settlement.event, settlement.text, sent, ended, settlement.at, seq))
            if former < _FIRST_CLAIMED:
                self.count(endpoint, former, -1)
            self._settlements.append((seq, settlement, True))
            return
        if code in (CLAIMED, _PENDING_CODE):
            raise ValueError(f"an attempt does not end {settlement.state.value}")
        if sent is None:
            ended = None
        due = settlement.at if code == _HELD_CODE else settlement.due
        charged = settlement.charged
        self._reopens.append((code, due, charged, settlement.event, settlement.text, sent, ended, seq))
        if former < _FIRST_CLAIMED:
            self.count(endpoint, former, -1)
        self.count(endpoint, code, 1)
        self._settlements.append((seq, settlement, False))

    def claim(
        self, endpoint: EntryId, limit: int, now: float, lease: float, busy: frozenset[EntryId]
    ) -> Sequence[Delivery]:
        """Take what is due, with marks."""
        self.flush()
        taken: set[EntryId] = set(busy)
        claims: list[Claim] = []
        for over in self._outbox.expired(endpoint, now):
            delivery = replace(over.row(), event=LOST_TRACK, text="")
            if over.superseded or delivery.id in self._superseded:
                self.settle(_given_up(delivery, now))
            elif len(claims) < limit and delivery.account not in taken and delivery.id not in self._settled:
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
                self.count(row[5], row[9], -1)
                if len(claims) >= limit:
                    break
            rows.close()
        self._database.writing.executemany(sql.CLAIM_DELIVERY, [(now, claim.seq) for claim in claims])
        for claim in claims:
            self._is_claimed(claim)
        return [claim.row() for claim in claims]

    def _is_claimed(self, claim: Claim) -> None:
        self._claims.append(claim)
        self._claimed_for.add(claim.delivery.account)
        self._claims_of.setdefault(claim.delivery.user, []).append(claim)

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
            self.forget(EntryId(account))
        return len(rows), marks

    def _row_of(self, settlement: Settlement) -> DeliveryRow | None:
        """The row of a delivery that nobody has claimed, if it is still in the outbox."""
        self.flush()
        row: DeliveryRow | None = self._database.writing.execute(
            sql.OPEN_BY_ID, (account_hash(settlement.account), settlement.delivery)
        ).fetchone()
        return row

    # For those who write to the outbox beside this, in the same transaction

    def count(self, endpoint: str, code: int, by: int) -> None:
        """So many more, or fewer, wait."""
        place = endpoint, code
        self._counts[place] = self._counts.get(place, 0) + by

    def forget(self, account: EntryId) -> None:
        """What is remembered of an account is no longer true."""
        self._effects.append(lambda: self._outbox.forget(account))

    def forget_all(self) -> None:
        """What is remembered of any account may be no longer true."""
        self._effects.append(self._outbox.forget_all)


def _last(settlement: Settlement) -> Settlement:
    """Of an attempt after which there is no other one."""
    if STATE_CODES[settlement.state] >= FIRST_FINAL:
        return settlement
    return replace(settlement, state=DeliveryState.CANCELLED)


def _given_up(delivery: Delivery, at: float) -> Settlement:
    """Nobody said how the attempt ended, and it is not made again."""
    return Settlement(
        delivery.id,
        delivery.account,
        delivery.change,
        DeliveryState.CANCELLED,
        MarkFate.ENDED,
        at,
        delivery.event,
        delivery.text,
    )
