"""The text form of distinguished names: RDNs read and written (RFC 4514).

Read liberally: also quoted values, `;` between RDNs, `OID.` before an OID and spaces around separators (RFC
2253, section 4). A text without specials is split; any other, and any that turns out irregular, goes
through the scanner, which knows positions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from provserver.directory.preparation import prepare

LENGTH_LIMIT: Final = 65_536
"""Characters of a name. (OpenLDAP takes 8,192 bytes.)"""
DEPTH_LIMIT: Final = 256
"""RDNs of a name."""
RDN_END: Final = "\x1f"
_PAIR_END: Final = "\x1e"
_OPAQUE: Final = "\x1d"

LONGEST_REMEMBERED: Final = 512
"""Characters of names, and so of RDNs, that are kept parsed."""

_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*|(?:[Oo][Ii][Dd]\.)?[0-9]+(?:\.[0-9]+)*")
_OID_TYPE: Final = re.compile(r"[Oo][Ii][Dd]\.[0-9]+(?:\.[0-9]+)*")
_SPECIAL: Final = re.compile(r'[\\"+;#<>]')
_PLAIN: Final = re.compile(r'[^\\",;+<>]+')
_QUOTED_END: Final = re.compile(r'[\\"]')
_HEX_PAIR: Final = re.compile(r"[0-9A-Fa-f]{2}")
_HEX_STRING: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_NEEDS_ESCAPE: Final = re.compile(r'[\\",;+<>\x00-\x1f\x7f]|^[ #]| \Z')
_ESCAPABLE: Final = frozenset(' "#+,;<=>\\')
_TEXT_TAGS: Final = frozenset((0x04, 0x0C, 0x12, 0x13, 0x16, 0x1A))
"""BER string types whose content is read as UTF-8: OCTET, UTF8, Numeric, Printable, IA5 and Visible."""

_ALIASES: Final = {
    alias: short
    for short, aliases in {
        "cn": "commonname 2.5.4.3",
        "sn": "surname 2.5.4.4",
        "serialnumber": "2.5.4.5",
        "c": "countryname 2.5.4.6",
        "l": "localityname 2.5.4.7",
        "st": "stateorprovincename 2.5.4.8",
        "street": "streetaddress 2.5.4.9",
        "o": "organizationname 2.5.4.10",
        "ou": "organizationalunitname 2.5.4.11",
        "title": "2.5.4.12",
        "givenname": "gn 2.5.4.42",
        "uid": "userid 0.9.2342.19200300.100.1.1",
        "mail": "rfc822mailbox 0.9.2342.19200300.100.1.3",
        "dc": "domaincomponent 0.9.2342.19200300.100.1.25",
        "emailaddress": "email e pkcs9email 1.2.840.113549.1.9.1",
    }.items()
    for alias in aliases.split()
}
"""RFC 4514 section 3, RFC 4519, RFC 2985: other names of types that occur in names."""


class InvalidName(ValueError):
    """A text that is no distinguished name: says what was expected, and at which character (from 0)."""

    def __init__(self, expected: str, position: int) -> None:
        super().__init__(f"expected {expected} at character {position}")
        self.expected = expected
        self.position = position


class RDN:
    """One level of a name: `pairs` of type and value as spelled, in the order of their normalised form."""

    __slots__ = ("key", "pairs", "text")

    pairs: tuple[tuple[str, str], ...]
    key: str
    """Normalised, ended by U+001F."""
    text: str

    def __init__(self, pairs: tuple[tuple[str, str], ...], key: str, text: str) -> None:
        self.pairs = pairs
        self.key = key
        self.text = text

    @classmethod
    def of(cls, type: str, value: str) -> RDN:
        """The RDN of one type and its plain value, without escapes."""
        if not _TYPE.fullmatch(type):
            raise InvalidName("an attribute type", 0)
        return cls(
            ((type, value),), f"{type_key(type)}={value_key(value, 0)}{RDN_END}", f"{type}={escaped(value)}"
        )

    @property
    def opaque(self) -> bool:
        """Whether a value is a `#hexstring` that is no string of characters."""
        return _OPAQUE in self.key

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, RDN) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"RDN({self.text!r})"


def type_key(type: str) -> str:
    """A type's normalised name: lower case, standard aliases and OIDs by their short name."""
    key = type.lower()
    return _ALIASES.get(key, key)


