"""The time by which retries are due: the wall clock's, but that it never goes back.

Somebody sets the clock back by an hour: what was to be tried again in a minute is tried in a minute. Times
that are written down for people are the wall clock's own.
"""

from __future__ import annotations

from collections.abc import Callable


class DueTime:
    """Seconds since the epoch when called. `monotonic`: seconds that only grow."""

    __slots__ = ("_last", "_monotonic", "_seen", "_wall")

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = wall()
        self._seen = monotonic()

    def __call__(self) -> float:
        seen = self._monotonic()
        self._last = max(self._wall(), self._last + seen - self._seen)
        self._seen = seen
        return self._last
