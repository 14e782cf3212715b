"""How matching rules see values: functions to what can be compared (RFC 4517 section 4).

Those to octets are for equality and order: two values are equal when these are, one comes before the other
when they sort so (which makes them fit for an index). Those to texts are for substrings and words. All raise
ValueError, saying what was expected, for octets that cannot be a value. DN-valued rules compare `DN.key`s.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from provserver.directory import syntaxes, times
from provserver.directory.names import DN
from provserver.directory.preparation import prepare, prepare_numeric, prepare_part, prepare_telephone, spaced

Comparable = Callable[[bytes], bytes]
InText = tuple[Callable[[bytes], str], Callable[[bytes, bool, bool], str]]
"""For substrings: a value as parts are looked for in it, and a part (octets, first, last) as sought."""


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


def ia5(comparable: Comparable) -> Comparable:
    def of(value: bytes) -> bytes:
        syntaxes.ia5(value)
        return comparable(value)

    return of


def integer(value: bytes) -> bytes:
    syntaxes.integer(value)
    return value


_COMPLEMENT: Final = bytes.maketrans(b"0123456789", b"9876543210")


def ordered_integer(value: bytes) -> bytes:
    """Octets that sort as the integers do: sign, number of digits, digits (complemented below zero)."""
    syntaxes.integer(value)
    if value.startswith(b"-"):
        return b"0%04d" % (9_999 - len(value) + 1) + value[1:].translate(_COMPLEMENT)
    return b"1%04d" % len(value) + value


def boolean(value: bytes) -> bytes:
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


def name_and_uid(value: bytes) -> bytes:
    name, uid = syntaxes.split_uid(value)
    return dn_key(name) + uid


def octets(value: bytes) -> bytes:
    return value


def numeric(value: bytes) -> bytes:
    return prepare_numeric(text_of(value)).encode()


def telephone(value: bytes) -> bytes:
    return prepare_telephone(text_of(value)).encode()


def instant(value: bytes) -> bytes:
    return times.generalized_time(value).encode()


def object_identifier(value: bytes) -> bytes:
    """objectIdentifierMatch of texts; that a name and its OID are one is for the schema to say."""
    syntaxes.SYNTAXES[syntaxes.OID].check(value)
    return value.lower()


def uuid(value: bytes) -> bytes:
    syntaxes.SYNTAXES[syntaxes.UUID].check(value)
    return value.lower()


def bits(value: bytes) -> bytes:
    syntaxes.SYNTAXES[syntaxes.BIT_STRING].check(value)
    return value


def lines(value: bytes) -> bytes:
    """caseIgnoreListMatch: line by line, the escapes `\\24` ($) and `\\5C` kept as they are."""
    return b"$".join([ignoring_case(line) for line in value.split(b"$")])


_FIRST: Final = re.compile(rb"[ ]*[(]?[ ]*(?:'([^']+)'|([^ ()']+))")


def first_component(value: bytes) -> bytes:
    """The first word of a definition in parentheses: its OID, number or name."""
    found = _FIRST.match(value)
    if found is None:
        raise ValueError("a definition in parentheses")
    return found[1] or found[2]


def first(comparable: Comparable) -> Comparable:
    """Of definitions: their first component as `comparable` sees it."""
    return lambda value: comparable(first_component(value))


def words(text: str) -> tuple[str, ...]:
    """Runs of letters, marks and digits (ours: RFC 4517 4.2.32 leaves it open)."""
    category = unicodedata.category
    return tuple("".join([one if category(one)[0] in "LMN" else " " for one in text]).split())


def keywords(text: str) -> tuple[str, ...]:
    """What stands between commas and semicolons (ours: RFC 4517 4.2.21 leaves it open)."""
    return tuple([part for part in map(str.strip, re.split("[,;]", text)) if part])


def _parts(fold: bool) -> InText:
    def value(octets: bytes) -> str:
        return spaced(prepare(text_of(octets), fold))

    def part(octets: bytes, first: bool, last: bool) -> str:
        return prepare_part(text_of(octets), fold, first=first, last=last)

    return value, part


def _line_parts() -> InText:
    """caseIgnoreListSubstringsMatch: in the lines one after another, no part in more than one of them."""
    of_line, part = IGNORING_CASE_PARTS

    def value(octets: bytes) -> str:
        return "\n".join([of_line(_LINE_ESCAPE.sub(_unescaped, line)) for line in octets.split(b"$")])

    return value, part


_LINE_ESCAPE: Final = re.compile(rb"\\(24|5[Cc])")


def _unescaped(match: re.Match[bytes]) -> bytes:
    return b"$" if match[1] == b"24" else b"\\"


def plain_parts(
    prepared: Callable[[str], str],
) -> InText:
    return (
        lambda octets: prepared(text_of(octets)),
        lambda octets, first, last: prepared(text_of(octets)),
    )


IGNORING_CASE_PARTS: Final = _parts(True)
EXACT_PARTS: Final = _parts(False)
LINE_PARTS: Final = _line_parts()
OCTET_PARTS: Final[InText] = (
    lambda octets: octets.decode("latin-1"),
    lambda octets, first, last: octets.decode("latin-1"),
)
