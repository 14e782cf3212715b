"""The kinds of matching rules: what is equal to, before, or in another (RFC 4517 section 4).

How each rule sees values is `comparables`, which rules there are is `rules`. What cannot be a value raises
ValueError, saying what was expected; what is asserted is then Undefined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from provserver.directory.comparables import Comparable, text_of
from provserver.directory.preparation import prepare
from provserver.directory.syntaxes import integer


@dataclass(frozen=True, slots=True)
class Rule:
    """What all rules have. `syntax` is that of the asserted value, `suited` are those of the values that the
    rule can judge, whatever rules their types have.
    """

    oid: str
    name: str
    syntax: str
    suited: frozenset[str]


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
        integer(value)
        common = int(value) & asserted
        return common == asserted if self.every else common != 0


@dataclass(frozen=True, slots=True)
class WordRule(Rule):
    """Whether some of a text's parts, words or keywords, are the asserted ones, side by side; case does not
    count. `parts`: those of prepared text.
    """

    parts: Callable[[str], tuple[str, ...]]

    def asserted(self, value: bytes) -> tuple[str, ...]:
        parts = self.parts(prepare(text_of(value)))
        if not parts:
            raise ValueError("at least one word")
        return parts

    def holds(self, value: bytes, asserted: tuple[str, ...]) -> bool:
        parts, count = self.parts(prepare(text_of(value))), len(asserted)
        return any(parts[at : at + count] == asserted for at in range(len(parts) - count + 1))


@dataclass(frozen=True, slots=True)
class UnknownRule(Rule):
    """A rule that a schema names and this server cannot evaluate: assertions by it are Undefined."""
