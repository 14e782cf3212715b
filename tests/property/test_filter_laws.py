"""Filters obey three-valued logic, rules agree with simpler ones of our own, changes with a plain model."""

from __future__ import annotations

import re
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.filtering import compile_filter
from provserver.directory.matching import ordered_integer
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import modified, new_entry
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

STRING = "1.3.6.1.4.1.1466.115.121.1.15"
IGNORE = "EQUALITY caseIgnoreMatch ORDERING caseIgnoreOrderingMatch SUBSTR caseIgnoreSubstringsMatch"
TEXT = f"""
attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )
attributetype ( 2.5.4.41 NAME 'name' {IGNORE} SYNTAX {STRING} )
attributetype ( 2.5.4.3 NAME 'cn' SUP name )
attributetype ( 2.999.1 NAME 'description' {IGNORE} SYNTAX {STRING} )
attributetype ( 2.999.2 NAME 'number' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )
attributetype ( 2.999.3 NAME 'secret' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40
  X-PROV-SECRET 'TRUE' )
objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
objectclass ( 2.999.4 NAME 'thing' MUST cn MAY ( description $ number $ secret ) )
"""
many = settings(max_examples=300, deadline=None)


@cache
def schema() -> Schema:
    return Schema.parse([("laws", TEXT)])


attributes = st.sampled_from(
    ["cn", "name", "description", "number", "secret", "nosuch", "cn;lang-de", "objectClass"]
)
octets = st.one_of(
    st.sampled_from([b"a", b"A b", b"1", b"12", b"-3", b"thing", b"\xff", b""]), st.binary(max_size=3)
)
simple: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Equality, attributes, octets),
    st.builds(Present, attributes),
    st.builds(Approximate, attributes, octets),
    st.builds(GreaterOrEqual, attributes, octets),
    st.builds(LessOrEqual, attributes, octets),
    st.builds(
        Substrings,
        attributes,
        st.none() | octets,
        st.lists(octets, max_size=2).map(tuple),
        st.none() | octets,
    ),
    st.builds(
        Extensible,
        st.none() | st.sampled_from(["caseIgnoreMatch", "2.5.13.15", "integerBitAndMatch", "nosuch"]),
        st.none() | attributes,
        octets,
        st.booleans(),
    ),
)
filters: st.SearchStrategy[Filter] = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)
stored = st.dictionaries(
    st.sampled_from(["cn", "description", "number", "secret", "cn;lang-de", "gone"]),
    st.lists(octets, min_size=1, max_size=3),
    max_size=4,
)


def entry(held: dict[str, list[bytes]]) -> Entry:
    return Entry(
        EntryId("x"),
        DN.parse("cn=a,ou=b"),
        {key: Attribute(key, tuple(values)) for key, values in held.items()},
    )


def verdict(filter: Filter, held: dict[str, list[bytes]]) -> bool | None:
    return compile_filter(filter, schema())(entry(held))


@many
@given(filters, stored)
def test_a_double_negation_is_none(filter: Filter, held: dict[str, list[bytes]]) -> None:
    assert verdict(Not(Not(filter)), held) is verdict(filter, held)


@many
@given(filters, filters, stored)
def test_de_morgan(one: Filter, other: Filter, held: dict[str, list[bytes]]) -> None:
    assert verdict(Not(And((one, other))), held) is verdict(Or((Not(one), Not(other))), held)
    assert verdict(Not(Or((one, other))), held) is verdict(And((Not(one), Not(other))), held)


@many
@given(filters, filters, stored)
def test_order_does_not_matter_and_truth_is_the_least_and_the_greatest(
    one: Filter, other: Filter, held: dict[str, list[bytes]]
) -> None:
    rank = {False: 0, None: 1, True: 2}
    ranks = sorted([rank[verdict(one, held)], rank[verdict(other, held)]])
    assert verdict(And((one, other)), held) is verdict(And((other, one)), held)
    assert verdict(Or((one, other)), held) is verdict(Or((other, one)), held)
    assert rank[verdict(And((one, other)), held)] == ranks[0]
    assert rank[verdict(Or((one, other)), held)] == ranks[1]


