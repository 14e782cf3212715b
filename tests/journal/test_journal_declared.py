"""Events as they are declared: all of them, each once, and their fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provserver.delivery.declared import DECLARED, FOUND, LOST
from provserver.delivery.events import MEANINGS, EndpointEvent, Outcome
from provserver.journal.declared import (
    Declared,
    Field,
    FieldType,
    Severity,
    declarations,
    problem_of,
)
from provserver.journal.events import Event
from provserver.storage.contract import JournalEvent

KIND = Declared(
    9000,
    "SOMETHING",
    Severity.WARNING,
    "Something happened.",
    (
        Field("by", FieldType.DN, "who"),
        Field("how often", FieldType.COUNT, "how often"),
        Field("where", FieldType.TEXT, "where", False),
    ),
)
ONE = declarations([KIND])


def test_every_event_is_declared_under_its_name() -> None:
    named = {int(event): event.name for event in [*Event, *Outcome]}
    named |= {int(event): f"ENDPOINT_{event.name}" for event in EndpointEvent}
    assert named == {number: kind.name for number, kind in DECLARED.items()}
    assert all(kind.event == number and kind.text.endswith(".") for number, kind in DECLARED.items())


def test_a_delivery_s_severity_is_that_of_its_outcome() -> None:
    assert all(DECLARED[outcome].severity is meaning.severity for outcome, meaning in MEANINGS.items())


def test_what_says_that_an_endpoint_was_there_does_not_say_that_it_was_not() -> None:
    assert not LOST & FOUND
    assert set(DECLARED) >= LOST | FOUND


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"by": "cn=a", "how often": "2"}, ""),
        ({"by": "cn=a", "how often": "2", "where": "here"}, ""),
        ({"by": "cn=a", "how often": "2", "why": "so"}, "undeclared fields: why"),
        ({"how often": "2"}, "lacks fields: by"),
        ({"by": "cn=a", "how often": "two"}, "no numbers in fields: how often"),
    ],
)
def test_what_is_not_as_declared_is_named(fields: dict[str, str], problem: str) -> None:
    said = problem_of(JournalEvent(0.0, 9000, "", fields), ONE)
    assert problem in said
    assert bool(said) == bool(problem)


def test_an_event_of_two_forms_is_of_one_of_them() -> None:
    two = declarations([replace(KIND, otherwise=(Field("key", FieldType.TEXT, "a key"),))])
    assert problem_of(JournalEvent(0.0, 9000, "", {"by": "cn=a", "how often": "1"}), two) == ""
    assert problem_of(JournalEvent(0.0, 9000, "", {"key": "k"}), two) == ""
    assert "undeclared" in problem_of(JournalEvent(0.0, 9000, "", {"key": "k", "by": "cn=a"}), two)


def test_an_event_that_nobody_declared_is_a_problem() -> None:
    assert problem_of(JournalEvent(0.0, 9001, ""), ONE) == "event 9001 is not declared"


@pytest.mark.parametrize("again", [Declared(9000, "OTHER", Severity.ERROR, ""), KIND])
def test_a_number_is_given_once(again: Declared) -> None:
    with pytest.raises(ValueError, match="twice"):
        declarations([KIND, again])
