"""Rules: what a text means, and who is told of what by which subject."""

from __future__ import annotations

import pytest

from provserver.delivery.declared import DECLARED
from provserver.delivery.events import Outcome
from provserver.journal.alerts.rules import Condition, RuleError, read_rules
from provserver.journal.declared import Severity
from provserver.journal.events import Event
from provserver.settings import AlertsSettings
from provserver.storage.contract import JournalEvent


def told(rules: list[str], event: int, state: str = "", recipient: str = "mail") -> str:
    fields = {"state": state} if state else {}
    kind = DECLARED[event]
    return read_rules(rules, DECLARED).about(recipient, JournalEvent(0.0, event, "", fields), kind)


@pytest.mark.parametrize("subject", ["6927", "POLICY_VIOLATION", "policy_violation", "error", "warning"])
def test_an_event_is_told_by_number_name_or_severity(subject: str) -> None:
    assert told([f"{subject} -> mail"], Outcome.POLICY_VIOLATION) in ("6927", subject)


@pytest.mark.parametrize("subject", ["7000", "held", "store", "8050"])
def test_and_not_by_another(subject: str) -> None:
    assert told([f"{subject} -> mail"], Outcome.POLICY_VIOLATION, "failed") == ""


def test_a_severity_is_told_with_what_is_worse_and_not_with_what_is_not() -> None:
    assert told(["warning -> mail"], Outcome.SERVER_DOWN) == "warning"
    assert told(["error -> mail"], Outcome.SERVER_DOWN) == ""
    assert told(["information -> mail"], Outcome.UPDATED) == "information"


def test_a_delivery_is_told_of_as_held_whatever_held_it() -> None:
    assert told(["held -> mail"], Outcome.SERVER_DOWN, "held") == "held"
    assert told(["held -> mail"], Outcome.SERVER_DOWN, "retrying") == ""


def test_a_delivery_that_was_held_until_somebody_acted_is_not() -> None:
    assert told(["held -> mail"], Event.DELIVERY_RETRIED, "held") == ""


def test_the_first_subject_that_fits_is_the_one() -> None:
    assert told(["6927 held -> mail", "error -> mail"], Outcome.POLICY_VIOLATION, "held") == "6927"
    assert told(["held -> mail", "6927 -> mail"], Outcome.POLICY_VIOLATION, "held") == "held"


def test_each_recipient_has_rules_of_its_own() -> None:
    rules = ["6927 -> webhook, help@example.com", "store -> mail"]
    assert told(rules, Outcome.POLICY_VIOLATION, recipient="help@example.com") == "6927"
    assert told(rules, Outcome.POLICY_VIOLATION, recipient="mail") == ""
    read = read_rules(rules, DECLARED)
    assert read.wants("mail", Condition.STORE)
    assert not read.wants("webhook", Condition.STORE)


def test_the_default_rules_tell_of_all_that_an_administrator_must_know() -> None:
    rules = read_rules(AlertsSettings().rules, DECLARED)
    for recipient in ("webhook", "mail"):
        told_of = rules.of[recipient]
        assert {*Condition} <= {one for one in told_of if isinstance(one, Condition)}
        numbers = {Outcome.POLICY_VIOLATION, Outcome.KEPT_TOO_LONG, Event.EXTERNAL_POLICY_SILENT}
        assert numbers <= {one for one in told_of if isinstance(one, int)}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("6927", "expected SUBJECT ... -> RECIPIENT"),
        ("-> mail", "expected SUBJECT"),
        ("6927 ->", "expected SUBJECT"),
        ("6927 -> pager", "expected webhook, mail or a mail address"),
        ("6927 -> a;b@example.com", "expected webhook, mail or a mail address"),
        ("6927 -> -f@example.com", "expected webhook, mail or a mail address"),
        ("4711 -> mail", "expected a number or name of an event"),
        ("disaster -> mail", "held, unreachable, outbox, store"),
    ],
)
def test_a_rule_that_makes_no_sense_says_what_was_expected_and_not_what_came(
    rule: str, expected: str
) -> None:
    with pytest.raises(RuleError) as error:
        read_rules(["error -> mail", rule], DECLARED)
    assert "rule 2: " in str(error.value)
    assert expected in str(error.value)
    for word in ("4711", "disaster", "pager", "example"):
        assert word not in str(error.value)


def test_severities_are_ranked() -> None:
    assert [severity.value for severity in Severity] == ["information", "warning", "error"]
