"""Definitions of one kind, found by OID and by every NAME, merged when a later file extends an earlier one.

A second definition of a type or class (same OID, or its first NAME is known) extends the first: it may add
NAMEs and X- extensions, a class also MAY attributes; what else it says must agree. That is how a site adds
its names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from provserver.directory.definitions import Definition

_INHERITED: Final = frozenset(("EQUALITY", "ORDERING", "SUBSTR", "SYNTAX"))
_RULES: Final = frozenset(("EQUALITY", "ORDERING", "SUBSTR"))


class Definitions:
    """Definitions of one kind: merged by OID and NAME."""

    def __init__(self, what: str, meaning: Callable[[str], str]) -> None:
        """`meaning`: a word of a clause in one spelling; empty for a matching rule that is not evaluated."""
        self._what = what
        self._meaning = meaning
        self._known: dict[str, Definition] = {}
        self._main: dict[str, str] = {}
        """OIDs and names in lower case, to the key of `_known`."""

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._known.values())

    def add(self, new: Definition) -> None:
        first = new.oid.lower()
        main = self._main.get(first)
        if main is None and new.names:
            main = self._main.get(new.names[0].lower())
        if main is not None:
            self._extend(main, new)
            return
        if not new.oid[:1].isdigit() and not new.oid.lower().endswith("-oid"):
            raise new.place.error(
                f"expected a numeric OID, or the name of a {self._what} to extend, not {new.oid}"
            )
        key = new.name.lower()
        self._claim(first, key, new)
        for name in new.names:
            self._claim(name.lower(), key, new)
        self._known[key] = new

    def _claim(self, name: str, key: str, new: Definition) -> None:
        owner = self._main.setdefault(name, key)
        if owner != key:
            other = self._known[owner]
            raise new.place.error(
                f"{name} is a name of the {self._what} {other.name} ({other.place}) already"
            )

    def _extend(self, main: str, new: Definition) -> None:
        known = self._known[main]
        clauses = dict(known.clauses)
        for keyword, words in new.clauses.items():
            if keyword == "DESC" or (keyword in _INHERITED and keyword not in clauses and "SUP" in clauses):
                continue
            if keyword == "MAY":
                old = clauses.get("MAY", ())
                clauses["MAY"] = (*old, *(word for word in words if word not in old))
            elif keyword == "X-ORIGIN" or (keyword.startswith("X-") and keyword not in clauses):
                clauses.setdefault(keyword, words)
            elif keyword in _RULES and keyword not in clauses and not self._meaning(words[0]):
                continue
            elif keyword not in clauses or not self._agree(keyword, clauses[keyword], words):
                raise new.place.error(
                    f"{keyword} of the {self._what} {known.name} differs from its definition at {known.place}"
                )
        names = list(known.names)
        for name in new.names:
            self._claim(name.lower(), main, new)
            if name.lower() not in (other.lower() for other in names):
                names.append(name)
        self._main.setdefault(new.oid.lower(), main)
        self._known[main] = replace(known, names=tuple(names), clauses=clauses)

    def key(self, name: str) -> str | None:
        return self._main.get(name.lower())

    def definition(self, key: str) -> Definition:
        return self._known[key]

    def keys(self) -> dict[str, str]:
        """Every OID and name in lower case, to its key."""
        return dict(self._main)

    def _agree(self, keyword: str, known: tuple[str, ...], new: tuple[str, ...]) -> bool:
        if keyword.startswith("X-"):
            return known == new
        before, after = ({self._meaning(word) for word in words} for words in (known, new))
        return before == after or (keyword in _RULES and "" in (before | after))
