"""Schema files: OpenLDAP's `attributetype ( … )` lines, and the LDIF form of 389-ds and cn=config.

OpenLDAP's form: `#` starts a comment, a line that starts with white space continues the one before,
`objectidentifier` names an OID. The LDIF form (`attributeTypes: ( … )`) folds lines by one space, has `{0}`
before definitions, and says things about its entry that are no definitions: these are passed over.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final

from provserver.directory.definitions import (
    ATTRIBUTE_TYPES,
    LDAP_SYNTAXES,
    MATCHING_RULES,
    OBJECT_CLASSES,
    Definition,
    Place,
    SchemaError,
    parse_definition,
)

_HEAD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(::?)?[ \t]*")
_ORDER: Final = re.compile(r"\{-?[0-9]+\}")
_NUMERIC: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_MACRO_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_OBJECT_IDENTIFIER: Final = "objectidentifier"

_KINDS: Final = {
    "attributetype": ATTRIBUTE_TYPES,
    "attributetypes": ATTRIBUTE_TYPES,
    "olcattributetypes": ATTRIBUTE_TYPES,
    "objectclass": OBJECT_CLASSES,
    "objectclasses": OBJECT_CLASSES,
    "olcobjectclasses": OBJECT_CLASSES,
    "matchingrule": MATCHING_RULES,
    "matchingrules": MATCHING_RULES,
    "ldapsyntax": LDAP_SYNTAXES,
    "ldapsyntaxes": LDAP_SYNTAXES,
    "olcldapsyntaxes": LDAP_SYNTAXES,
    "objectidentifier": _OBJECT_IDENTIFIER,
    "olcobjectidentifier": _OBJECT_IDENTIFIER,
}


class Macros:
    """Names of OIDs: what `objectidentifier` lines defined, in all files so far."""

    def __init__(self) -> None:
        self._oids: dict[str, str] = {}

    def define(self, words: list[str], place: Place) -> None:
        if len(words) != 2:
            raise place.error("expected a name and an OID after objectidentifier")
        name, oid = words
        if not _MACRO_NAME.fullmatch(name):
            raise place.error("expected a name that starts with a letter after objectidentifier")
        numbers = self.resolve(oid)
        if not _NUMERIC.fullmatch(numbers):
            raise place.error(f"expected an OID or a name that objectidentifier defined before, not {oid}")
        known = self._oids.setdefault(name.lower(), numbers)
        if known != numbers:
            raise place.error(f"expected one OID for {name}, which is {known} already")

    def resolve(self, oid: str) -> str:
        """`name:1.2` and `name` as numbers; what is no macro comes back as it is."""
        name, colon, rest = oid.partition(":")
        known = self._oids.get(name.lower())
        if known is None:
            return oid
        return f"{known}.{rest}" if colon else known


def read_definitions(source: str, text: str, macros: Macros) -> Iterator[Definition]:
    """The definitions of one file, in its order."""
    for keyword, ldif, body, place in _statements(source, text):
        kind = _KINDS.get(keyword.lower())
        if ldif:
            body = _ORDER.sub("", body, count=1) if body.startswith("{") else body
            if kind is None or (kind != _OBJECT_IDENTIFIER and not body.startswith("(")):
                continue  # `dn: cn=schema`, `objectClass: top`
        if kind is None:
            raise place.error(
                "expected attributetype, objectclass, matchingrule, ldapsyntax or objectidentifier, "
                f"not {keyword}"
            )
        if kind == _OBJECT_IDENTIFIER:
            macros.define(body.split(), place)
        else:
            yield parse_definition(kind, body, place, macros.resolve)


def _statements(source: str, text: str) -> Iterator[tuple[str, bool, str, Place]]:
    """(keyword, whether in LDIF's form, what follows it, where)."""
    for number, lines in _logical_lines(source, text):
        place = Place(source, number)
        head = _HEAD.match(lines[0])
        if head is None:
            raise place.error("expected a keyword such as attributetype at the start of the line")
        keyword, colon = head.group(1), head.group(2)
        first = lines[0][head.end() :]
        if not colon:
            yield keyword, False, "\n".join([first, *lines[1:]]), place
            continue
        body = "".join([first, *(line[1:] for line in lines[1:])])
        if colon == "::":
            try:
                body = base64.b64decode(body, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise place.error("expected base64 of UTF-8 text after '::'") from None
        yield keyword, True, body.strip(), place


def _logical_lines(source: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines with what continues them; comments and blank lines inside are kept, empty, for the count."""
    lines: list[str] = []
    start = 0
    comment = False
    for number, raw in enumerate(_lines(text), 1):
        line = raw.rstrip("\r")
        if line.startswith("#"):
            # Inside a definition it is an empty line of it; after one, white space continues the comment.
            comment = True
            if lines and _complete(lines):
                yield start, lines
                lines = []
            elif lines:
                lines.append(" ")
        elif line[:1] in (" ", "\t"):
            if lines:
                lines.append(line)
            elif line.strip() and not comment:
                raise SchemaError(source, number, "expected no white space before the first keyword")
        elif not line:
            comment = False
            if lines:
                lines.append(" ")
        else:
            comment = False
            if lines:
                yield start, lines
            start, lines = number, [line]
    if lines:
        yield start, lines


def _complete(lines: list[str]) -> bool:
    text = " ".join(lines)
    return text.rstrip().endswith(")") and text.count("(") <= text.count(")")


def _lines(text: str) -> Iterable[str]:
    return text.removeprefix("\ufeff").split("\n")
