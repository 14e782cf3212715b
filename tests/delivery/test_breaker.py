"""The breaker's states, without clocks or endpoints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.delivery.breaker import ILL, WELL, Breaker, BreakerSettings, Gate
from provserver.delivery.events import Outcome

CLOSED, OPEN, HALF_OPEN = Gate.CLOSED, Gate.OPEN, Gate.HALF_OPEN
RUN = BreakerSettings().run
LONGEST = BreakerSettings().longest_pause


def breaker(chance: float = 1.0) -> Breaker:
    return Breaker(lambda: chance)


def opened() -> Breaker:
    one = breaker()
    assert one.unreachable(0.0)
    return one


def test_it_opens_at_once_when_no_line_can_be_had() -> None:
    one = opened()
    assert (one.state, one.probe_at) == (OPEN, 0.1)


def test_it_opens_after_a_run_of_failures_and_not_before() -> None:
    one = breaker()
    for _ in range(RUN - 1):
        assert not one.ended(Outcome.BUSY, 1.0)
    assert one.state is CLOSED
    assert one.ended(Outcome.OUTCOME_UNKNOWN, 1.0)
    assert one.state is OPEN


@pytest.mark.parametrize("outcome", sorted(WELL))
def test_whatever_shows_that_the_endpoint_works_ends_a_run(outcome: Outcome) -> None:
    one = breaker()
    for _ in range(RUN - 1):
        one.ended(Outcome.BUSY, 1.0)
    assert not one.at_rest
    one.ended(outcome, 1.0)
    assert one.at_rest
    assert not one.ended(Outcome.BUSY, 1.0)


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - WELL - ILL))
def test_what_was_never_put_to_the_endpoint_says_nothing_of_it(outcome: Outcome) -> None:
    one = breaker()
    for _ in range(RUN - 1):
        one.ended(Outcome.BUSY, 1.0)
    assert not one.ended(outcome, 1.0)
    assert one.ended(Outcome.BUSY, 1.0), "the run goes on"


def test_a_probe_that_succeeds_lets_one_try_and_its_end_decides() -> None:
    well, ill = opened(), opened()
    for one in (well, ill):
        assert one.probe_succeeded()
        assert one.state is HALF_OPEN
    assert well.ended(Outcome.UPDATED, 5.0)
    assert (well.state, well.at_rest) == (CLOSED, True)
    assert ill.ended(Outcome.BUSY, 5.0), "one is enough"
    assert (ill.state, ill.probe_at) == (OPEN, 5.2)


def test_a_line_that_cannot_be_had_in_the_half_open_state_opens_it_again() -> None:
    one = opened()
    one.probe_succeeded()
    assert one.unreachable(5.0)
    assert (one.state, one.probe_at) == (OPEN, 5.2)


def test_what_was_on_its_way_when_it_opened_changes_nothing() -> None:
    one = opened()
    assert not one.ended(Outcome.UPDATED, 0.01)
    assert not one.ended(Outcome.BUSY, 0.02)
    assert not one.unreachable(0.03)
    assert (one.state, one.probe_at) == (OPEN, 0.1)


def test_pauses_double_and_stay_below_a_second() -> None:
    one, now, pauses = opened(), 0.0, []
    for _ in range(6):
        now = one.probe_at
        one.probe_failed(now)
        pauses.append(round(one.probe_at - now, 6))
    assert pauses == [0.2, 0.4, 0.8, 0.8, 0.8, 0.8]


def test_where_we_are_refused_the_pause_is_the_one_that_is_given() -> None:
    one = breaker()
    one.unreachable(0.0, 60.0)
    assert one.probe_at == 60.0
    one.probe_failed(60.0, 60.0)
    assert one.probe_at == 120.0
    late = opened()
    late.unreachable(0.0, 60.0)
    assert late.probe_at == 60.0, "what is told last may be the graver"


def test_a_closed_one_begins_anew_with_short_pauses() -> None:
    one = opened()
    for now in (0.1, 0.3, 0.7):
        one.probe_failed(now)
    one.probe_succeeded()
    one.ended(Outcome.UPDATED, 9.0)
    one.unreachable(10.0)
    assert one.probe_at == pytest.approx(10.1)


def test_a_probe_of_one_that_is_not_open_means_nothing() -> None:
    assert not breaker().probe_succeeded()


HAPPENINGS = st.lists(
    st.one_of(
        st.sampled_from(["unreachable", "refused", "probed", "probe failed"]), st.sampled_from(list(Outcome))
    ),
    max_size=60,
)


@given(HAPPENINGS, st.floats(0, 1))
def test_whatever_happens_it_is_closed_again_after_a_probe_and_a_success(
    happenings: list[str | Outcome], chance: float
) -> None:
    one, now = breaker(chance), 0.0
    for happening in happenings:
        now += 0.25
        before = one.state
        match happening:
            case "unreachable":
                changed = one.unreachable(now)
            case "refused":
                changed = one.unreachable(now, 60.0)
            case "probed":
                changed = one.probe_succeeded()
            case "probe failed":
                changed = False
                if before is OPEN:
                    one.probe_failed(now)
                    assert 0 < one.probe_at - now <= LONGEST
            case Outcome() as outcome:
                changed = one.ended(outcome, now)
                assert before is not OPEN or one.state is OPEN, "only a probe ends it"
            case other:
                raise AssertionError(other)
        assert changed is (one.state is not before)
    if one.state is OPEN:
        assert one.probe_succeeded()
    one.ended(Outcome.UPDATED, now)
    assert (one.state, one.at_rest) == (CLOSED, True)
