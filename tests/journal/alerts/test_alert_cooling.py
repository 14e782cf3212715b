"""The cool-off: one message for each matter in a while, then a summary of the rest."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from desk_house import ALERT
from hypothesis import given
from hypothesis import strategies as st

from provserver.journal.alerts.cooling import CoolOff
from provserver.testing.clock import TurnedClock


def test_the_first_is_told_and_the_others_are_summed_up() -> None:
    clock = TurnedClock()
    cool: CoolOff[str] = CoolOff(60.0, clock.seconds)
    assert cool.admits("ad", ALERT)
    last = replace(ALERT, text="the last one")
    assert [cool.admits("ad", alert) for alert in (ALERT, ALERT, last)] == [False, False, False]
    clock.turn(59)
    assert cool.summaries() == []
    assert cool.unsaid
    clock.turn(1)
    assert cool.summaries() == [("ad", replace(last, more=3, since=ALERT.at))]
    assert not cool.unsaid


def test_after_a_summary_the_time_begins_anew() -> None:
    clock = TurnedClock()
    cool: CoolOff[str] = CoolOff(60.0, clock.seconds)
    assert cool.admits("ad", ALERT)
    assert not cool.admits("ad", ALERT)
    clock.turn(60)
    assert len(cool.summaries()) == 1
    assert not cool.admits("ad", ALERT)
    clock.turn(60)
    assert len(cool.summaries()) == 1
    clock.turn(60)
    assert cool.summaries() == []
    assert cool.admits("ad", ALERT)


def test_each_matter_cools_by_itself() -> None:
    cool: CoolOff[str] = CoolOff(60.0, TurnedClock().seconds)
    assert cool.admits("ad", ALERT)
    assert cool.admits("unix", ALERT)


def test_without_a_cool_off_each_is_told() -> None:
    cool: CoolOff[str] = CoolOff(0.0, TurnedClock().seconds)
    assert [cool.admits("ad", ALERT) for _ in range(3)] == [True] * 3
    assert not cool.unsaid


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from("abc")), max_size=60))
def test_none_is_forgotten_and_none_comes_too_early(arrivals: list[tuple[int, str]]) -> None:
    """Messages of a matter are a cool-off apart, and count all that came."""
    clock = TurnedClock()
    cool: CoolOff[str] = CoolOff(60.0, clock.seconds)
    messages: dict[str, list[float]] = {}
    counted = dict.fromkeys("abc", 0)

    def told(matter: str, count: int) -> None:
        messages.setdefault(matter, []).append(clock.seconds())
        counted[matter] += count

    def sum_up() -> None:
        for matter, alert in cool.summaries():
            told(matter, alert.more)

    for pause, matter in arrivals:
        clock.turn(pause)
        sum_up()
        if cool.admits(matter, ALERT):
            told(matter, 1)
    clock.turn(60)
    sum_up()
    for matter, times in messages.items():
        assert counted[matter] == sum(1 for _, came in arrivals if came == matter)
        assert all(later - earlier >= 60 for earlier, later in pairwise(times))
