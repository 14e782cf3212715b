"""An entry's attributes as octets: compact, cut up at the speed of C, read when they are asked for.

    packed = names *(RS chunk)            a chunk for each name
    names  = [header *(US header)]
    header = description, or key FS description where the key is not the description in lower case
    chunk  = value *(US value), or GS "3" where there is none

Control characters inside a value are escaped with GS. Most entries have their names in common with many
others, so these are understood once (`Outline`), and what is left to do for an entry is to cut its chunks.
No value can run code, which rules out pickle; values are any octets, which rules out JSON. Source: ours.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Final, TypeVar, overload

from provserver.directory.entries import Attribute

T = TypeVar("T")

FS: Final = "\x1c"
GS: Final = b"\x1d"
RS: Final = b"\x1e"
US: Final = b"\x1f"
GS_OCTET: Final = GS[0]
US_OCTET: Final = US[0]
"""To be looked for with `in`, which takes ten times as long for octets of the length one."""
_OPTION: Final = ";"
_NO_VALUE: Final = GS + b"3"

_OUTLINES: Final = 4_096
_SHARED_LENGTH: Final = 6
"""Bytes. Values up to this length (flags, small numbers) are kept once for all entries, and these attributes:
whole loads have them in common."""
_COMMON: Final = frozenset(
    (
        "objectclass",
        "structuralobjectclass",
        "creatorsname",
        "modifiersname",
        "createtimestamp",
        "modifytimestamp",
    )
)
_SHARED_LIMIT: Final = 8_192


class Malformed(ValueError):
    """Octets that no attributes were packed into."""


class Outline:
    """The names of an entry's attributes, in their order. Never changed; one object for all entries, as far
    as memory reaches, so that others can remember by it what they made of it.
    """

    __slots__ = ("each", "names", "places", "plain")

    def __init__(self, names: bytes, pairs: Sequence[tuple[str, str]]) -> None:
        """`pairs` of key and description."""
        self.names = names
        """As they stand in the octets."""
        self.each = tuple([(key, description, key in _COMMON) for key, description in pairs])
        """Key, description, and whether whole loads have the values in common."""
        self.places = {key: place for place, (key, _) in enumerate(pairs)}
        self.plain = _OPTION not in "".join(self.places)
        """Whether no description has options."""


class Packed(Mapping[str, Attribute]):
    """Attributes by key, as they were packed. Each look at an attribute cuts it out anew; who looks at many
    of them, and again, should have them `unpacked`.
    """

    __slots__ = ("octets", "outline")

    def __init__(self, outline: Outline, octets: bytes) -> None:
        self.outline = outline
        self.octets = octets
        """All chunks."""

    def chunks(self) -> list[bytes]:
        """The values of each attribute, not cut any further. Malformed."""
        chunks = self.octets.split(RS) if self.outline.each else []
        if len(chunks) != len(self.outline.each):
            raise Malformed(f"{len(self.outline.each)} names, {len(chunks)} attributes")
        return chunks

    def unpacked(self) -> dict[str, Attribute]:
        """All of them, in the order they had."""
        attributes = {}
        escaped = GS_OCTET in self.octets
        for (key, description, common), chunk in zip(self.outline.each, self.chunks(), strict=True):
            if common or escaped or len(chunk) <= _SHARED_LENGTH or US_OCTET in chunk:
                attributes[key] = _attribute(description, chunk, common)
            else:
                attributes[key] = _new(Attribute, (description, (chunk,)))
        return attributes

    def whole(self) -> bytes:
        """What `unpack` reads."""
        return RS.join((self.outline.names, self.octets)) if self.outline.places else b""

    def __getitem__(self, key: str) -> Attribute:
        return self._at(self.outline.places[key])

    @overload
    def get(self, key: str, /) -> Attribute | None: ...

    @overload
    def get(self, key: str, /, default: Attribute | T) -> Attribute | T: ...

    def get(self, key: str, /, default: object = None) -> object:
        place = self.outline.places.get(key)
        return self._at(place) if place is not None else default

    def _at(self, place: int) -> Attribute:
        _, description, common = self.outline.each[place]
        chunks = self.octets.split(RS, place + 1)
        return _attribute(description, chunks[place] if place < len(chunks) else self.chunks()[place], common)

    def __contains__(self, key: object) -> bool:
        return key in self.outline.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.outline.places)

    def __len__(self) -> int:
        return len(self.outline.places)

    def keys(self) -> KeysView[str]:
        return self.outline.places.keys()

    def values(self) -> ValuesView[Attribute]:
        return self.unpacked().values()

    def items(self) -> ItemsView[str, Attribute]:
        return self.unpacked().items()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed):
            if self.outline is other.outline:
                return self.octets == other.octets
            return self.unpacked() == other.unpacked()
        return self.unpacked() == other if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of every mapping

    def __repr__(self) -> str:
        return f"Packed({len(self)} attributes)"


_outlines: dict[bytes, Outline] = {}
_names: dict[tuple[str, ...], tuple[tuple[str, ...], bytes]] = {}
"""By descriptions: the keys, and the names as they stand in the octets."""
_shared: dict[tuple[str, bytes], Attribute] = {}
_new: Final = tuple.__new__
"""What Attribute() does, without its Python half: a quarter of the time of unpacking."""


def pack(attributes: Mapping[str, Attribute]) -> bytes:
    """The octets. ValueError: a name with a control character, which no schema key is."""
    if type(attributes) is Packed:
        return attributes.whole()
    held = attributes.values()
    names = names_of(tuple(attributes), tuple([description for description, _ in held]))
    chunks = [names]
    count = names.count(US)
    for _, values in held:
        if len(values) == 1:
            chunks.append(values[0])
        else:
            chunks.append(US.join(values) if values else _NO_VALUE)
            count += len(values) - 1
    packed = RS.join(chunks)
    if GS_OCTET in packed or packed.count(US) != count or packed.count(RS) != len(chunks) - 1:
        return RS.join([names, *[chunk_of(values) for _, values in held]])
    return packed


def unpack(packed: bytes) -> Packed:
    """Octets to be read. Malformed: the names are; whoever looks at an attribute is told of the others."""
    names, _, octets = packed.partition(RS)
    outline = _outlines.get(names)
    if outline is None:
        outline = _read_names(names)
    return Packed(outline, octets)


def names_of(keys: tuple[str, ...], descriptions: tuple[str, ...]) -> bytes:
    """The names as they stand in the octets. ValueError: a name with a control character, or none."""
    known = _names.get(descriptions)
    if known is not None and known[0] == keys:
        return known[1]
    headers = []
    for key, description in zip(keys, descriptions, strict=True):
        if not key or any(ord(character) < 0x20 for character in key + description):
            raise ValueError(f"{key!r} is no attribute name that can be stored")
        headers.append(description if key == description.lower() else f"{key}{FS}{description}")
    names = US.join([header.encode() for header in headers])
    if len(_names) >= _OUTLINES:
        _names.clear()
    _names[descriptions] = keys, names
    return names


def chunk_of(values: tuple[bytes, ...]) -> bytes:
    """The values of an attribute, whatever is in them."""
    return US.join([_escape(value) for value in values]) if values else _NO_VALUE


def has_options(attributes: Mapping[str, Attribute]) -> bool:
    """Whether a description has options. Hardly any has: one look over all keys says so."""
    if type(attributes) is Packed:
        return not attributes.outline.plain
    return _OPTION in "".join(attributes)


def _attribute(description: str, chunk: bytes, common: bool) -> Attribute:
    if common or len(chunk) <= _SHARED_LENGTH:
        known = _shared.get((description, chunk))
        if known is None:
            if len(_shared) >= _SHARED_LIMIT:
                _shared.clear()
            known = _shared[description, chunk] = Attribute(description, _values(chunk))
        return known
    return _new(Attribute, (description, _values(chunk)))


def _values(chunk: bytes) -> tuple[bytes, ...]:
    if GS_OCTET not in chunk:
        return tuple(chunk.split(US)) if US_OCTET in chunk else (chunk,)
    if chunk == _NO_VALUE:
        return ()
    return tuple([_unescaped(value) for value in chunk.split(US)])


def _read_names(names: bytes) -> Outline:
    pairs = []
    try:
        for header in names.decode().split(US.decode()) if names else ():
            key, _, description = header.partition(FS)
            if not key:
                raise Malformed("an attribute without a name")
            pairs.append((key, description) if description else (key.lower(), key))
    except UnicodeDecodeError:
        raise Malformed(f"names of {len(names)} bytes that are not UTF-8") from None
    if len(dict(pairs)) < len(pairs):
        raise Malformed("an attribute that is there twice")
    if len(_outlines) >= _OUTLINES:
        _outlines.clear()
    outline = _outlines[names] = Outline(names, pairs)
    return outline


def _escape(value: bytes) -> bytes:
    return value.replace(GS, GS + b"0").replace(RS, GS + b"1").replace(US, GS + b"2")


def _unescaped(value: bytes) -> bytes:
    return value.replace(GS + b"2", US).replace(GS + b"1", RS).replace(GS + b"0", GS)
