"""What an event of the journal is, declared once for each: its number and name, how bad it is, what it means,
and its fields. The JSON lines, their schema, the reference and the alerts' rules are made from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from provserver.storage.contract import JournalEvent


class Severity(Enum):
    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


class FieldType(Enum):
    """What a field holds; in the store all are texts. The value is how the reference says it."""

    DN = "DN, ending in the domain (`dc=im`)"
    ENTRY = "id of an entry (its `eTID`)"
    ADDRESS = "IP address"
    COUNT = "whole number"
    FLAG = "true or false"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event. `always`: whether every event of its kind has it."""

    name: str
    type: FieldType
    meaning: str
    always: bool = True

    @property
    def key(self) -> str:
        """Its name where a name has no spaces."""
        return self.name.replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Declared:
    """A kind of event."""

    event: int
    name: str
    severity: Severity
    text: str
    """What it means, as a sentence."""
    fields: tuple[Field, ...] = ()
    otherwise: tuple[Field, ...] = ()
    """The fields that it has where it is not about a delivery, though it mostly is."""
    delivery: bool = False
    """It says how a delivery went, and its `state` where that stands now."""

    @property
    def forms(self) -> tuple[tuple[Field, ...], ...]:
        """Fields, of each form that it may have."""
        return (self.fields, self.otherwise) if self.otherwise else (self.fields,)


Declarations = Mapping[int, Declared]
"""By event number."""


def declarations(declared: Iterable[Declared]) -> Declarations:
    """In the order of their numbers. ValueError: a number, or a name, twice; a bug of ours."""
    listed = sorted(declared, key=lambda one: one.event)
    if len({one.event for one in listed}) < len(listed) or len({one.name for one in listed}) < len(listed):
        raise ValueError("an event is declared twice")
    return {one.event: one for one in listed}


def problem_of(event: JournalEvent, declared: Declarations) -> str:
    """What is not as declared, as a sentence; empty when all is."""
    kind = declared.get(event.event)
    if kind is None:
        return f"event {event.event} is not declared"
    problems = [_problem_of_fields(event.fields, form) for form in kind.forms]
    return f"event {event.event} {kind.name} {problems[0]}" if all(problems) else ""


def _problem_of_fields(fields: Mapping[str, str], form: tuple[Field, ...]) -> str:
    known = {field.name: field for field in form}
    strange = [name for name in fields if name not in known]
    missing = [name for name, field in known.items() if field.always and name not in fields]
    wrong = [
        name
        for name, value in fields.items()
        if name in known and known[name].type is FieldType.COUNT and not value.isdecimal()
    ]
    for names, problem in ((strange, "has undeclared"), (missing, "lacks"), (wrong, "has no numbers in")):
        if names:
            return f"{problem} fields: {', '.join(names)}"
    return ""
