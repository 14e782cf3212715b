"""When an endpoint is left alone for a while, and how it is found out that it is back: a state machine.

- Closed: deliveries go. It opens when no line can be had, or after a run of attempts that failed one after
  the other for passing reasons, whichever account they were for.
- Open: nothing is claimed and nothing sent; what waits uses up no retry. Now and then a probe opens a line,
  which carries nothing.
- Half-open: a probe could open a line. One delivery goes; how it ends decides.

Pure: what happens, the time, and chance are told to it. Whoever owns it keeps its times (`probe_at`).
Source: ours; MIIS repeats each password by itself, ten times, which an outage of an hour uses up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from provserver.delivery.events import Outcome


class Gate(Enum):
    """Whether deliveries to an endpoint go. PAUSED is an administrator's wish, not the breaker's."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """`run`: so many attempts in a row fail before it opens. `first_pause`, `longest_pause`: seconds until a
    probe; less than a second, because what waits begins to drain within a second of the endpoint's return.
    """

    run: int = 5
    first_pause: float = 0.1
    longest_pause: float = 0.8


ILL: Final = frozenset(
    {
        Outcome.LINE_LOST,
        Outcome.OUTCOME_UNKNOWN,
        Outcome.SERVER_DOWN,
        Outcome.BUSY,
        Outcome.CONNECTOR_BROKEN,
    }
)
"""Ends of an attempt that may be the endpoint's fault."""
WELL: Final = frozenset(
    {
        Outcome.UPDATED,
        Outcome.UNVERIFIED,
        Outcome.OBJECT_MISSING,
        Outcome.POLICY_VIOLATION,
        Outcome.NOT_SUPPORTED,
        Outcome.ACCESS_DENIED,
        Outcome.OLD_PASSWORD_INCORRECT,
        Outcome.ILL_FORMED,
        Outcome.CONNECTOR_ERROR,
    }
)
"""Ends by which the endpoint has shown that it works. What is in neither set was never put to it."""


class Breaker:
    """One endpoint's. Times are the monotonic clock's seconds; each call that alters `state` returns True."""

    __slots__ = ("_failures", "_pause", "_random", "_settings", "probe_at", "state")

    def __init__(self, random: Callable[[], float], settings: BreakerSettings | None = None) -> None:
        """`random`: uniformly from 0 to 1."""
        self._random = random
        self._settings = settings or BreakerSettings()
        self._failures = 0
        self._pause = self._settings.first_pause
        self.state = Gate.CLOSED
        self.probe_at = 0.0
        """When the next probe is due, while it is open."""

    @property
    def at_rest(self) -> bool:
        """Closed, and nothing has failed: what succeeds need not be told."""
        return self.state is Gate.CLOSED and not self._failures

    def ended(self, outcome: Outcome, now: float) -> bool:
        """An attempt has ended."""
        if outcome in WELL:
            return self._answered()
        return outcome in ILL and self._failed(now)

    def unreachable(self, now: float, pause: float | None = None) -> bool:
        """No line can be had. `pause`: until the probe, where haste would do harm (our account would be
        locked out).
        """
        if self.state is Gate.OPEN:
            if pause is not None:
                self.probe_at = max(self.probe_at, now + pause)
            return False
        return self._open(now, pause)

    def probe_failed(self, now: float, pause: float | None = None) -> None:
        """A probe could not open a line, either."""
        self._wait(now, pause)

    def probe_succeeded(self) -> bool:
        """A line is open: one delivery may try."""
        if self.state is not Gate.OPEN:
            return False
        self.state = Gate.HALF_OPEN
        return True

    def forget(self) -> bool:
        """As at the beginning: what is known is of no use any more."""
        self._failures = 0
        self._pause = self._settings.first_pause
        was, self.state = self.state, Gate.CLOSED
        return was is not Gate.CLOSED

    def _answered(self) -> bool:
        # While it is open, answers are to what was sent before: the probe says what is true now.
        return self.state is not Gate.OPEN and self.forget()

    def _failed(self, now: float) -> bool:
        if self.state is Gate.OPEN:
            return False
        self._failures += 1
        if self.state is Gate.CLOSED and self._failures < self._settings.run:
            return False
        return self._open(now, None)

    def _open(self, now: float, pause: float | None) -> bool:
        self.state = Gate.OPEN
        self._wait(now, pause)
        return True

    def _wait(self, now: float, pause: float | None) -> None:
        if pause is None:
            # Between a half of the pause and all of it, so that what waits for many endpoints behind one
            # network does not knock all at once.
            pause = self._pause * (0.5 + 0.5 * self._random())
            self._pause = min(2 * self._pause, self._settings.longest_pause)
        self.probe_at = now + pause
