"""What a search asks for: its scope, its filter as a value, and the filter's text form.

The types follow RFC 4511 4.5.1; the text form is RFC 4515. Evaluation lives in `directory.filtering`: a
filter here does not know what an attribute means. Assertion values are hidden from repr (they may be
secrets); the text form shows them.
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import IntEnum
from typing import Final, NoReturn, assert_never

from provserver.records import record


class Scope(IntEnum):
    BASE = 0
    ONE_LEVEL = 1
    SUBTREE = 2


@record
class And:
    parts: tuple[Filter, ...]


@record
class Or:
    parts: tuple[Filter, ...]


@record
class Not:
    part: Filter


@record
class Equality:
    attribute: str
    value: bytes = field(repr=False)


@record
class Substrings:
    attribute: str
    initial: bytes | None = field(repr=False)
    any: tuple[bytes, ...] = field(repr=False)
    final: bytes | None = field(repr=False)


@record
class GreaterOrEqual:
    attribute: str
    value: bytes = field(repr=False)


@record
class LessOrEqual:
    attribute: str
    value: bytes = field(repr=False)


@record
class Present:
    attribute: str


@record
class Approximate:
    attribute: str
    value: bytes = field(repr=False)


@record
class Extensible:
    """At least one of `rule` and `attribute` is there (RFC 4511 4.5.1.7.7)."""

    rule: str | None
    attribute: str | None
    value: bytes = field(repr=False)
    dn_attributes: bool = False


Filter = (
    And | Or | Not | Equality | Substrings | GreaterOrEqual | LessOrEqual | Present | Approximate | Extensible
)


class FilterSyntaxError(ValueError):
    """A text that is no RFC 4515 filter: what was expected, and at which position (from 0) of the text.

    It does not quote the text: it may be logged, and the text may hold a secret.
    """

    def __init__(self, position: int, expected: str) -> None:
        super().__init__(f"position {position}: expected {expected}")
        self.position = position
        self.expected = expected


def parse_filter(text: str) -> Filter:
    """The filter that the text means (RFC 4515, with RFC 4526's `(&)` and `(|)`).

    White space around the parts of `&`, `|` and `!` is allowed, as OpenLDAP's tools do. FilterSyntaxError.
    """
    parser = _Parser(text)
    found, position = parser.component(parser.space(0), 0)
    position = parser.space(position)
    if position != len(text):
        raise FilterSyntaxError(position, "the end of the filter")
    return found


def format_filter(wanted: Filter) -> str:
    """The text form of RFC 4515; `parse_filter` understands it, and gives the same filter.

    Empty substrings, which restrict nothing and have no text form, are left out. Octets that are not UTF-8,
    and control characters, are escaped.
    """
    match wanted:
        case And(parts):
            return f"(&{''.join([format_filter(part) for part in parts])})"
        case Or(parts):
            return f"(|{''.join([format_filter(part) for part in parts])})"
        case Not(part):
            return f"(!{format_filter(part)})"
        case Present(attribute):
            return f"({attribute}=*)"
        case Substrings(attribute, initial, between, final):
            pieces = [escape_value(piece) + "*" for piece in between if piece]
            return (
                f"({attribute}={escape_value(initial or b'')}*{''.join(pieces)}{escape_value(final or b'')})"
            )
        case Equality(attribute, value):
            return f"({attribute}={escape_value(value)})"
        case GreaterOrEqual(attribute, value):
            return f"({attribute}>={escape_value(value)})"
        case LessOrEqual(attribute, value):
            return f"({attribute}<={escape_value(value)})"
        case Approximate(attribute, value):
            return f"({attribute}~={escape_value(value)})"
        case Extensible(rule, name, value, dn_attributes):
            flags = (":dn" if dn_attributes else "") + (f":{rule}" if rule is not None else "")
            return f"({name or ''}{flags}:={escape_value(value)})"
        case _:
            assert_never(wanted)


def escape_value(value: bytes) -> str:
    """An assertion value as it is written in a filter (RFC 4515 3)."""
    text = value.decode("utf-8", "surrogateescape")
    return _TO_ESCAPE.sub(_escaped, text)


_TO_ESCAPE: Final = re.compile(r"[\x00-\x1f\x7f()*\\\udc80-\udcff]")


def _escaped(found: re.Match[str]) -> str:
    return "".join([f"\\{octet:02x}" for octet in found.group().encode("utf-8", "surrogateescape")])


_DEEPEST: Final = 100
"""Nesting that a text may have; as `Limits.ber_depth`. Bounds our recursion."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_OID: Final = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)"
_DESCRIPTION: Final = re.compile(_OID + r"(?:;[A-Za-z0-9-]+)*")
_COMPARISON: Final = re.compile(r"[~<>]?=")
_MATCHING: Final = re.compile(rf"(:[Dd][Nn])?(?::({_OID}))?:=")
_VALUE: Final = re.compile(r"(?:[^\x00()*\\]|\\[0-9A-Fa-f]{2})*")
_ESCAPE: Final = re.compile(rb"\\(..)", re.DOTALL)


class _Parser:
    """Recursive descent over one text: from a position to what is found there and the next position."""

    def __init__(self, text: str) -> None:
        self._text = text

    def space(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        assert found is not None  # noqa: S101  it matches the empty text too
        return found.end()

    def component(self, position: int, depth: int) -> tuple[Filter, int]:
        if depth > _DEEPEST:
            raise FilterSyntaxError(position, f"not more than {_DEEPEST} levels")
        position = self._expect("(", position)
        kind = self._text[position : position + 1]
        found: Filter
        if kind == "&" or kind == "|":
            parts, position = self._components(position + 1, depth + 1)
            found = And(parts) if kind == "&" else Or(parts)
        elif kind == "!":
            part, position = self.component(self.space(position + 1), depth + 1)
            found, position = Not(part), self.space(position)
        else:
            found, position = self._item(position)
        return found, self._expect(")", position)

    def _components(self, position: int, depth: int) -> tuple[tuple[Filter, ...], int]:
        parts: list[Filter] = []
        position = self.space(position)
        while self._text.startswith("(", position):
            part, position = self.component(position, depth)
            parts.append(part)
            position = self.space(position)
        return tuple(parts), position

    def _item(self, position: int) -> tuple[Filter, int]:
        named = _DESCRIPTION.match(self._text, position)
        attribute = None
        if named is not None:
            attribute, position = named.group(), named.end()
        comparison = _COMPARISON.match(self._text, position)
        if attribute is not None and comparison is not None:
            return self._compared(attribute, comparison.group(), comparison.end())
        matching = _MATCHING.match(self._text, position)
        if matching is None:
            self._fail(position, "an attribute description" if attribute is None else "=, ~=, >=, <= or :=")
        dn_attributes, rule = matching.group(1) is not None, matching.group(2)
        if attribute is None and rule is None:
            raise FilterSyntaxError(position, "an attribute or a matching rule")
        value, position = self._value(matching.end())
        return Extensible(rule, attribute, value, dn_attributes), position

    def _compared(self, attribute: str, sign: str, position: int) -> tuple[Filter, int]:
        value, position = self._value(position)
        if sign == "=":
            if self._text.startswith("*", position):
                return self._starred(attribute, value, position)
            return Equality(attribute, value), position
        if sign == ">=":
            return GreaterOrEqual(attribute, value), position
        if sign == "<=":
            return LessOrEqual(attribute, value), position
        return Approximate(attribute, value), position

    def _starred(self, attribute: str, initial: bytes, position: int) -> tuple[Filter, int]:
        """Presence or substrings; the position is that of the first asterisk."""
        pieces: list[bytes] = []
        while self._text.startswith("*", position):
            piece, position = self._value(position + 1)
            pieces.append(piece)
        final = pieces.pop()
        between = tuple([piece for piece in pieces if piece])
        if not initial and not final and not between:
            return Present(attribute), position
        return Substrings(attribute, initial or None, between, final or None), position

    def _value(self, position: int) -> tuple[bytes, int]:
        found = _VALUE.match(self._text, position)
        assert found is not None  # noqa: S101  it matches the empty text too
        end = found.end()
        if self._text.startswith("\\", end):
            raise FilterSyntaxError(end, "two hexadecimal digits after the backslash")
        try:
            value = found.group().encode()
        except UnicodeEncodeError as lone:
            raise FilterSyntaxError(position + lone.start, "a character that UTF-8 has") from None
        if b"\\" in value:
            value = _ESCAPE.sub(lambda escape: bytes.fromhex(escape.group(1).decode()), value)
        return value, end

    def _expect(self, sign: str, position: int) -> int:
        if not self._text.startswith(sign, position):
            self._fail(position, f"'{sign}'")
        return position + 1

    def _fail(self, position: int, expected: str) -> NoReturn:
        raise FilterSyntaxError(min(position, len(self._text)), expected)
