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
from typing import Final

from provserver.directory import names, times

Validator = Callable[[bytes], None]

INTEGER_DIGITS: Final = 4_000
"""Digits of an Integer. Python refuses to convert more than 4,300."""

PREFIX: Final = "1.3.6.1.4.1.1466.115.121.1."
BIT_STRING: Final = PREFIX + "6"
BOOLEAN: Final = PREFIX + "7"
COUNTRY_STRING: Final = PREFIX + "11"
DN: Final = PREFIX + "12"
DIRECTORY_STRING: Final = PREFIX + "15"
DIT_STRUCTURE_RULE: Final = PREFIX + "17"
GENERALIZED_TIME: Final = PREFIX + "24"
IA5_STRING: Final = PREFIX + "26"
INTEGER: Final = PREFIX + "27"
JPEG: Final = PREFIX + "28"
NAME_AND_UID: Final = PREFIX + "34"
NUMERIC_STRING: Final = PREFIX + "36"
OID: Final = PREFIX + "38"
OCTET_STRING: Final = PREFIX + "40"
POSTAL_ADDRESS: Final = PREFIX + "41"
PRINTABLE_STRING: Final = PREFIX + "44"
TELEPHONE_NUMBER: Final = PREFIX + "50"
SUBSTRING_ASSERTION: Final = PREFIX + "58"
UUID: Final = "1.3.6.1.1.16.1"
LARGE_INTEGER: Final = "1.2.840.113556.1.4.906"
DEFINITIONS: Final = frozenset(PREFIX + number for number in ("3", "16", "30", "31", "35", "37", "54"))
"""Those of definitions that begin with an OID: attribute types, content rules, matching rules and their uses,
name forms, object classes, syntaxes."""


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
        names.DN.parse(value.decode())
    except UnicodeDecodeError:
        raise ValueError("a distinguished name in UTF-8") from None
    except names.InvalidName as error:
        raise ValueError(f"a distinguished name: {error}") from None


def _name_and_uid(value: bytes) -> None:
    distinguished_name(split_uid(value)[0])


def split_uid(value: bytes) -> tuple[bytes, bytes]:
    """A Name and Optional UID: the name, and `'0101'B` or nothing (RFC 4517 3.3.21)."""
    match = _UID.search(value)
    return (value[: match.start()], match.group(1)) if match else (value, b"")


_UID: Final = re.compile(rb"#('[01]*'B)\Z")


def _time(value: bytes) -> None:
    times.generalized_time(value)


_INTEGER_SHAPE: Final = re.compile(rb"0|-?[1-9][0-9]*")


def integer(value: bytes) -> None:
    if len(value) > INTEGER_DIGITS or _INTEGER_SHAPE.fullmatch(value) is None:
        raise ValueError("an integer")


_NUMERIC_OID: Final = rb"[0-2](?:\.(?:0|[1-9][0-9]*))+"
_DESCR: Final = rb"[A-Za-z][A-Za-z0-9_-]*"
_PRINTABLE: Final = rb"[A-Za-z0-9'()+,./:? =-]"
_METHOD: Final = rb"(?:any|mhs|physical|telex|teletex|g3fax|g4fax|ia5|videotex|telephone)"
_POSTAL: Final = rb"[^$]+(?:\$[^$]+)*"

_boolean = _matches(rb"(?i:TRUE|FALSE)", "TRUE or FALSE")
_oid = _matches(rb"%s|%s" % (_NUMERIC_OID, _DESCR), "an OID or a name")
_uuid = _matches(rb"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", "a UUID in its text form")
_telephone = _matches(rb"%s+" % _PRINTABLE, "a telephone number in printable characters")
_numeric = _matches(rb"[0-9 ]+", "digits and spaces")
_printable = _matches(rb"%s+" % _PRINTABLE, "printable ASCII letters, digits and '()+,-./:? =")
_bits = _matches(rb"'[01]*'B", "a bit string such as '0101'B")
_country = _matches(rb"[A-Za-z]{2}", "a two-letter country code")
_delivery = _matches(rb"%s(?: *\$ *%s)*" % (_METHOD, _METHOD), "delivery methods separated by $")
_fax = _matches(rb"%s+(?:\$[A-Za-z0-9]+)*" % _PRINTABLE, "a telephone number, then $-separated parameters")
_telex = _matches(rb"%s+(?:\$%s+){2}" % (_PRINTABLE, _PRINTABLE), "number$country$answerback")
_mailbox = _matches(rb"%s+\$[\x00-\x7f]*" % _PRINTABLE, "mail system$mailbox")


