"""A delivery as it is on disk, and as it is in memory while somebody has it."""

from __future__ import annotations

import zlib

from provserver.directory.entries import EntryId
from provserver.storage.codes import STATES
from provserver.storage.contract import ChangeId, Delivery, DeliveryId, DeliveryState, NewDelivery

DeliveryRow = tuple[
    int,
    str,
    str,
    str,
    str,
    str,
    bytes,
    bytes,
    int,
    int,
    int,
    float,
    float,
    int,
    str,
    float | None,
    float | None,
]
"""The columns of `statements._DELIVERY`."""


def account_hash(account: EntryId) -> int:
    """What the index of deliveries by account holds: 32 bits, so rows are compared by their text as well."""
    return zlib.crc32(account.encode())


def delivery_of(row: DeliveryRow) -> Delivery:
    """A row as the contract shows it."""
    (
        _,
        id_,
        change,
        user,
        account,
        endpoint,
        sealed,
        mark,
        options,
        state,
        attempts,
        created,
        due,
        event,
        text,
        _,
        _,
    ) = row
    return Delivery(
        DeliveryId(id_),
        ChangeId(change),
        EntryId(user),
        EntryId(account),
        EntryId(endpoint),
        sealed,
        mark,
        options,
        STATES[state],
        attempts,
        created,
        due,
        event,
        text,
    )


class Claim:
    """A delivery that a courier has, until `until`."""

    __slots__ = ("created", "delivery", "sent", "seq", "superseded", "until")

    def __init__(
        self, seq: int, delivery: NewDelivery | Delivery, created: float, sent: float, until: float
    ) -> None:
        self.seq = seq
        self.delivery = delivery
        self.created = created
        self.sent: float | None = sent
        self.until = until
        self.superseded = False
        """A newer change of its user is on disk: whatever becomes of this attempt, it is the last one."""

    def row(self) -> Delivery:
        """As the contract shows it."""
        new = self.delivery
        if isinstance(new, Delivery):
            return new
        return Delivery(
            new.id,
            new.change,
            new.user,
            new.account,
            new.endpoint,
            new.sealed,
            new.mark,
            new.options,
            DeliveryState.CLAIMED,
            0,
            self.created,
            self.created,
            0,
            "",
        )
