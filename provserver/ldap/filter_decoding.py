"""The filter of a search, from bytes (RFC 4511 4.5.1.7).

The one recursive production of LDAP. Depth and number of nodes are bounded while reading, so a filter costs
what its limits allow, whoever sends it. An empty `and` or `or` is allowed: absolute true and false (RFC
4526).
"""

from __future__ import annotations

from typing import Final

from provserver.ldap.ber import boolean, element, extensions, octets, text
from provserver.ldap.ber_writing import OCTET_STRING, SEQUENCE
from provserver.ldap.errors import RemoteProtocolError
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

_PATH: Final = "SearchRequest.filter"

_COMPARISONS: Final[dict[int, type[Equality | GreaterOrEqual | LessOrEqual | Approximate]]] = {
    0xA3: Equality,
    0xA5: GreaterOrEqual,
    0xA6: LessOrEqual,
    0xA8: Approximate,
}


def decode_filter(buffer: bytes, pos: int, end: int, depth: int, nodes: list[int]) -> tuple[Filter, int]:
    """The filter at `pos`, and where it stops; `depth` levels and `nodes[0]` nodes are left to it."""
    nodes[0] -= 1
    if nodes[0] < 0:
        raise RemoteProtocolError(_PATH, "has too many parts", limit="filter_nodes")
    if pos >= end:
        raise RemoteProtocolError(_PATH, "is missing or cut off")
    tag = buffer[pos]
    start, stop = element(buffer, pos, end, tag, _PATH)
    comparison = _COMPARISONS.get(tag)
    if comparison is not None:
        attribute, pos = text(buffer, start, stop, OCTET_STRING, "SearchRequest.filter.attributeDesc")
        value, pos = octets(buffer, pos, stop, OCTET_STRING, "SearchRequest.filter.assertionValue")
        if pos != stop:
            extensions(buffer, pos, stop, _PATH)
        return comparison(attribute, value), stop
    if tag == 0x87:
        return _present(buffer, start, stop), stop
    if tag == 0xA4:
        return _substrings(buffer, start, stop, nodes), stop
    if tag == 0xA9:
        return _extensible(buffer, start, stop), stop
    return _nested(tag, buffer, start, stop, depth, nodes), stop


def _nested(tag: int, buffer: bytes, pos: int, end: int, depth: int, nodes: list[int]) -> Filter:
    if depth <= 0:
        raise RemoteProtocolError(_PATH, "is nested too deeply", limit="ber_depth")
    if tag == 0xA2:
        part, pos = decode_filter(buffer, pos, end, depth - 1, nodes)
        if pos != end:
            raise RemoteProtocolError(f"{_PATH}.not", "has more than one part")
        return Not(part)
    if tag not in (0xA0, 0xA1):
        raise RemoteProtocolError(_PATH, "is of no known kind")
    parts: list[Filter] = []
    while pos < end:
        part, pos = decode_filter(buffer, pos, end, depth - 1, nodes)
        parts.append(part)
    return And(tuple(parts)) if tag == 0xA0 else Or(tuple(parts))


def _present(buffer: bytes, pos: int, end: int) -> Present:
    try:
        return Present(buffer[pos:end].decode())
    except UnicodeDecodeError:
        raise RemoteProtocolError(f"{_PATH}.present", "is not UTF-8") from None


def _substrings(buffer: bytes, pos: int, end: int, nodes: list[int]) -> Substrings:
    """A SubstringFilter: one `initial` at most and first, one `final` at most and last, something at all."""
    path = f"{_PATH}.substrings"
    attribute, pos = text(buffer, pos, end, OCTET_STRING, path)
    cursor, stop = element(buffer, pos, end, SEQUENCE, path)
    initial: bytes | None = None
    final: bytes | None = None
    between: list[bytes] = []
    if cursor < stop and buffer[cursor] == 0x80:
        initial, cursor = octets(buffer, cursor, stop, 0x80, path)
    while cursor < stop and buffer[cursor] == 0x81:
        piece, cursor = octets(buffer, cursor, stop, 0x81, path)
        between.append(piece)
    if cursor < stop:
        final, cursor = octets(buffer, cursor, stop, 0x82, path)
    nodes[0] -= len(between)
    if nodes[0] < 0:
        raise RemoteProtocolError(path, "has too many parts", limit="filter_nodes")
    if cursor != stop or (initial is None and final is None and not between):
        raise RemoteProtocolError(path, "is empty or out of order")
    if stop != end:
        extensions(buffer, stop, end, path)
    return Substrings(attribute, initial, tuple(between), final)


def _extensible(buffer: bytes, pos: int, end: int) -> Extensible:
    path = f"{_PATH}.extensibleMatch"
    rule, attribute, dn_attributes = None, None, False
    if pos < end and buffer[pos] == 0x81:
        rule, pos = text(buffer, pos, end, 0x81, path)
    if pos < end and buffer[pos] == 0x82:
        attribute, pos = text(buffer, pos, end, 0x82, path)
    value, pos = octets(buffer, pos, end, 0x83, path)
    if pos < end and buffer[pos] == 0x84:
        dn_attributes, pos = boolean(buffer, pos, end, 0x84, path)
    if pos != end:
        extensions(buffer, pos, end, path, b"\x81\x82\x83\x84")
    if rule is None and attribute is None:
        raise RemoteProtocolError(path, "has neither a rule nor an attribute")
    return Extensible(rule, attribute, value, dn_attributes)