def value_key(value: str, position: int) -> str:
    """A value's comparable form; contains no control character."""
    try:
        return prepare(value)
    except ValueError as error:
        raise InvalidName(str(error), position) from None


def escaped(value: str) -> str:
    """A value as RFC 4514 writes it: specials after a backslash, control characters as hex pairs."""
    return _NEEDS_ESCAPE.sub(_escape, value)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return f"\\{ord(character):02X}" if character < " " or character == "\x7f" else f"\\{character}"


def parse_rdns(text: str) -> tuple[RDN, ...]:
    """The RDNs of a name, leaf first; the empty text is the root."""
    if len(text) > LENGTH_LIMIT:
        raise InvalidName(f"at most {LENGTH_LIMIT} characters", LENGTH_LIMIT)
    if not _SPECIAL.search(text):
        if not text.strip(" "):
            return ()
        rdns = _split(text)
        if rdns is not None:
            return rdns
    return _scan(text)


def _split(text: str) -> tuple[RDN, ...] | None:
    """A text without specials; None: something is irregular, let the scanner say what."""
    read = _plain_rdn if len(text) <= LONGEST_REMEMBERED else _plain_rdn.__wrapped__
    try:
        rdns = tuple([read(part) for part in text.split(",")])
    except InvalidName:
        return None
    return rdns if len(rdns) <= DEPTH_LIMIT else None


@lru_cache(16_384)
def _plain_rdn(text: str) -> RDN:
    type, equals, value = text.partition("=")
    type = type.strip(" ")
    if not equals or not _TYPE.fullmatch(type):
        raise InvalidName("type=value", 0)
    value = value.strip(" ")
    key = type.lower()
    # No escapes: what needed one would be a special, or a control character, which is written as a hex pair.
    shown = value if value.isprintable() else escaped(value)
    if key[:4] == "oid.":
        type, key = type[4:], key[4:]
    return RDN(
        ((type, value),), f"{_ALIASES.get(key, key)}={value_key(value, 0)}{RDN_END}", f"{type}={shown}"
    )


def _scan(text: str) -> tuple[RDN, ...]:
    rdns: list[RDN] = []
    position, end = 0, len(text)
    while True:
        rdn, position = _rdn(text, position)
        rdns.append(rdn)
        if len(rdns) > DEPTH_LIMIT:
            raise InvalidName(f"at most {DEPTH_LIMIT} RDNs", position)
        if position == end:
            return tuple(rdns)
        position += 1
        if not _SPECIAL.search(text, position):
            rest = _split(text[position:])
            if rest is not None and len(rdns) + len(rest) <= DEPTH_LIMIT:
                return (*rdns, *rest)


def _rdn(text: str, position: int) -> tuple[RDN, int]:
    """One RDN from `position`; returns where it ended: at a `,`, a `;` or the text's end."""
    # (type's key, comparable value, type, value, written value)
    pairs: list[tuple[str, str, str, str, str]] = []
    while True:
        pair, position = _pair(text, position)
        if any(pair[0] == other[0] for other in pairs):
            raise InvalidName("each attribute type once in an RDN", position)
        pairs.append(pair)
        if position == len(text) or text[position] in ",;":
            return _joined(pairs), position
        if text[position] != "+":
            raise InvalidName("',' or '+'", position)
        position += 1


def _joined(pairs: Sequence[tuple[str, str, str, str, str]]) -> RDN:
    shown = "+".join([f"{pair[2]}={pair[4]}" for pair in pairs])
    ordered = sorted(pairs) if len(pairs) > 1 else pairs
    key = _PAIR_END.join([f"{pair[0]}={pair[1]}" for pair in ordered]) + RDN_END
    return RDN(tuple([(pair[2], pair[3]) for pair in ordered]), key, shown)


