"""Paged results (RFC 2696)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from desk import OTHER_ROOT, ROOT, Desk, DeskLine, leaves
from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.ldap.controls import (
    ControlValue,
    MatchedValues,
    PagedResults,
    SortKey,
    SortRequest,
    SortResult,
)
from provserver.ldap.filters import Equality, Scope
from provserver.ldap.results import ResultCode
from provserver.operations.paging import IDLE_TIME
from provserver.operations.walking import TreeWalk
from provserver.storage.tree import Tree
from provserver.testing.wire import Told

SEVEN = ["a", "b", "c", "d", "e", "f", "g"]
PERSONS = "(sn=x)"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.people(SEVEN)
    return desk


def page(desk: Desk, size: int, cookie: bytes = b"", /, *others: ControlValue, **more: object) -> Told:
    wanted = more.pop("filter", PERSONS)
    return desk.ask(wanted, PagedResults(size, cookie), *others, **more)  # type: ignore[arg-type]


def cookie_of(told: Told) -> bytes:
    control = told.control(PagedResults)
    assert control is not None
    assert control.size == 0
    return control.cookie


def open_searches(desk: Desk) -> int:
    return len(desk.searches._controlled.pages)


def pages(desk: Desk, size: int, /, *others: ControlValue, **more: object) -> list[list[str]]:
    """All pages of a search, to its end."""
    found, cookie = [], b""
    while True:
        told = page(desk, size, cookie, *others, **more)
        assert told.code is ResultCode.SUCCESS, told
        found.append(leaves(told))
        cookie = cookie_of(told)
        if not cookie:
            assert open_searches(desk) == 0
            return found


@pytest.mark.parametrize("critical", [True, False])
def test_the_pages_together_are_the_whole(desk: Desk, critical: bool) -> None:
    assert pages(desk, 3, critical=critical) == [SEVEN[:3], SEVEN[3:6], SEVEN[6:]]


@pytest.mark.parametrize("size", [7, 8, 100_000])
def test_a_page_that_holds_all_is_the_last(desk: Desk, size: int) -> None:
    assert pages(desk, size) == [SEVEN]


def test_a_search_that_finds_nothing_has_one_empty_page(desk: Desk) -> None:
    assert pages(desk, 3, filter="(sn=nobody)") == [[]]


def test_pages_may_differ_in_size(desk: Desk) -> None:
    first = page(desk, 1)
    second = page(desk, 5, cookie_of(first))
    third = page(desk, 5, cookie_of(second))
    assert [leaves(one) for one in (first, second, third)] == [SEVEN[:1], SEVEN[1:6], SEVEN[6:]]
    assert cookie_of(third) == b""


def test_a_page_of_no_entries_gives_the_search_up(desk: Desk) -> None:
    cookie = cookie_of(page(desk, 3))
    assert open_searches(desk) == 1
    given_up = page(desk, 0, cookie)
    assert (given_up.code, given_up.entries, cookie_of(given_up)) == (ResultCode.SUCCESS, [], b"")
    assert open_searches(desk) == 0
    assert page(desk, 3, cookie).code is ResultCode.UNWILLING_TO_PERFORM
    without = page(desk, 0)
    assert (without.code, without.entries, cookie_of(without)) == (ResultCode.SUCCESS, [], b"")


def refused(told: Told) -> None:
    assert (told.code, told.entries) == (ResultCode.UNWILLING_TO_PERFORM, [])
    assert "paged results control: " in told.text


def test_a_cookie_is_good_for_one_page(desk: Desk) -> None:
    first = cookie_of(page(desk, 2))
    second = cookie_of(page(desk, 2, first))
    refused(page(desk, 2, first))
    assert leaves(page(desk, 2, second)) == SEVEN[4:6]


@pytest.mark.parametrize("cookie", [b"\0", b"x" * 16, b"\xff" * 1_000])
def test_a_cookie_that_was_not_handed_out_is_refused(desk: Desk, cookie: bytes) -> None:
    page(desk, 2)
    refused(page(desk, 2, cookie))


def test_a_cookie_is_good_on_its_own_connection_only(desk: Desk) -> None:
    cookie = cookie_of(page(desk, 2))
    refused(page(desk, 2, cookie, line=DeskLine()))
    assert leaves(page(desk, 2, cookie)) == SEVEN[2:4]


def test_a_cookie_is_good_for_its_own_caller_only(desk: Desk) -> None:
    cookie = cookie_of(page(desk, 2, identity=ROOT))
    refused(page(desk, 2, cookie, identity=OTHER_ROOT))
    assert leaves(page(desk, 2, cookie, identity=ROOT)) == SEVEN[2:4]


@pytest.mark.parametrize(
    "other",
    [
        {"filter": "(sn=y)"},
        {"base": "cn=a,dc=im,dc=eta"},
        {"scope": Scope.ONE_LEVEL},
        {"attributes": ["sn"]},
        {"types_only": True},
        {"size": 100},
        {"time": 100},
    ],
    ids=str,
)
def test_a_cookie_is_good_for_the_very_same_search_only(desk: Desk, other: dict[str, object]) -> None:
    cookie = cookie_of(page(desk, 2))
    refused(page(desk, 2, cookie, **other))
    assert leaves(page(desk, 2, cookie)) == SEVEN[2:4]


def test_other_controls_belong_to_the_search(desk: Desk) -> None:
    sort = SortRequest((SortKey("cn", reverse=True),))
    cookie = cookie_of(page(desk, 2, b"", sort))
    refused(page(desk, 2, cookie))
    refused(page(desk, 2, cookie, SortRequest((SortKey("cn"),))))
    refused(page(desk, 2, cookie, sort, MatchedValues((Equality("cn", b"a"),))))
    assert leaves(page(desk, 2, cookie, sort)) == ["e", "d"]


def test_no_more_searches_are_kept_open_than_agreed_and_the_oldest_gives_way() -> None:
    desk = Desk(paged=3)
    desk.people(SEVEN)
    cookies = [cookie_of(page(desk, 2)) for _ in range(4)]
    assert open_searches(desk) == 3
    refused(page(desk, 2, cookies[0]))
    for cookie in cookies[1:]:
        assert leaves(page(desk, 2, cookie)) == SEVEN[2:4]


def test_connections_have_their_own_share(desk: Desk) -> None:
    lines = [DeskLine() for _ in range(4)]
    cookies = [cookie_of(page(desk, 2, line=line)) for line in lines for _ in range(5)]
    assert open_searches(desk) == 20
    desk.searches.forget(lines[1])
    assert open_searches(desk) == 15
    refused(page(desk, 2, cookies[5], line=lines[1]))
    assert leaves(page(desk, 2, cookies[0], line=lines[0])) == SEVEN[2:4]


def test_a_search_is_not_waited_for_longer_than_its_time(desk: Desk) -> None:
    old = cookie_of(page(desk, 2))
    desk.now += IDLE_TIME / 2
    young = cookie_of(page(desk, 2, line=DeskLine()))
    assert young
    desk.now += IDLE_TIME / 2 + 1
    refused(page(desk, 2, old))
    assert open_searches(desk) == 1


def test_each_page_begins_the_time_anew(desk: Desk) -> None:
    cookie = b""
    for start in range(0, 6, 2):
        told = page(desk, 2, cookie)
        assert leaves(told) == SEVEN[start : start + 2]
        cookie = cookie_of(told)
        desk.now += IDLE_TIME - 1


def test_the_size_limit_is_one_of_all_pages_together(desk: Desk) -> None:
    first = page(desk, 2, size=5)
    second = page(desk, 2, cookie_of(first), size=5)
    third = page(desk, 2, cookie_of(second), size=5)
    assert [len(one.entries) for one in (first, second, third)] == [2, 2, 1]
    assert third.code is ResultCode.SIZE_LIMIT_EXCEEDED
    assert cookie_of(third) == b""
    assert open_searches(desk) == 0


def test_as_many_entries_as_the_size_limit_are_a_success(desk: Desk) -> None:
    assert pages(desk, 3, size=7) == [SEVEN[:3], SEVEN[3:6], SEVEN[6:]]


def test_a_page_as_large_as_the_size_limit_is_the_only_one(desk: Desk) -> None:
    told = page(desk, 9, size=3)
    assert (told.code, leaves(told), cookie_of(told)) == (ResultCode.SIZE_LIMIT_EXCEEDED, SEVEN[:3], b"")


def test_the_servers_size_limit_counts_too() -> None:
    desk = Desk(size=3)
    desk.people(SEVEN)
    told = page(desk, 2, cookie_of(page(desk, 2)))
    assert (told.code, leaves(told)) == (ResultCode.SIZE_LIMIT_EXCEEDED, ["c"])


def test_a_refused_search_keeps_nothing_open() -> None:
    desk = Desk(candidates=4)
    desk.people(SEVEN)
    told = page(desk, 10, filter="(objectClass=*)")
    assert (told.code, cookie_of(told)) == (ResultCode.ADMIN_LIMIT_EXCEEDED, b"")
    assert len(told.entries) == 4
    assert open_searches(desk) == 0


def test_what_vanishes_between_pages_is_not_sent(desk: Desk) -> None:
    cookie = cookie_of(page(desk, 2))
    desk.remove("cn=c,dc=im")
    desk.modify("cn=d,dc=im", "sn", "y")
    assert leaves(page(desk, 2, cookie)) == ["e", "f"]


def test_sorted_pages_are_pages_of_the_sorted_whole(desk: Desk) -> None:
    sort = SortRequest((SortKey("cn", reverse=True),))
    assert pages(desk, 3, sort) == [["g", "f", "e"], ["d", "c", "b"], ["a"]]
    told = page(desk, 3, b"", sort)
    assert told.control(SortResult) == SortResult()
    assert page(desk, 3, cookie_of(told), sort).control(SortResult) == SortResult()


def test_the_root_dse_can_be_read_in_pages(desk: Desk) -> None:
    told = page(desk, 5, base="", scope=Scope.BASE, filter="(objectClass=*)")
    assert (told.code, told.names, cookie_of(told)) == (ResultCode.SUCCESS, [""], b"")


ENDINGS: dict[str, Callable[[Desk], object]] = {
    "the last page": lambda desk: pages(desk, 3),
    "a page of no entries": lambda desk: page(desk, 0, cookie_of(page(desk, 2))),
    "the size limit": lambda desk: page(desk, 3, size=2),
    "a whole sorted search": lambda desk: desk.ask(PERSONS, SortRequest((SortKey("cn"),)), size=2),
    "the end of the connection": lambda desk: (page(desk, 2), desk.searches.forget(desk.line)),
    "its time": lambda desk: (page(desk, 2), setattr(desk, "now", IDLE_TIME + 1), page(desk, 9, b"?")),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=list(ENDINGS))
def test_a_search_that_is_over_is_closed_at_once(
    desk: Desk, ending: Callable[[Desk], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when nobody holds it any more: here somebody does."""
    held: list[Any] = []
    entries = TreeWalk.entries

    def noted(walk: TreeWalk) -> Any:
        held.append(entries(walk))
        return held[-1]

    monkeypatch.setattr(TreeWalk, "entries", noted)
    ending(desk)
    assert all(one.ag_frame is None for one in held)
    assert open_searches(desk) == 0


