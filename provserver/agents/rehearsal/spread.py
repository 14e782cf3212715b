"""How long things took, however many there were: a distribution in a memory that does not grow.

Times are counted in buckets, each 2 % wider than the one before; so a quantile is never less than the true
one, and at most 2 % more. The longest is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

_STEP: Final = 1.02
_LEAST: Final = 1e-5
"""Seconds; what is shorter is counted as that."""


@dataclass(slots=True)
class Spread:
    """Of seconds."""

    count: int = 0
    longest: float = 0.0
    _buckets: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.longest = max(self.longest, seconds)
        bucket = math.ceil(math.log(max(seconds, _LEAST), _STEP))
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def quantile(self, share: float) -> float:
        """What that share (0 to 1) of all took at most. ValueError: there are none."""
        if not self.count:
            raise ValueError("expected at least one time")
        for seconds, upto in self.curve():
            if upto >= share:
                return seconds
        return self.longest

    def curve(self) -> list[tuple[float, float]]:
        """Points of the cumulative distribution: seconds, and the share of all that took at most that."""
        points: list[tuple[float, float]] = []
        passed = 0
        for bucket in sorted(self._buckets):
            passed += self._buckets[bucket]
            points.append((min(_STEP**bucket, self.longest), passed / self.count))
        return points

    def copy(self) -> Spread:
        return Spread(self.count, self.longest, dict(self._buckets))