@many
@given(filters, stored, st.lists(octets, min_size=1, max_size=2))
def test_no_filter_can_tell_what_a_secret_is_or_whether_there_is_one(
    filter: Filter, held: dict[str, list[bytes]], secret: list[bytes]
) -> None:
    without = {key: values for key, values in held.items() if key != "secret"}
    assert verdict(filter, {**without, "secret": secret}) is verdict(filter, without)


letters = st.text("aB", max_size=4)


@many
@given(
    st.text("aBb", max_size=8),
    st.none() | st.text("ab", min_size=1, max_size=3),
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=3),
    st.none() | st.text("ab", min_size=1, max_size=3),
)
def test_substrings_agree_with_a_regular_expression(
    value: str, initial: str | None, any: list[str], final: str | None
) -> None:
    pattern = ".*".join([initial or "", *any, final or ""]) if any else f"{initial or ''}.*{final or ''}"
    filter = Substrings(
        "cn",
        initial.encode() if initial else None,
        tuple(part.encode() for part in any),
        final.encode() if final else None,
    )
    expected = re.fullmatch(pattern, value, re.IGNORECASE) is not None
    assert verdict(filter, {"cn": [value.encode()]}) is expected


@many
@given(st.integers(), st.integers())
def test_integers_are_ordered_as_integers(one: int, other: int) -> None:
    held = {"number": [str(one).encode()]}
    assert verdict(GreaterOrEqual("number", str(other).encode()), held) is (one >= other)
    assert verdict(LessOrEqual("number", str(other).encode()), held) is (one <= other)
    assert verdict(Equality("number", str(other).encode()), held) is (one == other)
    assert (ordered_integer(str(one).encode()) < ordered_integer(str(other).encode())) is (one < other)


words = st.sampled_from([b"a", b"b", b" A ", b"c"])
changes = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.just("description"), st.lists(words, max_size=2)), max_size=5
)


def model(held: list[bytes], steps: list[tuple[int, str, list[bytes]]]) -> list[bytes] | ResultCode:
    """RFC 4511 4.6 said again, as plainly as possible, for one attribute."""

    def same(value: bytes) -> bytes:
        return value.strip().lower()

    for kind, _, values in steps:
        folded = [same(value) for value in values]
        if kind == 0 and not values:
            return ResultCode.PROTOCOL_ERROR
        if kind == 1 and not held:
            return ResultCode.NO_SUCH_ATTRIBUTE
        if len(set(folded)) < len(folded):
            return ResultCode.ATTRIBUTE_OR_VALUE_EXISTS
        if kind == 2:
            held = values
        elif kind == 1:
            if any(value not in [same(one) for one in held] for value in folded):
                return ResultCode.NO_SUCH_ATTRIBUTE
            held = [one for one in held if values and same(one) not in folded]
        else:
            if any(same(one) in folded for one in held):
                return ResultCode.ATTRIBUTE_OR_VALUE_EXISTS
            held = held + values
    return held


@many
@given(st.lists(words, max_size=3, unique_by=lambda word: word.strip().lower()), changes)
def test_changes_do_what_the_rfc_says_or_refuse_with_its_code(
    held: list[bytes], steps: list[tuple[int, str, list[bytes]]]
) -> None:
    given_attributes = [("objectClass", [b"thing"]), *([("description", held)] if held else [])]
    before = new_entry(DN.parse("cn=a"), given_attributes, schema(), EntryId("x"), "20260101000000Z", "cn=a")
    expected = model(held, steps)
    try:
        after = modified(before, steps, schema(), "20260101000000Z", "cn=a")
    except Refusal as refusal:
        outcome: object = refusal.code
    else:
        outcome = list(after.values("description"))
    assert outcome == expected
    assert list(before.values("description")) == held
