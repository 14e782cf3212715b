"""Emulated endpoints that fail on command, at the n-th call, by settings and from a test; what they keep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    Account,
    Busy,
    ConnectorFailure,
    DroppedConnection,
    ObjectMissing,
    PasswordOption,
    PasswordPolicyViolation,
    ServerDown,
    SettingsError,
)
from provserver.connectors.emulated import EmulatedConnector, EmulatedEndpoints, Operation
from provserver.connectors.emulation.breaking import parse_rules
from provserver.connectors.emulation.names import NameList
from provserver.directory.names import DN
from provserver.vault.secret import Secret

ADA = Account("ada", DN.parse("cn=ada,dc=im"))
GOOD = Secret.of_text("Harbour-Light-21")


class Lab:
    """An endpoint, and lines to it with whatever settings its entry has just now."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.endpoints = EmulatedEndpoints()
        self.endpoint = self.endpoints["x"]

    def line(self, **settings: str) -> EmulatedConnector:
        return self.endpoints.kind()({"name": "x", **settings}, {}, self.clock)

    def failures(self, line: EmulatedConnector, calls: int) -> list[str]:
        """What became of so many passwords, in short."""
        return [self.failure(line) for _ in range(calls)]

    def failure(self, line: EmulatedConnector) -> str:
        sent = Deferred.fromCoroutine(line.set_password(ADA, GOOD, PasswordOption.NONE))
        self.clock.advance(10)
        if isinstance(failure := self.ended(sent), ConnectorFailure):
            return type(failure).__name__
        assert failure is None
        return "-"

    def ended(self, sent: Deferred[Any]) -> BaseException | None:
        told: list[Any] = []
        sent.addBoth(told.append)
        assert told, "it has not ended"
        return getattr(told[0], "value", None)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("set:3:busy", ["-", "-", "Busy", "-", "-", "-"]),
        ("set:2-3:busy", ["-", "Busy", "Busy", "-", "-", "-"]),
        ("set:5+:denied", ["-", "-", "-", "-", "AccessDenied", "AccessDenied"]),
        ("set:/2:policy", ["-", "PasswordPolicyViolation"] * 3),
        ("set:1:login,set:2:history", ["BadServerCredentials", "PasswordInHistory", "-", "-", "-", "-"]),
        ("set:*:wait=10", ["-"] * 6),
        ("open:*:down,change:*:busy", ["-"] * 6),
        ("", ["-"] * 6),
    ],
)
def test_what_the_setting_breaks_fails_at_its_calls_and_at_no_others(rules: str, told: list[str]) -> None:
    lab = Lab()
    assert lab.failures(lab.line(**{"break": rules}), 6) == told
    lab = Lab()
    lab.endpoint.break_at(rules)
    assert lab.failures(lab.line(), 6) == told


def test_calls_are_counted_over_all_lines_and_anew_when_the_setting_changes() -> None:
    lab = Lab()
    first, second = (lab.line(**{"break": "set:3:busy"}) for _ in range(2))
    assert lab.failures(first, 2) + lab.failures(second, 2) == ["-", "-", "Busy", "-"]
    assert lab.failures(lab.line(**{"break": "set:2:error"}), 3) == ["-", "ConnectorError", "-"]
    assert lab.failures(lab.line(), 3) == ["-"] * 3


def test_what_a_test_broke_it_can_mend() -> None:
    lab = Lab()
    lab.endpoint.break_at("set:*:busy")
    assert lab.failures(lab.line(), 2) == ["Busy", "Busy"]
    lab.endpoint.mend()
    assert lab.failures(lab.line(), 2) == ["-", "-"]


@pytest.mark.parametrize(("how", "taken"), [("drop", False), ("drop-after", True)])
def test_a_line_can_be_dropped_before_and_after_the_password_was_taken(how: str, taken: bool) -> None:
    lab = Lab()
    line = lab.line(**{"break": f"set:1:{how}"})
    lab.ended(Deferred.fromCoroutine(line.open()))
    dropped = lab.ended(Deferred.fromCoroutine(line.set_password(ADA, GOOD, PasswordOption.NONE)))
    assert isinstance(dropped, DroppedConnection)
    assert dropped.outcome_unknown
    assert lab.endpoint.holds("ada", GOOD) is taken
    assert lab.endpoint.open_lines == 0


def test_a_wait_is_by_the_clock_that_was_given() -> None:
    lab = Lab()
    sent = Deferred.fromCoroutine(
        lab.line(**{"break": "set:1:wait=2.5"}).set_password(ADA, GOOD, PasswordOption.NONE)
    )
    lab.clock.advance(2.4)
    assert not sent.called
    lab.clock.advance(0.2)
    assert sent.called


def test_opening_changing_looking_up_and_exploring_are_broken_each_for_itself() -> None:
    lab = Lab()
    line = lab.line(**{"break": "open:1:down,change:1:busy,locate:1:denied,explore:1:error"})
    opened = lab.ended(Deferred.fromCoroutine(line.open()))
    assert isinstance(opened, ServerDown)
    changed = lab.ended(Deferred.fromCoroutine(line.change_password(ADA, GOOD, GOOD)))
    assert isinstance(changed, Busy)
    for coroutine in (line.locate(ADA), line.locate(Account("x", ADA.dn))):
        Deferred.fromCoroutine(coroutine).addErrback(lambda failure: failure.trap(ConnectorFailure))
    assert lab.endpoint.asked[Operation.LOCATE] == 2
    assert lab.failures(line, 1) == ["-"]


