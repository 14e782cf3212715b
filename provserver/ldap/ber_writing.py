"""BER, the writing half: definite lengths, as short as they can be (RFC 4511 5.1).

Tags are the whole identifier octet, an int; every tag of LDAP fits in one.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
ENUMERATED: Final = 0x0A
SEQUENCE: Final = 0x30
SET: Final = 0x31

_two: Final = Struct(">BB").pack
_three: Final = Struct(">BBB").pack
_four: Final = Struct(">BBH").pack
_OCTET_STRING_HEADERS: Final = tuple(bytes((OCTET_STRING, length)) for length in range(128))


def header(tag: int, length: int) -> bytes:
    """Identifier and length octets of an element with that many content octets."""
    if length < 0x80:
        return _two(tag, length)
    if length < 0x100:
        return _three(tag, 0x81, length)
    if length < 0x10000:
        return _four(tag, 0x82, length)
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def tlv(tag: int, content: bytes) -> bytes:
    """One whole element."""
    length = len(content)
    if length < 0x80:
        return _two(tag, length) + content
    return header(tag, length) + content


def octets(value: bytes) -> bytes:
    """An OCTET STRING."""
    length = len(value)
    if length < 128:
        return _OCTET_STRING_HEADERS[length] + value
    return header(OCTET_STRING, length) + value


def integer(tag: int, value: int) -> bytes:
    """An INTEGER or ENUMERATED under that tag, minimal two's complement; LDAP has no negative ones."""
    if 0 <= value < 128:
        return bytes((tag, 1, value))
    content = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return bytes((tag, len(content))) + content


def boolean(tag: int, value: bool) -> bytes:
    """A BOOLEAN; TRUE is FF (RFC 4511 5.1)."""
    return bytes((tag, 1, 0xFF if value else 0))
