"""A recipient's queue: tried again with growing pauses, given up, bounded, never in anybody's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from desk_house import ALERT, StandIn
from twisted.logger import LogLevel, globalLogPublisher

from provserver.journal.alerts.channel import PAUSES, Outlet
from provserver.journal.alerts.forms import Alert
from provserver.testing.clock import TurnedClock


@contextmanager
def logged() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: dict) -> None:  # type: ignore[type-arg]
        if event["log_level"] >= LogLevel.info:
            lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


def test_what_is_put_is_sent_at_once_and_in_order() -> None:
    channel = StandIn()
    outlet = Outlet(channel, TurnedClock())
    alerts = [replace(ALERT, text=str(number)) for number in range(3)]
    for alert in alerts:
        outlet.put(alert)
    assert channel.told == alerts
    assert (outlet.sent, outlet.idle) == (3, True)


def test_a_failure_is_tried_again_with_growing_pauses() -> None:
    channel, clock = StandIn(), TurnedClock()
    channel.problem = "away"
    outlet = Outlet(channel, clock)
    outlet.put(ALERT)
    for number, pause in enumerate(PAUSES, 1):
        assert channel.tries == number
        clock.turn(pause - 0.1)
        assert channel.tries == number
        clock.turn(0.1)
    assert list(PAUSES) == sorted(PAUSES)
    assert (channel.tries, outlet.given_up, outlet.idle) == (len(PAUSES) + 1, 1, True)
    assert clock.getDelayedCalls() == []


def test_who_comes_back_is_told_what_waits() -> None:
    channel, clock = StandIn(), TurnedClock()
    channel.problem = "away"
    outlet = Outlet(channel, clock)
    outlet.put(ALERT)
    outlet.put(replace(ALERT, text="second"))
    channel.problem = ""
    assert not outlet.idle
    clock.turn(PAUSES[0])
    assert [alert.text for alert in channel.told] == [ALERT.text, "second"]
    assert outlet.idle


def test_the_queue_has_so_many_places() -> None:
    channel, clock = StandIn(), TurnedClock()
    channel.problem = "away"
    outlet = Outlet(channel, clock, places=2)
    for _ in range(5):
        outlet.put(ALERT)
    assert outlet.dropped == 3
    channel.problem = ""
    clock.turn(PAUSES[0])
    assert (outlet.sent, len(channel.told)) == (2, 2)


def test_a_cause_is_logged_once_and_again_when_it_is_over() -> None:
    channel, clock = StandIn(name="webhook 1"), TurnedClock()
    outlet = Outlet(channel, clock)
    channel.problem = "HTTP status 500"
    with logged() as lines:
        outlet.put(ALERT)
        clock.turn(PAUSES[0])
        channel.problem = "no answer in 10 s"
        clock.turn(PAUSES[1])
        channel.problem = ""
        clock.turn(PAUSES[2])
    assert lines == [
        "no alert by webhook 1: HTTP status 500",
        "no alert by webhook 1: no answer in 10 s",
        "alerts by webhook 1 arrive again",
    ]


def test_a_fault_in_a_channel_is_a_failure_like_any() -> None:
    class Broken(StandIn):
        async def send(self, alert: Alert) -> None:
            self.tries += 1
            raise KeyError("our own mistake")

    channel, clock = Broken(), TurnedClock()
    outlet = Outlet(channel, clock)
    outlet.put(ALERT)
    for pause in PAUSES:
        clock.turn(pause)
    assert (channel.tries, outlet.given_up) == (len(PAUSES) + 1, 1)


def test_after_the_end_nothing_is_sent_and_no_timer_runs() -> None:
    channel, clock = StandIn(), TurnedClock()
    channel.problem = "away"
    outlet = Outlet(channel, clock)
    outlet.put(ALERT)
    outlet.stop()
    channel.problem = ""
    outlet.put(ALERT)
    assert clock.getDelayedCalls() == []
    assert channel.told == []
    assert not outlet.idle
