"""The numbers by which the tables name states and kinds. Binding: they are on disk."""

from __future__ import annotations

from typing import Final

from provserver.storage.contract import DeliveryState

STATE_CODES: Final = {
    DeliveryState.PENDING: 0,
    DeliveryState.RETRYING: 1,
    DeliveryState.HELD: 2,
    DeliveryState.CLAIMED: 3,
    DeliveryState.UPDATED: 4,
    DeliveryState.UNVERIFIED: 5,
    DeliveryState.FAILED: 6,
    DeliveryState.CANCELLED: 7,
}
STATES: Final = tuple(sorted(STATE_CODES, key=STATE_CODES.__getitem__))

CLAIMED: Final = STATE_CODES[DeliveryState.CLAIMED]
FIRST_FINAL: Final = STATE_CODES[DeliveryState.UPDATED]
"""States from here on are how a delivery ended; before, it is a row of the outbox."""

KINDS: Final = ("add", "modify", "delete", "move")
ADDED, MODIFIED, DELETED, MOVED = range(4)
