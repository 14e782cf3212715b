"""Server-side sorting (RFC 2891)."""

from __future__ import annotations

import pytest
from desk import Desk, leaves
from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.ldap.controls import PagedResults, SortKey, SortRequest, SortResult
from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.testing.wire import Told

C = ResultCode
BELOW = {"scope": Scope.ONE_LEVEL}


@pytest.fixture
def desk() -> Desk:
    """Persons, whose badges (integers) sort otherwise than as texts, with and without a title."""
    desk = Desk()
    desk.add("cn=b,dc=im", "person", sn="Zola", eTPropagatePassword="9", title="Pilot")
    desk.add("cn=a,dc=im", "person", sn="abel", eTPropagatePassword="10")
    desk.add("cn=d,dc=im", "person", sn="Mann", eTPropagatePassword="-3", title="captain")
    desk.add("cn=c,dc=im", "person", sn="mann", eTPropagatePassword="200", title=["Zeus", "bosun"])
    return desk


def by(*keys: str) -> SortRequest:
    """Sort keys: `-name:rule`, as ldapsearch has them."""
    made = []
    for key in keys:
        name, _, rule = key.removeprefix("-").partition(":")
        made.append(SortKey(name, rule or None, key.startswith("-")))
    return SortRequest(tuple(made))


def result_of(told: Told) -> tuple[ResultCode, str | None] | None:
    control = told.control(SortResult)
    return None if control is None else (control.code, control.attribute)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["cn"], "abcd"),
        (["-cn"], "dcba"),
        (["commonName"], "abcd"),
        (["2.5.4.3"], "abcd"),
        (["sn", "cn"], "acdb"),
        (["sn", "-cn"], "adcb"),
        (["-sn", "cn"], "bcda"),
        (["sn:caseExactOrderingMatch"], "dbac"),
        (["sn:2.5.13.6"], "dbac"),
        (["eTPropagatePassword"], "dbac"),
        (["-eTPropagatePassword"], "cabd"),
        (["title", "cn"], "cdba"),  # the least of several values counts, and none is larger than all
        (["-title", "cn"], "abdc"),
        (["entryDN"], "abcd"),
        (["createTimestamp", "-cn"], "dcba"),
    ],
    ids=str,
)
def test_entries_come_in_the_order_of_the_keys(desk: Desk, keys: list[str], expected: str) -> None:
    told = desk.ask("(sn=*)", by(*keys), **BELOW)
    assert told.code is C.SUCCESS
    assert "".join(leaves(told)) == expected
    assert result_of(told) == (C.SUCCESS, None)


def test_a_type_stands_for_its_subtypes(desk: Desk) -> None:
    """cn, sn and title are names, and the least of them counts."""
    desk.add("cn=e,dc=im", "person", sn="x", title="aa")
    assert leaves(desk.ask("(sn=*)", by("name"))) == ["a", "e", "b", "c", "d"]


def test_only_the_attribute_with_the_option_is_sorted_by(desk: Desk) -> None:
    desk.add("cn=e,dc=im", "person", sn=["x"], description_lang_de="a", description="z")
    desk.add("cn=f,dc=im", "person", sn=["x"], description="a")
    assert leaves(desk.ask("(description=*)", by("description;lang-de", "cn"))) == ["e", "f"]
    assert leaves(desk.ask("(description=*)", by("-description", "-cn"))) == ["f", "e"]


FAULTS = [
    (["nosuch"], C.NO_SUCH_ATTRIBUTE, "nosuch"),
    (["cn", "nosuch", "worse"], C.NO_SUCH_ATTRIBUTE, "nosuch"),
    (["eTPassword"], C.NO_SUCH_ATTRIBUTE, "eTPassword"),
    (["provPasswordHash"], C.NO_SUCH_ATTRIBUTE, "provPasswordHash"),
    (["cn:nosuchrule"], C.INAPPROPRIATE_MATCHING, "cn"),
    (["cn:integerOrderingMatch"], C.INAPPROPRIATE_MATCHING, "cn"),
    (["cn:caseIgnoreMatch"], C.INAPPROPRIATE_MATCHING, "cn"),
    (["subtreeSpecification"], C.INAPPROPRIATE_MATCHING, "subtreeSpecification"),
    (["cn", "sn", "commonName"], C.UNWILLING_TO_PERFORM, "commonName"),
    (["cn"] * 17, C.UNWILLING_TO_PERFORM, None),
]


