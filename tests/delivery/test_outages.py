"""Endpoints that are away, poisoned, refuse us, or are paused: nothing is lost, and nobody else is slowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from delivery_house import House
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from provserver.connectors.contract import (
    BadServerCredentials,
    Busy,
    PasswordPolicyViolation,
    Security,
    ServerDown,
)
from provserver.connectors.emulated import Operation
from provserver.delivery.breaker import BreakerSettings, Gate
from provserver.delivery.couriers import CourierSettings
from provserver.directory.entries import EntryId
from provserver.storage.contract import ChangeId, DeliveryState
from provserver.vault.secret import Secret

UPDATED, RETRYING, HELD = DeliveryState.UPDATED, DeliveryState.RETRYING, DeliveryState.HELD
OPENS, SETS = Operation.OPEN, Operation.SET_PASSWORD
UNIX = EntryId("unix")
DAY = 86_400.0


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.couriers.startService()
    yield house
    house.couriers.stopService()
    house.turn(10)
    assert house.clock.getDelayedCalls() == []


def gate(house: House, endpoint: str = "unix") -> Gate:
    return house.couriers.standing(EntryId(endpoint)).gate


def outbox_of(house: House, count: int, endpoint: str = "unix") -> None:
    """What waits in the outbox, of as many users."""
    for number in range(count):
        house.delivery(endpoint, f"a-{number}", user=f"u-{number}", claimed=False)


class TestDown:
    def test_an_outage_of_a_day_uses_up_no_retries(self, house: House) -> None:
        house.emulated["unix"].down()
        deliveries = [house.delivery("unix", f"a-{n}", user=f"u-{n}") for n in range(5)]
        for delivery in deliveries:
            house.couriers.hand_over([delivery])
        house.turn(DAY, step=10)
        assert {row.attempts for row in house.outbox.rows.values()} == {0}
        assert {row.state for row in house.outbox.rows.values()} == {RETRYING}
        house.emulated["unix"].mend()
        house.turn(1)
        assert house.emulated["unix"].received == 5
        assert house.outbox.rows == {}

    def test_nothing_is_claimed_or_sent_meanwhile_and_probes_carry_no_password(self, house: House) -> None:
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        outbox_of(house, 10)
        claims = house.outbox.claims
        house.couriers.wake(UNIX)
        house.turn(80, step=0.1)
        assert house.outbox.claims == claims
        assert house.emulated["unix"].asked[SETS] == 0
        assert house.seals_opened == []
        assert 80 / 0.9 <= house.emulated["unix"].asked[OPENS] <= 80 / 0.8 + 5, "doubling from 0.1 to 0.8 s"

    def test_what_comes_meanwhile_counts_as_pending_at_once(self, house: House) -> None:
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        settled = len(house.outbox.settled)
        first = house.couriers.hand_over([house.delivery("unix", "bob", user="bob")])
        answer = Deferred.fromCoroutine(house.couriers.first_attempts(first, 2.0))
        assert answer.called
        assert (first.updated, first.failed, first.pending) == (0, 0, 1)
        [row] = house.outbox.settled[settled:]
        assert (row.state, row.charged, row.due) == (RETRYING, False, house.wall())
        assert house.emulated["unix"].asked[OPENS] == 1, "it need not find out for itself"

    @pytest.mark.parametrize("outage", [0.05, 0.7, 30.0, 3600.0])
    def test_what_waits_begins_to_drain_within_a_second_of_its_return(
        self, house: House, outage: float
    ) -> None:
        house.emulated["unix"].down()
        outbox_of(house, 300)
        house.couriers.wake(UNIX)
        house.turn(outage)
        house.emulated["unix"].mend()
        for _ in range(20):
            house.clock.advance(0.05)
        assert house.emulated["unix"].received == 300

    def test_the_journal_is_told_once_that_it_is_away_and_once_that_it_is_back(self, house: House) -> None:
        house.emulated["unix"].down()
        outbox_of(house, 20)
        house.couriers.wake(UNIX)
        house.turn(600)
        assert house.outbox.events() == [7040]
        [away] = [note for note in house.outbox.notes if note.event == 7040]
        assert away.fields == {"endpoint": "unix"}
        assert away.text.endswith("nobody answers")
        house.emulated["unix"].mend()
        house.turn(5)
        assert house.outbox.events() == [7040, 7041]

    def test_its_standing_says_what_is_known(self, house: House) -> None:
        standing = house.couriers.standing(UNIX)
        assert (standing.gate, standing.since, standing.event, standing.next_probe) == (
            Gate.CLOSED,
            0.0,
            0,
            None,
        )
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        began = house.wall()
        [standing] = house.couriers.standings()
        assert (standing.endpoint, standing.gate, standing.since) == (UNIX, Gate.OPEN, began)
        assert (standing.event, standing.failed, standing.lines) == (7014, began, 0)
        assert standing.text == "The endpoint cannot be reached. nobody answers"
        assert standing.next_probe == pytest.approx(began + 0.1)
        house.emulated["unix"].mend()
        house.turn(1)
        standing = house.couriers.standing(UNIX)
        assert (standing.gate, standing.lines, standing.on_the_way) == (Gate.CLOSED, 1, 0)

    def test_what_was_on_its_way_is_charged_and_its_outcome_unknown(self, house: House) -> None:
        house.couriers.hand_over([house.delivery("unix", "ada", change="1")])  # a line is open and used
        house.emulated["unix"].drop(times=1, after_taking_it=True)
        house.emulated["unix"].refuse(lambda: ServerDown("gone"), operation=OPENS, times=1)
        delivery = house.delivery("unix", "ada", change="2")
        house.couriers.hand_over([delivery])
        settlement = house.outbox.settled[-1]
        assert (settlement.event, settlement.charged, settlement.due) == (7013, True, house.wall() + 60)
        house.turn(61)
        assert house.outbox.of(delivery) == [RETRYING, UPDATED]

    def test_a_newer_change_overtakes_what_waits(self, house: House) -> None:
        house.emulated["unix"].delay(1, operation=OPENS, times=1)
        house.emulated["unix"].down()
        old = house.delivery("unix", "ada", "Old-One-1", change="1")
        house.couriers.hand_over([old])
        house.couriers.hand_over([], newest=(EntryId("ada"), ChangeId("2")))
        house.turn(5)
        assert house.outbox.of(old) == [DeliveryState.CANCELLED]

    def test_memory_holds_no_more_than_there_is_room_for_when_it_is_back(self) -> None:
        house = House(CourierSettings(room=20, concurrency=2))
        house.add_endpoint("slow", settings={"delay": "1"})
        house.emulated["slow"].down()
        outbox_of(house, 100, "slow")
        house.couriers.startService()
        house.turn(10)
        house.emulated["slow"].mend()
        for _ in range(70):
            house.clock.advance(1)
            claimed = [row for row in house.outbox.rows.values() if row.state is DeliveryState.CLAIMED]
            assert len(claimed) <= 20
        assert house.emulated["slow"].received == 100

    def test_one_that_stops_and_starts_again_still_knows_and_still_probes(self) -> None:
        house = House()
        house.couriers.startService()
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        house.couriers.stopService()
        house.turn(10)
        assert house.clock.getDelayedCalls() == []
        house.emulated["unix"].mend()
        house.couriers.startService()
        house.turn(1)
        assert house.holds("unix", "ada")

    def test_a_probe_that_hangs_when_the_server_stops_leaves_no_line(self) -> None:
        house = House()
        house.couriers.startService()
        house.emulated["unix"].refuse(lambda: ServerDown("x"), operation=OPENS, times=1)
        house.emulated["unix"].delay(30, operation=OPENS)
        house.couriers.hand_over([house.delivery("unix", "ada")])
        house.turn(1)
        house.couriers.stopService()
        house.turn(60)
        assert house.emulated["unix"].open_lines == 0
        assert house.clock.getDelayedCalls() == []

    def test_an_endpoint_whose_entry_is_gone_ends_what_waits(self, house: House) -> None:
        house.emulated["unix"].down()
        delivery = house.delivery("unix", "ada")
        house.couriers.hand_over([delivery])
        del house.endpoints[UNIX]
        house.turn(2)
        assert house.outbox.of(delivery) == [RETRYING, DeliveryState.FAILED]

    def test_an_endpoint_that_takes_fewer_lines_than_we_would_like_is_not_away(self, house: House) -> None:
        house.add_endpoint("few", settings={"delay": "1"})
        few = house.emulated["few"]
        few.delay(0, operation=OPENS, times=2)
        few.refuse(lambda: ServerDown("too many connections"), operation=OPENS)
        for number in range(10):
            house.couriers.hand_over([house.delivery("few", f"a-{number}", user=f"u-{number}")])
        house.turn(12)
        assert few.received == 10
        assert few.asked[OPENS] == 3
        assert house.outbox.events() == []
        assert {s.state for s in house.outbox.settled} == {UPDATED}


class TestRefused:
    def test_our_credentials_are_offered_no_more_often_than_the_retry_interval(self, house: House) -> None:
        house.add_endpoint("unix", retry_interval=60.0)
        house.emulated["unix"].refuse(lambda: BadServerCredentials("49"), operation=OPENS, after=1.0)
        deliveries = [house.delivery("unix", f"a-{n}", user=f"u-{n}") for n in range(100)]
        for delivery in deliveries:
            house.couriers.hand_over([delivery])
        house.turn(2)
        assert house.emulated["unix"].asked[OPENS] == 4  # lines that were being opened when the first failed
        house.turn(600)
        assert house.emulated["unix"].asked[OPENS] <= 4 + 10
        assert {row.attempts for row in house.outbox.rows.values()} == {0}
        assert len(house.outbox.rows) == 100
        assert house.outbox.events() == [7040]

    def test_a_corrected_entry_is_tried_at_once(self, house: House) -> None:
        house.add_endpoint("unix", retry_interval=3600.0)
        house.emulated["unix"].refuse(lambda: BadServerCredentials("49"), operation=OPENS)
        house.couriers.hand_over([house.delivery("unix", "ada")])
        house.turn(5)
        house.emulated["unix"].mend()
        house.turn(5)
        assert not house.holds("unix", "ada"), "nobody could know"
        house.add_endpoint("unix")
        house.turn(1)
        assert house.holds("unix", "ada")


class Garbage:
    """A connector that has forgotten what a connector is."""

    setting_names: ClassVar[dict[str, str]] = {"name": "which"}

    def __init__(self, settings: Any, secrets: Any, reactor: Any) -> None:
        self.security = Security.SECURE

    async def open(self) -> None:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "garbage")

    async def close(self) -> None:
        raise OSError("what line?")


class TestOneOfMany:
    @pytest.mark.parametrize("poison", ["down", "hangs", "drops", "busy", "garbage", "refuses us"])
    def test_a_dead_or_poisoned_endpoint_slows_no_other(self, house: House, poison: str) -> None:
        """A hundred changes, each to both endpoints, in a hundred seconds: the good one has each at once."""
        house.kinds["garbage"] = Garbage
        house.add_endpoint("bad", connector="garbage" if poison == "garbage" else "emulated")
        bad = house.emulated["bad"]
        match poison:
            case "down":
                bad.down()
            case "hangs":
                bad.delay(1000.0, operation=OPENS)
            case "drops":
                bad.drop()
            case "busy":
                bad.refuse(lambda: Busy("later"), after=10.0)
            case "refuses us":
                bad.refuse(lambda: BadServerCredentials("49"), operation=OPENS)
        for number in range(100):
            user = f"u-{number}"
            first = house.couriers.hand_over(
                [
                    house.delivery("bad", f"b-{number}", user=user, change=f"{number}"),
                    house.delivery("good", f"g-{number}", user=user, change=f"{number}"),
                ]
            )
            assert house.emulated["good"].received == number + 1
            assert (first.updated, first.pending) == (1, 1)
            house.turn(1)
        assert bad.received == 0
        assert gate(house, "good") is Gate.CLOSED
        assert {note.fields["endpoint"] for note in house.outbox.notes if note.event == 7040} <= {"bad"}
        house.turn(1000, step=10)  # what hangs ends

    def test_one_that_drops_every_password_is_tried_now_and_then_and_told_of_once(self, house: House) -> None:
        house.add_endpoint("unix", retry_interval=5.0, retry_limit=1000)
        house.emulated["unix"].drop()
        outbox_of(house, 50)
        house.couriers.wake(UNIX)
        house.turn(60)
        assert gate(house) is not Gate.CLOSED
        assert house.emulated["unix"].asked[SETS] < 60 / 0.8 + 20
        assert house.outbox.events() == [7040]
        house.emulated["unix"].mend()
        house.turn(7)
        assert house.emulated["unix"].received == 50
        assert house.outbox.events() == [7040, 7041]

    def test_a_password_that_poisons_its_endpoint_is_held_in_the_end(self, house: House) -> None:
        """Each attempt is its own; none is free of charge because the endpoint falls over."""
        house.add_endpoint("unix", retry_limit=3, retry_interval=10.0)
        house.emulated["unix"].drop()
        poison = house.delivery("unix", "ada")
        house.couriers.hand_over([poison])
        house.turn(120)
        assert house.outbox.of(poison) == [RETRYING] * 3 + [HELD]

    def test_permanent_refusals_open_nothing(self, house: House) -> None:
        house.emulated["unix"].refuse(lambda: PasswordPolicyViolation("too short"))
        for number in range(20):
            house.couriers.hand_over([house.delivery("unix", f"a-{number}", user=f"u-{number}")])
        assert gate(house) is Gate.CLOSED
        assert {s.state for s in house.outbox.settled} == {HELD}

    def test_half_open_one_delivery_tries_for_all(self, house: House) -> None:
        house.add_endpoint("unix", settings={"delay": "3"})
        house.emulated["unix"].refuse(lambda: ServerDown("x"), operation=OPENS, times=1)
        outbox_of(house, 30)
        house.couriers.wake(UNIX)
        house.turn(1)
        assert gate(house) is Gate.HALF_OPEN
        assert house.emulated["unix"].asked[SETS] == 1
        assert len([r for r in house.outbox.rows.values() if r.state is DeliveryState.CLAIMED]) == 1
        house.turn(3)
        assert gate(house) is Gate.CLOSED
        assert house.emulated["unix"].asked[SETS] == 1 + 4

    def test_a_run_of_failures_is_as_long_as_it_is_set(self) -> None:
        house = House(CourierSettings(breaker=BreakerSettings(run=3)))
        house.couriers.startService()
        house.emulated["unix"].refuse(lambda: Busy("x"))
        for number in range(2):
            house.couriers.hand_over([house.delivery("unix", f"a-{number}", user=f"u-{number}")])
        assert gate(house) is Gate.CLOSED
        house.couriers.hand_over([house.delivery("unix", "a-2", user="u-2")])
        assert gate(house) is Gate.OPEN


class TestPaused:
    def test_nothing_is_claimed_or_sent_until_it_goes_on(self, house: House) -> None:
        house.add_endpoint("unix", paused=True)
        outbox_of(house, 5)
        house.couriers.wake(UNIX)
        first = house.couriers.hand_over([house.delivery("unix", "ada")])
        assert (first.running, first.pending) == (0, 1)
        house.turn(600)
        assert house.outbox.claims == 0
        assert house.emulated["unix"].asked == {}
        assert {row.attempts for row in house.outbox.rows.values()} == {0}
        assert gate(house) is Gate.PAUSED
        assert house.outbox.settled[-1].event == 7034
        house.add_endpoint("unix", paused=False)
        house.turn(1)
        assert house.emulated["unix"].received == 6
        assert gate(house) is Gate.CLOSED
        assert house.outbox.events() == [], "nothing is wrong with it"

    def test_what_the_exchange_has_in_hand_waits_too(self, house: House) -> None:
        house.add_endpoint("unix", paused=True)
        delivery = house.delivery("unix", "ada")
        account: Any = Deferred.fromCoroutine(house.account(EntryId("ada"))).result
        known: Any = {delivery.id: (house.endpoints[UNIX], account, Secret.of_text("Kelp-Compass-88"))}
        house.couriers.hand_over([delivery], known=known)
        assert house.emulated["unix"].asked == {}
        assert house.outbox.of(delivery) == [RETRYING]

    def test_what_is_in_memory_goes_back_when_it_is_paused(self, house: House) -> None:
        house.add_endpoint("slow", settings={"delay": "10"})
        for number in range(20):
            house.couriers.hand_over([house.delivery("slow", f"a-{number}", user=f"u-{number}")])
        house.add_endpoint("slow", paused=True)
        house.turn(60)
        assert house.emulated["slow"].received == 4, "what was on its way has arrived"
        assert len(house.outbox.rows) == 16
        assert {(row.state, row.attempts) for row in house.outbox.rows.values()} == {(RETRYING, 0)}

    def test_one_that_is_away_may_be_paused_and_comes_back_when_both_are_over(self, house: House) -> None:
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        house.add_endpoint("unix", paused=True)
        house.turn(5)
        opens = house.emulated["unix"].asked[OPENS]
        assert gate(house) is Gate.PAUSED
        house.turn(60)
        assert house.emulated["unix"].asked[OPENS] == opens, "nor is it probed"
        house.add_endpoint("unix", paused=False)
        house.turn(2)
        assert gate(house) is Gate.OPEN
        house.emulated["unix"].mend()
        house.turn(1)
        assert house.holds("unix", "ada")
        assert house.outbox.events() == [7040, 7041]


BLOWS = ("none", "mend", "drop", "taken", "busy", "down", "refused", "pause")


def befall(house: House, name: str, blow: str) -> None:
    """What may happen to an endpoint."""
    endpoint = house.emulated[name]
    match blow:
        case "mend":
            endpoint.mend()
            house.add_endpoint(name, paused=False)
        case "drop":
            endpoint.drop(times=3)
        case "taken":
            endpoint.drop(times=2, after_taking_it=True)
        case "busy":
            endpoint.refuse(lambda: Busy("x"), times=4)
        case "down":
            endpoint.down()
        case "refused":
            endpoint.refuse(lambda: BadServerCredentials("x"), operation=OPENS, times=2)
        case "pause":
            house.add_endpoint(name, paused=True)


@settings(max_examples=40)
@given(st.data())
def test_whatever_endpoints_do_everything_arrives_once_they_are_well(data: st.DataObject) -> None:
    house = House(CourierSettings(concurrency=2, room=5))
    house.couriers.startService()
    house.chance = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    names = ["a", "b"]
    pipelines = st.sampled_from(["1", "3"])
    for name in names:
        delay, pipeline = data.draw(st.sampled_from("01")), data.draw(pipelines)
        house.add_endpoint(
            name,
            retry_limit=1000,
            retry_interval=2.0,
            settings={"delay": delay, "pipeline": pipeline, "history": "9"},
        )
    newest: dict[str, str] = {}
    for number in range(data.draw(st.integers(1, 12))):
        befall(house, data.draw(st.sampled_from(names)), data.draw(st.sampled_from(BLOWS)))
        user = data.draw(st.sampled_from("xyz"))
        newest[user] = f"password-{number}"
        for row in list(house.outbox.rows.values()):  # as the commit's cancel_for does
            if row.user == user and row.state is not DeliveryState.CLAIMED:
                del house.outbox.rows[row.id]
        deliveries = [
            house.delivery(
                name,
                f"{user}-{name}",
                newest[user],
                user=user,
                change=f"{number}",
                claimed=data.draw(st.booleans()),
            )
            for name in names
        ]
        house.couriers.hand_over(deliveries, newest=(EntryId(user), ChangeId(f"{number}")))
        house.turn(data.draw(st.sampled_from([0.0, 0.1, 1.0, 5.0])))
    for name in names:
        house.emulated[name].mend()
        house.add_endpoint(name, paused=False)
    house.turn(30)
    assert house.outbox.rows == {}
    for user, password in newest.items():
        for name in names:
            assert house.holds(name, f"{user}-{name}", password)
    assert all(standing.on_the_way == 0 for standing in house.couriers.standings())
    house.couriers.stopService()
    house.turn(10)
    assert all(house.emulated[name].open_lines == 0 for name in names)
    assert house.clock.getDelayedCalls() == []
