"""A clock that the test turns: timers and stored times, both by hand."""

from __future__ import annotations

from twisted.internet.task import Clock


class TurnedClock(Clock):
    """Twisted's test clock, and the wall clock that goes with it. Starts at a fixed date, so that runs are
    alike.
    """

    START = 1_790_000_000.0

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.START + self.seconds()

    def turn(self, seconds: float) -> None:
        """Let time pass; timers fire on the way, in order."""
        self.advance(seconds)
