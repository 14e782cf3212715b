"""An event of the journal as one line of JSON, for programs that read the journal from a file.

    {"seq":12,"time":"2026-09-21T14:13:20.250Z","event":8010,"name":"SYNC_ACCEPTED","severity":"information",
     "text":"…","fields":{"by":"…","deliveries":2}}

`seq` grows from event to event, and is the same however often an event is written. What each event
holds: docs/reference/journal.md and journal.schema.json, made of the declarations. No line ever holds a
password, because no event does.
"""

from __future__ import annotations

import time
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from provserver.journal.declared import Declarations, Declared, FieldType, Severity
from provserver.storage.contract import JournalEvent

_YES: Final = "yes"


class Lines:
    """Makes lines of events, as they are declared; of one that is not, a line with its fields as texts."""

    def __init__(self, declared: Declarations) -> None:
        self._declared = declared
        self._middles: dict[int, str] = {}
        self._fields: dict[int, dict[str, tuple[str, FieldType]]] = {}
        self._second = -1
        self._stamp = ""

    def line(self, sequence: int, event: JournalEvent) -> str:
        """With its line end."""
        number = event.event
        middle = self._middles.get(number)
        if middle is None:
            middle = self._learn(number)
        known = self._fields[number]
        fields = ",".join([_field(known.get(name), name, value) for name, value in event.fields.items()])
        return (
            f'{{"seq":{sequence},"time":"{self._time(event.at)}",{middle}'
            f'"text":{quoted(event.text)},"fields":{{{fields}}}}}\n'
        )

    def _learn(self, number: int) -> str:
        kind = declared_or_not(number, self._declared)
        middle = f'"event":{number},"name":"{kind.name}","severity":"{kind.severity.value}",'
        self._middles[number] = middle
        self._fields[number] = {
            field.name: (f"{quoted(field.key)}:", field.type) for form in kind.forms for field in form
        }
        return middle

    def _time(self, at: float) -> str:
        """Many are written in one second."""
        second, rest = divmod(int(at * 1000), 1000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{rest:03d}Z"


def declared_or_not(number: int, declared: Declarations) -> Declared:
    """The declaration, or what stands in for it: an event that an older version does not know yet."""
    return declared.get(number) or Declared(number, f"EVENT_{number}", Severity.INFORMATION, "")


def _field(known: tuple[str, FieldType] | None, name: str, value: str) -> str:
    if known is None:
        return f"{quoted(name.replace(' ', '_'))}:{quoted(value)}"
    key, kind = known
    if kind is FieldType.COUNT and value.isdecimal() and value.isascii():
        return f"{key}{int(value)}"
    if kind is FieldType.FLAG:
        return f"{key}{'true' if value == _YES else 'false'}"
    return key + quoted(value)
