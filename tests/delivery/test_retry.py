"""A retry decision is a value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provserver.connectors.contract import (
    AccessDenied,
    Busy,
    ConnectorFailure,
    DroppedConnection,
    PasswordPolicyViolation,
    ServerDown,
)
from provserver.delivery.retry import Hold, RetryAt, RetryPolicy


def test_the_default_is_ten_retries_a_minute_apart() -> None:
    policy = RetryPolicy()
    decisions = [policy.next(attempts, ServerDown("down"), 1000.0) for attempts in range(1, 13)]
    assert decisions[:10] == [RetryAt(1060.0)] * 10
    assert decisions[10:] == [Hold(), Hold()]


def test_a_permanent_failure_is_held_at_once() -> None:
    for kind in (AccessDenied, PasswordPolicyViolation):
        assert RetryPolicy().next(1, kind("no"), 0.0) == Hold()


def test_an_unknown_outcome_is_repeated_whatever_the_failure() -> None:
    failure = AccessDenied("and then the line broke")
    failure.outcome_unknown = True
    assert RetryPolicy(interval=5).next(1, failure, 100.0) == RetryAt(105.0)


def test_no_retries_means_that_a_passing_failure_is_held_too() -> None:
    assert RetryPolicy(limit=0).next(1, Busy("later"), 0.0) == Hold()


@given(st.integers(0, 50), st.floats(0, 3600), st.sampled_from([Busy, ServerDown, DroppedConnection]))
def test_a_passing_failure_is_tried_limit_plus_one_times(
    limit: int, interval: float, kind: type[ConnectorFailure]
) -> None:
    policy = RetryPolicy(limit, interval)
    attempts = 1
    while isinstance(policy.next(attempts, kind("x"), 0.0), RetryAt):
        attempts += 1
    assert attempts == limit + 1