def _postal(value: bytes) -> None:
    utf8(value)
    if re.fullmatch(_POSTAL, value) is None:
        raise ValueError("address lines separated by $, none of them empty")


def _substring_assertion(value: bytes) -> None:
    utf8(value)
    if b"*" not in value:
        raise ValueError("a substring assertion, with *")


_TABLE: Final = (
    (PREFIX + "3", "Attribute Type Description", utf8, True),
    (PREFIX + "4", "Audio", any_octets, False),
    (PREFIX + "5", "Binary", any_octets, False),
    (BIT_STRING, "Bit String", _bits, True),
    (BOOLEAN, "Boolean", _boolean, True),
    (PREFIX + "8", "Certificate", any_octets, False),
    (PREFIX + "9", "Certificate List", any_octets, False),
    (PREFIX + "10", "Certificate Pair", any_octets, False),
    (COUNTRY_STRING, "Country String", _country, True),
    (DN, "DN", distinguished_name, True),
    (PREFIX + "14", "Delivery Method", _delivery, True),
    (DIRECTORY_STRING, "Directory String", utf8, True),
    (PREFIX + "16", "DIT Content Rule Description", utf8, True),
    (DIT_STRUCTURE_RULE, "DIT Structure Rule Description", utf8, True),
    (PREFIX + "21", "Enhanced Guide", utf8, True),
    (PREFIX + "22", "Facsimile Telephone Number", _fax, True),
    (PREFIX + "23", "Fax", any_octets, False),
    (GENERALIZED_TIME, "Generalized Time", _time, True),
    (PREFIX + "25", "Guide", utf8, True),
    (IA5_STRING, "IA5 String", ia5, True),
    (INTEGER, "INTEGER", integer, True),
    (JPEG, "JPEG", any_octets, False),
    (PREFIX + "30", "Matching Rule Description", utf8, True),
    (PREFIX + "31", "Matching Rule Use Description", utf8, True),
    (NAME_AND_UID, "Name And Optional UID", _name_and_uid, True),
    (PREFIX + "35", "Name Form Description", utf8, True),
    (NUMERIC_STRING, "Numeric String", _numeric, True),
    (PREFIX + "37", "Object Class Description", utf8, True),
    (OID, "OID", _oid, True),
    (PREFIX + "39", "Other Mailbox", _mailbox, True),
    (OCTET_STRING, "Octet String", any_octets, False),
    (POSTAL_ADDRESS, "Postal Address", _postal, True),
    (PREFIX + "43", "Presentation Address", utf8, True),
    (PRINTABLE_STRING, "Printable String", _printable, True),
    (PREFIX + "45", "Subtree Specification", utf8, True),
    (PREFIX + "49", "Supported Algorithm", any_octets, False),
    (TELEPHONE_NUMBER, "Telephone Number", _telephone, True),
    (PREFIX + "51", "Teletex Terminal Identifier", any_octets, False),
    (PREFIX + "52", "Telex Number", _telex, True),
    (PREFIX + "53", "UTC Time", times.utc_time, True),
    (PREFIX + "54", "LDAP Syntax Description", utf8, True),
    (SUBSTRING_ASSERTION, "Substring Assertion", _substring_assertion, True),
    (UUID, "UUID", _uuid, True),
    ("1.3.6.1.1.1.0.0", "RFC2307 NIS Netgroup Triple", _utf8_or_empty, True),
    ("1.3.6.1.1.1.0.1", "RFC2307 Boot Parameter", _utf8_or_empty, True),
    ("1.3.6.1.4.1.4203.1.1.2", "RFC3112 Authentication Password", utf8, True),
)

_UNCHECKED: Final = {
    PREFIX: "1 2 13 18 19 20 29 42 45 46 48 55 56 57",  # RFC 2252, X.500
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
