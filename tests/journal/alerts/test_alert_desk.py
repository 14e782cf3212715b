"""The desk: who is told of which event and condition, how often, and after a restart."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from desk_house import House, StandIn
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from provserver.delivery.events import EndpointEvent, Outcome
from provserver.journal.events import Event

REFUSED = Outcome.POLICY_VIOLATION
AD = {"endpoint": "ad"}


@pytest.fixture
def hook() -> StandIn:
    return StandIn()


def test_an_endpoint_that_refuses_is_told_of_with_names_in_the_place_of_ids(hook: StandIn) -> None:
    house = House(["6927 -> webhook"], hook)
    house.happens(REFUSED, text="The endpoint's password policy refuses the password. Too short.")
    house.turn()
    (alert,) = hook.told
    assert (alert.rule, alert.severity.value) == ("6927", "error")
    assert alert.text == "The endpoint's password policy refuses the password. Too short."
    assert alert.endpoint == "cn=ad,dc=im"
    assert alert.details == {
        "event": 6927,
        "name": "POLICY_VIOLATION",
        "account": "cn=ada,dc=im",
        "change": "c-1",
        "state": "retrying",
    }


def test_what_no_rule_names_is_told_to_nobody(hook: StandIn) -> None:
    house = House(["6927 -> webhook", "8050 -> mail"], hook)
    house.happens(Outcome.UPDATED)
    house.happens(Event.EXTERNAL_POLICY_SILENT, {"by": "cn=a", "peer": "::1", "user": "cn=b"})
    house.turn()
    assert hook.told == []


def test_every_way_of_a_recipient_is_used() -> None:
    first, second, mail = StandIn(name="webhook 1"), StandIn(name="webhook 2"), StandIn("mail")
    house = House(["6927 -> webhook", "held -> mail"], first, second, mail)
    house.happens(REFUSED)
    house.turn()
    assert (len(first.told), len(second.told), len(mail.told)) == (1, 1, 0)


def test_one_message_for_an_endpoint_then_a_summary(hook: StandIn) -> None:
    house = House(["6927 -> webhook"], hook)
    for _ in range(4):
        house.happens(REFUSED)
    house.happens(REFUSED, {"account": "x", "endpoint": "unix", "change": "c-2", "state": "held"})
    house.turn()
    assert [(alert.endpoint, alert.more) for alert in hook.told] == [("cn=ad,dc=im", 0), ("cn=unix,dc=im", 0)]
    house.turn(900)
    assert [(alert.endpoint, alert.more) for alert in hook.told[2:]] == [("cn=ad,dc=im", 3)]
    house.turn(2000)
    assert len(hook.told) == 3


def test_a_recipient_that_is_away_keeps_nobody_from_knowing() -> None:
    away, there = StandIn(name="webhook 1"), StandIn(name="webhook 2")
    away.problem = "no connection"
    house = House(["6927 -> webhook"], away, there, cool_off=0)
    for _ in range(5):
        house.happens(REFUSED)
        house.turn()
    assert len(there.told) == 5


class TestConditions:
    def test_an_endpoint_that_stays_away_is_told_of_and_that_it_is_back(self, hook: StandIn) -> None:
        house = House(["unreachable -> webhook"], hook)
        house.happens(EndpointEvent.UNREACHABLE, AD)
        house.turn(599)
        house.happens(EndpointEvent.UNREACHABLE, AD)
        assert hook.told == []
        house.turn(2)
        house.turn(100)
        (alert,) = hook.told
        assert (alert.rule, alert.endpoint, alert.over) == ("unreachable", "cn=ad,dc=im", False)
        assert "10 minutes" in alert.text
        house.happens(EndpointEvent.BACK, AD)
        house.turn()
        assert [told.over for told in hook.told] == [False, True]

    def test_one_that_was_there_in_between_is_not(self, hook: StandIn) -> None:
        house = House(["unreachable -> webhook"], hook)
        for _ in range(10):
            house.happens(EndpointEvent.UNREACHABLE, AD)
            house.turn(300)
            house.happens(EndpointEvent.BACK, AD)
        house.turn(3000)
        assert hook.told == []

    def test_what_says_nothing_of_the_endpoint_changes_nothing(self, hook: StandIn) -> None:
        house = House(["unreachable -> webhook"], hook)
        house.happens(EndpointEvent.UNREACHABLE, AD)
        house.happens(Outcome.DROPPED)
        house.turn(601)
        assert len(hook.told) == 1

    def test_an_outbox_that_fills_is_told_of_once_and_that_it_has_emptied(self, hook: StandIn) -> None:
        house = House(["outbox -> webhook"], hook, cool_off=0)
        for size in (799, 800, 805, 799, 900, 720):
            house.figures.size = size
            house.turn()
        (alert,) = hook.told
        assert "80 %" in alert.text
        assert alert.details == {"deliveries": 800, "limit": 1000}
        house.figures.size = 719
        house.turn()
        assert [told.over for told in hook.told] == [False, True]

    def test_a_disk_that_fills_is_told_of_before_it_is_full(self, hook: StandIn) -> None:
        house = House(["store -> webhook"], hook)
        house.free = 999_999
        house.turn()
        house.turn()
        assert [told.over for told in hook.told] == [False]
        house.free = 2_000_000
        house.turn()
        assert [told.over for told in hook.told] == [False, True]

    def test_errors_of_the_store_are_told_of_wherever_they_are_logged(self, hook: StandIn) -> None:
        house = House(["store -> webhook"], hook, cool_off=0)
        full = OSError(errno.ENOSPC, "database or disk is full")
        said = [
            {"log_namespace": "provserver.ldap.connection", "log_failure": Failure(full)},
            {"log_namespace": "provserver.passwords.forgetting", "error": full},
            {
                "log_namespace": "provserver.delivery.pool",
                "log_format": "not stored: {kind}",
                "kind": "OSError",
            },
            {"log_namespace": "provserver.storage.writer", "log_format": "{lost} lines lost", "lost": 3},
        ]
        for event in said:
            house.health.observe({"log_level": LogLevel.error, **event})
        house.turn()
        assert [alert.text.removeprefix("The store has failed: ") for alert in hook.told] == [
            "OSError: [Errno 28] database or disk is full",
            "OSError: [Errno 28] database or disk is full",
            "not stored: OSError",
            "3 lines lost",
        ]

    def test_other_lines_of_the_log_are_not(self, hook: StandIn) -> None:
        house = House(["store -> webhook"], hook)
        house.health.observe({"log_level": LogLevel.error, "log_namespace": "x", "kind": "KeyError"})
        house.health.observe({"log_level": LogLevel.info, "log_namespace": "provserver.storage.writer"})
        house.health.observe({"log_level": LogLevel.error, "log_failure": Failure(KeyError("x"))})
        house.turn()
        assert hook.told == []

    def test_a_flood_of_errors_is_one_message_and_a_summary(self, hook: StandIn) -> None:
        house = House(["store -> webhook"], hook)
        for _ in range(100):
            house.health.observe({"log_level": LogLevel.error, "log_namespace": "provserver.storage.writer"})
            house.turn()
        house.turn(900)
        assert [alert.more for alert in hook.told] == [0, 99]

    def test_a_condition_is_told_to_those_whose_rules_name_it(self) -> None:
        hook, mail = StandIn(), StandIn("mail")
        house = House(["outbox -> mail", "6927 -> webhook"], hook, mail)
        house.figures.size = 1000
        house.turn()
        assert (len(hook.told), len(mail.told)) == (0, 1)


class TestRestarts:
    def test_where_it_begins_nothing_of_the_past_is_told(self, tmp_path: Path, hook: StandIn) -> None:
        house = House(["6927 -> webhook"], hook, position=tmp_path / "alerts.position", after=41)
        assert house.desk.after == 41
        assert (
            House(["6927 -> webhook"], hook, position=tmp_path / "alerts.position", after=50).desk.after == 41
        )

    def test_it_goes_on_where_it_was(self, tmp_path: Path, hook: StandIn) -> None:
        place = tmp_path / "alerts.position"
        house = House(["6927 -> webhook"], hook, position=place, after=41)
        house.happens(Outcome.UPDATED)
        house.turn()
        assert place.stat().st_mode & 0o777 == 0o600
        again = House(["6927 -> webhook"], hook, position=place, after=1000)
        assert again.desk.after == 42

    def test_what_was_not_told_yet_comes_again(self, tmp_path: Path, hook: StandIn) -> None:
        place = tmp_path / "alerts.position"
        house = House(["6927 -> webhook"], hook, position=place, after=41)
        house.turn()
        hook.problem = "away"
        house.happens(REFUSED)
        house.turn()
        house.turn()
        assert House(["6927 -> webhook"], hook, position=place, after=1000).desk.after == 41
        hook.problem = ""
        house.turn(5)
        house.turn(1000)
        assert House(["6927 -> webhook"], hook, position=place, after=1000).desk.after == 42

    def test_nor_is_what_only_a_summary_would_have_told(self, tmp_path: Path, hook: StandIn) -> None:
        place = tmp_path / "alerts.position"
        house = House(["6927 -> webhook"], hook, position=place, after=41)
        house.turn()
        house.happens(REFUSED)
        house.happens(REFUSED)
        house.turn()
        assert House(["6927 -> webhook"], hook, position=place, after=1000).desk.after == 41

    def test_a_store_from_a_backup_begins_at_its_own_end(self, tmp_path: Path, hook: StandIn) -> None:
        place = tmp_path / "alerts.position"
        place.write_text("500\n")
        assert House(["6927 -> webhook"], hook, position=place, after=41).desk.after == 41

    @pytest.mark.parametrize("content", [b"", b"many\n", b"\xff", b"-1"])
    def test_a_file_that_says_nothing_is_no_place(
        self, tmp_path: Path, hook: StandIn, content: bytes
    ) -> None:
        place = tmp_path / "alerts.position"
        place.write_bytes(content)
        assert House(["6927 -> webhook"], hook, position=place, after=41).desk.after == 41

    def test_where_it_cannot_be_kept_alerts_go_on(self, tmp_path: Path, hook: StandIn) -> None:
        (tmp_path / "file").touch()
        house = House(["6927 -> webhook"], hook, position=tmp_path / "file" / "alerts.position")
        house.happens(REFUSED)
        house.turn()
        house.turn(1000)
        assert len(hook.told) == 1
