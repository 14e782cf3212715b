"""The words of control statements, each with its position.

A word is bare, quoted ('…' or "…", the quote itself doubled), or an assignment: `[+-]name=value`, its value
bare or quoted. Statements are separated by `;`; a line that begins with `#` is a comment (ours).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_NAME: Final = r"[A-Za-z][A-Za-z0-9_-]*"
_BETWEEN: Final = re.compile(r"(?:\s+|(?:(?<=\n)|\A)#[^\n]*)+")
_ASSIGNED: Final = re.compile(rf"([+-]?)({_NAME})=")
_BARE: Final = re.compile(r"[^\s;]*")
_QUOTED: Final = {
    quote: re.compile(rf"{quote}((?:[^{quote}]|{quote}{quote})*){quote}") for quote in ("'", '"')
}
is_name: Final = re.compile(_NAME).fullmatch
"""Whether a text is the name of an attribute or a class."""


class Fault(ValueError):
    """A statement that makes no sense: at which character (from 0), what was expected, what was found.

    Never a value: it may be a password.
    """

    def __init__(self, position: int, expected: str, found: str = "") -> None:
        super().__init__(f"expected {expected}" + (f", found {found}" if found else ""))
        self.position = position


class Kind(Enum):
    """What a word is."""

    BARE = "a word"
    QUOTED = "a quoted text"
    ASSIGNMENT = "an assignment"
    SEMICOLON = "';'"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Word:
    """`text` is the word without its quotes, of an assignment its value."""

    kind: Kind
    position: int
    text: str = field(default="", repr=False)
    sign: str = ""
    name: str = ""
    begins_line: bool = False

    @property
    def whole(self) -> str:
        """An assignment that turns out to be something else, such as a DN without quotes."""
        return f"{self.sign}{self.name}={self.text}" if self.kind is Kind.ASSIGNMENT else self.text

    def is_keyword(self, *keywords: str) -> bool:
        return self.kind is Kind.BARE and self.text.lower() in keywords


def words_of(text: str) -> Iterator[Word]:
    """The words of a text; the last one is END. Fault."""
    position = 0
    while True:
        begins_line = position == 0
        between = _BETWEEN.match(text, position)
        if between is not None:
            begins_line = begins_line or "\n" in between.group()
            position = between.end()
        if position == len(text):
            yield Word(Kind.END, position)
            return
        word, position = _word(text, position, begins_line)
        yield word


def _word(text: str, start: int, begins_line: bool) -> tuple[Word, int]:
    first = text[start]
    if first == ";":
        return Word(Kind.SEMICOLON, start), start + 1
    if first in _QUOTED:
        value, end = _quoted(text, start)
        return Word(Kind.QUOTED, start, value, begins_line=begins_line), end
    assigned = _ASSIGNED.match(text, start)
    if assigned is None:
        bare = _bare(text, start)
        return Word(Kind.BARE, start, bare, begins_line=begins_line), start + len(bare)
    at = assigned.end()
    if text[at : at + 1] in _QUOTED:
        value, end = _quoted(text, at)
    else:
        value = _bare(text, at)
        end = at + len(value)
    sign, name = assigned.groups()
    return Word(Kind.ASSIGNMENT, start, value, sign, name, begins_line), end


def _bare(text: str, start: int) -> str:
    found = _BARE.match(text, start)
    assert found is not None  # noqa: S101  it matches the empty text too
    return found.group()


def _quoted(text: str, start: int) -> tuple[str, int]:
    quote = text[start]
    found = _QUOTED[quote].match(text, start)
    if found is None:
        raise Fault(start, f"a closing {quote} for the quote that opens here", "the end")
    end = found.end()
    if end < len(text) and not text[end].isspace() and text[end] != ";":
        raise Fault(end, f"a space, ; or the end after the closing {quote}", "more of the word")
    return found.group(1).replace(quote * 2, quote), end


def quoted(text: str) -> str:
    """A text as one quoted word."""
    return "'" + text.replace("'", "''") + "'"


_SECRET: Final = re.compile(r"pass|pwd|secret", re.IGNORECASE)


def looks_secret(name: str) -> bool:
    """Whether an attribute of that name may hold a password, for who does not know the schema."""
    return _SECRET.search(name) is not None
