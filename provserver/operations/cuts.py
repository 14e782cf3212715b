"""Answers cut out of entries as they are stored, without a look at each attribute.

What is to be cut is the same for all entries that have the same attributes: it is found out once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from provserver.directory.entries import Entry
from provserver.directory.packed import GS_OCTET, US, US_OCTET, Outline, Packed
from provserver.imps.views import View
from provserver.ldap.codec import before_value, encode_attribute, encode_entry_of
from provserver.operations.selection import Selection
from provserver.recent import Recent

_REMEMBERED: Final = 1_024
"""Cuts, of some 2 KB each."""
_SHORT: Final = 256
"""Octets of several values that are kept encoded: most are object classes, which entries have in common."""


class Cut:
    """What a selection takes of the entries that have one outline."""

    __slots__ = ("_taken",)

    def __init__(self, selection: Selection, outline: Outline) -> None:
        places = [outline.places[key] for key in selection.order(outline.places.keys())]
        taken = [(place, outline.each[place][1]) for place in places]
        self._taken = [(place, before_value(description), description) for place, description in taken]

    def of(self, packed: Packed) -> bytes | None:
        """The attributes as they are sent, one after the other. None: there are escapes in values."""
        if GS_OCTET in packed.octets:
            return None
        chunks = packed.chunks()
        try:
            encoded = [
                before[len(chunk)] + chunk if US_OCTET not in chunk else _several(description, chunk)
                for place, before, description in self._taken
                for chunk in (chunks[place],)
            ]
        except IndexError:  # a value that is too long for what was prepared
            encoded = [
                before[len(chunk)] + chunk
                if len(chunk) < len(before) and US_OCTET not in chunk
                else _several(description, chunk)
                for place, before, description in self._taken
                for chunk in (chunks[place],)
            ]
        return b"".join(encoded)


class Cuts:
    """All that are in use."""

    def __init__(self) -> None:
        self._known: Recent[tuple[Selection, Outline], Cut] = Recent(_REMEMBERED)

    def of(self, selection: Selection, outline: Outline) -> Cut:
        cut = self._known.get((selection, outline))
        if cut is None:
            cut = Cut(selection, outline)
            self._known.put((selection, outline), cut)
        return cut


class Cutter:
    """Cuts one answer out of entry after entry. `selection` must be of what is `stored`."""

    __slots__ = ("_cut", "_cuts", "_outline", "_selection", "_view")

    def __init__(self, selection: Selection, view: View, cuts: Cuts) -> None:
        self._selection = selection
        self._view: str = view.value
        self._cuts = cuts
        self._outline: Outline | None = None
        self._cut: Cut | None = None
        """Of that outline: entries of one kind come together."""

    def entry(self, entry: Entry) -> bytes:
        """The operation that sends it. Empty: it has to be made of the attributes one by one."""
        packed = entry.attributes
        if type(packed) is not Packed:
            return b""
        cut = self._cut
        if cut is None or packed.outline is not self._outline:
            self._outline = packed.outline
            cut = self._cut = self._cuts.of(self._selection, packed.outline)
        attributes = cut.of(packed)
        return b"" if attributes is None else encode_entry_of(entry.dn.text + self._view, attributes)


def _several(description: str, chunk: bytes) -> bytes:
    """The attribute with one value or more."""
    if len(chunk) <= _SHORT:
        return _short(description, chunk)
    return encode_attribute(description, chunk.split(US))


@lru_cache(maxsize=1_024)
def _short(description: str, chunk: bytes) -> bytes:
    return encode_attribute(description, chunk.split(US))