def _pair(text: str, position: int) -> tuple[tuple[str, str, str, str, str], int]:
    position = _after_spaces(text, position)
    match = _TYPE.match(text, position)
    # `oid` alone is a type's name as well: only with its dot and digits it is the prefix.
    match = _OID_TYPE.match(text, position) or match
    if match is None:
        raise InvalidName("an attribute type", position)
    type = match.group()
    if type[:4].lower() == "oid.":
        type = type[4:]
    position = _after_spaces(text, match.end())
    if not text.startswith("=", position):
        raise InvalidName("'='", position)
    start = position = _after_spaces(text, position + 1)
    key = type_key(type)
    if text.startswith("#", position):
        value, opaque, position = _hex_value(text, position)
        if opaque:
            return (key, _OPAQUE + value, type, value, value), _after_spaces(text, position)
    elif text.startswith('"', position):
        value, position = _quoted_value(text, position)
    else:
        value, position = _string_value(text, position)
    position = _after_spaces(text, position)
    return (key, value_key(value, start), type, value, escaped(value)), position


def _after_spaces(text: str, position: int) -> int:
    end = len(text)
    while position < end and text[position] == " ":
        position += 1
    return position


def _hex_value(text: str, position: int) -> tuple[str, bool, int]:
    """`#` and hex digits: the string in that BER value, or the whole, opaque, when that is no string."""
    match = _HEX_STRING.match(text, position + 1)
    if match is None:
        raise InvalidName("pairs of hex digits", position + 1)
    encoded = bytes.fromhex(match.group())
    if len(encoded) >= 2 and encoded[0] in _TEXT_TAGS and encoded[1] == len(encoded) - 2 < 0x80:
        try:
            return encoded[2:].decode(), False, match.end()
        except UnicodeDecodeError:
            pass
    return f"#{match.group().lower()}", True, match.end()


def _quoted_value(text: str, position: int) -> tuple[str, int]:
    start = position
    position += 1
    value = bytearray()
    while position < len(text):
        if text[position] == '"':
            return _decoded(value, start), position + 1
        if text[position] == "\\":
            position = _escaped(text, position, value)
            continue
        match = _QUOTED_END.search(text, position)
        position = _append(text[position : match.start() if match else len(text)], position, value)
    raise InvalidName("a closing quote", position)


def _string_value(text: str, position: int) -> tuple[str, int]:
    start, end = position, len(text)
    value = bytearray()
    kept = 0  # spaces after this length are not escaped, and insignificant at the end
    while position < end:
        character = text[position]
        if character == "\\":
            position = _escaped(text, position, value)
            kept = len(value)
            continue
        match = _PLAIN.match(text, position)
        if match is None:
            if character in '"<>':
                raise InvalidName(f"a backslash before {character!r}", position)
            break
        position = _append(match.group(), position, value)
    trimmed = value.rstrip(b" ")
    return _decoded(trimmed if len(trimmed) >= kept else value[:kept], start), position


def _append(plain: str, position: int, value: bytearray) -> int:
    try:
        value += plain.encode()
    except UnicodeEncodeError as error:
        raise InvalidName("Unicode text without surrogates", position + error.start) from None
    return position + len(plain)


def _escaped(text: str, position: int, value: bytearray) -> int:
    """What follows a backslash: two hex digits (an octet of UTF-8) or the special itself."""
    match = _HEX_PAIR.match(text, position + 1)
    if match is not None:
        value.append(int(match.group(), 16))
        return match.end()
    following = text[position + 1 : position + 2]
    if following and following in _ESCAPABLE:
        value += following.encode()
        return position + 2
    raise InvalidName("a special character or two hex digits after a backslash", position + 1)


def _decoded(value: bytes | bytearray, start: int) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidName("hex pairs that make UTF-8", start) from None
