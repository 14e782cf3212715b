"""An entry's attributes as bytes, and back: compact, quick to split, safe on whatever a damaged file holds.

    body       = version, CRC-32 of the rest (4 bytes), attribute *(RS attribute)
    attribute  = header *(US value)
    header     = description, or key FS description where the key is not the description in lower case

Control characters inside a value are escaped with GS. Splitting runs in C and gives bytes, so this is quicker
than JSON, which knows no octets; and no value can run code, which rules out pickle. Source: ours.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from provserver.directory.entries import Attribute

VERSION: Final = b"\x01"
_FS: Final = "\x1c"
_GS: Final = b"\x1d"
_RS: Final = b"\x1e"
_US: Final = b"\x1f"
_PREFIX: Final = 5

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
_HEADERS_LIMIT: Final = 8_192


class DamagedBody(ValueError):
    """Bytes that no entry was written as."""


_new: Final = tuple.__new__
"""What Attribute() does, without its Python half: a quarter of the time of decoding."""

_headers: dict[str, tuple[str, bytes]] = {}
"""By description: its key, and the header of the two."""
_names: dict[bytes, tuple[str, str]] = {}
_shared: dict[bytes, tuple[str, Attribute]] = {}


def encode(attributes: Mapping[str, Attribute]) -> bytes:
    """The body. ValueError: a name with a control character, which no schema key is."""
    chunks = []
    count = 0
    for key, (description, values) in attributes.items():
        known = _headers.get(description)
        header = known[1] if known is not None and known[0] == key else _header(key, description)
        if len(values) == 1:
            chunks.append(header + _US + values[0])
            count += 1
        else:
            chunks.append(_US.join((header, *values)))
            count += len(values)
    payload = _RS.join(chunks)
    if _GS in payload or payload.count(_US) != count or payload.count(_RS) != max(0, len(chunks) - 1):
        payload = _escaped(attributes)
    return _body(payload)


class Form:
    """Bodies of entries that have the same attributes, of which only some have other values: `fill` does what
    `encode` does, for a fraction of the time.
    """

    __slots__ = ("_attributes", "_separators", "_template", "_varying")

    def __init__(self, attributes: Mapping[str, Attribute], varying: Sequence[str]) -> None:
        """`varying` are the keys of the attributes whose values will differ."""
        self._attributes = dict(attributes)
        self._varying = tuple(varying)
        places = {key: number for number, key in enumerate(varying)}
        if list(places) != [key for key in attributes if key in places]:
            raise ValueError("expected the keys in the order of the attributes")
        constant = {key: known for key, known in attributes.items() if key not in places}
        self._separators = sum(len(known.values) for known in constant.values())
        parts = [
            _header(key, description).replace(b"%", b"%%") + _US + b"%b"
            if key in places
            else _escaped({key: constant[key]}).replace(b"%", b"%%")
            for key, (description, _) in attributes.items()
        ]
        self._template = _RS.join(parts)

    def fill(self, values: Sequence[Sequence[bytes]]) -> bytes:
        """The body with these values, at least one for each varying attribute."""
        payload = self._template % tuple([one[0] if len(one) == 1 else _US.join(one) for one in values])
        count = self._separators + sum([len(one) for one in values])
        if (
            _GS in payload
            or payload.count(_US) != count
            or payload.count(_RS) != max(0, len(self._attributes) - 1)
        ):
            return encode(self._filled(values))
        return _body(payload)

    def _filled(self, values: Sequence[Sequence[bytes]]) -> Mapping[str, Attribute]:
        filled = dict(self._attributes)
        for key, held in zip(self._varying, values, strict=True):
            filled[key] = Attribute(filled[key].description, tuple(held))
        return filled


def _body(payload: bytes) -> bytes:
    return VERSION + zlib.crc32(payload).to_bytes(4, "big") + payload


def decode(body: bytes) -> dict[str, Attribute]:
    """The attributes, in the order they had. DamagedBody."""
    payload = body[_PREFIX:]
    if body[:1] != VERSION:
        raise DamagedBody(f"expected a body of version {VERSION[0]}, found {body[:1]!r}")
    if zlib.crc32(payload) != int.from_bytes(body[1:_PREFIX], "big"):
        raise DamagedBody(f"the checksum of {len(body)} bytes does not match")
    attributes: dict[str, Attribute] = {}
    if not payload:
        return attributes
    escaped = _GS in payload
    for chunk in payload.split(_RS):
        shared = _shared.get(chunk)
        if shared is not None:
            attributes[shared[0]] = shared[1]
            continue
        values = chunk.split(_US)
        header = values.pop(0)
        names = _names.get(header)
        if names is None:
            names = _read_header(header)
        if escaped:
            values = [_unescaped(value) if _GS in value else value for value in values]
        key, description = names
        attributes[key] = attribute = _new(Attribute, (description, tuple(values)))
        if len(chunk) - len(header) <= _SHARED_LENGTH or key in _COMMON:
            if len(_shared) >= _SHARED_LIMIT:
                _shared.clear()
            _shared[chunk] = key, attribute
    return attributes


def _header(key: str, description: str) -> bytes:
    text = description if key == description.lower() else f"{key}{_FS}{description}"
    if not key or any(ord(character) < 0x20 for character in key + description):
        raise ValueError(f"{key!r} is no attribute name that can be stored")
    if len(_headers) >= _HEADERS_LIMIT:
        _headers.clear()
    header = text.encode()
    _headers[description] = key, header
    return header


def _read_header(header: bytes) -> tuple[str, str]:
    try:
        text = header.decode()
    except UnicodeDecodeError:
        raise DamagedBody(f"an attribute name of {len(header)} bytes is not UTF-8") from None
    key, _, description = text.partition(_FS)
    if not key:
        raise DamagedBody("an attribute without a name")
    if len(_names) >= _HEADERS_LIMIT:
        _names.clear()
    names = _names[header] = (key, description) if description else (key.lower(), key)
    return names


def _escaped(attributes: Mapping[str, Attribute]) -> bytes:
    return _RS.join(
        [
            _US.join((_header(key, description), *[_escape(value) for value in values]))
            for key, (description, values) in attributes.items()
        ]
    )


def _escape(value: bytes) -> bytes:
    return value.replace(_GS, _GS + b"0").replace(_RS, _GS + b"1").replace(_US, _GS + b"2")


def _unescaped(value: bytes) -> bytes:
    return value.replace(_GS + b"2", _US).replace(_GS + b"1", _RS).replace(_GS + b"0", _GS)
