"""Offences: always counted, seldom told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from provserver.ldap.offences import Offence, Offences
from provserver.settings import describe
from provserver.testing.clock import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def told() -> Iterator[list[str]]:
    lines: list[str] = []

    def listen(event: Any) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(listen)
    yield lines
    globalLogPublisher.removeObserver(listen)


def test_one_limit_of_one_peer_is_told_once_in_a_while(clock: TurnedClock, told: list[str]) -> None:
    offences = Offences(clock.seconds, 60)
    for _ in range(1_000):
        offences.note(Offence.IDLE_TIME, "192.0.2.7", "was idle")
        clock.turn(0.05)
    assert told == ["192.0.2.7: was idle (limits.idle_time)"]
    clock.turn(11)
    offences.note(Offence.IDLE_TIME, "192.0.2.7", "was idle")
    assert told[1:] == ["192.0.2.7: was idle; 999 more since the last time (limits.idle_time)"]
    assert offences.counts == {Offence.IDLE_TIME: 1_001}


def test_another_limit_and_another_peer_are_told_too(clock: TurnedClock, told: list[str]) -> None:
    offences = Offences(clock.seconds, 60)
    for peer in ("192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2"):
        for offence in (Offence.IDLE_TIME, Offence.MALFORMED):
            offences.note(offence, peer, "did it")
    assert len(told) == 6, "the last two are one site"
    assert sum(offences.counts.values()) == 8


def test_the_memory_of_peers_is_bounded(clock: TurnedClock) -> None:
    offences = Offences(clock.seconds, 60)
    for number in range(20_000):
        offences.note(Offence.MALFORMED, f"10.0.{number // 256}.{number % 256}", "did it")
    assert len(offences._logged) <= 2 * 4_096
    assert offences.counts[Offence.MALFORMED] == 20_000


def test_what_sounds_like_a_setting_is_one() -> None:
    settings = {f"{one.section}.{one.key}" for one in describe()}
    named = {offence.value for offence in Offence if "." in offence.value}
    assert named <= settings
    assert len(named) > 10
