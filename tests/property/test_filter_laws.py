"""Filters obey three-valued logic, rules agree with simpler ones of our own, changes with a plain model."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.directory.comparables import ordered_integer
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN
from provserver.directory.preparation import prepare, prepare_part, prepare_telephone, spaced
from provserver.directory.schema import Schema
from provserver.directory.times import generalized_time
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
attributetype ( 2.999.5 NAME 'when' EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
objectclass ( 2.999.4 NAME 'thing' MUST cn MAY ( description $ number $ secret ) )
"""
many = settings(max_examples=300)


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


# RFC 4518 2.6.1 and RFC 4517 4.2.13 said again, letter by letter, for a few telling characters.
spacious = st.text("aB \t\u00a0\u00ad\u0301\u0903é", max_size=7)


def reference(text: str, kind: str) -> str:
    mapped = "".join(" " if c in "\t\u00a0" else c for c in text if c != "\u00ad")
    normal = unicodedata.normalize("NFKC", mapped.casefold())
    units: list[str] = []
    for index, character in enumerate(normal):
        follows = normal[index + 1 : index + 2]
        carries = follows != "" and unicodedata.category(follows).startswith("M")
        units.append("gap" if character == " " and not carries else character)
    if all(unit == "gap" for unit in units):
        return "  " if kind == "value" else " "
    first = next(index for index, unit in enumerate(units) if unit != "gap")
    last = next(index for index in range(len(units) - 1, -1, -1) if units[index] != "gap")
    inner = ""
    for index in range(first, last + 1):
        if units[index] != "gap":
            inner += units[index]
        elif units[index - 1] != "gap":
            inner += "  "
    before = kind in ("value", "initial") or first > 0
    after = kind in ("value", "final") or last < len(units) - 1
    return f"{' ' if before else ''}{inner}{' ' if after else ''}"


def placed(value: str, parts: list[str], start: int, stop: int) -> bool:
    """Whether the parts fit into disjoint portions, in order: every place is tried."""
    if not parts:
        return True
    part, rest = parts[0], parts[1:]
    return any(
        value[at : at + len(part)] == part and placed(value, rest, at + len(part), stop)
        for at in range(start, stop - len(part) + 1)
    )


def contains(value: str, initial: str | None, any: list[str], final: str | None) -> bool:
    whole = reference(value, "value")
    start, stop = 0, len(whole)
    if initial is not None:
        part = reference(initial, "initial")
        if not whole.startswith(part):
            return False
        start = len(part)
    if final is not None:
        part = reference(final, "final")
        if not whole.endswith(part) or stop - len(part) < start:
            return False
        stop -= len(part)
    return placed(whole, [reference(one, "any") for one in any], start, stop)


@settings(max_examples=1_000)
@given(
    spacious.filter(bool),
    st.none() | spacious.filter(bool),
    st.lists(spacious.filter(bool), max_size=2),
    st.none() | spacious.filter(bool),
)
def test_substrings_agree_with_the_rfc_said_letter_by_letter(
    value: str, initial: str | None, any: list[str], final: str | None
) -> None:
    filter = Substrings(
        "description",
        initial.encode() if initial else None,
        tuple(part.encode() for part in any),
        final.encode() if final else None,
    )
    expected = contains(value, initial, any, final)
    assert verdict(filter, {"description": [value.encode()]}) is expected


@many
@given(spacious)
def test_preparation_agrees_with_the_rfc_said_letter_by_letter(text: str) -> None:
    assert spaced(prepare(text)) == reference(text, "value")
    assert prepare_part(text, True, first=True) == reference(text, "initial")
    assert prepare_part(text, True) == reference(text, "any")
    assert prepare_part(text, True, last=True) == reference(text, "final")
    assert prepare(prepare(text)) == prepare(text)


@many
@given(st.text("0123456789", min_size=1, max_size=8), st.lists(st.sampled_from(" -"), max_size=4), st.data())
def test_a_telephone_number_is_its_digits_wherever_spaces_and_hyphens_stand(
    digits: str, noise: list[str], data: st.DataObject
) -> None:
    text = list(digits)
    for one in noise:
        text.insert(data.draw(st.integers(0, len(text))), one)
    assert prepare_telephone("".join(text)) == digits


Time = tuple[str, Fraction]
YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)


@st.composite
def times(draw: st.DrawFn, first: datetime, last: datetime) -> Time:
    """A generalized time in any of its forms, and its instant in seconds since the year 1."""
    unit = draw(st.sampled_from([3600, 60, 1]))
    local = first + timedelta(seconds=draw(st.integers(0, int((last - first).total_seconds()))))
    if unit > 1:
        local = local.replace(second=0)
    if unit > 60:
        local = local.replace(minute=0)
    text = f"{local.year:04d}{local.month:02d}{local.day:02d}{local.hour:02d}"
    text += f"{local.minute:02d}" if unit < 3600 else ""
    text += f"{local.second:02d}" if unit == 1 else ""
    fraction = draw(st.text("059", max_size=3))
    if fraction:
        text += draw(st.sampled_from(".,")) + fraction
    east = draw(st.integers(-1439, 1439))
    zone = "Z"
    if east:
        zone = f"{'-' if east < 0 else '+'}{abs(east) // 60:02d}"
        zone += f"{abs(east) % 60:02d}" if east % 60 or draw(st.booleans()) else ""
    since = local - timedelta(minutes=east) - YEAR_1
    seconds = Fraction(since.days * 86_400 + since.seconds)
    return text + zone, seconds + Fraction(int(fraction or 0) * unit, 10 ** len(fraction))


near = times(datetime(2024, 2, 28, 22, tzinfo=UTC), datetime(2024, 2, 29, 2, tzinfo=UTC))
anywhere = times(datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC))


@many
@given(st.tuples(near, near) | st.tuples(anywhere, anywhere))
def test_instants_are_ordered_as_datetime_orders_them(two: tuple[Time, Time]) -> None:
    (one, before), (other, after) = two
    held = {"when": [one.encode()]}
    assert verdict(Equality("when", other.encode()), held) is (before == after)
    assert verdict(GreaterOrEqual("when", other.encode()), held) is (before >= after)
    assert verdict(LessOrEqual("when", other.encode()), held) is (before <= after)


@many
@given(near)
def test_an_instant_has_one_form_in_utc(one: Time) -> None:
    text, instant = one
    form = generalized_time(text.encode())
    assert generalized_time(form.encode() + b"Z") == form
    whole, _, fraction = form.partition(".")
    since = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - YEAR_1
    assert since.days * 86_400 + since.seconds + Fraction(f"0.{fraction or 0}") == instant


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