def test_nothing_is_read_from_the_beginning_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred pages of a hundred cost what one search costs."""
    desk = Desk()
    desk.people([f"{number:04}" for number in range(1_000)])
    read: list[int] = []
    rows = Tree.rows
    monkeypatch.setattr(Tree, "rows", lambda *given: _counted(read, rows(*given)))
    found = pages(desk, 10, filter="(!(description=*))")
    assert sum(map(len, found)) == 1_001
    assert sum(read) < 1_100


def _counted(read: list[int], rows: list[object]) -> list[object]:
    read.append(len(rows))
    return rows


NAMES = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=14)


@settings(max_examples=120)
@given(st.data())
def test_whatever_happens_between_pages_nothing_comes_twice(data: st.DataObject) -> None:
    desk = Desk()
    there = data.draw(NAMES)
    desk.people(there)
    scope = data.draw(st.sampled_from([Scope.SUBTREE, Scope.ONE_LEVEL]))
    filter = data.draw(st.sampled_from(["(cn=*)", "(objectClass=person)", "(!(sn=y))"]))
    others: Sequence[ControlValue] = data.draw(
        st.sampled_from([(), (SortRequest((SortKey("cn", reverse=True),)),)])
    )
    before = leaves(desk.ask(filter, *others, scope=scope))
    present, gone, found, cookie = set(there), set(), [], b""
    came: set[str] = set()
    while True:
        told = page(desk, data.draw(st.integers(1, 5)), cookie, *others, filter=filter, scope=scope)
        assert told.code is ResultCode.SUCCESS
        found += leaves(told)
        cookie = cookie_of(told)
        if not cookie:
            break
        for name in data.draw(st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=4)):
            if name in present:
                desk.remove(f"cn={name},dc=im")
                gone.add(name)
            else:
                desk.people([name])
                came.add(name)
            present ^= {name}
    assert len(set(found)) == len(found)
    stayed = [name for name in before if name not in gone]
    assert [name for name in found if name in stayed] == stayed
    assert set(found) - set(before) <= came


@settings(max_examples=60)
@given(names=NAMES, sizes=st.lists(st.integers(1, 6), min_size=1, max_size=20))
def test_the_pages_joined_are_the_search_without_pages(names: list[str], sizes: list[int]) -> None:
    desk = Desk()
    desk.people(names)
    found, cookie = [], b""
    for number in range(100):
        told = page(desk, sizes[number % len(sizes)], cookie)
        found += leaves(told)
        cookie = cookie_of(told)
        if not cookie:
            break
    assert found == leaves(desk.ask(PERSONS))
