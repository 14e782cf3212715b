"""Virtual list views (draft-ietf-ldapext-ldapv3-vlv-09)."""

from __future__ import annotations

from typing import Any

import pytest
from desk import Desk, leaves, load_schema
from hypothesis import given
from hypothesis import strategies as st

from provserver.ldap.controls import (
    ByOffset,
    ByValue,
    PagedResults,
    SortKey,
    SortRequest,
    SortResult,
    ViewRequest,
    ViewResult,
)
from provserver.ldap.results import ResultCode
from provserver.operations.list_view import _position
from provserver.operations.sorting import Order
from provserver.testing.wire import Told

C = ResultCode
NINE = "acegikmoq"
BY_NAME = SortRequest((SortKey("cn"),))
BACKWARDS = SortRequest((SortKey("cn", reverse=True),))
NO_ORDER = Order((), load_schema())


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.people(list(NINE))
    return desk


def view(desk: Desk, before: int, after: int, target: ByOffset | ByValue, *others: Any, **more: Any) -> Told:
    return desk.ask("(sn=x)", ViewRequest(before, after, target), *(others or (BY_NAME,)), **more)


def place(told: Told) -> tuple[int, int]:
    control = told.control(ViewResult)
    assert control is not None
    assert control.code is C.SUCCESS
    assert control.context is None
    return control.position, control.content_count


@pytest.mark.parametrize(
    ("offset", "count", "position"),
    [
        (1, 0, 1),
        (5, 0, 5),
        (9, 0, 9),
        (5, 9, 5),
        (9, 9, 9),
        (1, 1, 9),  # equal: the last one
        (1, 100, 1),
        (100, 100, 9),
        (50, 100, 5),  # 4.5, rounded up
        (2, 100, 1),  # 0.18, but there is no place before the first
        (1, 3, 1),
        (2, 3, 6),
        (1_000_000_000, 2_000_000_000, 5),
    ],
)
def test_an_offset_is_a_ratio_of_what_the_client_believes(
    desk: Desk, offset: int, count: int, position: int
) -> None:
    told = view(desk, 0, 0, ByOffset(offset, count))
    assert (told.code, place(told)) == (C.SUCCESS, (position, 9))
    assert leaves(told) == [NINE[position - 1]]
    assert told.control(SortResult) == SortResult()


@pytest.mark.parametrize(
    ("before", "after", "offset", "expected"),
    [
        (0, 2, 1, "ace"),
        (2, 0, 9, "moq"),
        (1, 1, 5, "gik"),
        (3, 1, 2, "ace"),
        (0, 100, 8, "oq"),
        (100, 100, 5, NINE),
        (2**31 - 1, 2**31 - 1, 5, NINE),
    ],
)
def test_a_window_ends_where_the_list_does(
    desk: Desk, before: int, after: int, offset: int, expected: str
) -> None:
    told = view(desk, before, after, ByOffset(offset))
    assert ("".join(leaves(told)), place(told)) == (expected, (offset, 9))


@pytest.mark.parametrize(
    ("value", "position", "expected"),
    [("a", 1, "ac"), ("A", 1, "ac"), ("f", 4, "egi"), ("g", 4, "egi"), ("", 1, "ac"), ("q", 9, "oq")],
)
def test_a_value_finds_the_first_entry_that_is_not_below_it(
    desk: Desk, value: str, position: int, expected: str
) -> None:
    told = view(desk, 1, 1, ByValue(value.encode()))
    assert ("".join(leaves(told)), place(told)) == (expected, (position, 9))


def test_in_reverse_it_is_the_first_that_is_not_above_it(desk: Desk) -> None:
    told = view(desk, 1, 1, ByValue(b"f"), BACKWARDS)
    assert ("".join(leaves(told)), place(told)) == ("gec", (7, 9))


def test_without_a_target_the_position_is_behind_the_last_one(desk: Desk) -> None:
    told = view(desk, 2, 5, ByValue(b"z"))
    assert ("".join(leaves(told)), place(told)) == ("oq", (10, 9))


def test_an_empty_list_has_no_target(desk: Desk) -> None:
    for target in (ByOffset(1), ByValue(b"a")):
        told = desk.ask("(sn=nobody)", ViewRequest(3, 3, target), BY_NAME)
        assert (told.code, told.entries, place(told)) == (C.SUCCESS, [], (1, 0))


def refused(told: Told, code: ResultCode) -> None:
    control = told.control(ViewResult)
    assert (told.code, told.entries) == (C.VIRTUAL_LIST_VIEW_ERROR, [])
    assert control is not None
    assert control.code is code
    assert "virtual list view control: " in told.text


@pytest.mark.parametrize("critical", [True, False])
def test_a_view_needs_an_order(desk: Desk, critical: bool) -> None:
    told = desk.ask("(sn=x)", ViewRequest(0, 1, ByOffset(1)), critical=critical)
    refused(told, C.SORT_CONTROL_MISSING)


@pytest.mark.parametrize("target", [ByOffset(0), ByOffset(0, 9), ByOffset(10), ByOffset(10, 9)], ids=str)
def test_an_offset_is_within_the_list(desk: Desk, target: ByOffset) -> None:
    refused(view(desk, 0, 1, target), C.OFFSET_RANGE_ERROR)


def test_a_context_that_nobody_handed_out_is_an_error(desk: Desk) -> None:
    request = ViewRequest(0, 1, ByOffset(1), b"context")
    refused(desk.ask("(sn=x)", request, BY_NAME), C.PROTOCOL_ERROR)
    assert desk.ask("(sn=x)", ViewRequest(0, 1, ByOffset(1), b""), BY_NAME).code is C.SUCCESS


def test_a_view_and_pages_exclude_each_other(desk: Desk) -> None:
    refused(view(desk, 0, 1, ByOffset(1), BY_NAME, PagedResults(3)), C.UNWILLING_TO_PERFORM)


def test_without_an_order_that_is_possible_there_is_no_view(desk: Desk) -> None:
    told = view(desk, 0, 1, ByOffset(1), SortRequest((SortKey("nosuch"),)), critical=False)
    refused(told, C.UNWILLING_TO_PERFORM)
    assert told.control(SortResult) == SortResult(C.NO_SUCH_ATTRIBUTE, "nosuch")


def test_a_value_must_be_one_of_the_key(desk: Desk) -> None:
    told = view(desk, 0, 1, ByValue(b"no time"), SortRequest((SortKey("createTimestamp"),)))
    refused(told, C.INAPPROPRIATE_MATCHING)


def test_a_list_that_is_too_long_to_sort_cannot_be_viewed() -> None:
    desk = Desk(most_sorted=2)
    desk.people(["a", "b", "c"])
    refused(view(desk, 0, 1, ByOffset(1), critical=False), C.ADMIN_LIMIT_EXCEEDED)


@given(count=st.integers(1, 500), supposed=st.integers(1, 10**9), share=st.floats(0, 1))
def test_the_position_is_the_nearest_place_to_the_ratio(count: int, supposed: int, share: float) -> None:
    offset = max(1, round(share * supposed))
    request = ViewRequest(0, 0, ByOffset(offset, supposed))
    found: list[Any] = [None] * count
    position = _position(request, found, NO_ORDER)
    assert position is not None
    assert 1 <= position <= count
    if offset == supposed:
        assert position == count
    elif offset == 1:
        assert position == 1
    else:
        assert abs(position * supposed - count * offset) <= supposed
