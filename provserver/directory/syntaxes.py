"""Attribute syntaxes: what a value must look like to be stored (RFC 4517 section 3).

A validator takes the octets and returns, or raises ValueError whose text says what was expected, never what
came. Deviations, ours: Boolean is taken in any case, Printable String and Telephone Number stay strict, and
syntaxes whose values are definitions (of attribute types, matching rules, …) are taken as text, since this
server does not let clients write them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from provserver.directory.names import DN, InvalidName

Validator = Callable[[bytes], None]

INTEGER_DIGITS: Final = 4_000
"""Digits of an Integer. Python refuses to convert more than 4,300."""

_PREFIX: Final = "1.3.6.1.4.1.1466.115.121.1."
DIRECTORY_STRING: Final = _PREFIX + "15"
DN_SYNTAX: Final = _PREFIX + "12"
NAME_AND_UID: Final = _PREFIX + "34"
INTEGER: Final = _PREFIX + "27"
OID_SYNTAX: Final = _PREFIX + "38"
OCTET_STRING: Final = _PREFIX + "40"


@dataclass(frozen=True, slots=True)
class Syntax:
    """A syntax of attribute values. `text`: its values are strings of characters."""

    oid: str
    description: str
    check: Validator
    text: bool = True


def _matches(pattern: bytes, expected: str) -> Validator:
    match = re.compile(pattern).fullmatch

    def check(value: bytes) -> None:
        if match(value) is None:
            raise ValueError(expected)

    return check


def any_octets(value: bytes) -> None:
    """Everything is a value."""


def utf8(value: bytes) -> None:
    """Directory String and the other strings of Unicode: at least one character."""
    if not value:
        raise ValueError("a non-empty text")
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError:
            raise ValueError("UTF-8 text") from None


def _utf8_or_empty(value: bytes) -> None:
    if value:
        utf8(value)


def ia5(value: bytes) -> None:
    if not value.isascii():
        raise ValueError("ASCII text")


def distinguished_name(value: bytes) -> None:
    try:
        DN.parse(value.decode())
    except UnicodeDecodeError:
        raise ValueError("a distinguished name in UTF-8") from None
    except InvalidName as error:
        raise ValueError(f"a distinguished name: {error}") from None


def _name_and_uid(value: bytes) -> None:
    distinguished_name(split_uid(value)[0])


def split_uid(value: bytes) -> tuple[bytes, bytes]:
    """A Name and Optional UID: the name, and `'0101'B` or nothing (RFC 4517 3.3.21)."""
    match = _UID.search(value)
    return (value[: match.start()], match.group(1)) if match else (value, b"")


_UID: Final = re.compile(rb"#('[01]*'B)\Z")
_TIME: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?(?:Z|([+-])(\d\d)(\d\d)?)", re.ASCII
)
_TIME_EXPECTED: Final = "a generalized time such as 20240131235959Z"


def generalized_time(value: bytes) -> str:
    """The instant as `YYYYMMDDHHMMSS[.fraction]` in UTC: one form for each instant, earlier ones first."""
    if len(value) == 15 and value.endswith(b"Z") and value[:14].isdigit():
        _instant(value[:14].decode(), 0)
        return value[:14].decode()
    try:
        match = _TIME.fullmatch(value.decode("ascii"))
    except UnicodeDecodeError:
        match = None
    if match is None or len(value) > 64:
        raise ValueError(_TIME_EXPECTED)
    year, month, day, hour, minute, second, fraction, sign, east_hours, east_minutes = match.groups()
    # A fraction is one of the last unit given: hours, minutes or seconds (RFC 4517 3.3.13).
    seconds, rest = 0, (fraction or "").rstrip("0")
    if rest and second is None:
        unit = 3600 if minute is None else 60
        scaled = int(rest) * unit
        seconds, remainder = divmod(scaled, 10 ** len(rest))
        rest = f"{remainder:0{len(rest)}d}".rstrip("0")
    if sign:
        hours, minutes = int(east_hours), int(east_minutes or 0)
        if hours > 23 or minutes > 59:
            raise ValueError(_TIME_EXPECTED)
        east = hours * 3600 + minutes * 60
        seconds += -east if sign == "+" else east
    whole = _instant(f"{year}{month}{day}{hour}{minute or '00'}{second or '00'}", seconds)
    return f"{whole}.{rest}" if rest else whole


def _instant(digits: str, add: int) -> str:
    # A leap second is kept as the second before it would end: datetime has none.
    leap = digits[12:] == "60"
    try:
        at = datetime(
            int(digits[:4]), int(digits[4:6]), int(digits[6:8]), int(digits[8:10]), int(digits[10:12]),
            59 if leap else int(digits[12:]), tzinfo=UTC,
        )  # fmt: skip
        at += timedelta(seconds=add)
    except (ValueError, OverflowError):
        raise ValueError(_TIME_EXPECTED) from None
    # Not strftime: it does not pad years before 1000.
    second = 60 if leap else at.second
    return f"{at.year:04d}{at.month:02d}{at.day:02d}{at.hour:02d}{at.minute:02d}{second:02d}"


def _time(value: bytes) -> None:
    generalized_time(value)


_INTEGER_SHAPE: Final = re.compile(rb"0|-?[1-9][0-9]*")


def integer(value: bytes) -> None:
    if len(value) > INTEGER_DIGITS or _INTEGER_SHAPE.fullmatch(value) is None:
        raise ValueError("an integer")


_NUMERIC_OID: Final = rb"[0-2](?:\.(?:0|[1-9][0-9]*))+"
_DESCR: Final = rb"[A-Za-z][A-Za-z0-9_-]*"
_PRINTABLE: Final = rb"[A-Za-z0-9'()+,./:? =-]"
_POSTAL: Final = rb"[^$]+(?:\$[^$]+)*"

_boolean = _matches(rb"(?i:TRUE|FALSE)", "TRUE or FALSE")
_oid = _matches(rb"%s|%s" % (_NUMERIC_OID, _DESCR), "an OID or a name")
_uuid = _matches(rb"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", "a UUID in its text form")
_telephone = _matches(rb"%s+" % _PRINTABLE, "a telephone number in printable characters")
_numeric = _matches(rb"[0-9 ]+", "digits and spaces")
_printable = _matches(rb"%s+" % _PRINTABLE, "printable ASCII letters, digits and '()+,-./:? =")
_bits = _matches(rb"'[01]*'B", "a bit string such as '0101'B")
_country = _matches(rb"[A-Za-z]{2}", "a two-letter country code")
_delivery = _matches(rb"[a-z0-9]+(?: *\$ *[a-z0-9]+)*", "delivery methods separated by $")
_fax = _matches(rb"%s+(?:\$[A-Za-z0-9]+)*" % _PRINTABLE, "a telephone number, then $-separated parameters")
_rdn_list = _matches(rb"(?s:.)+", "a non-empty text")


def _postal(value: bytes) -> None:
    utf8(value)
    if re.fullmatch(_POSTAL, value) is None:
        raise ValueError("address lines separated by $, none of them empty")


def _substring_assertion(value: bytes) -> None:
    utf8(value)
    if b"*" not in value:
        raise ValueError("a substring assertion, with *")


_TABLE: Final = (
    (_PREFIX + "3", "Attribute Type Description", utf8, True),
    (_PREFIX + "4", "Audio", any_octets, False),
    (_PREFIX + "5", "Binary", any_octets, False),
    (_PREFIX + "6", "Bit String", _bits, True),
    (_PREFIX + "7", "Boolean", _boolean, True),
    (_PREFIX + "8", "Certificate", any_octets, False),
    (_PREFIX + "9", "Certificate List", any_octets, False),
    (_PREFIX + "10", "Certificate Pair", any_octets, False),
    (_PREFIX + "11", "Country String", _country, True),
    (DN_SYNTAX, "DN", distinguished_name, True),
    (_PREFIX + "14", "Delivery Method", _delivery, True),
    (DIRECTORY_STRING, "Directory String", utf8, True),
    (_PREFIX + "16", "DIT Content Rule Description", utf8, True),
    (_PREFIX + "17", "DIT Structure Rule Description", utf8, True),
    (_PREFIX + "21", "Enhanced Guide", utf8, True),
    (_PREFIX + "22", "Facsimile Telephone Number", _fax, True),
    (_PREFIX + "23", "Fax", any_octets, False),
    (_PREFIX + "24", "Generalized Time", _time, True),
    (_PREFIX + "25", "Guide", utf8, True),
    (_PREFIX + "26", "IA5 String", ia5, True),
    (INTEGER, "INTEGER", integer, True),
    (_PREFIX + "28", "JPEG", any_octets, False),
    (_PREFIX + "30", "Matching Rule Description", utf8, True),
    (_PREFIX + "31", "Matching Rule Use Description", utf8, True),
    (NAME_AND_UID, "Name And Optional UID", _name_and_uid, True),
    (_PREFIX + "35", "Name Form Description", utf8, True),
    (_PREFIX + "36", "Numeric String", _numeric, True),
    (_PREFIX + "37", "Object Class Description", utf8, True),
    (OID_SYNTAX, "OID", _oid, True),
    (_PREFIX + "39", "Other Mailbox", utf8, True),
    (OCTET_STRING, "Octet String", any_octets, False),
    (_PREFIX + "41", "Postal Address", _postal, True),
    (_PREFIX + "43", "Presentation Address", utf8, True),
    (_PREFIX + "44", "Printable String", _printable, True),
    (_PREFIX + "49", "Supported Algorithm", any_octets, False),
    (_PREFIX + "50", "Telephone Number", _telephone, True),
    (_PREFIX + "51", "Teletex Terminal Identifier", any_octets, False),
    (_PREFIX + "52", "Telex Number", _rdn_list, True),
    (_PREFIX + "53", "UTC Time", _matches(rb"[0-9]{10}(?:[0-9]{2})?(?:Z|[+-][0-9]{4})?", "a UTC time"), True),
    (_PREFIX + "54", "LDAP Syntax Description", utf8, True),
    (_PREFIX + "58", "Substring Assertion", _substring_assertion, True),
    ("1.3.6.1.1.16.1", "UUID", _uuid, True),
    ("1.3.6.1.1.1.0.0", "RFC2307 NIS Netgroup Triple", _utf8_or_empty, True),
    ("1.3.6.1.1.1.0.1", "RFC2307 Boot Parameter", _utf8_or_empty, True),
    ("1.3.6.1.4.1.4203.1.1.2", "RFC3112 Authentication Password", utf8, True),
)

_UNCHECKED: Final = {
    _PREFIX: "1 2 13 18 19 20 29 42 45 46 48 55 56 57",  # RFC 2252, X.500
    "1.3.6.1.1.15.": "1 2 3 4 5 6 7",  # RFC 4523: certificates and assertions about them
    "1.3.6.1.4.1.4203.666.": "2.1 2.2 2.7 11.2.1 11.2.4 11.10.2.1 11.10.2.2 11.10.2.3 11.10.2.4 11.10.2.5",
    "1.2.840.113556.1.4.": "903 904 905 906 907 1221 1362",  # Active Directory
}
"""Syntaxes that real schema files name and whose values are taken as they are."""

SYNTAXES: Final = {oid: Syntax(oid, name, check, text) for oid, name, check, text in _TABLE} | {
    prefix + number: Syntax(prefix + number, prefix + number, any_octets, False)
    for prefix, numbers in _UNCHECKED.items()
    for number in numbers.split()
}
"""By OID."""
