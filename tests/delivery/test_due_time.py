"""What is to be tried again is tried again when it was meant to be, whatever somebody does to the clock."""

from __future__ import annotations

import pytest
from delivery_house import House
from hypothesis import given
from hypothesis import strategies as st

from provserver.connectors.contract import Busy
from provserver.delivery.due_time import DueTime

MINUTE = 60.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6))))
def test_it_never_goes_back_and_is_never_behind_the_wall_clock(steps: list[tuple[float, float]]) -> None:
    seconds, shift = 0.0, 0.0
    due_time = DueTime(lambda: 1.8e9 + seconds + shift, lambda: seconds)
    last = due_time()
    for passed, jump in steps:
        seconds, shift = seconds + passed, shift + jump
        now = due_time()
        assert now >= last + passed - 1e-3
        assert now >= 1.8e9 + seconds + shift
        last = now


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_retry_comes_no_later_because_the_clock_was_set(hours: int) -> None:
    house = House()
    house.couriers.startService()
    house.add_endpoint("unix", retry_interval=MINUTE)
    house.emulated["unix"].refuse(lambda: Busy("x"), times=1)
    house.couriers.hand_over([house.delivery("unix", "ada")])
    house.turn(1)
    house.shift += hours * 60 * MINUTE
    house.turn(MINUTE + 1)
    assert house.holds("unix", "ada")
