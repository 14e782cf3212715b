"""An entry's attributes as the store keeps them: packed (`directory.packed`), with a checksum before them.

    body = version, CRC-32 of the rest that starts from the version (4 bytes), the packed attributes

Version 1, in stores of format 1, had each attribute's name before its values, and a CRC that starts from 0.
It is read, and never written.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from provserver.directory.entries import Attribute
from provserver.directory.packed import GS_OCTET, RS, US, Malformed, Packed, chunk_of, names_of, pack, unpack

VERSION: Final = b"\x02"
_FIRST_VERSION: Final = b"\x01"
_START: Final = VERSION[0]
_PREFIX: Final = 5


class DamagedBody(ValueError):
    """Bytes that no entry was written as."""


def encode(attributes: Mapping[str, Attribute]) -> bytes:
    """The body. ValueError: a name with a control character, which no schema key is."""
    return _body(pack(attributes))


def read(body: bytes) -> Packed:
    """The attributes, to be looked at. DamagedBody; Malformed at the look, where checksum and names are sound
    and the rest is not, which takes a fault of ours.
    """
    packed = body[_PREFIX:]
    version = body[:1]
    if version != VERSION and version != _FIRST_VERSION:
        raise DamagedBody(f"expected a body of version {VERSION[0]}, found {version!r}")
    if zlib.crc32(packed, _START if version == VERSION else 0) != int.from_bytes(body[1:_PREFIX], "big"):
        raise DamagedBody(f"the checksum of {len(body)} bytes does not match")
    try:
        return unpack(packed if version == VERSION else _of_first_version(packed))
    except Malformed as error:
        raise _damaged(error) from None


def decode(body: bytes) -> dict[str, Attribute]:
    """All attributes, in the order they had. DamagedBody."""
    try:
        return read(body).unpacked()
    except Malformed as error:
        raise _damaged(error) from None


class Form:
    """Bodies of entries that have the same attributes, of which only some have other values: `fill` does what
    `encode` does, for a fraction of the time.
    """

    __slots__ = ("_attributes", "_count", "_separators", "_template", "_varying")

    def __init__(self, attributes: Mapping[str, Attribute], varying: Sequence[str]) -> None:
        """`varying` are the keys of the attributes whose values will differ."""
        self._attributes = dict(attributes)
        self._varying = tuple(varying)
        places = {key: number for number, key in enumerate(varying)}
        if list(places) != [key for key in attributes if key in places]:
            raise ValueError("expected the keys in the order of the attributes")
        held = self._attributes.values()
        names = names_of(tuple(attributes), tuple([description for description, _ in held]))
        parts = [names.replace(b"%", b"%%")]
        for key, (_, values) in self._attributes.items():
            parts.append(b"%b" if key in places else chunk_of(values).replace(b"%", b"%%"))
        self._template = RS.join(parts)
        self._count = len(parts) - 1
        self._separators = self._template.count(US) - len(places)

    def fill(self, values: Sequence[Sequence[bytes]]) -> bytes:
        """The body with these values, at least one for each varying attribute."""
        packed = self._template % tuple([one[0] if len(one) == 1 else US.join(one) for one in values])
        count = self._separators + sum([len(one) for one in values])
        if GS_OCTET in packed or packed.count(US) != count or packed.count(RS) != self._count:
            return encode(self._filled(values))
        return _body(packed)

    def _filled(self, values: Sequence[Sequence[bytes]]) -> Mapping[str, Attribute]:
        filled = dict(self._attributes)
        for key, held in zip(self._varying, values, strict=True):
            filled[key] = Attribute(filled[key].description, tuple(held))
        return filled


def _body(packed: bytes) -> bytes:
    return VERSION + zlib.crc32(packed, _START).to_bytes(4, "big") + packed


def _damaged(error: Malformed) -> DamagedBody:
    return DamagedBody(f"expected attributes, found {error}")


def _of_first_version(payload: bytes) -> bytes:
    """The attributes of a body of version 1 (`attribute *(RS attribute)`, `attribute = header *(US value)`)
    as they are packed now: headers and escapes are the same.
    """
    headers, chunks = [], []
    for attribute in payload.split(RS) if payload else ():
        header, separator, values = attribute.partition(US)
        headers.append(header)
        chunks.append(values if separator else chunk_of(()))
    return RS.join([US.join(headers), *chunks])
