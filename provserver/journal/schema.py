"""The JSON lines of the journal as a JSON Schema (draft 2020-12), for programs that read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provserver.journal.declared import Declarations, Declared, Field, FieldType, Severity

Json = dict[str, object]

_TYPES: Final[Mapping[FieldType, Json]] = {
    FieldType.COUNT: {"type": "integer", "minimum": 0},
    FieldType.FLAG: {"type": "boolean"},
}
_TEXT: Final[Json] = {"type": "string"}


def schema_of(declared: Declarations) -> Json:
    """What a line may be. An event that is not declared (of a later version) may have any fields."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of provserver's journal.jsonl",
        "type": "object",
        "required": ["seq", "time", "event", "name", "severity", "text", "fields"],
        "additionalProperties": False,
        "properties": {
            "seq": {"type": "integer", "minimum": 1, "description": "number of the event in the store"},
            "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
            "event": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"},
            "severity": {"enum": [severity.value for severity in Severity]},
            "text": {**_TEXT, "description": "a sentence for people; its wording may change"},
            "fields": {"type": "object"},
        },
        "allOf": [_branch(kind) for kind in declared.values()],
    }


def _branch(kind: Declared) -> Json:
    forms = [_of_form(form) for form in kind.forms]
    return {
        "if": {"properties": {"event": {"const": kind.event}}},
        "then": {
            "description": kind.text,
            "properties": {
                "name": {"const": kind.name},
                "severity": {"const": kind.severity.value},
                "fields": forms[0] if len(forms) == 1 else {"oneOf": forms},
            },
        },
    }


def _of_form(fields: tuple[Field, ...]) -> Json:
    return {
        "required": [field.key for field in fields if field.always],
        "additionalProperties": False,
        "properties": {field.key: _of_field(field) for field in fields},
    }


def _of_field(field: Field) -> Json:
    return {**_TYPES.get(field.type, _TEXT), "description": field.meaning}
