"""Whether a password is tried again, and when: a decision is a value.

The default is MIIS's: ten retries, one each minute (facts/agents-and-peers.md 4.2). Permanent failures are
not retried: only a person, or another password, changes them. Retries are for the failures of one delivery;
an endpoint that cannot be reached uses none up (`breaker`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provserver.connectors.contract import ConnectorFailure
from provserver.imps.endpoints import Endpoint, RetryStyle

_MOST_DOUBLINGS: Final = 62
"""Any interval has reached any cap by then; and a float holds it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before this wall-clock time."""

    due: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it for a person."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`limit` retries after the first attempt. FIXED: `interval` seconds apart. EXPONENTIAL: the first pause
    is at most `interval`, each next one at most twice that, none more than `cap`; each is drawn evenly from
    nothing to its most ("full jitter"), so that what failed together does not come back together.
    """

    limit: int = 10
    interval: float = 60.0
    style: RetryStyle = RetryStyle.FIXED
    cap: float = 3600.0

    def next(
        self, attempts: int, failure: ConnectorFailure, now: float, random: Callable[[], float]
    ) -> RetryAt | Hold:
        """What follows an attempt that failed. `attempts` have ended, this one included. `random`: evenly
        from 0 to 1.
        """
        # After an unknown outcome the newest password is sent again, whatever kind of failure it was.
        again = failure.transient or failure.outcome_unknown
        if not again or attempts > self.limit:
            return Hold()
        if self.style is RetryStyle.FIXED:
            return RetryAt(now + self.interval)
        most = min(self.cap, self.interval * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS))
        return RetryAt(now + most * random())


_DEFAULT: Final = RetryPolicy()


def policy_of(endpoint: Endpoint | None) -> RetryPolicy:
    """What an endpoint's entry says; the default, when it is not known."""
    if endpoint is None:
        return _DEFAULT
    return RetryPolicy(
        endpoint.retry_limit, endpoint.retry_interval, endpoint.retry_style, endpoint.retry_cap
    )