@pytest.mark.parametrize(
    "text",
    ["set", "set:1", "put:1:busy", "set:0:busy", "set:3-2:busy", "set:/0:busy", "set:x:busy", "set:1:tired"],
)
def test_a_rule_that_cannot_be_read_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_rules(text)
    assert refused.value.key == "break"
    assert repr(text) in str(refused.value)


@given(first=st.integers(1, 20), last=st.integers(1, 20), call=st.integers(1, 30))
def test_a_rule_strikes_from_its_first_to_its_last_call(first: int, last: int, call: int) -> None:
    if last >= first:
        [rule] = parse_rules(f"set:{first}-{last}:busy")
        assert rule.strikes(call) is (first <= call <= last)
    [rule] = parse_rules(f"set:/{first}:busy")
    assert rule.strikes(call) is (call % first == 0)


# -- what it remembers


def test_what_came_is_on_record_as_digests_with_options_time_and_outcome() -> None:
    lab = Lab()
    lab.clock.advance(1000)
    line = lab.line(min_length="8")
    other = Account("bob", ADA.dn)
    reset = PasswordOption.FORCE_CHANGE_AT_LOGON
    for account, secret in ((ADA, GOOD), (other, GOOD), (ADA, Secret.of_text("tiny"))):
        Deferred.fromCoroutine(line.set_password(account, secret, reset)).addErrback(
            lambda failure: failure.trap(PasswordPolicyViolation)
        )
        lab.clock.advance(5)
    Deferred.fromCoroutine(line.change_password(other, GOOD, Secret.of_text("Lantern-Bay-73")))
    told = [(one.time, one.operation, one.account, one.options, one.outcome) for one in lab.endpoint.record]
    sets, none = Operation.SET_PASSWORD, PasswordOption.NONE
    assert told == [
        (1000, sets, "ada", reset, "taken"),
        (1005, sets, "bob", reset, "taken"),
        (1010, sets, "ada", reset, "PasswordPolicyViolation"),
        (1015, Operation.CHANGE_PASSWORD, "bob", none, "taken"),
    ]
    assert lab.endpoint.received_by("ada")[0].digest == lab.endpoint.digest("ada", GOOD)
    assert len({one.digest for one in lab.endpoint.record}) == 4
    assert "Harbour" not in repr(lab.endpoint.record)


# -- the accounts there are


def explored(line: EmulatedConnector) -> list[str]:
    names: list[str] = []

    async def listen() -> None:
        async for account in line.explore():
            names.append(account.name)

    ended = Deferred.fromCoroutine(listen())
    ended.addErrback(lambda failure: names.append(failure.type.__name__))
    return names


def test_exploring_finds_the_accounts_of_the_setting_or_those_that_were_sent_a_password() -> None:
    lab = Lab()
    assert explored(lab.line(accounts="bob,kit-{1-3}")) == ["bob", "kit-1", "kit-2", "kit-3"]
    line = lab.line()
    assert lab.failures(line, 2) == ["-", "-"]
    assert explored(line) == ["ada"]
    lab.endpoint.add_account("carol", {"mail": ("carol@example.com",)})
    lab.endpoint.remove_account("ada")
    assert explored(line) == ["carol"]


def test_an_account_that_is_not_on_the_list_is_missing() -> None:
    lab = Lab()
    assert lab.failures(lab.line(accounts="bob"), 1) == ["ObjectMissing"]
    lab.endpoint.add_account("ada")
    assert lab.failures(lab.line(accounts="bob"), 1) == ["-"]
    line = lab.line(accounts="bob")
    missing = lab.ended(Deferred.fromCoroutine(line.locate(Account("dora", ADA.dn))))
    assert isinstance(missing, ObjectMissing)


def test_a_line_that_is_dropped_while_exploring_is_dropped_in_the_middle() -> None:
    assert explored(Lab().line(accounts="a,b,c", **{"break": "explore:1:drop"})) == ["a", "DroppedConnection"]


@given(st.lists(st.sampled_from(["a", "b1", "u-{1-12}", "u-{5-20}", "{8-9}x", "u-7"]), min_size=1))
def test_a_list_of_names_has_each_once_and_knows_them(parts: list[str]) -> None:
    names = NameList.parse(", ".join(parts))
    found = list(names)
    assert len(set(found)) == len(found)
    assert all(name in names for name in found)
    for stranger in ("u-0", "u-21", "u-01", "u-", "x", "8", "b2", "u-7x"):
        assert stranger not in names


@pytest.mark.parametrize(
    "text", ["kit-{1-", "kit-{5-4}", "{1-2}{3-4}", "kit-{1-99999999999}", "{1-100000000}"]
)
def test_a_range_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="accounts: expected"):
        NameList.parse(text)
