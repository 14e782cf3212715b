"""What is in the outbox, for those who look at it: counted, paged, by id.

Counted as it comes and goes, by endpoint and state, so that nobody has to scan it for a metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from provserver.directory.entries import EntryId
from provserver.storage import statements as sql
from provserver.storage.codes import CLAIMED, STATE_CODES, STATES
from provserver.storage.contract import Delivery, DeliveryId, DeliveryState, Tally
from provserver.storage.database import Database
from provserver.storage.delivery_rows import Claim, delivery_of


class Waiting:
    """Reads of what is on disk; `claimed` is the outbox's memory of what is on its way."""

    def __init__(self, database: Database, claimed: Mapping[DeliveryId, Claim]) -> None:
        self._database = database
        self._claimed = claimed
        self._counts: dict[tuple[str, int], int] = {
            (endpoint, code): count for endpoint, code, count in database.reading.execute(sql.COUNT_WAITING)
        }
        self.total = sum(self._counts.values())
        """Rows that nobody has claimed."""

    def counted(self, changes: Mapping[tuple[str, int], int]) -> None:
        """So many more, or fewer, wait at an endpoint in a state (by its code)."""
        counts = self._counts
        for place, by in changes.items():
            count = counts.get(place, 0) + by
            if count:
                counts[place] = count
            else:
                counts.pop(place, None)
            self.total += by

    def delivery(self, delivery: DeliveryId) -> Delivery | None:
        claim = self._claimed.get(delivery)
        if claim is not None:
            return claim.row()
        row = self._database.reading.execute(sql.WAITING_BY_ID, (delivery,)).fetchone()
        return delivery_of(row) if row is not None else None

    def page(
        self, after: int, limit: int, endpoint: EntryId | None, state: DeliveryState | None
    ) -> list[tuple[int, Delivery]]:
        """The next rows of the outbox, with their numbers."""
        read = self._database.reading.execute
        if endpoint is None and state is None:
            return [(row[0], delivery_of(row)) for row in read(sql.OPEN_AFTER, (after, limit))]
        found: list[tuple[int, Claim | None]] = []
        for code in range(CLAIMED) if state is None else (STATE_CODES[state],):
            if code >= CLAIMED:
                continue
            if endpoint is None:
                rows = read(sql.WAITING_AFTER, (code, after, limit))
            else:
                rows = read(sql.WAITING_AFTER_FOR, (endpoint, code, after, limit))
            found.extend([(seq, None) for (seq,) in rows])
        if state is None or state is DeliveryState.CLAIMED:
            claims = [claim for claim in self._claimed.values() if claim.seq > after]
            found.extend([(c.seq, c) for c in claims if endpoint is None or c.delivery.endpoint == endpoint])
        found.sort(key=_by_number)
        shown: list[tuple[int, Delivery]] = []
        for seq, claim in found[:limit]:
            if claim is not None:
                shown.append((seq, claim.row()))
                continue
            row = read(sql.OPEN_BY_SEQ, (seq,)).fetchone()
            if row is not None:
                shown.append((seq, delivery_of(row)))
        return shown

    def tallies(self) -> list[Tally]:
        """Counted as it comes and goes: only the oldest of each is looked up."""
        read = self._database.reading.execute
        found: dict[tuple[str, int], tuple[int, float]] = {}
        for (endpoint, code), count in self._counts.items():
            row = read(sql.OLDEST_WAITING, (endpoint, code)).fetchone()
            if row is not None:
                found[endpoint, code] = count, row[0]
        for claim in self._claimed.values():
            place = claim.delivery.endpoint, CLAIMED
            count, oldest = found.get(place, (0, math.inf))
            found[place] = count + 1, min(oldest, claim.created)
        return [
            Tally(EntryId(endpoint), STATES[code], count, oldest)
            for (endpoint, code), (count, oldest) in sorted(found.items())
        ]

    def held_before(self, time: float, limit: int) -> list[Delivery]:
        return [delivery_of(row) for row in self._database.reading.execute(sql.HELD_BEFORE, (time, limit))]


def _by_number(row: tuple[int, Claim | None]) -> int:
    return row[0]
