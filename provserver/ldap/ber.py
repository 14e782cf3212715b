"""BER, the reading half: elements found by offsets in one `bytes`, nothing sliced but values.

What is read is the BER of RFC 4511 5.1: definite lengths only (indefinite refused), primitive strings only,
lengths in any number of octets up to eight (Windows sends `84 00 00 00 xx`), any non-zero BOOLEAN is TRUE.
Each function names the ASN.1 path of what it reads, so that an error says which component is at fault, and
raises RemoteProtocolError for everything that is not as it should be: an element that is cut off, or that is
longer than what holds it, is an error here. Waiting for more bytes is the business of `session` alone.

`octets`, `text` and `element` repeat the same header reading inline: decoding spends its time there.
"""

from __future__ import annotations

from provserver.ldap.errors import RemoteProtocolError

_MAX_LENGTH_OCTETS = 8


def element(buffer: bytes, pos: int, end: int, tag: int, path: str) -> tuple[int, int]:
    """Where the content of the element at `pos` starts and stops; it must have that tag and fit."""
    try:
        if buffer[pos] != tag:
            raise unexpected(pos, end, tag, path)
        length = buffer[pos + 1]
    except IndexError:
        raise _missing(path) from None
    pos += 2
    if length > 127:
        length, pos = long_length(buffer, pos, end, length, path)
    stop = pos + length
    if stop > end:
        raise _overlong(pos, end, path)
    return pos, stop


def octets(buffer: bytes, pos: int, end: int, tag: int, path: str) -> tuple[bytes, int]:
    """The octets of a primitive string, and where it stops."""
    try:
        if buffer[pos] != tag:
            raise unexpected(pos, end, tag, path)
        length = buffer[pos + 1]
    except IndexError:
        raise _missing(path) from None
    pos += 2
    if length > 127:
        length, pos = long_length(buffer, pos, end, length, path)
    stop = pos + length
    if stop > end:
        raise _overlong(pos, end, path)
    return buffer[pos:stop], stop


def text(buffer: bytes, pos: int, end: int, tag: int, path: str) -> tuple[str, int]:
    """An LDAPString (UTF-8), and where it stops."""
    try:
        if buffer[pos] != tag:
            raise unexpected(pos, end, tag, path)
        length = buffer[pos + 1]
    except IndexError:
        raise _missing(path) from None
    pos += 2
    if length > 127:
        length, pos = long_length(buffer, pos, end, length, path)
    stop = pos + length
    if stop > end:
        raise _overlong(pos, end, path)
    try:
        return buffer[pos:stop].decode(), stop
    except UnicodeDecodeError:
        raise RemoteProtocolError(path, "is not UTF-8") from None


def integer(buffer: bytes, pos: int, end: int, tag: int, highest: int, path: str) -> tuple[int, int]:
    """An INTEGER or ENUMERATED between 0 and `highest`, and where it stops."""
    start, stop = element(buffer, pos, end, tag, path)
    if stop - start == 1:
        value = buffer[start]
        if value < 128 and value <= highest:
            return value, stop
    # Leading zero octets are tolerated: their value is not in doubt. More than eight are nobody's integer.
    elif 1 < stop - start <= 8:
        value = int.from_bytes(buffer[start:stop], "big", signed=True)
        if 0 <= value <= highest:
            return value, stop
    raise RemoteProtocolError(path, f"is not an integer between 0 and {highest}")


def boolean(buffer: bytes, pos: int, end: int, tag: int, path: str) -> tuple[bool, int]:
    """A BOOLEAN, and where it stops."""
    start, stop = element(buffer, pos, end, tag, path)
    if stop - start != 1:
        raise RemoteProtocolError(path, "is not a BOOLEAN of one octet")
    return buffer[start] != 0, stop


def long_length(buffer: bytes, pos: int, end: int, first: int, path: str) -> tuple[int, int]:
    """The length whose first octet (above 127) was just before `pos`, and where the content starts."""
    count = first & 0x7F
    if pos > end:
        raise _missing(path)
    if not 0 < count <= _MAX_LENGTH_OCTETS:
        raise RemoteProtocolError(
            path, "has an indefinite length" if not count else "has a length of too many octets"
        )
    stop = pos + count
    if stop > end:
        raise _missing(path)
    return int.from_bytes(buffer[pos:stop], "big"), stop


def extensions(buffer: bytes, pos: int, end: int, path: str, known: bytes = b"") -> None:
    """Look over the elements after the last one that RFC 4511 names in a SEQUENCE.

    Section 4 of it has unrecognised trailing components ignored. They must be whole, and not of a tag that
    the SEQUENCE itself uses (`known`): an element out of its place or there twice is an error, not an
    extension, since ignoring it could change what was said (a criticality after its value). For the same
    reason none is UNIVERSAL.
    """
    while pos < end:
        tag = buffer[pos]
        if tag < 0x40 or tag in known:
            raise RemoteProtocolError(path, "has a component too many or out of place")
        if tag & 0x1F == 0x1F:
            pos = _long_tag(buffer, pos + 1, end, path) - 1
        _, pos = element(buffer, pos, end, buffer[pos], path)


def _long_tag(buffer: bytes, pos: int, end: int, path: str) -> int:
    """Where the identifier octets of a tag number above 30 end; its first octet was just before `pos`."""
    while pos < end:
        pos += 1
        if buffer[pos - 1] < 0x80:
            return pos
    raise _missing(path)


def unexpected(pos: int, end: int, tag: int, path: str) -> RemoteProtocolError:
    """The error of an element that has not the tag expected. What came is not shown: it may be data."""
    if pos >= end:
        return _missing(path)
    return RemoteProtocolError(path, f"does not start with tag {tag:02x}")


def _missing(path: str) -> RemoteProtocolError:
    return RemoteProtocolError(path, "is missing or cut off")


def _overlong(pos: int, end: int, path: str) -> RemoteProtocolError:
    """The error of an element whose content, from `pos`, does not fit before `end`.

    What is said must not depend on the octets behind `end`, which may be there or not: so a header that
    itself crosses `end` is one that is cut off.
    """
    if pos > end:
        return _missing(path)
    return RemoteProtocolError(path, "is longer than what holds it")
