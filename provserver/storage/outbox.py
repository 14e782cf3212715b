"""The outbox and the echo marks as they are on disk, read; with what is on its way kept in memory.

Deliveries that are claimed are in memory too (their number is bounded by the couriers), so that a settlement
finds its row without an index. Marks and last status are remembered by account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from provserver.directory.entries import EntryId
from provserver.storage import statements as sql
from provserver.storage.cache import Remembered
from provserver.storage.codes import FIRST_FINAL, STATES
from provserver.storage.contract import (
    AccountStatus,
    ChangeId,
    Delivery,
    DeliveryId,
    Mark,
    MarkFate,
    Settlement,
)
from provserver.storage.database import Database
from provserver.storage.delivery_rows import Claim, account_hash, delivery_of
from provserver.storage.waiting import Waiting

_MarkFields = tuple[bytes, ChangeId, float, float | None, int]
"""digest, change, sent, ended, options."""


class _Account:
    """Marks and last status of one account, by row number: newer rows later.

    Kept as they come and shown as the contract's types when asked: most are never asked for, and making those
    is slow.
    """

    __slots__ = ("marks", "shown", "status", "status_seq")

    def __init__(self) -> None:
        self.marks: dict[int, _MarkFields] = {}
        self.shown: tuple[Mark, ...] | None = None
        self.status: AccountStatus | Settlement | None = None
        self.status_seq = -1


class Outbox:
    """Reads of what is on disk. The writer tells it what has become true."""

    def __init__(self, database: Database, *, mark_count: int) -> None:
        self._database = database
        self.claimed: dict[DeliveryId, Claim] = {}
        self.on_their_way: dict[EntryId, int] = {}
        """How many of them there are for an account."""
        self.claimed_of: dict[EntryId, list[Claim]] = {}
        """Those of a user."""
        self.waits = Waiting(database, self.claimed)
        self._earliest_lease = math.inf
        self._mark_count = mark_count
        self._accounts: Remembered[EntryId, _Account] = Remembered(mark_count)

    # Reads

    @property
    def size(self) -> int:
        return self.waits.total + len(self.claimed)

    def marks(self, account: EntryId) -> tuple[Mark, ...]:
        known = self._accounts.get(account) or self._load(account)
        if known.shown is None:
            known.shown = tuple(
                [
                    Mark(account, digest, change, sent, ended, options)
                    for digest, change, sent, ended, options in known.marks.values()
                ]
            )
        return known.shown

    def status(self, account: EntryId) -> AccountStatus | None:
        status = (self._accounts.get(account) or self._load(account)).status
        if isinstance(status, Settlement):
            return AccountStatus(account, status.change, status.state, status.at, status.event, status.text)
        return status

    def deliveries(self, user: EntryId | None, account: EntryId | None) -> Sequence[Delivery]:
        read = self._database.reading.execute
        rows: list[tuple[int, Delivery]] = []
        if account is not None:
            rows = [
                (row[0], delivery_of(row))
                for row in read(sql.OPEN_OF_ACCOUNT, (account_hash(account), account))
            ]
            if user is not None:
                rows = [(seq, delivery) for seq, delivery in rows if delivery.user == user]
        elif user is not None:
            rows = [(row[0], delivery_of(row)) for row in read(sql.WAITING_OF_USER, (user,))]
            rows.extend(
                (claim.seq, claim.row()) for claim in self.claimed.values() if claim.delivery.user == user
            )
            rows.sort(key=_by_seq)
        else:
            rows = [(row[0], delivery_of(row)) for row in read(sql.OPEN)]
        return [delivery for _, delivery in rows]

    def expired(self, endpoint: EntryId, now: float) -> list[Claim]:
        """Claims of an endpoint whose lease has run out, oldest first."""
        if now < self._earliest_lease:
            return []
        self._earliest_lease = min((claim.until for claim in self.claimed.values()), default=math.inf)
        over = [c for c in self.claimed.values() if c.until <= now and c.delivery.endpoint == endpoint]
        return sorted(over, key=_claim_seq)

    def anything_due(self, now: float) -> bool:
        """Whether a claim can find anything: False is certain."""
        return self.waits.total > 0 or now >= self._earliest_lease

    def endpoints_due(self, now: float) -> tuple[Sequence[EntryId], float | None]:
        due: dict[EntryId, None] = {}
        following = math.inf
        if self.waits.total:
            for endpoint, first, later in self._database.reading.execute(sql.ENDPOINTS_WAITING, (now,)):
                if first <= now:
                    due[EntryId(endpoint)] = None
                if later is not None:
                    following = min(following, later)
        for claim in self.claimed.values():
            if claim.until <= now:
                due[claim.delivery.endpoint] = None
            else:
                following = min(following, claim.until)
        return list(due), None if following == math.inf else following

    def _load(self, account: EntryId) -> _Account:
        known = _Account()
        read = self._database.reading.execute
        for seq, change, digest, options, state, due, event, text, sent, ended in read(
            sql.ACCOUNT_HISTORY, (account_hash(account), account)
        ):
            if sent is not None:
                known.marks[seq] = digest, ChangeId(change), sent, ended, options
            if state >= FIRST_FINAL:
                known.status_seq = seq
                known.status = AccountStatus(account, ChangeId(change), STATES[state], due, event, text)
        row = read(sql.STATUS, (account,)).fetchone()
        if row is not None and row[0] > known.status_seq:
            known.status_seq = row[0]
            known.status = AccountStatus(account, ChangeId(row[1]), STATES[row[2]], row[3], row[4], row[5])
        self._accounts.put(account, known, 1 + len(known.marks))
        return known

    # What has become true

    def was_claimed(self, claim: Claim) -> None:
        delivery = claim.delivery
        former = self.claimed.get(delivery.id)
        if former is None:
            self.on_their_way[delivery.account] = self.on_their_way.get(delivery.account, 0) + 1
        else:
            self._not_of_user(former)
        self.claimed[delivery.id] = claim
        self.claimed_of.setdefault(delivery.user, []).append(claim)
        if claim.until < self._earliest_lease:
            self._earliest_lease = claim.until
        known = self._accounts.get(delivery.account)
        if known is not None and claim.sent is not None:
            known.marks[claim.seq] = delivery.mark, delivery.change, claim.sent, None, delivery.options
            known.shown = None
            # Weighed again, since what an account remembers grows with every password sent to it.
            self._accounts.put(delivery.account, known, 1 + len(known.marks))

    def was_settled(self, seq: int, settlement: Settlement, final: bool) -> None:
        """The attempt has ended; `final`: and so has the delivery."""
        claim = self.claimed.pop(settlement.delivery, None)
        if claim is not None:
            self._not_of_user(claim)
            left = self.on_their_way.pop(settlement.account) - 1
            if left:
                self.on_their_way[settlement.account] = left
        known = self._accounts.get(settlement.account)
        if known is None:
            return
        mark = known.marks.get(seq)
        if mark is not None:
            if settlement.mark is MarkFate.ENDED:
                digest, change, sent, _, options = mark
                known.marks[seq] = digest, change, sent, settlement.at, options
            else:
                del known.marks[seq]
            known.shown = None
        if final and seq > known.status_seq:
            known.status_seq = seq
            known.status = settlement

    def _not_of_user(self, claim: Claim) -> None:
        user = claim.delivery.user
        claims = self.claimed_of[user]
        if len(claims) == 1:
            del self.claimed_of[user]
        else:
            claims.remove(claim)

    def forget(self, account: EntryId) -> None:
        """Something about this account changed: read it again when it is asked for."""
        self._accounts.pop(account)

    def forget_all(self) -> None:
        """Something about many accounts changed."""
        self._accounts = Remembered(self._mark_count)


def _by_seq(row: tuple[int, Delivery]) -> int:
    return row[0]


def _claim_seq(claim: Claim) -> int:
    return claim.seq
