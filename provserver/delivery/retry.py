"""Whether a password is tried again, and when: a decision is a value.

The default is MIIS's: ten retries, one each minute (facts/agents-and-peers.md 4.2). Permanent failures are
not retried: only a person, or another password, changes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from provserver.connectors.contract import ConnectorFailure


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before this wall-clock time."""

    due: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it for a person."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`limit` retries after the first attempt, `interval` seconds apart: an endpoint's provRetryLimit,
    provRetryInterval."""

    limit: int = 10
    interval: float = 60.0

    def next(self, attempts: int, failure: ConnectorFailure, now: float) -> RetryAt | Hold:
        """What follows an attempt that failed. `attempts` have ended, this one included."""
        # After an unknown outcome the newest password is sent again, whatever kind of failure it was.
        again = failure.transient or failure.outcome_unknown
        if not again or attempts > self.limit:
            return Hold()
        return RetryAt(now + self.interval)
