"""Schema definitions as text: attribute types, object classes, matching rules and syntaxes (RFC 4512
section 4.1).

Read tolerantly, because real files of OpenLDAP and 389-ds differ from the RFC and from each other: clauses
in any order, keywords in any case, spaces where they can be missed, quotes round OIDs, X- extensions
anywhere. Written strictly. Errors are SchemaError, which names file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final


class SchemaError(ValueError):
    """A schema text that cannot be used: file, line, what was expected."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        super().__init__(f"{source}:{line}: {problem}")
        self.source = source
        self.line = line


@dataclass(frozen=True, slots=True)
class Place:
    """Where a definition was read."""

    source: str
    line: int

    def error(self, problem: str) -> SchemaError:
        return SchemaError(self.source, self.line, problem)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Definition:
    """What is common to all kinds. `kind` is the name of the subschema's attribute that shows it."""

    kind: str
    oid: str
    names: tuple[str, ...]
    clauses: Mapping[str, tuple[str, ...]]
    """By upper-case keyword (without NAME): the words given; none for a flag such as SINGLE-VALUE."""
    place: Place

    @property
    def name(self) -> str:
        """The first NAME, or the OID of what has none."""
        return self.names[0] if self.names else self.oid

    def one(self, keyword: str) -> str | None:
        words = self.clauses.get(keyword)
        return words[0] if words else None

    def many(self, keyword: str) -> tuple[str, ...]:
        return self.clauses.get(keyword, ())

    def has(self, keyword: str) -> bool:
        return keyword in self.clauses

    def text(self) -> str:
        """RFC 4512's form."""
        parts = [self.oid]
        if self.names:
            parts.append(f"NAME {_quoted(self.names)}")
        order = _WRITTEN[self.kind]
        for keyword in order:
            if keyword in self.clauses:
                parts.append(_clause(keyword, self.clauses[keyword]))
        parts += [_clause(key, words) for key, words in self.clauses.items() if key.startswith("X-")]
        return f"( {' '.join(parts)} )"


ATTRIBUTE_TYPES: Final = "attributeTypes"
OBJECT_CLASSES: Final = "objectClasses"
MATCHING_RULES: Final = "matchingRules"
MATCHING_RULE_USE: Final = "matchingRuleUse"
LDAP_SYNTAXES: Final = "ldapSyntaxes"

_FLAG, _WORD, _TEXT, _LIST = "flag", "word", "text", "list"
_SHAPES: Final[Mapping[str, Mapping[str, str]]] = {
    ATTRIBUTE_TYPES: {
        "DESC": _TEXT, "OBSOLETE": _FLAG, "SUP": _WORD, "EQUALITY": _WORD, "ORDERING": _WORD, "SUBSTR": _WORD,
        "SYNTAX": _WORD, "SINGLE-VALUE": _FLAG, "COLLECTIVE": _FLAG, "NO-USER-MODIFICATION": _FLAG,
        "USAGE": _WORD,
    },
    OBJECT_CLASSES: {
        "DESC": _TEXT, "OBSOLETE": _FLAG, "SUP": _LIST, "ABSTRACT": _FLAG, "STRUCTURAL": _FLAG,
        "AUXILIARY": _FLAG, "MUST": _LIST, "MAY": _LIST,
    },
    MATCHING_RULES: {"DESC": _TEXT, "OBSOLETE": _FLAG, "SYNTAX": _WORD},
    LDAP_SYNTAXES: {"DESC": _TEXT},
}  # fmt: skip
"""The clauses of each kind, and what follows the keyword."""
_WRITTEN: Final = {kind: tuple(shapes) for kind, shapes in _SHAPES.items()}
_KEYWORDS: Final = {keyword: shape for shapes in _SHAPES.values() for keyword, shape in shapes.items()}

