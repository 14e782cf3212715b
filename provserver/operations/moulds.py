"""What entries of one form have in common, learned from the first of them.

The rules of an add that are about more than single values (which attributes there may be and must be, what
names an entry, what its classes imply) come out the same for all entries that have the same attributes and
object classes. So the first of a form is made by `directory.tree.new_entry` and a mould is taken of it; of
the others only the values are looked at, by the same checks. A mould that is not sure says so, and the
entry is made the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from provserver.directory.classes import OBJECT_CLASS_KEY
from provserver.directory.comparables import dn_key, exactly, ignoring_case, octets
from provserver.directory.entries import Entry, EntryId
from provserver.directory.schema import Schema
from provserver.directory.syntaxes import distinguished_name, utf8
from provserver.directory.tree import ID_KEY
from provserver.imps.inclusions import SHORTHAND_KEY, account_class_of
from provserver.imps.users import is_global_user
from provserver.imps.views import Views
from provserver.storage.arrivals import Found
from provserver.storage.bodies import Form
from provserver.storage.postings import Postings, Term, indexed

_NAMES: Final = 4_096
"""Names in values that are kept prepared: owners and profiles repeat."""
_FROM_NAME: Final = -1
"""In the place of an attribute's position: the entry's name alone has its value."""
_OPTION: Final = ";"

Attributes = Sequence[tuple[str, Sequence[bytes]]]


class Names:
    """Names that occur as values: as they are stored, and as they compare."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._known: dict[bytes, tuple[bytes, bytes]] = {}

    def of(self, value: bytes) -> tuple[bytes, bytes]:
        """A value inside, and its normalised form. ValueError: it is no name."""
        known = self._known.get(value)
        if known is None:
            ours = self._views.inside_value(value)
            distinguished_name(ours)
            known = ours, dn_key(ours)
            self.know(value, known)
        return known

    def know(self, value: bytes, known: tuple[bytes, bytes]) -> None:
        """What `of` will answer, from somebody who knows."""
        if len(self._known) >= _NAMES:
            self._known.clear()
        self._known[value] = known


class _Slot:
    """An attribute whose values differ from entry to entry."""

    __slots__ = (
        "any_text",
        "bound",
        "check",
        "comparable",
        "form",
        "index",
        "is_name",
        "names_it",
        "number",
        "single",
    )

    def __init__(self, key: str, index: int, number: int, schema: Schema, *, names_it: bool) -> None:
        """`index`: which of the attributes given, or `_FROM_NAME`; `number`: of the index, 0 for none."""
        type = schema.type_of(key)
        self.index = index
        self.number = number
        self.names_it = names_it
        self.check = type.syntax.check
        self.comparable = type.comparable or octets
        self.bound = type.bound
        self.form = type.form
        self.single = type.single_value
        self.any_text = (
            not number
            and self.form is None
            and self.check is utf8
            and self.comparable in (ignoring_case, exactly, octets)
        )
        """Some ASCII is enough to be a value, and nobody asks how it compares."""
        self.is_name = self.comparable is dn_key
        if self.is_name != schema.is_name_valued(key):
            raise ValueError(f"{type.name} compares names in a way of its own")


class Mould:
    """The form of an entry that `new_entry` made."""

    def __init__(
        self,
        entry: Entry,
        attributes: Attributes,
        naming: str,
        schema: Schema,
        postings: Postings,
        names: Names,
    ) -> None:
        """`attributes` are those that the entry was made of, `naming` is the type in its RDN. ValueError: the
        next one of this form cannot be told to come out the same.
        """
        self._names = names
        self.account_class = account_class_of(entry)
        self.is_user = is_global_user(entry)
        self.owner_index, self.id_index = _FROM_NAME, _FROM_NAME
        places: dict[str, int] = {}
        for index, (description, _) in enumerate(attributes):
            key = schema.key(description)
            if key == SHORTHAND_KEY:
                self.owner_index = index
            elif key == ID_KEY:
                self.id_index = index
            elif key in places or _OPTION in key:
                raise ValueError("attributes that are one, or share their terms")
            else:
                places[key] = index
        naming_key = schema.key(naming)
        places.setdefault(naming_key, _FROM_NAME)
        del places[OBJECT_CLASS_KEY]
        varying = [key for key in entry.attributes if key in places]
        self._slots = [
            _Slot(key, places[key], postings.numbers.get(key, 0), schema, names_it=key == naming_key)
            for key in varying
        ]
        self._form = Form(entry.attributes, [*varying, ID_KEY])
        filled = {*varying, ID_KEY}
        constant = {key: held for key, held in entry.attributes.items() if key not in filled}
        self.shared: tuple[Term, ...] = tuple(sorted(postings.of(Entry(entry.id, entry.dn, constant))))
        self.number = number_of(self.shared)
        self._id_number = postings.numbers.get(ID_KEY, 0)
        self._id_comparable = schema.type_of(ID_KEY).comparable or octets

    def fill(self, name: bytes, attributes: Attributes, entry_id: EntryId) -> tuple[bytes, Found] | None:
        """The body of an entry with these attributes, and what it is found by; None: it is to be made the
        long way. `name` is the value in its RDN.
        """
        found: list[int | bytes] = [self.number]
        filled: list[Sequence[bytes]] = []
        try:
            for slot in self._slots:
                values = attributes[slot.index][1] if slot.index >= 0 else (name,)
                if len(values) != 1:
                    if slot.names_it or not self._several(slot, values, filled, found):
                        return None
                    continue
                value = values[0]
                if slot.any_text and value and value.isascii():
                    normalised = value
                elif slot.is_name:
                    value, normalised = self._names.of(value)
                    values = (value,)
                else:
                    slot.check(value)
                    normalised = slot.comparable(value)
                    if slot.form is not None:
                        slot.form(value)
                if (slot.names_it and value != name) or (slot.bound is not None and len(value) > slot.bound):
                    return None
                if slot.number:
                    found.append(slot.number)
                    found.append(indexed(normalised))
                filled.append(values)
        except ValueError:
            return None
        identity = entry_id.encode()
        self._find_by_id(identity, found)
        filled.append((identity,))
        return self._form.fill(filled), tuple(found)

    def _several(
        self, slot: _Slot, values: Sequence[bytes], filled: list[Sequence[bytes]], found: list[int | bytes]
    ) -> bool:
        """The same for an attribute of several values. ValueError, as the checks."""
        if slot.single:
            return False
        kept: list[bytes] = []
        normal: dict[bytes, None] = {}
        for value in values:
            if slot.is_name:
                value, normalised = self._names.of(value)
            else:
                slot.check(value)
                normalised = slot.comparable(value)
                if slot.form is not None:
                    slot.form(value)
            if slot.bound is not None and len(value) > slot.bound:
                return False
            kept.append(value)
            normal[normalised] = None
        if len(normal) != len(kept):
            return False
        if slot.number:
            for normalised in normal:
                found.append(slot.number)
                found.append(indexed(normalised))
        filled.append(kept)
        return True

    def _find_by_id(self, identity: bytes, found: list[int | bytes]) -> None:
        if self._id_number:
            try:
                normalised = self._id_comparable(identity)
            except ValueError:
                return  # an id that was given may be anything; `Postings` has no term for it either
            found.append(self._id_number)
            found.append(indexed(normalised))


def number_of(shared: Sequence[Term]) -> int:
    """A number for these terms that is the same in every process."""
    digest = blake2b(repr(shared).encode(), digest_size=7)
    return int.from_bytes(digest.digest(), "big")
