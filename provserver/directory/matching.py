"""Matching rules as objects: when a value is equal to, before, or contains another (RFC 4517 section 4).

An equality or ordering rule is a function to comparable octets: two values are equal when these are, one
comes before the other when they sort so (which makes them fit for an index). Functions raise ValueError,
saying what was expected, for octets that cannot be a value; what is asserted is then Undefined. DN-valued
rules compare `DN.key`s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provserver.directory import syntaxes
from provserver.directory.names import DN
from provserver.directory.preparation import prepare, prepare_numeric, prepare_part, prepare_telephone, spaced

Comparable = Callable[[bytes], bytes]
_PREFIX: Final = "1.3.6.1.4.1.1466.115.121.1."


@dataclass(frozen=True, slots=True)
class Rule:
    """What all rules have. `syntax` is that of the asserted value."""

    oid: str
    name: str
    syntax: str


@dataclass(frozen=True, slots=True)
class EqualityRule(Rule):
    """`comparable`: of attribute values; `assertion`: of what is asserted, where that has another syntax."""

    comparable: Comparable
    assertion: Comparable | None = None

    def asserted(self, value: bytes) -> bytes:
        return (self.assertion or self.comparable)(value)


@dataclass(frozen=True, slots=True)
class OrderingRule(Rule):
    comparable: Comparable


@dataclass(frozen=True, slots=True)
class SubstringsRule(Rule):
    """`value`: a value as parts are looked for in it; `part(octets, first, last)`: a part as sought."""

    value: Callable[[bytes], str]
    part: Callable[[bytes, bool, bool], str]


@dataclass(frozen=True, slots=True)
class BitRule(Rule):
    """Whether the bits of the asserted integer are set: all of them (`every`), or any."""

    every: bool

    def holds(self, value: bytes, asserted: int) -> bool:
        syntaxes.integer(value)
        common = int(value) & asserted
        return common == asserted if self.every else common != 0


@dataclass(frozen=True, slots=True)
class UnknownRule(Rule):
    """A rule that a schema names and this server cannot evaluate: assertions by it are Undefined."""


def text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("UTF-8 text") from None


def ignoring_case(value: bytes) -> bytes:
    """caseIgnoreMatch. Letters and digits of ASCII, most values there are, take the first way out."""
    return value.lower() if value.isalnum() else prepare(text_of(value)).encode()


def exactly(value: bytes) -> bytes:
    """caseExactMatch: spaces are folded, case is not."""
    return value if value.isalnum() else prepare(text_of(value), False).encode()


def _ia5(comparable: Comparable) -> Comparable:
    def of(value: bytes) -> bytes:
        syntaxes.ia5(value)
        return comparable(value)

    return of


def _integer(value: bytes) -> bytes:
    syntaxes.integer(value)
    return value


_COMPLEMENT: Final = bytes.maketrans(b"0123456789", b"9876543210")


def ordered_integer(value: bytes) -> bytes:
    """Octets that sort as the integers do: sign, number of digits, digits (complemented below zero)."""
    syntaxes.integer(value)
    if value.startswith(b"-"):
        return b"0%04d" % (9_999 - len(value) + 1) + value[1:].translate(_COMPLEMENT)
    return b"1%04d" % len(value) + value


def _boolean(value: bytes) -> bytes:
    folded = value.upper()
    if folded not in (b"TRUE", b"FALSE"):
        raise ValueError("TRUE or FALSE")
    return folded


def dn_key(value: bytes) -> bytes:
    """distinguishedNameMatch."""
    try:
        return DN.parse(text_of(value)).key.encode()
    except ValueError as error:
        raise ValueError(f"a distinguished name: {error}") from None


def _name_and_uid(value: bytes) -> bytes:
    name, uid = syntaxes.split_uid(value)
    return dn_key(name) + uid


def _octets(value: bytes) -> bytes:
    return value


def _numeric(value: bytes) -> bytes:
    return prepare_numeric(text_of(value)).encode()


def _telephone(value: bytes) -> bytes:
    return prepare_telephone(text_of(value)).encode()


def _time(value: bytes) -> bytes:
    return syntaxes.generalized_time(value).encode()


def object_identifier(value: bytes) -> bytes:
    """objectIdentifierMatch of texts; that a name and its OID are one is for the schema to say."""
    syntaxes.SYNTAXES[syntaxes.OID_SYNTAX].check(value)
    return value.lower()


def _uuid(value: bytes) -> bytes:
    syntaxes.SYNTAXES["1.3.6.1.1.16.1"].check(value)
    return value.lower()


def _bits(value: bytes) -> bytes:
    syntaxes.SYNTAXES[_PREFIX + "6"].check(value)
    return value


def _list(value: bytes) -> bytes:
    """caseIgnoreListMatch: line by line, the escapes `\\24` ($) and `\\5C` kept as they are."""
    return b"$".join([ignoring_case(line) for line in value.split(b"$")])


def _first_component(value: bytes) -> bytes:
    """The first word of a definition in parentheses: its OID, number or name."""
    words = value.lstrip(b" ").removeprefix(b"(").split(None, 1)
    if not words:
        raise ValueError("a definition in parentheses")
    return words[0].strip(b"'").lower()


def _substrings(fold: bool) -> tuple[Callable[[bytes], str], Callable[[bytes, bool, bool], str]]:
    def value(octets: bytes) -> str:
        return spaced(prepare(text_of(octets), fold))

    def part(octets: bytes, first: bool, last: bool) -> str:
        return prepare_part(text_of(octets), fold, first=first, last=last)

    return value, part


def _plain_substrings(
    prepared: Callable[[str], str],
) -> tuple[Callable[[bytes], str], Callable[[bytes, bool, bool], str]]:
    return (
        lambda octets: prepared(text_of(octets)),
        lambda octets, first, last: prepared(text_of(octets)),
    )


def _octet_substrings() -> tuple[Callable[[bytes], str], Callable[[bytes, bool, bool], str]]:
    return lambda octets: octets.decode("latin-1"), lambda octets, first, last: octets.decode("latin-1")


_IGNORE, _EXACT = _substrings(True), _substrings(False)
_LIST = (
    lambda octets: "\n".join([_IGNORE[0](line) for line in octets.split(b"$")]),
    _IGNORE[1],
)
_STRING: Final = _PREFIX + "15"
_IA5: Final = _PREFIX + "26"
_PARTS: Final = _PREFIX + "58"

_RULES: Final[tuple[Rule, ...]] = (
    EqualityRule("2.5.13.0", "objectIdentifierMatch", syntaxes.OID_SYNTAX, object_identifier),
    EqualityRule("2.5.13.1", "distinguishedNameMatch", syntaxes.DN_SYNTAX, dn_key),
    EqualityRule("2.5.13.2", "caseIgnoreMatch", _STRING, ignoring_case),
    OrderingRule("2.5.13.3", "caseIgnoreOrderingMatch", _STRING, ignoring_case),
    SubstringsRule("2.5.13.4", "caseIgnoreSubstringsMatch", _PARTS, *_IGNORE),
    EqualityRule("2.5.13.5", "caseExactMatch", _STRING, exactly),
    OrderingRule("2.5.13.6", "caseExactOrderingMatch", _STRING, exactly),
    SubstringsRule("2.5.13.7", "caseExactSubstringsMatch", _PARTS, *_EXACT),
    EqualityRule("2.5.13.8", "numericStringMatch", _PREFIX + "36", _numeric),
    OrderingRule("2.5.13.9", "numericStringOrderingMatch", _PREFIX + "36", _numeric),
    SubstringsRule("2.5.13.10", "numericStringSubstringsMatch", _PARTS, *_plain_substrings(prepare_numeric)),
    EqualityRule("2.5.13.11", "caseIgnoreListMatch", _PREFIX + "41", _list),
    SubstringsRule("2.5.13.12", "caseIgnoreListSubstringsMatch", _PARTS, *_LIST),
    EqualityRule("2.5.13.13", "booleanMatch", _PREFIX + "7", _boolean),
    EqualityRule("2.5.13.14", "integerMatch", syntaxes.INTEGER, _integer),
    OrderingRule("2.5.13.15", "integerOrderingMatch", syntaxes.INTEGER, ordered_integer),
    EqualityRule("2.5.13.16", "bitStringMatch", _PREFIX + "6", _bits),
    EqualityRule("2.5.13.17", "octetStringMatch", syntaxes.OCTET_STRING, _octets),
    OrderingRule("2.5.13.18", "octetStringOrderingMatch", syntaxes.OCTET_STRING, _octets),
    SubstringsRule("2.5.13.19", "octetStringSubstringsMatch", _PARTS, *_octet_substrings()),
    EqualityRule("2.5.13.20", "telephoneNumberMatch", _PREFIX + "50", _telephone),
    SubstringsRule(
        "2.5.13.21", "telephoneNumberSubstringsMatch", _PARTS, *_plain_substrings(prepare_telephone)
    ),
    EqualityRule("2.5.13.23", "uniqueMemberMatch", syntaxes.NAME_AND_UID, _name_and_uid),
    EqualityRule("2.5.13.27", "generalizedTimeMatch", _PREFIX + "24", _time),
    OrderingRule("2.5.13.28", "generalizedTimeOrderingMatch", _PREFIX + "24", _time),
    EqualityRule("2.5.13.29", "integerFirstComponentMatch", syntaxes.INTEGER, _first_component, _integer),
    EqualityRule(
        "2.5.13.30",
        "objectIdentifierFirstComponentMatch",
        syntaxes.OID_SYNTAX,
        _first_component,
        object_identifier,
    ),
    EqualityRule("2.5.13.31", "directoryStringFirstComponentMatch", _STRING, _first_component, ignoring_case),
    EqualityRule("1.3.6.1.4.1.1466.109.114.1", "caseExactIA5Match", _IA5, _ia5(exactly)),
    EqualityRule("1.3.6.1.4.1.1466.109.114.2", "caseIgnoreIA5Match", _IA5, _ia5(ignoring_case)),
    SubstringsRule("1.3.6.1.4.1.1466.109.114.3", "caseIgnoreIA5SubstringsMatch", _PARTS, *_IGNORE),
    SubstringsRule("1.3.6.1.4.1.4203.1.2.1", "caseExactIA5SubstringsMatch", _PARTS, *_EXACT),
    EqualityRule("1.3.6.1.1.16.2", "uuidMatch", "1.3.6.1.1.16.1", _uuid),
    OrderingRule("1.3.6.1.1.16.3", "uuidOrderingMatch", "1.3.6.1.1.16.1", _uuid),
    BitRule("1.2.840.113556.1.4.803", "integerBitAndMatch", syntaxes.INTEGER, True),
    BitRule("1.2.840.113556.1.4.804", "integerBitOrMatch", syntaxes.INTEGER, False),
)

_NOT_EVALUATED: Final = (
    UnknownRule("2.5.13.22", "presentationAddressMatch", _PREFIX + "43"),
    UnknownRule("2.5.13.24", "protocolInformationMatch", _PREFIX + "42"),
    UnknownRule("2.5.13.32", "wordMatch", _STRING),
    UnknownRule("2.5.13.33", "keywordMatch", _STRING),
    UnknownRule("2.5.13.34", "certificateExactMatch", "1.3.6.1.1.15.1"),
    UnknownRule("2.5.13.35", "certificateMatch", "1.3.6.1.1.15.2"),
    UnknownRule("2.5.13.36", "certificatePairExactMatch", "1.3.6.1.1.15.3"),
    UnknownRule("2.5.13.38", "certificateListExactMatch", "1.3.6.1.1.15.5"),
    UnknownRule("2.5.13.40", "algorithmIdentifierMatch", "1.3.6.1.1.15.7"),
    UnknownRule("1.3.6.1.4.1.4203.666.4.12", "authzMatch", "1.3.6.1.4.1.4203.666.2.7"),
    UnknownRule("1.2.840.113556.1.4.1941", "1.2.840.113556.1.4.1941", syntaxes.DN_SYNTAX),
)
"""Rules that real schema files name: RFC 4517, RFC 4523, OpenLDAP, and Active Directory's rule in chain."""

RULES: Final[dict[str, Rule]] = {
    key: rule for rule in (*_RULES, *_NOT_EVALUATED) for key in (rule.oid, rule.name.lower())
}
"""By OID and by name in lower case."""
BUILT_IN: Final = _RULES
