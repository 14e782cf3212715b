"""Which attributes of an entry go into an answer.

Source: RFC 4511 4.5.1.8 (`*`, `1.1`), RFC 3673 (`+`). Secret attributes are never selected, whatever is
asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from provserver.directory.entries import Attribute, Entry
from provserver.directory.schema import Schema
from provserver.imps.views import View, Views


class Selection:
    """One list of requested attributes, resolved against the schema once and used for many entries."""

    def __init__(self, requested: Sequence[str], schema: Schema) -> None:
        self._schema = schema
        self.nothing = tuple(requested) == ("1.1",)
        names = [name for name in requested if name != "1.1"]
        self._user = "*" in names or not requested
        self._operational = "+" in names
        self._keys = self._named(names)

    def _named(self, names: Sequence[str]) -> dict[str, None]:
        keys: dict[str, None] = {}
        for name in names:
            key = self._schema.known_key(name)
            if key is None:
                continue
            for subtype in self._schema.subtypes(key):
                if not self._schema.is_secret(subtype):
                    keys[subtype] = None
        return keys

    def of(self, entry: Entry, view: View) -> list[Attribute]:
        """The attributes to send; computed ones are made for the asked view."""
        if self.nothing:
            return []
        attributes = entry.attributes
        if not self._user and not self._operational:
            found = [attributes[key] for key in self._keys if key in attributes]
            if "entrydn" in self._keys or "subschemasubentry" in self._keys:
                found += self._computed(entry, view, False)
            return found
        schema = self._schema
        found = [
            attribute
            for key, attribute in attributes.items()
            if not schema.is_secret(key)
            and (key in self._keys or (self._operational if schema.is_operational(key) else self._user))
        ]
        return found + self._computed(entry, view, self._operational)

    def _computed(self, entry: Entry, view: View, everything: bool) -> list[Attribute]:
        found = []
        if everything or "entrydn" in self._keys:
            found.append(Attribute("entryDN", (Views.render(entry.dn, view).encode(),)))
        if "subschemasubentry" not in entry.attributes and (everything or "subschemasubentry" in self._keys):
            found.append(Attribute("subschemaSubentry", (b"cn=Subschema",)))
        return found
