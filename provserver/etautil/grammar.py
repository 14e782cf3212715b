"""Control statements, parsed: `verb base class operands`, separated by `;` (CA docs 237008).

Ours: `;` may be missing before a line that begins with a verb; the class may be missing where the first
assignment's attribute names one; `to` may stand before the values of ADD, and be left out of EXPLORE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from provserver.etautil.statements import (
    VERBS,
    Add,
    Assignment,
    Copy,
    CopyAll,
    Delete,
    Explore,
    MassChange,
    Membership,
    Report,
    Select,
    Sign,
    Statement,
    Target,
    Update,
)
from provserver.etautil.words import Fault, Kind, Word, is_name, looks_secret, words_of

_A_VERB: Final = f"a verb ({', '.join(VERBS)})"
_A_NAME: Final = "name=value, the object's name"
_A_VALUE: Final = "attribute=value"
_A_CHANGE: Final = "attribute=value, +attribute=value, -attribute=value or attribute=''"
_KEYWORDS: Final = ("to", "in", "list")
_BEFORE_CHANGES: Final = "'to', and then what is to change"


def parse(text: str) -> tuple[Statement, ...]:
    """The statements of a text. Fault: where it makes no sense, and what was expected there."""
    reader = _Reader(text)
    statements = []
    while (verb := reader.next_verb()) is not None:
        statements.append(_PARSERS[verb](reader))
        reader.must_end()
    return tuple(statements)


class _Reader:
    """The words of a text, one after the other; a statement's end is like the text's."""

    def __init__(self, text: str) -> None:
        self._words = list(words_of(text))
        self._at = 0

    def _here(self) -> Word:
        return self._words[self._at]

    def _ended(self) -> bool:
        word = self._here()
        if word.kind in (Kind.SEMICOLON, Kind.END):
            return True
        return word.begins_line and word.is_keyword(*VERBS)

    def next_verb(self) -> str | None:
        """The verb of the next statement; None: there is none."""
        while self._here().kind is Kind.SEMICOLON:
            self._at += 1
        word = self._here()
        if word.kind is Kind.END:
            return None
        if not word.is_keyword(*VERBS):
            raise self.fault(_A_VERB)
        self._at += 1
        return word.text.lower()

    def fault(self, expected: str) -> Fault:
        word = self._here()
        if self._ended():
            found = "the end of the statement"
        elif word.kind is Kind.ASSIGNMENT:
            found = f"an assignment of {word.name}"
        elif word.kind is Kind.BARE and word.text.isalpha() and not self._may_be_secret():
            found = f"the word {word.text}"
        else:
            found = word.kind.value
        return Fault(word.position, expected, found)

    def _may_be_secret(self) -> bool:
        """Whether the word may be the rest of a password that has a space and no quotes."""
        before = self._words[self._at - 1] if self._at else None
        return before is not None and before.kind is Kind.ASSIGNMENT and looks_secret(before.name)

    def must_end(self) -> None:
        if not self._ended():
            raise self.fault("; or the end of the statement")

    def sees(self, keyword: str) -> bool:
        """Whether that keyword is next; then it is taken."""
        if self._ended() or not self._here().is_keyword(keyword):
            return False
        self._at += 1
        return True

    def target(self) -> Target:
        word = self._here()
        if self._ended():
            raise self.fault("the DN of the base, in quotes")
        self._at += 1
        base = word.whole
        if base[:1] in ("'", '"') and base[-1:] == base[0]:
            base = base[1:-1]  # "'…'": quoted for the shell and for etautil, as in KB 219916
        named = self._here()
        if self._ended() or named.kind is Kind.ASSIGNMENT or named.is_keyword(*_KEYWORDS):
            return Target(base, None, word.position)
        if not is_name(named.text):
            raise self.fault("an object class, such as eTGlobalUser")
        self._at += 1
        return Target(base, named.text, word.position)

    def assignment(self, expected: str, *, signed: bool = False) -> Assignment:
        word = self._here()
        if word.kind is not Kind.ASSIGNMENT or (word.sign and not signed):
            raise self.fault(expected)
        self._at += 1
        return Assignment(word.name, word.text, Sign(word.sign), word.position)

    def assignments(self, expected: str, *, signed: bool = False) -> tuple[Assignment, ...]:
        """One or more."""
        found = [self.assignment(expected, signed=signed)]
        while not self._ended() and self._here().kind is Kind.ASSIGNMENT:
            found.append(self.assignment(expected, signed=signed))
        return tuple(found)

    def names(self) -> tuple[str, ...]:
        """One or more names of attributes; commas between them do no harm."""
        found: list[str] = []
        while not self._ended():
            word = self._here()
            parts = [part for part in word.whole.split(",") if part]
            if not parts or not all(map(is_name, parts)):
                raise self.fault("names of attributes")
            found += parts
            self._at += 1
        if not found:
            raise self.fault("names of attributes")
        return tuple(found)

    def actions(self) -> tuple[Assignment, ...]:
        """What an EXPLORE asks for: names, or name=1 (and name=0, which asks for nothing)."""
        found: list[Assignment] = []
        while not self._ended():
            word = self._here()
            if word.kind is Kind.BARE and is_name(word.text):
                found.append(Assignment(word.text, "1", position=word.position))
                self._at += 1
            else:
                found.append(self.assignment("an eTExplore… attribute, or one with =1"))
        return tuple(found)


def _add(reader: _Reader) -> Add:
    target = reader.target()
    reader.sees("to")
    values = reader.assignments(f"{_A_VALUE}, the object's name first")
    memberships = []
    while reader.sees("in"):
        memberships.append(Membership(reader.target(), reader.assignment(_A_NAME)))
    return Add(target, values, tuple(memberships))


def _update(reader: _Reader) -> Update:
    target, name = reader.target(), reader.assignment(_A_NAME)
    return Update(target, name, _changes(reader))


def _mass_change(reader: _Reader) -> MassChange:
    target, criteria = reader.target(), reader.assignments(f"{_A_VALUE}, which entries")
    return MassChange(target, criteria, _changes(reader))


def _changes(reader: _Reader) -> tuple[Assignment, ...]:
    if not reader.sees("to"):
        raise reader.fault(_BEFORE_CHANGES)
    return reader.assignments(_A_CHANGE, signed=True)


def _delete(reader: _Reader) -> Delete:
    return Delete(reader.target(), reader.assignment(_A_NAME))


def _select(reader: _Reader) -> Select:
    target, criteria = reader.target(), reader.assignments(f"{_A_VALUE}, which entries")
    return Select(target, criteria, reader.names() if reader.sees("list") else ())


def _report(reader: _Reader) -> Report:
    target, criteria = reader.target(), reader.assignments(f"{_A_VALUE}, which entries")
    return Report(target, criteria, reader.names() if reader.sees("list") else ())


def _copied(reader: _Reader) -> tuple[Target, Assignment, tuple[Assignment, ...]]:
    target, name = reader.target(), reader.assignment(_A_NAME)
    if not reader.sees("to"):
        raise reader.fault("'to', and then the name of the copy")
    return target, name, reader.assignments(f"{_A_VALUE}, the name of the copy first")


def _copy(reader: _Reader) -> Copy:
    return Copy(*_copied(reader))


def _copy_all(reader: _Reader) -> CopyAll:
    return CopyAll(*_copied(reader))


def _explore(reader: _Reader) -> Explore:
    target, name = reader.target(), reader.assignment(_A_NAME)
    reader.sees("to")
    return Explore(target, name, reader.actions())


_PARSERS: Final[dict[str, Callable[[_Reader], Statement]]] = {
    "add": _add,
    "copy": _copy,
    "copyall": _copy_all,
    "delete": _delete,
    "explore": _explore,
    "masschange": _mass_change,
    "report": _report,
    "select": _select,
    "update": _update,
}
