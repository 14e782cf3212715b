"""Whose turn it is, and when: a closed loop (whoever is free takes the next) or arrivals at a rate.

In a rehearsal at a rate a change has its time whether or not an agent is free for it; how long it took counts
from there. So a server that stalls does not hide its stall by keeping agents from asking.
"""

from __future__ import annotations

import math
import random
import threading
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """The number of the account that changes, and the time at which it is to."""

    account: int
    at: float


def arrivals(rate: float, randomness: random.Random) -> Iterator[float]:
    """Seconds between one arrival and the next: a Poisson process of so many a second."""
    while True:
        yield randomness.expovariate(rate)


class Pace:
    """Gives turns to many threads, in the order of their times. The accounts come in turn, each again after
    `again` seconds at the earliest. Ends after `changes`, or where a turn would come after `duration`
    seconds.
    """

    def __init__(
        self,
        accounts: int,
        clock: Callable[[], float],
        *,
        gaps: Iterator[float] | None,
        again: float,
        changes: int | None,
        duration: float | None,
    ) -> None:
        self._clock = clock
        self._gaps = gaps
        self._again = again
        self._left = math.inf if changes is None else changes
        began = clock()
        self._end = math.inf if duration is None else began + duration
        self._last = array("d", [-math.inf]) * accounts
        self._next = 0
        self._arrival = began
        self._lock = threading.Lock()

    def take(self) -> Turn | None:
        """The next turn, now or in the future; None: there is no further one."""
        with self._lock:
            if self._left <= 0:
                return None
            if self._gaps is None:
                self._arrival = max(self._arrival, self._clock())
            else:
                self._arrival += next(self._gaps)
            account = self._next
            self._arrival = max(self._arrival, self._last[account] + self._again)
            if self._arrival >= self._end:
                self._left = 0
                return None
            self._left -= 1
            self._last[account] = self._arrival
            self._next = (account + 1) % len(self._last)
            return Turn(account, self._arrival)
