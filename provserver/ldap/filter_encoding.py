"""The filter of a search, to bytes (RFC 4511 4.5.1.7).

Recursive, so only for filters that we made or have decoded.
"""

from __future__ import annotations

from typing import assert_never

from provserver.ldap.ber_writing import SEQUENCE, boolean, octets, tlv
from provserver.ldap.errors import LocalProtocolError
from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
)


def encode_filter(wanted: Filter) -> bytes:
    match wanted:
        case Equality(attribute, value):
            return tlv(0xA3, octets(attribute.encode()) + octets(value))
        case Present(attribute):
            return tlv(0x87, attribute.encode())
        case And(parts):
            return tlv(0xA0, b"".join([encode_filter(part) for part in parts]))
        case Or(parts):
            return tlv(0xA1, b"".join([encode_filter(part) for part in parts]))
        case Not(part):
            return tlv(0xA2, encode_filter(part))
        case Substrings():
            return _substrings(wanted)
        case GreaterOrEqual(attribute, value):
            return tlv(0xA5, octets(attribute.encode()) + octets(value))
        case LessOrEqual(attribute, value):
            return tlv(0xA6, octets(attribute.encode()) + octets(value))
        case Approximate(attribute, value):
            return tlv(0xA8, octets(attribute.encode()) + octets(value))
        case Extensible():
            return _extensible(wanted)
        case _:
            assert_never(wanted)


def _substrings(wanted: Substrings) -> bytes:
    pieces = b"" if wanted.initial is None else tlv(0x80, wanted.initial)
    pieces += b"".join([tlv(0x81, piece) for piece in wanted.any])
    if wanted.final is not None:
        pieces += tlv(0x82, wanted.final)
    if not pieces:
        raise LocalProtocolError("a substrings filter has at least one substring")
    return tlv(0xA4, octets(wanted.attribute.encode()) + tlv(SEQUENCE, pieces))


def _extensible(wanted: Extensible) -> bytes:
    if wanted.rule is None and wanted.attribute is None:
        raise LocalProtocolError("an extensible filter has a rule or an attribute")
    content = b"" if wanted.rule is None else tlv(0x81, wanted.rule.encode())
    if wanted.attribute is not None:
        content += tlv(0x82, wanted.attribute.encode())
    content += tlv(0x83, wanted.value)
    if wanted.dn_attributes:
        content += boolean(0x84, True)
    return tlv(0xA9, content)