_TOKEN: Final = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|([()$])|([^\s()$']+)|(\S))", re.DOTALL)
_BOUND: Final = re.compile(r"\{[0-9]*\}\Z")
_QUOTED_ESCAPE: Final = re.compile(r"\\(27|5[cC])")


def _quoted(words: Sequence[str]) -> str:
    shown = ["'" + word.replace("\\", "\\5C").replace("'", "\\27") + "'" for word in words]
    return shown[0] if len(shown) == 1 else f"( {' '.join(shown)} )"


def _clause(keyword: str, words: Sequence[str]) -> str:
    shape = _KEYWORDS.get(keyword, _TEXT)
    if shape == _FLAG:
        return keyword
    if shape == _LIST and len(words) > 1:
        return f"{keyword} ( {' $ '.join(words)} )"
    return f"{keyword} {words[0] if shape != _TEXT else _quoted(words)}"


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    quoted: bool
    line: int


class _Reader:
    """The tokens of one definition, in order."""

    def __init__(self, text: str, place: Place) -> None:
        self._place = place
        self._tokens = self._split(text)
        self._next = 0

    def _split(self, text: str) -> list[_Token]:
        tokens = []
        line, counted = self._place.line, 0
        for match in _TOKEN.finditer(text):
            quoted, sign, word, stray = match.groups()
            start = match.start(match.lastindex or 0)
            line += text.count("\n", counted, start)
            counted = start
            if stray is not None:
                raise SchemaError(self._place.source, line, "expected a closing quote")
            if quoted is not None:
                tokens.append(_Token(_QUOTED_ESCAPE.sub(_unescaped, quoted[1:-1]), True, line))
            else:
                tokens.append(_Token(sign or word, False, line))
        return tokens

    def error(self, problem: str) -> SchemaError:
        last = self._tokens[min(self._next, len(self._tokens) - 1)] if self._tokens else None
        return SchemaError(self._place.source, last.line if last else self._place.line, problem)

    def at_end(self) -> bool:
        return self._next >= len(self._tokens)

    def sees(self, sign: str) -> bool:
        if self.at_end():
            return False
        token = self._tokens[self._next]
        return not token.quoted and token.text == sign

    def sees_bound(self) -> bool:
        return not self.at_end() and _BOUND.match(self._tokens[self._next].text) is not None

    def take(self, sign: str) -> None:
        if not self.sees(sign):
            raise self.error(f"expected {sign!r}")
        self._next += 1

    def word(self, what: str, *, keyword: bool = False) -> str:
        token = None if self.at_end() else self._tokens[self._next]
        if token is None or (not token.quoted and token.text in "()$") or (keyword and token.quoted):
            raise self.error(f"expected {what}")
        self._next += 1
        return token.text

    def words(self, what: str) -> tuple[str, ...]:
        """One word, or several in parentheses; `$` between them may be missing."""
        if not self.sees("("):
            return (self.word(what),)
        self._next += 1
        found = []
        while not self.sees(")"):
            if self.sees("$"):
                self._next += 1
                continue
            found.append(self.word(f"{what} or ')'"))
        self._next += 1
        return tuple(found)


def _unescaped(match: re.Match[str]) -> str:
    return "'" if match.group(1) == "27" else "\\"


def parse_definition(kind: str, text: str, place: Place, resolve: Callable[[str], str]) -> Definition:
    """One definition in its parentheses; `resolve` turns macros of OIDs into numbers."""
    reader = _Reader(text, place)
    reader.take("(")
    oid = resolve(reader.word("an OID"))
    names: tuple[str, ...] = ()
    clauses: dict[str, tuple[str, ...]] = {}
    shapes = _SHAPES[kind]
    while not reader.sees(")"):
        if reader.at_end():
            raise reader.error("expected ')' at the end of the definition")
        keyword = reader.word("a keyword such as NAME", keyword=True).upper()
        if keyword in clauses or (keyword == "NAME" and names):
            raise reader.error(f"expected {keyword} once")
        if keyword == "NAME":
            names = reader.words("a name")
        elif keyword.startswith("X-"):
            clauses[keyword] = reader.words("a quoted text")
        elif keyword in shapes:
            clauses[keyword] = _argument(reader, keyword, shapes[keyword], resolve)
        else:
            raise reader.error(f"expected one of NAME, {', '.join(shapes)} or X-…, not {keyword}")
    reader.take(")")
    if not reader.at_end():
        raise reader.error("expected nothing after the closing ')'")
    return Definition(kind, oid, names, clauses, place)


def _argument(reader: _Reader, keyword: str, shape: str, resolve: Callable[[str], str]) -> tuple[str, ...]:
    if shape == _FLAG:
        return ()
    if shape == _LIST:
        words = reader.words("a name or an OID")
        if not words:
            raise reader.error(f"expected at least one name after {keyword}")
        return tuple([resolve(word) for word in words])
    if shape == _TEXT:
        return (reader.word("a quoted text"),)
    word = reader.word("a name or an OID")
    if keyword != "SYNTAX":
        return (resolve(word),)
    # `{64}`: a suggested minimum upper bound (RFC 4512 2.5.1), which may stand apart.
    if reader.sees_bound():
        word += reader.word("a bound")
    bound = _BOUND.search(word)
    oid = resolve(word[: bound.start()] if bound else word)
    return (oid + bound.group(),) if bound else (oid,)


def without_bound(syntax: str) -> str:
    """The OID of a SYNTAX clause."""
    return syntax.partition("{")[0]
