"""Assertions about the values of one attribute: three-valued tests made from matching rules.

A test is TRUE when it holds for one of the values; otherwise Undefined (None) when a stored value cannot be
judged. Making one raises ValueError when what is asserted is no value of the type or the rule.
"""

from __future__ import annotations

from collections.abc import Callable

from provserver.directory.assembly import AttributeType
from provserver.directory.comparables import text_of
from provserver.directory.matching import (
    BitRule,
    EqualityRule,
    OrderingRule,
    Rule,
    SubstringsRule,
    WordRule,
)
from provserver.directory.preparation import approximate
from provserver.directory.syntaxes import integer

Verdict = bool | None
Test = Callable[[tuple[bytes, ...]], Verdict]


def any_of(holds: Callable[[bytes], bool]) -> Test:
    """TRUE when it holds for one value; Undefined when it does not, and one stored value cannot be judged."""

    def test(values: tuple[bytes, ...]) -> Verdict:
        verdict: Verdict = False
        for value in values:
            try:
                if holds(value):
                    return True
            except ValueError:
                verdict = None
        return verdict

    return test


def equality(type: AttributeType, value: bytes) -> Test | None:
    rule, comparable = type.equality, type.comparable
    if comparable is None or type.asserted is None or not isinstance(rule, EqualityRule):
        return None
    wanted = type.asserted(value)
    if rule.assertion is not None:
        return any_of(lambda held: comparable(held) == wanted)

    def test(values: tuple[bytes, ...]) -> Verdict:
        if value in values:
            return True
        verdict: Verdict = False
        for held in values:
            try:
                if comparable(held) == wanted:
                    return True
            except ValueError:
                verdict = None
        return verdict

    return test


def approximately(type: AttributeType, value: bytes) -> Test | None:
    if not isinstance(type.substrings, SubstringsRule):
        return equality(type, value)
    wanted = approximate(text_of(value))
    return any_of(lambda held: approximate(text_of(held)) == wanted)


def substrings(
    rule: SubstringsRule, initial: bytes | None, any: tuple[bytes, ...], final: bytes | None
) -> Test:
    prepared = rule.value
    start = None if initial is None else rule.part(initial, True, False)
    middle = tuple([rule.part(part, False, False) for part in any])
    end = None if final is None else rule.part(final, False, True)

    def holds(value: bytes) -> bool:
        text = prepared(value)
        position, stop = 0, len(text)
        if start is not None:
            if not text.startswith(start):
                return False
            position = len(start)
        if end is not None:
            stop -= len(end)
            if stop < position or not text.endswith(end):
                return False
        for part in middle:
            # What one part has matched, the next cannot match again.
            found = text.find(part, position, stop)
            if found < 0:
                return False
            position = found + len(part)
        return True

    return any_of(holds)


def rule_test(rule: Rule, type: AttributeType, value: bytes) -> Test | None:
    """An assertion by a named rule; None: none can be made. ValueError: the value is none of the rule's."""
    if not suits(rule, type):
        return None
    if isinstance(rule, EqualityRule):
        if type.equality is not None and type.equality.oid == rule.oid:
            return equality(type, value)
        comparable, wanted = rule.comparable, rule.asserted(value)
        return any_of(lambda held: comparable(held) == wanted)
    if isinstance(rule, OrderingRule):
        # RFC 4517 4.2.*: TRUE when the attribute's value comes before the asserted one.
        before, limit = rule.comparable, rule.comparable(value)
        return any_of(lambda held: before(held) < limit)
    if isinstance(rule, BitRule):
        integer(value)
        bits = int(value)
        return any_of(lambda held: rule.holds(held, bits))
    if isinstance(rule, WordRule):
        words = rule.asserted(value)
        return any_of(lambda held: rule.holds(held, words))
    if isinstance(rule, SubstringsRule):
        return substrings(rule, *_parts(value))
    return None


def suits(rule: Rule, type: AttributeType) -> bool:
    """Whether a rule can judge the values of a type (RFC 4512 4.1.4): it is one of the type's own, or it is
    for values of that syntax.
    """
    return type.syntax.oid in rule.suited or rule in (type.equality, type.ordering, type.substrings)


def _parts(value: bytes) -> tuple[bytes | None, tuple[bytes, ...], bytes | None]:
    """A substring assertion's text: `*` between parts, `\\2A` and `\\5C` for themselves (RFC 4517 3.3.30)."""
    first, *middle = [_unescaped(part) for part in value.split(b"*")]
    if not middle:
        raise ValueError("a substring assertion, with *")
    last = middle.pop()
    parts = tuple([part for part in middle if part])
    return first or None, parts, last or None


def _unescaped(part: bytes) -> bytes:
    return part.replace(b"\\2A", b"*").replace(b"\\2a", b"*").replace(b"\\5C", b"\\").replace(b"\\5c", b"\\")