@pytest.mark.parametrize(("keys", "code", "attribute"), FAULTS, ids=str)
def test_keys_that_cannot_be_sorted_by(
    desk: Desk, keys: list[str], code: ResultCode, attribute: str | None
) -> None:
    told = desk.ask("(sn=*)", by(*keys))
    assert (told.code, told.entries) == (C.UNAVAILABLE_CRITICAL_EXTENSION, [])
    assert result_of(told) == (code, attribute)
    told = desk.ask("(sn=*)", by(*keys), critical=False)
    assert (told.code, sorted(leaves(told))) == (C.SUCCESS, ["a", "b", "c", "d"])
    assert result_of(told) == (code, attribute)


def test_where_no_entry_is_sent_nothing_is_said_of_the_order(desk: Desk) -> None:
    assert result_of(desk.ask("(sn=nobody)", by("cn"))) is None
    assert result_of(desk.ask("(sn=nobody)", by("nosuch"), critical=False)) is None


def test_what_is_within_the_size_limit_is_the_beginning_of_the_order(desk: Desk) -> None:
    told = desk.ask("(sn=*)", by("-cn"), size=2)
    assert (told.code, leaves(told)) == (C.SIZE_LIMIT_EXCEEDED, ["d", "c"])
    assert result_of(told) == (C.SUCCESS, None)


def test_no_more_entries_are_held_than_agreed() -> None:
    desk = Desk(most_sorted=3)
    desk.people(["a", "b", "c"])
    assert leaves(desk.ask("(sn=x)", by("-cn"))) == ["c", "b", "a"]
    desk.people(["d"])
    told = desk.ask("(sn=x)", by("-cn"))
    assert (told.code, told.entries) == (C.ADMIN_LIMIT_EXCEEDED, [])
    assert result_of(told) == (C.ADMIN_LIMIT_EXCEEDED, None)
    told = desk.ask("(sn=x)", by("-cn"), critical=False)
    assert (told.code, leaves(told)) == (C.SUCCESS, ["a", "b", "c", "d"])
    assert result_of(told) == (C.ADMIN_LIMIT_EXCEEDED, None)


def test_a_sort_that_takes_too_long_sends_nothing() -> None:
    desk = Desk()
    desk.people([f"{number:04}" for number in range(700)])
    desk.tick = 1.0
    told = desk.ask("(sn=x)", by("-cn"), time=1)
    assert (told.code, told.entries) == (C.TIME_LIMIT_EXCEEDED, [])
    assert result_of(told) == (C.TIME_LIMIT_EXCEEDED, None)


def test_a_fault_of_the_base_is_told_before_one_of_the_order(desk: Desk) -> None:
    told = desk.ask("(sn=*)", by("cn"), base="cn=nobody,dc=im")
    assert (told.code, result_of(told)) == (C.NO_SUCH_OBJECT, None)


def test_pages_of_what_cannot_be_sorted_come_unsorted(desk: Desk) -> None:
    sort = by("nosuch")
    told = desk.ask("(sn=*)", sort, PagedResults(3), critical=False)
    assert len(told.entries) == 3
    assert result_of(told) == (C.NO_SUCH_ATTRIBUTE, "nosuch")
    cookie = told.control(PagedResults)
    assert cookie is not None
    assert len(desk.ask("(sn=*)", sort, PagedResults(3, cookie.cookie), critical=False).entries) == 1


TEXTS = st.lists(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=3), max_size=3
)


@settings(max_examples=60)
@given(
    people=st.lists(st.tuples(TEXTS, st.none() | st.integers(-1_000, 1_000)), min_size=1, max_size=12),
    directions=st.tuples(st.booleans(), st.booleans()),
)
def test_the_order_is_the_one_of_sorted(
    people: list[tuple[list[str], int | None]], directions: tuple[bool, bool]
) -> None:
    desk = Desk()
    for number, (titles, badge) in enumerate(people):
        more = {} if badge is None else {"eTPropagatePassword": str(badge)}
        titles = list({title.lower(): title for title in titles}.values())
        if titles:
            more["title"] = titles  # type: ignore[assignment]
        desk.add(f"cn={number:02},dc=im", "person", sn="x", **more)
    expected = list(range(len(people)))
    # Stable, and from the last key to the first: what `sorted` promises is what is asked for.
    expected.sort(key=lambda one: (people[one][1] is None, people[one][1] or 0), reverse=directions[1])
    expected.sort(
        key=lambda one: (not people[one][0], min([title.lower() for title in people[one][0]], default="")),
        reverse=directions[0],
    )
    keys = SortKey("title", None, directions[0]), SortKey("eTPropagatePassword", None, directions[1])
    told = desk.ask("(sn=x)", SortRequest(keys))
    assert [int(name) for name in leaves(told)] == expected
