"""What a program reads: one JSON object a line, each with the number of its statement.

`{"statement": 1, "entry": DN, "attributes": {name: [values]}}`, `{"statement": 1, "failed": DN, "code": …,
"name": …, "message": …}`, and for every statement at last `{"statement": 1, "verb": …, "outcome": "done" |
"failed" | "interrupted" | "not done", …}`. A value that is no UTF-8 text is `{"base64": …}`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Final, TextIO

from provserver.etautil.outcomes import Count, Failure, Outcome
from provserver.etautil.requests import Request, Values
from provserver.etautil.telling import Attributes, harmless, harmless_changes, subject_of, verb_of
from provserver.etautil.vocabulary import Vocabulary
from provserver.ldap.messages import Change

Json = str | int | None | dict[str, "Json"] | list["Json"]

_KINDS: Final = ("add", "delete", "replace", "increment")


class JsonTeller:
    """For programs."""

    def __init__(self, out: TextIO, vocabulary: Vocabulary) -> None:
        self._out = out
        self._vocabulary = vocabulary

    def entry(self, number: int, dn: str, attributes: Attributes) -> None:
        self._line(number, {"entry": dn, "attributes": _values(tuple(attributes.items()))})

    def count(self, number: int, count: Count) -> None:
        counts: dict[str, Json] = {
            name: {
                "values": [
                    {"value": _value(value), "entries": times} for value, times in values.most_common()
                ],
                "other values": count.others[name],
                "none": count.without[name],
            }
            for name, values in count.values.items()
        }
        self._line(number, {"entries": count.entries, "attributes": counts})

    def would_add(self, number: int, dn: str, attributes: Values) -> None:
        self._line(number, {"would add": dn, "attributes": _values(harmless(attributes, self._vocabulary))})

    def would_modify(self, number: int, dn: str, changes: Sequence[Change]) -> None:
        told: list[Json] = [
            {_KINDS[kind]: name, "values": [_value(value) for value in values]}
            for kind, name, values in harmless_changes(changes, self._vocabulary)
        ]
        self._line(number, {"would modify": dn, "changes": told})

    def would_delete(self, number: int, dn: str) -> None:
        self._line(number, {"would delete": dn})

    def would_explore(self, number: int, dn: str, actions: Sequence[str]) -> None:
        self._line(number, {"would explore": dn, "actions": list(actions)})

    def failed(self, number: int, failure: Failure) -> None:
        self._line(
            number,
            {
                "failed": failure.dn,
                "code": failure.code,
                "name": failure.name,
                "message": failure.message,
            },
        )

    def ended(self, number: int, request: Request, outcome: Outcome) -> None:
        self._line(
            number,
            {
                "verb": verb_of(request),
                "dn": subject_of(request),
                "outcome": outcome.ending.value,
                "entries": outcome.entries,
                "failures": outcome.failures,
                "skipped": outcome.skipped,
                "message": outcome.message,
            },
        )

    def _line(self, number: int, told: dict[str, Json]) -> None:
        print(json.dumps({"statement": number, **told}), file=self._out)


def _values(attributes: Sequence[tuple[str, Sequence[bytes]]]) -> dict[str, Json]:
    return {name: [_value(value) for value in values] for name, values in attributes}


def _value(value: bytes) -> Json:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}
