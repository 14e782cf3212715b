"""Couriers: what reaches an endpoint, in which order, and what is written down about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from delivery_house import House
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from provserver.connectors.contract import (
    AccessDenied,
    Busy,
    NotSupported,
    PasswordPolicyViolation,
)
from provserver.connectors.emulated import Operation
from provserver.delivery.couriers import CourierSettings
from provserver.delivery.events import Outcome
from provserver.directory.entries import EntryId
from provserver.imps.endpoints import RetryStyle
from provserver.storage.contract import ChangeId, DeliveryState, MarkFate
from provserver.vault.secret import Secret

UPDATED, RETRYING, HELD = DeliveryState.UPDATED, DeliveryState.RETRYING, DeliveryState.HELD
CANCELLED, FAILED = DeliveryState.CANCELLED, DeliveryState.FAILED
OLD, NEW = "Harbour-Light-21", "Lantern-Bay-73"


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.couriers.startService()
    yield house
    house.couriers.stopService()
    house.turn(10)
    assert house.clock.getDelayedCalls() == []


def started(settings: CourierSettings | None = None) -> House:
    house = House(settings)
    house.couriers.startService()
    return house


def done(deferred: Deferred[Any]) -> bool:
    return deferred.called


class TestHandOver:
    def test_passwords_reach_their_endpoints_before_hand_over_returns(self, house: House) -> None:
        deliveries = [house.delivery("unix", "ada"), house.delivery("ad", "ada l")]
        first = house.couriers.hand_over(deliveries)
        assert house.holds("unix", "ada")
        assert house.holds("ad", "ada l")
        assert (first.updated, first.failed, first.pending) == (2, 0, 0)
        assert house.outbox.rows == {}
        assert [(s.state, s.mark, s.event) for s in house.outbox.settled] == [
            (UPDATED, MarkFate.ENDED, 7000),
            (UPDATED, MarkFate.ENDED, 7000),
        ]

    def test_nothing_is_read_from_the_tree_when_the_exchange_tells_what_it_knows(self, house: House) -> None:
        delivery = house.delivery("unix", "ada")
        in_hand = Secret(b"as the exchange has it")
        known = {delivery.id: (house.endpoints[delivery.endpoint], _account(house, "ada"), in_hand)}
        house.endpoints.clear()
        house.missing_accounts.add(EntryId("ada"))
        first = house.couriers.hand_over([delivery], known=known)
        assert first.updated == 1
        assert house.emulated["unix"].holds("ada", in_hand)  # nor is its seal opened

    def test_it_waits_for_the_service_to_start(self) -> None:
        house = House()
        first = house.couriers.hand_over([house.delivery("unix", "ada")])
        assert (first.running, house.holds("unix", "ada")) == (1, False)
        house.couriers.startService()
        assert (first.updated, house.holds("unix", "ada")) == (1, True)

    def test_a_delivery_that_is_not_claimed_is_claimed_at_once(self, house: House) -> None:
        house.couriers.hand_over([house.delivery("unix", "ada", claimed=False)])
        assert house.holds("unix", "ada")

    def test_the_answer_waits_for_first_attempts(self, house: House) -> None:
        house.add_endpoint("slow", settings={"delay": "1.5"})
        first = house.couriers.hand_over([house.delivery("slow", "ada"), house.delivery("unix", "ada")])
        answer = Deferred.fromCoroutine(house.couriers.first_attempts(first, 2.0))
        assert not done(answer)
        assert (first.updated, first.pending) == (1, 1)
        house.turn(1.6)
        assert done(answer)
        assert (first.updated, first.pending) == (2, 0)

    def test_the_answer_waits_no_longer_than_the_propagation_wait(self, house: House) -> None:
        house.add_endpoint("slow", settings={"delay": "30"})
        first = house.couriers.hand_over([house.delivery("slow", "ada")])
        answer = Deferred.fromCoroutine(house.couriers.first_attempts(first, 2.0))
        house.turn(2.1)
        assert done(answer)
        assert (first.updated, first.failed, first.pending) == (0, 0, 1)
        house.turn(30)
        assert first.updated == 1

    def test_what_is_to_be_retried_counts_as_pending_and_ends_the_waiting(self, house: House) -> None:
        house.emulated["unix"].down()
        first = house.couriers.hand_over([house.delivery("unix", "ada")])
        answer = Deferred.fromCoroutine(house.couriers.first_attempts(first, 2.0))
        assert done(answer)
        assert (first.updated, first.failed, first.pending) == (0, 0, 1)

    def test_what_is_held_counts_as_failed(self, house: House) -> None:
        house.emulated["unix"].refuse(lambda: PasswordPolicyViolation("too short"))
        first = house.couriers.hand_over([house.delivery("unix", "ada")])
        assert (first.updated, first.failed, first.pending) == (0, 1, 0)

    def test_cancelled_deliveries_are_told_to_the_journal(self, house: House) -> None:
        old = house.delivery("unix", "ada", change="change-1")
        house.couriers.hand_over([], [old], newest=(EntryId("ada"), ChangeId("change-2")))
        [note] = house.outbox.notes
        assert (note.event, note.fields["delivery"], note.fields["state"]) == (6919, old.id, "cancelled")


class TestFailures:
    def test_a_failure_that_passes_is_tried_again_each_minute(self, house: House) -> None:
        house.emulated["unix"].refuse(lambda: Busy("later"), times=3)
        delivery = house.delivery("unix", "ada")
        house.couriers.hand_over([delivery])
        [settlement] = house.outbox.settled
        assert (settlement.state, settlement.mark, settlement.event) == (RETRYING, MarkFate.REMOVED, 7015)
        assert settlement.due == house.wall() + 60
        house.turn(130)
        assert house.outbox.of(delivery) == [RETRYING] * 3
        house.turn(60)
        assert house.outbox.of(delivery)[-1] is UPDATED
        assert house.holds("unix", "ada")

    def test_pauses_grow_where_the_endpoint_says_so(self, house: House) -> None:
        house.add_endpoint(
            "unix", retry_style=RetryStyle.EXPONENTIAL, retry_interval=10.0, retry_cap=30.0, retry_limit=5
        )
        house.emulated["unix"].refuse(lambda: Busy("later"), times=4)
        house.couriers.hand_over([house.delivery("unix", "ada")])
        house.turn(120)
        ends = [s.due - s.at for s in house.outbox.settled]
        assert ends[:4] == [10, 20, 30, 30]
        assert house.holds("unix", "ada")

    def test_after_ten_retries_it_is_held(self, house: House) -> None:
        house.emulated["unix"].refuse(lambda: Busy("later"))
        delivery = house.delivery("unix", "ada")
        house.couriers.hand_over([delivery])
        house.turn(3600)
        assert house.outbox.of(delivery) == [RETRYING] * 10 + [HELD]
        assert delivery.id in house.outbox.rows

    @pytest.mark.parametrize(
        ("failure", "event"),
        [
            (PasswordPolicyViolation, 6927),
            (NotSupported, 6928),
            (AccessDenied, 7010),
        ],
    )
    def test_a_permanent_refusal_is_held_and_its_mark_removed(
        self, house: House, failure: Any, event: int
    ) -> None:
        house.emulated["unix"].refuse(lambda: failure("no"))
        delivery = house.delivery("unix", "ada")
        house.couriers.hand_over([delivery])
        [settlement] = house.outbox.settled
        assert (settlement.state, settlement.mark, settlement.event) == (HELD, MarkFate.REMOVED, event)
        house.turn(600)
        assert house.outbox.of(delivery) == [HELD]

    def test_an_unknown_outcome_keeps_the_mark_and_sends_again(self, house: House) -> None:
        house.emulated["unix"].drop(times=1, after_taking_it=True)
        delivery = house.delivery("unix", "ada")
        house.couriers.hand_over([delivery])
        [settlement] = house.outbox.settled
        assert (settlement.state, settlement.mark, settlement.event) == (RETRYING, MarkFate.ENDED, 7013)
        assert house.emulated["unix"].open_lines == 0
        house.turn(61)
        assert house.outbox.of(delivery) == [RETRYING, UPDATED]

    def test_a_history_refusal_of_a_repeat_means_updated_unverified(self, house: House) -> None:
        house.add_endpoint("unix", settings={"history": "5"})
        house.emulated["unix"].drop(times=1, after_taking_it=True)
        delivery = house.delivery("unix", "ada")
        house.couriers.hand_over([delivery])
        house.emulated["unix"].refuse(lambda: Busy("later"), times=1)
        house.turn(61)
        assert house.outbox.settled[-1].mark is MarkFate.ENDED, "the first attempt may have set it"
        house.turn(61)
        assert house.outbox.of(delivery) == [RETRYING, RETRYING, DeliveryState.UNVERIFIED]

    def test_a_history_refusal_of_a_first_attempt_is_a_refusal(self, house: House) -> None:
        house.add_endpoint("unix", settings={"history": "5"})
        house.couriers.hand_over([house.delivery("unix", "ada", change="1")])
        again = house.delivery("unix", "ada", change="2")
        house.couriers.hand_over([again])
        assert house.outbox.of(again) == [HELD]

    def test_a_kept_open_line_that_had_died_costs_no_retry(self, house: House) -> None:
        house.couriers.hand_over([house.delivery("unix", "ada", OLD, change="1")])
        house.emulated["unix"].drop(times=1)
        delivery = house.delivery("unix", "ada", NEW, change="2")
        house.couriers.hand_over([delivery])
        assert house.outbox.of(delivery) == [UPDATED]
        assert house.emulated["unix"].asked[Operation.OPEN] == 2

    def test_a_dead_endpoint_slows_no_other(self, house: House) -> None:
        house.emulated["dead"].delay(100, operation=Operation.OPEN)
        for number in range(50):
            house.couriers.hand_over(
                [
                    house.delivery("dead", f"a-{number}", user=f"u-{number}"),
                    house.delivery("unix", f"b-{number}", user=f"u-{number}"),
                ]
            )
        assert house.emulated["unix"].received == 50
        house.turn(101)
        assert house.emulated["dead"].received == 50

    def test_a_fault_in_a_connector_is_told_without_its_text_and_tried_again(self, house: House) -> None:
        class Faulty:
            setting_names: ClassVar[dict[str, str]] = {"name": "which"}

            def __new__(cls, settings: Any, secrets: Any, reactor: Any) -> Any:
                connector = house.emulated.kind()(settings, secrets, reactor)

                async def set_password(account: Any, secret: Secret, options: Any) -> None:
                    raise KeyError(secret.reveal())

                connector.set_password = set_password  # type: ignore[method-assign]
                return connector

        house.kinds["faulty"] = Faulty
        house.add_endpoint("odd", connector="faulty")
        house.couriers.hand_over([house.delivery("odd", "ada")])
        [settlement] = house.outbox.settled
        assert (settlement.state, settlement.mark) == (RETRYING, MarkFate.ENDED)
        assert "KeyError in set_password" in settlement.text
        assert OLD not in settlement.text

    def test_an_endpoint_without_a_usable_connector_is_held_alone(self, house: House) -> None:
        house.add_endpoint("gone", connector="nosuch")
        house.add_endpoint("wrong", settings={"colour": "red"})
        deliveries = [house.delivery(name, "ada") for name in ("gone", "wrong", "unix")]
        house.couriers.hand_over(deliveries)
        events = {s.delivery: (s.state, s.event) for s in house.outbox.settled}
        assert [events[d.id] for d in deliveries] == [(HELD, 6922), (HELD, 6922), (UPDATED, 7000)]
        assert "colour: unknown setting" in house.outbox.settled[1].text

    def test_a_corrected_setting_is_used_for_the_next_password(self, house: House) -> None:
        house.add_endpoint("unix", settings={"min_length": "40"})
        house.couriers.hand_over([house.delivery("unix", "ada", change="1")])
        house.add_endpoint("unix", settings={})
        delivery = house.delivery("unix", "ada", change="2")
        house.couriers.hand_over([delivery])
        assert house.outbox.of(delivery) == [UPDATED]

    def test_an_endpoint_or_account_that_is_gone_ends_the_delivery(self, house: House) -> None:
        gone = house.delivery("unix", "ada")
        house.missing_accounts.add(EntryId("ada"))
        house.couriers.hand_over([gone])
        lost = house.delivery("nowhere", "bob", user="bob")
        del house.endpoints[EntryId("nowhere")]
        house.couriers.hand_over([lost])
        assert [(s.state, s.event) for s in house.outbox.settled] == [(FAILED, 6923), (FAILED, 6922)]
        assert house.outbox.rows == {}

    def test_propagation_disabled_in_the_meantime_is_held(self, house: House) -> None:
        delivery = house.delivery("unix", "ada")
        house.add_endpoint("unix", propagation_disabled=True)
        house.couriers.hand_over([delivery])
        assert [(s.state, s.event) for s in house.outbox.settled] == [(HELD, 6921)]


class TestSecrets:
    def test_an_insecure_line_gets_nothing_not_even_a_login(self, house: House) -> None:
        house.add_endpoint("clear", settings={"security": "not-secure"})
        house.couriers.hand_over([house.delivery("clear", "ada")])
        [settlement] = house.outbox.settled
        assert (settlement.state, settlement.mark, settlement.event) == (HELD, MarkFate.REMOVED, 7020)
        assert house.emulated["clear"].asked == {}
        assert house.seals_opened == []

    def test_an_insecure_line_is_used_when_the_endpoint_says_so(self, house: House) -> None:
        house.add_endpoint("clear", settings={"security": "not-secure"}, require_secure=False)
        house.couriers.hand_over([house.delivery("clear", "ada")])
        assert house.holds("clear", "ada")

    def test_the_seal_is_opened_only_when_the_line_is_open(self, house: House) -> None:
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        assert house.seals_opened == []

    def test_a_seal_that_does_not_open_is_held_and_shows_nothing(self, house: House) -> None:
        house.broken_seals = True
        house.couriers.hand_over([house.delivery("unix", "ada")])
        [settlement] = house.outbox.settled
        assert (settlement.state, settlement.event) == (HELD, 7021)
        assert OLD not in repr((house.outbox.settled, house.outbox.notes))

    def test_what_is_written_down_never_holds_a_password(self, house: House) -> None:
        house.emulated["unix"].refuse(lambda: Busy("no"), times=1)
        house.couriers.hand_over([house.delivery("unix", "ada"), house.delivery("ad", "ada")])
        assert OLD not in repr((house.outbox.settled, house.outbox.notes))


class TestOrder:
    def test_one_account_never_has_two_attempts_at_once(self, house: House) -> None:
        house.add_endpoint("slow", settings={"delay": "10"})
        house.couriers.hand_over([house.delivery("slow", "ada", OLD, change="1")])
        house.couriers.hand_over([house.delivery("slow", "ada", NEW, change="2")])
        assert house.emulated["slow"].asked[Operation.SET_PASSWORD] == 1
        house.turn(25)
        assert [s.state for s in house.outbox.settled] == [UPDATED, UPDATED]
        assert house.holds("slow", "ada", NEW)

    def test_the_next_attempt_waits_until_the_last_one_is_settled(self, house: House) -> None:
        house.outbox.slow = True
        house.couriers.hand_over([house.delivery("unix", "ada", OLD, change="1")])
        house.couriers.hand_over([house.delivery("unix", "ada", NEW, change="2")])
        assert house.holds("unix", "ada", OLD)
        house.outbox.answer()
        assert house.holds("unix", "ada", NEW)
        house.outbox.answer()

    def test_settlements_of_other_accounts_do_not_wait_for_each_other(self, house: House) -> None:
        house.outbox.slow = True
        for number in range(20):
            house.couriers.hand_over([house.delivery("unix", f"a-{number}", user=f"u-{number}")])
        assert house.emulated["unix"].received == 20
        house.outbox.answer()
        assert len(house.outbox.settled) == 20

    def test_an_older_password_is_not_sent_after_a_newer_commit(self, house: House) -> None:
        house.emulated["unix"].delay(5, operation=Operation.OPEN)
        old = house.delivery("unix", "ada", OLD, change="1")
        house.couriers.hand_over([old])
        new = house.delivery("unix", "ada", NEW, change="2")
        house.couriers.hand_over([new])
        house.turn(20)
        assert house.outbox.of(old) == [CANCELLED]
        assert [s.event for s in house.outbox.settled if s.delivery == old.id] == [6919]
        assert house.outbox.of(new) == [UPDATED]
        assert house.emulated["unix"].received == 1

    def test_a_newer_commit_stops_older_ones_on_accounts_that_it_does_not_serve(self, house: House) -> None:
        house.emulated["unix"].delay(5, operation=Operation.OPEN)
        old = house.delivery("unix", "ada", OLD, change="1")
        house.couriers.hand_over([old])
        house.couriers.hand_over([], newest=(EntryId("ada"), ChangeId("2")))
        house.turn(20)
        assert house.outbox.of(old) == [CANCELLED]
        assert house.emulated["unix"].received == 0

    def test_a_repeat_of_the_same_change_stops_nothing(self, house: House) -> None:
        house.emulated["unix"].delay(5, operation=Operation.OPEN)
        first = house.delivery("unix", "ada", change="1")
        house.couriers.hand_over([first])
        house.couriers.hand_over([house.delivery("ad", "ada", change="1")])
        house.turn(20)
        assert house.outbox.of(first) == [UPDATED]

    def test_a_retry_that_a_newer_commit_overtook_is_cancelled(self, house: House) -> None:
        house.add_endpoint("slow", settings={"delay": "5"})
        house.emulated["slow"].refuse(lambda: Busy("later"))
        old = house.delivery("slow", "ada", OLD, change="1")
        house.couriers.hand_over([old])
        house.couriers.hand_over([], newest=(EntryId("ada"), ChangeId("2")))
        house.turn(20)
        assert house.outbox.of(old) == [CANCELLED]

    def test_couriers_of_one_endpoint_are_no_more_than_its_concurrency(self) -> None:
        house = started(CourierSettings(concurrency=3))
        house.add_endpoint("slow", settings={"delay": "10"})
        house.couriers.hand_over([house.delivery("slow", f"a-{n}", user="ada") for n in range(10)])
        assert house.emulated["slow"].open_lines == 3
        assert house.emulated["slow"].asked[Operation.SET_PASSWORD] == 3
        house.turn(45)
        assert house.emulated["slow"].received == 10
        assert house.emulated["slow"].asked[Operation.OPEN] == 3

    @settings(max_examples=60)
    @given(st.data())
    def test_whatever_happens_every_account_ends_with_the_newest_password(self, data: st.DataObject) -> None:
        """Endpoints drop, are busy and slow; changes come at any time. In the end nothing older is left
        anywhere."""
        house = started(CourierSettings(concurrency=2))
        names = ["a", "b"]
        for name in names:
            house.add_endpoint(
                name,
                retry_limit=100,
                retry_interval=3.0,
                settings={"delay": data.draw(st.sampled_from("012"))},
            )
        sent: list[str] = []
        for number in range(data.draw(st.integers(1, 6))):
            endpoint = house.emulated[data.draw(st.sampled_from(names))]
            match data.draw(st.sampled_from(["fine", "drop", "taken", "busy", "down"])):
                case "drop":
                    endpoint.drop(times=1)
                case "taken":
                    endpoint.drop(times=1, after_taking_it=True)
                case "busy":
                    endpoint.refuse(lambda: Busy("x"), times=2)
                case "down":
                    endpoint.down(times=2)
            sent.append(f"password-{number}")
            change = f"change-{number}"
            for row in list(house.outbox.rows.values()):  # as the commit's cancel_for does
                if row.state is not DeliveryState.CLAIMED:
                    del house.outbox.rows[row.id]
            deliveries = [
                house.delivery(name, "ada", sent[-1], change=change, claimed=data.draw(st.booleans()))
                for name in names
            ]
            house.couriers.hand_over(deliveries)
            house.turn(data.draw(st.integers(0, 4)))
        house.turn(60)
        assert house.outbox.rows == {}
        for name in names:
            assert house.holds(name, "ada", sent[-1])


class TestClaims:
    def test_what_a_crash_left_is_delivered_at_the_start(self) -> None:
        house = House()
        for number in range(300):
            house.delivery("unix", f"a-{number}", user=f"u-{number}", claimed=False)
        house.couriers.startService()
        assert house.emulated["unix"].received == 300
        assert house.outbox.rows == {}

    def test_memory_holds_no_more_than_there_is_room_for(self) -> None:
        house = House(CourierSettings(room=20, concurrency=2))
        house.add_endpoint("slow", settings={"delay": "1"})
        for number in range(100):
            house.delivery("slow", f"a-{number}", user=f"u-{number}", claimed=False)
        house.couriers.startService()
        claimed = [row for row in house.outbox.rows.values() if row.state is DeliveryState.CLAIMED]
        assert len(claimed) == 20
        for _ in range(60):
            house.clock.advance(1)
            claimed = [row for row in house.outbox.rows.values() if row.state is DeliveryState.CLAIMED]
            assert len(claimed) <= 20
        assert house.emulated["slow"].received == 100

    def test_what_was_left_out_because_its_account_was_busy_is_claimed_when_it_is_free(
        self, house: House
    ) -> None:
        house.add_endpoint("slow", settings={"delay": "2"})
        house.couriers.hand_over([house.delivery("slow", "ada", OLD, change="1")])
        house.couriers.hand_over([house.delivery("slow", "ada", NEW, change="2", claimed=False)])
        house.turn(5)
        assert house.holds("slow", "ada", NEW)

    def test_a_claim_of_an_older_change_is_cancelled_while_a_newer_one_is_on_its_way(
        self, house: House
    ) -> None:
        house.add_endpoint("slow", settings={"delay": "2"})
        house.couriers.hand_over([house.delivery("slow", "ada", NEW, change="2")])
        old = house.delivery("unix", "ada", OLD, change="1", claimed=False)
        house.couriers.hand_over([house.delivery("unix", "bob", user="bob", claimed=False)])
        assert house.outbox.of(old) == [CANCELLED]

    def test_a_store_that_cannot_answer_is_asked_again(self) -> None:
        house = House()
        house.delivery("unix", "ada", claimed=False)
        ask, answers = house.outbox.endpoints_due, [OSError("disk")]

        async def endpoints_due(now: float) -> Any:
            if answers:
                raise answers.pop()
            return await ask(now)

        house.outbox.endpoints_due = endpoints_due  # type: ignore[method-assign]
        house.couriers.startService()
        assert not house.holds("unix", "ada")
        house.turn(61)
        assert house.holds("unix", "ada")

    def test_an_outcome_that_could_not_be_stored_is_offered_again_and_keeps_its_account(
        self, house: House
    ) -> None:
        house.outbox.failures = 3
        house.couriers.hand_over([house.delivery("unix", "ada", OLD, change="1")])
        house.couriers.hand_over([house.delivery("unix", "ada", NEW, change="2")])
        assert house.holds("unix", "ada", OLD)
        house.turn(10)
        assert [s.state for s in house.outbox.settled] == [UPDATED, UPDATED]
        assert house.holds("unix", "ada", NEW)


class TestLines:
    def test_a_line_is_kept_open_between_passwords_and_closed_when_idle(self) -> None:
        house = started(CourierSettings(idle=300))
        for number in range(5):
            house.couriers.hand_over([house.delivery("unix", "ada", change=f"{number}")])
            house.turn(100)
        assert house.emulated["unix"].asked[Operation.OPEN] == 1
        house.turn(190)
        assert house.emulated["unix"].open_lines == 1
        house.turn(20)
        assert house.emulated["unix"].open_lines == 0

    def test_stopping_closes_lines_and_gives_back_what_was_not_sent(self) -> None:
        house = started(CourierSettings(concurrency=1))
        house.add_endpoint("slow", settings={"delay": "2"})
        deliveries = [house.delivery("slow", f"a-{n}", user=f"u-{n}") for n in range(3)]
        for delivery in deliveries:
            house.couriers.hand_over([delivery])
        stopped = house.couriers.stopService()
        assert not done(stopped)
        house.turn(3)
        assert done(stopped)
        assert [house.outbox.of(delivery) for delivery in deliveries] == [[UPDATED], [RETRYING], [RETRYING]]
        assert house.outbox.settled[0].event == Outcome.RELEASED
        assert house.emulated["slow"].open_lines == 0

    def test_stopping_waits_no_longer_than_its_grace(self) -> None:
        house = started(CourierSettings(grace=5))
        house.add_endpoint("hanging", settings={"delay": "1000"})
        house.couriers.hand_over([house.delivery("hanging", "ada")])
        stopped = house.couriers.stopService()
        house.turn(4)
        assert not done(stopped)
        house.turn(2)
        assert done(stopped)

    def test_a_service_that_was_stopped_can_be_started_again(self) -> None:
        house = started()
        house.couriers.hand_over([house.delivery("unix", "ada", OLD, change="1")])
        house.couriers.stopService()
        house.couriers.startService()
        house.couriers.hand_over([house.delivery("unix", "ada", NEW, change="2")])
        assert house.holds("unix", "ada", NEW)


class TestDrained:
    def test_it_fires_at_once_when_nothing_is_on_its_way(self, house: House) -> None:
        assert done(house.couriers.drained())

    def test_it_fires_when_the_last_outcome_is_stored(self, house: House) -> None:
        house.outbox.slow = True
        house.couriers.hand_over([house.delivery("unix", "ada")])
        drained = house.couriers.drained()
        assert not done(drained)
        house.outbox.answer()
        assert done(drained)

    def test_what_is_to_be_retried_later_is_not_waited_for(self, house: House) -> None:
        house.emulated["unix"].down()
        house.couriers.hand_over([house.delivery("unix", "ada")])
        assert done(house.couriers.drained())


def _account(house: House, name: str) -> Any:
    found: list[Any] = []
    Deferred.fromCoroutine(house.account(EntryId(name))).addCallback(found.append)
    return replace(found[0], name=name)
