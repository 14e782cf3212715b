"""A line of journal.jsonl is one JSON object of the documented form, whatever is in the event."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.delivery.declared import DECLARED
from provserver.journal.declared import Declared, Field, FieldType, problem_of
from provserver.journal.events import Event
from provserver.journal.lines import Lines
from provserver.journal.schema import schema_of
from provserver.storage.contract import JournalEvent

SCHEMA: Any = schema_of(DECLARED)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
anything = st.text(st.characters(codec=None))


def line_of(event: JournalEvent, sequence: int = 1) -> Any:
    text = Lines(DECLARED).line(sequence, event)
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert text.isascii()
    return json.loads(text)


def values(kind: Declared) -> st.SearchStrategy[dict[str, str]]:
    """Fields that an event of this kind may have, in one of its forms."""
    return st.sampled_from(kind.forms).flatmap(of_form)


def of_form(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, str]]:
    of = {FieldType.COUNT: st.integers(0).map(str), FieldType.FLAG: st.sampled_from(["yes", "no"])}
    always = {field.name: of.get(field.type, anything) for field in fields if field.always}
    at_times = {field.name: of.get(field.type, anything) for field in fields if not field.always}
    return st.fixed_dictionaries(always, optional=at_times)


events = st.sampled_from(sorted(DECLARED)).flatmap(
    lambda number: st.builds(
        JournalEvent, st.floats(1.0, 4e9), st.just(number), anything, values(DECLARED[number])
    )
)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@given(events, st.integers(1))
def test_what_is_as_declared_is_as_the_schema_says_and_nothing_is_lost(
    event: JournalEvent, sequence: int
) -> None:
    assert problem_of(event, DECLARED) == ""
    line = line_of(event, sequence)
    assert list(VALIDATOR.iter_errors(line)) == []
    assert (line["seq"], line["event"], line["text"]) == (sequence, event.event, event.text)
    assert datetime.fromisoformat(line["time"]).timestamp() == pytest.approx(event.at, abs=0.002)
    kind = DECLARED[event.event]
    types = {field.name: (field.key, field.type) for form in kind.forms for field in form}
    expected = {}
    for name, value in event.fields.items():
        key, type_ = types[name]
        expected[key] = int(value) if type_ is FieldType.COUNT else value
        if type_ is FieldType.FLAG:
            expected[key] = value == "yes"
    assert line["fields"] == expected


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "OTHER"}, "name"),
        ({"severity": "error"}, "severity"),
        ({"fields": {"by": "cn=a"}}, "fields"),
        ({"time": "yesterday"}, "time"),
        ({"seq": 0}, "seq"),
    ],
)
def test_the_schema_refuses_what_is_not_so(change: dict[str, Any], where: str) -> None:
    event = JournalEvent(1.0, Event.HASHED_ANEW, "", {"by": "cn=a", "user": "cn=a"})
    line = line_of(event)
    assert list(VALIDATOR.iter_errors(line)) == []
    (error,) = VALIDATOR.iter_errors(line | change)
    assert where in list(error.absolute_path)


def test_an_event_of_a_later_version_is_a_line_too() -> None:
    line = line_of(JournalEvent(1.0, 12345, "who knows", {"why not": "so", "x": "1"}))
    assert list(VALIDATOR.iter_errors(line)) == []
    assert (line["name"], line["fields"]) == ("EVENT_12345", {"why_not": "so", "x": "1"})
