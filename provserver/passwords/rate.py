"""How many passwords an agent may try on one account: an answer about history is a guessing oracle.

A fixed window per (agent, account), in bounded memory. Ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from provserver.directory.entries import EntryId

WINDOW: Final = 60.0
KEPT_AT_MOST: Final = 50_000


class TestRate:
    """Counts tests. `most` in a window of 60 s; 0 = no limit."""

    __test__ = False  # not a pytest class

    def __init__(self, monotonic: Callable[[], float], most: int) -> None:
        self._monotonic = monotonic
        self._most = most
        self._counts: OrderedDict[tuple[str, EntryId], list[float]] = OrderedDict()

    def admit(self, caller: str, account: EntryId) -> float:
        """0 when this test is within the limit, else the seconds until the next one is."""
        if not self._most:
            return 0.0
        now = self._monotonic()
        key = (caller, account)
        window = self._counts.get(key)
        if window is None or now >= window[0] + WINDOW:
            self._counts[key] = [now, 1.0]
            self._counts.move_to_end(key)
            if len(self._counts) > KEPT_AT_MOST:
                self._counts.popitem(last=False)
            return 0.0
        if window[1] >= self._most:
            return window[0] + WINDOW - now
        window[1] += 1
        return 0.0
