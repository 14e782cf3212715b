"""Several passwords at once on one line: how many, in which order, and what a lost line means for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from delivery_house import House
from twisted.internet.defer import Deferred

from provserver.connectors.contract import (
    Account,
    ConnectorFailure,
    DroppedConnection,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
)
from provserver.delivery.couriers import CourierSettings
from provserver.directory.entries import EntryId
from provserver.storage.contract import DeliveryState, MarkFate
from provserver.vault.secret import Secret

UPDATED, RETRYING = DeliveryState.UPDATED, DeliveryState.RETRYING


class Harbour:
    """An endpoint whose answers come when the test says so."""

    def __init__(self) -> None:
        self.pipeline = 4
        self.lines: list[Wire] = []
        """All that were ever opened."""
        self.opening: list[Deferred[None]] = []
        self.slow_to_open = False
        self.down = False
        self.took: list[tuple[str, bytes]] = []

    @property
    def up(self) -> list[Wire]:
        return [line for line in self.lines if line.is_open]

    @property
    def on_the_way(self) -> list[str]:
        return [name for line in self.up for name in line.waiting]

    def kind(self) -> type:
        return type("Kind", (Wire,), {"harbour": self, "pipeline": self.pipeline})


class Wire:
    """A line to it."""

    harbour: ClassVar[Harbour]
    pipeline: int
    setting_names: ClassVar[dict[str, str]] = {}
    security = Security.SECURE

    def __init__(self, settings: Any, secrets: Any, reactor: Any) -> None:
        self.is_open = False
        self.closed = 0
        self.waiting: dict[str, tuple[Deferred[None], bytes]] = {}

    async def open(self) -> None:
        if self.is_open:
            return
        if self.harbour.slow_to_open:
            opened: Deferred[None] = Deferred()
            self.harbour.opening.append(opened)
            await opened
        if self.harbour.down:
            raise ServerDown("nobody answers")
        self.is_open = True
        self.harbour.lines.append(self)

    async def close(self) -> None:
        self.closed += 1
        self.is_open = False

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        if not self.is_open:
            raise DroppedConnection("the line is closed")
        assert account.name not in self.harbour.on_the_way, "one account, one attempt"
        answer: Deferred[None] = Deferred()
        self.waiting[account.name] = answer, secret.reveal()
        await answer

    def answer(self, *names: str, failure: ConnectorFailure | None = None) -> None:
        """Say yes, or no, to these, or to all that wait."""
        for name in names or list(self.waiting):
            answer, password = self.waiting.pop(name)
            if failure is None:
                self.harbour.took.append((name, password))
                answer.callback(None)
            else:
                answer.errback(failure)

    def lose(self) -> None:
        """Break: nobody knows what became of what waits."""
        self.is_open = False
        waiting, self.waiting = self.waiting, {}
        for answer, _ in waiting.values():
            lost = DroppedConnection("the line broke")
            lost.outcome_unknown = True
            answer.errback(lost)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


@pytest.fixture
def house(harbour: Harbour) -> Iterator[House]:
    house = House(CourierSettings(concurrency=1))
    house.kinds["harbour"] = harbour.kind()
    house.add_endpoint("pier", connector="harbour")
    house.couriers.startService()
    yield house
    for line in harbour.up:
        line.answer()
    house.couriers.stopService()
    house.turn(10)
    assert house.clock.getDelayedCalls() == []


def send(house: House, *names: str, change: str = "1") -> list[Any]:
    deliveries = [house.delivery("pier", name, name, user=f"user {name}", change=change) for name in names]
    for delivery in deliveries:
        house.couriers.hand_over([delivery])
    return deliveries


def states(house: House, deliveries: list[Any]) -> list[list[DeliveryState]]:
    return [house.outbox.of(delivery) for delivery in deliveries]


def used(house: House, harbour: Harbour) -> None:
    """A line over which a password went before."""
    send(house, "before")
    harbour.lines[0].answer()


def test_as_many_are_on_the_way_as_the_connector_takes_at_once(house: House, harbour: Harbour) -> None:
    send(house, *"abcdefg")
    assert len(harbour.lines) == 1
    assert harbour.on_the_way == ["a", "b", "c", "d"]
    harbour.lines[0].answer("c")
    assert harbour.on_the_way == ["a", "b", "d", "e"]
    harbour.lines[0].answer()
    harbour.lines[0].answer()
    assert sorted(name for name, _ in harbour.took) == list("abcdefg")


def test_the_first_one_opens_the_line_for_all(house: House, harbour: Harbour) -> None:
    harbour.slow_to_open = True
    send(house, *"abcdef")
    assert (len(harbour.opening), harbour.on_the_way) == (1, [])
    harbour.opening[0].callback(None)
    assert sorted(harbour.on_the_way) == ["a", "b", "c", "d"]
    assert len(harbour.lines) == 1


def test_lines_are_opened_before_they_are_shared_and_shared_evenly(harbour: Harbour) -> None:
    house = House()
    house.kinds["harbour"] = harbour.kind()
    house.add_endpoint("pier", connector="harbour", concurrency=3)
    house.couriers.startService()
    house.couriers.wake(EntryId("pier"))
    send(house, *"abcdefgh")
    assert [len(line.waiting) for line in harbour.lines] == [3, 3, 2]


def test_one_account_never_has_two_on_the_way(house: House, harbour: Harbour) -> None:
    first = house.delivery("pier", "a", "old", change="1")
    second = house.delivery("pier", "a", "new", change="2")
    other = house.delivery("pier", "b", "other", user="bob")
    for delivery in (first, second, other):
        house.couriers.hand_over([delivery])
    assert harbour.on_the_way == ["a", "b"]
    harbour.lines[0].answer("a")
    assert harbour.on_the_way == ["b", "a"]
    harbour.lines[0].answer()
    assert harbour.took[-1] == ("a", b"new")


def test_each_ends_by_itself(house: House, harbour: Harbour) -> None:
    deliveries = send(house, *"abc")
    harbour.lines[0].answer("b", failure=PasswordPolicyViolation("too short"))
    harbour.lines[0].answer()
    assert states(house, deliveries) == [[UPDATED], [DeliveryState.HELD], [UPDATED]]
    assert len(harbour.lines) == 1


def test_all_on_a_lost_line_are_sent_again_over_one_new_line(house: House, harbour: Harbour) -> None:
    used(house, harbour)
    deliveries = send(house, *"abcdef")
    harbour.lines[0].lose()
    assert len(harbour.lines) == 2
    assert harbour.lines[0].closed == 1
    assert sorted(harbour.on_the_way) == ["a", "b", "c", "d"]
    harbour.lines[1].answer()
    harbour.lines[1].answer()
    assert states(house, deliveries) == [[UPDATED]] * 6


def test_what_was_on_a_line_that_is_lost_twice_is_retried_later_and_the_others_go_on(
    house: House, harbour: Harbour
) -> None:
    house.add_endpoint("pier", retry_interval=5.0)
    used(house, harbour)
    deliveries = send(house, *"abcdefgh")
    harbour.lines[0].lose()
    harbour.lines[1].lose()
    unknown = [s for s in house.outbox.settled if s.event == 7013]
    assert [(s.state, s.mark, s.charged) for s in unknown] == [(RETRYING, MarkFate.ENDED, True)] * 4
    for _ in range(20):
        house.turn(1)
        for line in harbour.up:
            line.answer()
    assert house.outbox.rows == {}
    assert [ends[-1] for ends in states(house, deliveries)] == [UPDATED] * 8


def test_when_nobody_answers_any_more_what_was_not_sent_waits_free_of_charge(
    house: House, harbour: Harbour
) -> None:
    used(house, harbour)
    deliveries = send(house, *"abcdef")
    harbour.down = True
    harbour.lines[0].lose()
    charged = {s.delivery: s.charged for s in house.outbox.settled if s.state is RETRYING}
    assert [charged[delivery.id] for delivery in deliveries] == [True] * 4 + [False] * 2
    assert house.outbox.events() == [7040]
    harbour.down = False
    house.turn(1)
    harbour.lines[-1].answer()  # the one that tries
    assert house.outbox.events() == [7040, 7041]


def test_a_changed_entry_is_obeyed_by_what_comes_and_spares_what_is_on_the_way(
    house: House, harbour: Harbour
) -> None:
    before = send(house, "a", "b")
    house.add_endpoint("pier")  # another version
    after = send(house, "c")
    old, new = harbour.lines
    assert (list(old.waiting), list(new.waiting)) == (["a", "b"], ["c"])
    old.answer("a")
    assert old.closed == 0
    old.answer("b")
    assert old.closed == 1
    new.answer()
    assert states(house, before + after) == [[UPDATED]] * 3


def test_a_shared_line_is_closed_when_it_is_idle_and_not_before(harbour: Harbour) -> None:
    house = House(CourierSettings(concurrency=1, idle=60))
    house.kinds["harbour"] = harbour.kind()
    house.add_endpoint("pier", connector="harbour")
    house.couriers.startService()
    send(house, "a", "b")
    harbour.lines[0].answer("a")
    house.turn(120)
    assert harbour.lines[0].closed == 0
    harbour.lines[0].answer("b")
    house.turn(59)
    assert harbour.lines[0].closed == 0
    house.turn(2)
    assert harbour.lines[0].closed == 1
    assert house.couriers.standing(EntryId("pier")).lines == 0


def test_the_concurrency_of_an_endpoint_is_its_own(harbour: Harbour) -> None:
    house = House(CourierSettings(concurrency=4))
    house.couriers.startService()
    house.add_endpoint("one", concurrency=1, settings={"delay": "1"})
    house.add_endpoint("many", settings={"delay": "1"})
    house.couriers.wake(EntryId("one"))
    for number in range(8):
        for name in ("one", "many"):
            house.couriers.hand_over([house.delivery(name, f"{name}-{number}", user=f"u-{number}")])
    assert (house.emulated["one"].open_lines, house.emulated["many"].open_lines) == (1, 4)
    house.add_endpoint("one", concurrency=2)
    for number in range(8):
        house.couriers.hand_over(
            [house.delivery("one", f"x-{number}", user=f"x-{number}", claimed=number > 0)]
        )
    house.turn(1)
    assert house.emulated["one"].open_lines == 2
