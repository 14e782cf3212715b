"""A retry decision is a value."""

from __future__ import annotations

import pytest
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
from provserver.delivery.retry import Hold, RetryAt, RetryPolicy, policy_of
from provserver.imps.endpoints import RetryStyle


def never() -> float:
    raise AssertionError("nothing is drawn for fixed pauses")


def test_the_default_is_ten_retries_a_minute_apart() -> None:
    policy = RetryPolicy()
    decisions = [policy.next(attempts, ServerDown("down"), 1000.0, never) for attempts in range(1, 13)]
    assert decisions[:10] == [RetryAt(1060.0)] * 10
    assert decisions[10:] == [Hold(), Hold()]


def test_a_permanent_failure_is_held_at_once() -> None:
    for kind in (AccessDenied, PasswordPolicyViolation):
        assert RetryPolicy().next(1, kind("no"), 0.0, never) == Hold()


def test_an_unknown_outcome_is_repeated_whatever_the_failure() -> None:
    failure = AccessDenied("and then the line broke")
    failure.outcome_unknown = True
    assert RetryPolicy(interval=5).next(1, failure, 100.0, never) == RetryAt(105.0)


def test_no_retries_means_that_a_passing_failure_is_held_too() -> None:
    assert RetryPolicy(limit=0).next(1, Busy("later"), 0.0, never) == Hold()


@given(st.integers(0, 50), st.floats(0, 3600), st.sampled_from([Busy, ServerDown, DroppedConnection]))
def test_a_passing_failure_is_tried_limit_plus_one_times(
    limit: int, interval: float, kind: type[ConnectorFailure]
) -> None:
    policy = RetryPolicy(limit, interval)
    attempts = 1
    while isinstance(policy.next(attempts, kind("x"), 0.0, never), RetryAt):
        attempts += 1
    assert attempts == limit + 1


EXPONENTIAL = RetryPolicy(limit=20, interval=30.0, style=RetryStyle.EXPONENTIAL, cap=600.0)


def test_exponential_pauses_double_up_to_the_cap() -> None:
    pauses = [EXPONENTIAL.next(attempts, Busy("x"), 100.0, lambda: 1.0) for attempts in range(1, 9)]
    most = [30, 60, 120, 240, 480, 600, 600, 600]
    assert pauses == [RetryAt(100.0 + pause) for pause in most]


@given(
    attempts=st.integers(1, 1_000_000),
    interval=st.floats(0, 86_400),
    cap=st.floats(1, 604_800),
    drawn=st.floats(0, 1),
)
def test_a_pause_is_never_more_than_the_cap_nor_than_the_doubled_interval(
    attempts: int, interval: float, cap: float, drawn: float
) -> None:
    policy = RetryPolicy(attempts, interval, RetryStyle.EXPONENTIAL, cap)
    decision = policy.next(attempts, Busy("x"), 0.0, lambda: drawn)
    assert isinstance(decision, RetryAt)
    assert 0 <= decision.due <= cap
    if attempts <= 10:
        assert decision.due <= interval * 2 ** (attempts - 1)
    # The whole of it is used: what failed together comes back apart.
    most = policy.next(attempts, Busy("x"), 0.0, lambda: 1.0)
    assert isinstance(most, RetryAt)
    assert decision.due == pytest.approx(most.due * drawn)


def test_exponential_retries_end_as_fixed_ones_do() -> None:
    assert EXPONENTIAL.next(20, Busy("x"), 0.0, lambda: 0.0) == RetryAt(0.0)
    assert EXPONENTIAL.next(21, Busy("x"), 0.0, lambda: 0.0) == Hold()
    assert EXPONENTIAL.next(1, AccessDenied("no"), 0.0, lambda: 0.0) == Hold()


def test_an_endpoint_that_is_not_known_has_the_default() -> None:
    assert policy_of(None) == RetryPolicy()
