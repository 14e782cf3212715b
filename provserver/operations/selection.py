"""Which attributes of an entry go into an answer.

Source: RFC 4511 4.5.1.8 (`*`, names), RFC 3673 (`+`), RFC 4529 (`@class`), RFC 4512 2.5 (a type stands for
its subtypes, and a description for itself with more options). What is not known is passed over, so `1.1`,
which no attribute is, asks for nothing. Secret attributes are never selected, whatever is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final

from provserver.directory.classes import EXTENSIBLE_OBJECT
from provserver.directory.computed import (
    HAS_SUBORDINATES_KEY,
    NUM_SUBORDINATES_KEY,
    OF_CHILDREN,
    OF_DELIVERIES,
    OF_ENTRY,
    values_of,
)
from provserver.directory.entries import Attribute, Entry
from provserver.directory.names import DN
from provserver.directory.packed import Packed
from provserver.directory.schema import Schema
from provserver.exploration.wishes import BY_TRIGGER
from provserver.imps.views import View
from provserver.storage.contract import Store

_ALL_USER: Final = "*"
_ALL_OPERATIONAL: Final = "+"
_CLASS: Final = "@"
_REMEMBERED: Final = 2_000
"""Descriptions of stored attributes whose answer is kept."""


class Selection:
    """One list of requested attributes, resolved against the schema once and used for many entries."""

    def __init__(self, requested: Sequence[str], schema: Schema) -> None:
        self._schema = schema
        classes = [schema.known_class(name[1:]) for name in requested if name.startswith(_CLASS)]
        anything = any(one is not None and one.oid == EXTENSIBLE_OBJECT for one in classes)
        self._user = _ALL_USER in requested or not requested or anything
        self._operational = _ALL_OPERATIONAL in requested
        self._listed = not self._user and not self._operational
        allowed = [key for one in classes if one is not None for key in sorted(one.must | one.may)]
        keys = [key for name in requested if (key := schema.known_key(name)) is not None]
        self._keys = self._with_subtypes([*keys, *allowed])
        """What was asked for by name or class, each once."""
        self._nothing = self._listed and not self._keys
        self._options = [
            (base, frozenset(options.split(";")))
            for base, semicolon, options in (key.partition(";") for key in self._keys)
            if semicolon
        ]
        self._plain = schema.attribute_types.keys()
        self._taken = _Decisions(self)
        self._computed = self._made(OF_ENTRY)
        self.of_children: Final = self._made(OF_CHILDREN)
        """Keys of what only the store knows: `about_children` has them."""
        self.of_deliveries: Final = self._made(OF_DELIVERIES)
        """Keys of what only the outbox knows: `Statuses` has them."""
        self.at_reading: Final = bool(self.of_children or self.of_deliveries)
        """Whether the answer rests on more than entries."""
        self.explores: Final = _explorations(requested, schema)
        """Attributes that stand for an exploration, as they were asked for, with what each triggers."""
        self.stored: Final = not self._computed and not self.at_reading
        """Whether all that was asked for is stored, so that a Cut has it."""

    def of(self, entry: Entry, view: View) -> list[Attribute]:
        """The attributes to send; computed ones are made for the asked view."""
        if self._nothing:
            return []
        held = entry.attributes
        attributes = held.unpacked() if type(held) is Packed else held
        found = [attributes[key] for key in self.order(attributes.keys())]
        if self._computed:
            found += self._of_entry(entry, view)
        return found

    def order(self, keys: Set[str]) -> list[str]:
        """Those of an entry's keys that were asked for, in the order of the answer."""
        if self._nothing:
            return []
        # Options are rare: one look over all keys says whether there are any.
        if self._listed and keys <= self._plain:
            return [key for key in self._keys if key in keys]
        taken = self._taken
        return [key for key in keys if taken[key]]

    async def about_children(self, dn: DN, store: Store) -> list[Attribute]:
        """What was asked about the number of entries just below this one; usually nothing."""
        made: dict[str, str] = {}
        if NUM_SUBORDINATES_KEY in self.of_children:
            count = await store.count_children(dn)
            made = {HAS_SUBORDINATES_KEY: _truth(count > 0), NUM_SUBORDINATES_KEY: str(count)}
        elif self.of_children:
            made = {HAS_SUBORDINATES_KEY: _truth(await store.has_children(dn))}
        return [Attribute(self._schema.shown(key), (made[key].encode(),)) for key in self.of_children]

    def takes(self, key: str) -> bool:
        """Whether a stored attribute was asked for."""
        schema = self._schema
        if schema.is_secret(key):
            return False
        if key in self._keys:
            return True
        base, _, options = key.partition(";")
        if options:
            held = frozenset(options.split(";"))
            if base in self._keys or any(base == one and held >= asked for one, asked in self._options):
                return True
        return self._operational if schema.is_operational(key) else self._user

    def _with_subtypes(self, keys: Iterable[str]) -> dict[str, None]:
        schema = self._schema
        below = [subtype for key in keys for subtype in schema.subtypes(key)]
        return dict.fromkeys([key for key in below if not schema.is_secret(key)])

    def _made(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Those of the computed attributes that were asked for."""
        known = [key for key in keys if key in self._schema.attribute_types]
        return tuple([key for key in known if self._operational or key in self._keys])

    def _of_entry(self, entry: Entry, view: View) -> list[Attribute]:
        found = []
        for key in self._computed:
            values = () if key in entry.attributes else values_of(key, entry, view.value)
            if values:
                found.append(Attribute(self._schema.shown(key), values))
        return found


def _explorations(requested: Sequence[str], schema: Schema) -> dict[str, str]:
    found = {name: schema.trigger_of(name) for name in requested}
    return {name: trigger for name, trigger in found.items() if trigger in BY_TRIGGER}


class _Decisions(dict[str, bool]):
    """Whether stored attributes were asked for, remembered: entries of one kind hold the same ones."""

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self._selection = selection

    def __missing__(self, key: str) -> bool:
        taken = self._selection.takes(key)
        if len(self) < _REMEMBERED:
            self[key] = taken
        return taken


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"
