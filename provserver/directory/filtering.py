"""Filters evaluated against entries, in three values: TRUE, FALSE and None for Undefined (RFC 4511
4.5.1.7).

A filter is compiled once into closures; an entry matches when the result is True. Undefined, never an
error: an attribute or a rule that the schema does not know, a value that is no value of the type, a type
without the rule that the assertion needs, and every assertion about a secret attribute, presence included.
An attribute that the entry lacks makes an assertion FALSE, so `(!(cn=x))` matches entries without cn, and
`(!(nosuch=x))` matches nothing.

Approximate match (ours): letters and digits alone are compared, without case and accents; for types that
are no strings it is equality. Attributes stand for their subtypes and for their options too (RFC 4512 2.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from provserver.directory.assembly import AttributeType
from provserver.directory.assertions import (
    Test,
    Verdict,
    any_of,
    approximately,
    equality,
    rule_test,
    substrings,
)
from provserver.directory.computed import OF_ENTRY, UNDEFINED, values_of
from provserver.directory.entries import Entry
from provserver.directory.matching import OrderingRule, Rule, SubstringsRule
from provserver.directory.packed import has_options
from provserver.directory.schema import Schema
from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
)
from provserver.ldap.results import Refusal, ResultCode

Predicate = Callable[[Entry], Verdict]

_OBJECT_CLASS: Final = "objectclass"
DEPTH_LIMIT: Final = 128
"""Nesting of and, or, not. The wire refuses more than 100; this bounds the recursion of other callers."""


def compile_filter(filter: Filter, schema: Schema) -> Predicate:
    """The filter as a function of entries. Refusal ADMIN_LIMIT_EXCEEDED: nested too deeply."""
    return _compile(filter, schema, DEPTH_LIMIT)


def _compile(filter: Filter, schema: Schema, depth: int) -> Predicate:
    if isinstance(filter, And | Or | Not):
        if not depth:
            raise Refusal(ResultCode.ADMIN_LIMIT_EXCEEDED, f"filter: expected at most {DEPTH_LIMIT} levels")
        if isinstance(filter, Not):
            return _negation(_compile(filter.part, schema, depth - 1))
        parts = tuple([_compile(part, schema, depth - 1) for part in filter.parts])
        if len(parts) == 1:
            return parts[0]
        return partial(_every, parts) if isinstance(filter, And) else partial(_some, parts)
    if isinstance(filter, Present):
        return _presence(filter.attribute, schema)
    if isinstance(filter, Extensible):
        return _extensible(filter, schema)
    return _assertion(filter, schema)


def _every(parts: tuple[Predicate, ...], entry: Entry) -> Verdict:
    """`&`; of nothing TRUE (RFC 4526)."""
    verdict: Verdict = True
    for part in parts:
        one = part(entry)
        if one is False:
            return False
        if one is None:
            verdict = None
    return verdict


def _some(parts: tuple[Predicate, ...], entry: Entry) -> Verdict:
    """`|`; of nothing FALSE (RFC 4526)."""
    verdict: Verdict = False
    for part in parts:
        one = part(entry)
        if one is True:
            return True
        if one is None:
            verdict = None
    return verdict


def _negation(part: Predicate) -> Predicate:
    def holds_not(entry: Entry) -> Verdict:
        verdict = part(entry)
        return None if verdict is None else not verdict

    return holds_not


def _undefined(entry: Entry) -> Verdict:
    return None


def _type(description: str, schema: Schema) -> tuple[str, AttributeType] | None:
    """An attribute that may be asked about."""
    key = schema.known_key(description)
    if key is None or schema.is_secret(key) or key in UNDEFINED:
        return None
    return key, schema.type_of(key)


def _presence(description: str, schema: Schema) -> Predicate:
    known = _type(description, schema)
    return _undefined if known is None else _over(known[0], schema, _is_there)


def _is_there(values: tuple[bytes, ...]) -> Verdict:
    return True


# ---------------------------------------------------------------- which attributes an assertion is about


def _over(key: str, schema: Schema, test: Test) -> Predicate:
    """The test on an attribute, its subtypes, and both with any further options."""
    if key in OF_ENTRY:
        return lambda entry: test(values) if (values := values_of(key, entry)) else False
    base, _, options = key.partition(";")
    bases = tuple([below for below in schema.subtypes(base) if not schema.is_secret(below)])
    wanted = frozenset(options.split(";")) if options else frozenset()
    if wanted or len(bases) > 1:
        return partial(_among, frozenset(bases), wanted, test)

    def of_one(entry: Entry) -> Verdict:
        attributes = entry.attributes
        held = attributes.get(key)
        verdict = False if held is None else test(held.values)
        if verdict is True or not has_options(attributes):
            return verdict
        return _among(frozenset(bases), wanted, test, entry)

    return of_one


def _among(bases: frozenset[str], wanted: frozenset[str], test: Test, entry: Entry) -> Verdict:
    verdict: Verdict = False
    attributes = entry.attributes
    for key in attributes:
        base, _, options = key.partition(";")
        if base in bases and (not wanted or wanted.issubset(options.split(";"))):
            one = test(attributes[key].values)
            if one is True:
                return True
            if one is None:
                verdict = None
    return verdict


# ---------------------------------------------------------------- assertions about values

_Simple = Equality | Substrings | GreaterOrEqual | LessOrEqual | Approximate


def _assertion(filter: _Simple, schema: Schema) -> Predicate:
    known = _type(filter.attribute, schema)
    if known is None:
        return _undefined
    key, type = known
    if key == _OBJECT_CLASS and isinstance(filter, Equality):
        return schema.remembered_test(filter.value, lambda: _made(filter, key, type, schema))
    return _made(filter, key, type, schema)


def _made(filter: _Simple, key: str, type: AttributeType, schema: Schema) -> Predicate:
    try:
        test = _test(filter, type)
    except ValueError:
        return _undefined
    return _undefined if test is None else _over(key, schema, test)


def _test(filter: _Simple, type: AttributeType) -> Test | None:
    """The assertion on values; None: the type has no rule for it. ValueError: it is no value of the type."""
    if isinstance(filter, Equality):
        return equality(type, filter.value)
    if isinstance(filter, Substrings):
        rule = type.substrings
        if not isinstance(rule, SubstringsRule):
            return None
        return substrings(rule, filter.initial, filter.any, filter.final)
    if isinstance(filter, Approximate):
        return approximately(type, filter.value)
    ordering = type.ordering
    if not isinstance(ordering, OrderingRule):
        return None
    comparable, limit = ordering.comparable, ordering.comparable(filter.value)
    if isinstance(filter, GreaterOrEqual):
        return any_of(lambda value: comparable(value) >= limit)
    return any_of(lambda value: comparable(value) <= limit)


# ---------------------------------------------------------------- extensible match


def _extensible(filter: Extensible, schema: Schema) -> Predicate:
    """`attribute:dn:rule:=value` (RFC 4511 4.5.1.7.7)."""
    rule = None if filter.rule is None else schema.rule(filter.rule)
    if filter.rule is not None and rule is None:
        return _undefined
    if filter.attribute is None:
        return _undefined if rule is None else _everywhere(rule, filter, schema)
    known = _type(filter.attribute, schema)
    if known is None:
        return _undefined
    key, type = known
    try:
        test = equality(type, filter.value) if rule is None else rule_test(rule, type, filter.value)
    except ValueError:
        return _undefined
    if test is None:
        return _undefined
    held = _over(key, schema, test)
    if not filter.dn_attributes:
        return held
    bases = frozenset(schema.subtypes(key))
    return partial(
        _some, (held, partial(_in_name, schema, lambda found: test if found.key in bases else None))
    )


def _everywhere(rule: Rule, filter: Extensible, schema: Schema) -> Predicate:
    """A rule without an attribute: every attribute that the rule can judge."""
    tests: dict[str, Test | None] = {}

    def test_for(type: AttributeType) -> Test | None:
        if type.key not in tests:
            try:
                tests[type.key] = None if type.secret else rule_test(rule, type, filter.value)
            except ValueError:
                tests[type.key] = None
        return tests[type.key]

    def holds(entry: Entry) -> Verdict:
        held = {key: attribute.values for key, attribute in entry.attributes.items()}
        for key in OF_ENTRY:
            if key in schema.attribute_types:
                held[key] = values_of(key, entry)
        return _each(schema, held, test_for)

    if not filter.dn_attributes:
        return holds
    return partial(_some, (holds, partial(_in_name, schema, test_for)))


def _each(
    schema: Schema, held: Mapping[str, tuple[bytes, ...]], test_for: Callable[[AttributeType], Test | None]
) -> Verdict:
    judged = False
    verdict: Verdict = False
    for key, values in held.items():
        if not values or schema.is_secret(key):
            continue
        test = test_for(schema.type_of(key))
        if test is None:
            continue
        judged = True
        one = test(values)
        if one is True:
            return True
        if one is None:
            verdict = None
    return verdict if judged else None


def _in_name(schema: Schema, test_for: Callable[[AttributeType], Test | None], entry: Entry) -> Verdict:
    """`:dn:`: the attributes of the entry's name, all its levels (RFC 4511 4.5.1.7.7)."""
    verdict: Verdict = False
    for rdn in entry.dn.rdns:
        for name, value in rdn.pairs:
            known = _type(name, schema)
            test = None if known is None else test_for(known[1])
            if test is None:
                continue
            one = test((value.encode(),))
            if one is True:
                return True
            if one is None:
                verdict = None
    return verdict
