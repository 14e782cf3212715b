"""What people do to the outbox, inside the writer's transaction: released, dropped, held, sealed anew.

None of it touches what is claimed: that is on its way, and its courier says how it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.directory.entries import EntryId
from provserver.storage import statements as sql
from provserver.storage.codes import FIRST_FINAL, STATE_CODES
from provserver.storage.contract import Delivery, DeliveryId, DeliveryState
from provserver.storage.database import Database
from provserver.storage.deliveries import DeliveryWrites
from provserver.storage.delivery_rows import DeliveryRow, delivery_of

_PENDING: Final = STATE_CODES[DeliveryState.PENDING]
_HELD: Final = STATE_CODES[DeliveryState.HELD]


class Steering:
    """Beside the deliveries' part of the same transaction, which counts and remembers."""

    def __init__(self, database: Database, deliveries: DeliveryWrites) -> None:
        self._execute = database.writing.execute
        self._deliveries = deliveries

    def release(self, deliveries: Sequence[DeliveryId], at: float) -> list[Delivery]:
        """Pending again, due at once: those that are held or retrying. As they were."""
        released = []
        for row in self._waiting(deliveries):
            if row[9] == _PENDING:
                continue
            self._execute(sql.RELEASE_DELIVERY, (at, row[0]))
            self._deliveries.count(row[5], row[9], -1)
            self._deliveries.count(row[5], _PENDING, 1)
            released.append(delivery_of(row))
        return released

    def drop(
        self, deliveries: Sequence[DeliveryId], state: DeliveryState, at: float, event: int, text: str
    ) -> list[Delivery]:
        """Ended in this state, their sealed passwords gone. As they were."""
        code = STATE_CODES[state]
        if code < FIRST_FINAL:
            raise ValueError(f"a delivery does not end {state.value}")
        dropped = []
        for row in self._waiting(deliveries):
            self._execute(sql.DROP_DELIVERY, (code, event, text, at, at, row[0]))
            self._deliveries.count(row[5], row[9], -1)
            self._deliveries.forget(EntryId(row[4]))
            dropped.append(delivery_of(row))
        return dropped

    def hold_all(self, at: float, event: int, text: str) -> int:
        """Everything that waits; and the store is no longer a backup that nobody has put in service."""
        self._deliveries.flush()
        held = 0
        for endpoint, code, count in self._execute(sql.COUNT_WAITING).fetchall():
            if code < _HELD:
                self._deliveries.count(endpoint, code, -count)
                self._deliveries.count(endpoint, _HELD, count)
                held += count
        self._execute(sql.HOLD_WAITING, (at, event, text, at))
        self._execute(sql.DELETE_META, (sql.BACKUP,))
        self._deliveries.forget_all()
        return held

    def reseal(self, sealed: Sequence[tuple[DeliveryId, bytes]]) -> int:
        """Other sealed values. How many rows have theirs now."""
        self._deliveries.flush()
        return sum(self._execute(sql.RESEAL_DELIVERY, (box, id_)).rowcount for id_, box in sealed)

    def _waiting(self, deliveries: Sequence[DeliveryId]) -> list[DeliveryRow]:
        """The rows of those that wait, each once."""
        self._deliveries.flush()
        rows = []
        for id_ in dict.fromkeys(deliveries):
            row = self._execute(sql.WAITING_BY_ID, (id_,)).fetchone()
            if row is not None:
                rows.append(row)
        return rows
