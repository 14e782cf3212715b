"""Where statements come from: the words that a shell has made of a command line, or a text; and where in it
a character is, for whoever has to find it.

A shell takes quotes away and hands on one word an argument. Here each argument is one word again, quoted,
unless it has quotes of its own; an argument that begins with a verb and a space is a text of statements.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from provserver.etautil.statements import VERBS
from provserver.etautil.words import quoted

_STATEMENT: Final = re.compile(rf"\s*(?:{'|'.join(VERBS)})\s", re.IGNORECASE)
_WHOLLY_QUOTED: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_ASSIGNED: Final = re.compile(r"([+-]?[A-Za-z][A-Za-z0-9_-]*=)(.*)", re.DOTALL)
_PLAIN: Final = re.compile(r"[^\s;'\"=]+")


class Source:
    """A text of statements, and what its places are called."""

    def __init__(self, text: str, name: str | None, starts: Sequence[int] = ()) -> None:
        self.text = text
        self._name = name
        self._starts = starts

    @classmethod
    def of_text(cls, text: str, name: str) -> Source:
        """What a file holds, or standard input."""
        return cls(text, name)

    @classmethod
    def of_arguments(cls, arguments: Sequence[str]) -> Source:
        """What stands on a command line after the options."""
        pieces: list[str] = []
        starts: list[int] = []
        at = 0
        is_base = False
        begins = True
        for argument in arguments:
            if begins and _STATEMENT.match(argument):
                piece, begins, is_base = f"{argument} ;", True, False
            else:
                piece = _word(argument, is_base=is_base)
                is_base = begins or argument.lower() == "in"
                begins = argument.endswith(";") and piece.endswith(";")
            starts.append(at)
            pieces.append(piece)
            at += len(piece) + 1
        return cls(" ".join(pieces), None, starts)

    def place(self, position: int) -> str:
        """What a character's place is called."""
        if self._name is not None:
            line = self.text.count("\n", 0, position) + 1
            column = position - self.text.rfind("\n", 0, position)
            return f"{self._name}:{line}:{column}"
        if not self._starts or position >= len(self.text):
            return "the end of the command line"
        number = bisect_right(self._starts, position)
        within = position - self._starts[number - 1]
        return f"argument {number}" + (f", character {within + 1}" if within else "")


def _word(argument: str, *, is_base: bool) -> str:
    """An argument as one word, and `;` after it if it ends so."""
    if _WHOLLY_QUOTED.fullmatch(argument) or argument == ";":
        return argument
    if argument.endswith(";"):
        return _word(argument[:-1], is_base=is_base) + " ;"
    assigned = _ASSIGNED.fullmatch(argument)
    if is_base or (assigned is None and not _PLAIN.fullmatch(argument)):
        return quoted(argument)
    if assigned is None or _WHOLLY_QUOTED.fullmatch(assigned.group(2)):
        return argument
    return assigned.group(1) + quoted(assigned.group(2))
