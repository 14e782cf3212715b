"""Limits of a search: what is within them is sent, then the result says which one was reached."""

from __future__ import annotations

import pytest
from desk import Desk, DeskLine, leaves

from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode

FIVE = ["a", "b", "c", "d", "e"]
PERSONS = "(sn=x)"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.people(FIVE)
    return desk


@pytest.mark.parametrize("limit", [1, 4, 5, 6])
@pytest.mark.parametrize("ours", [0, 5])
def test_a_size_limit_is_reached_only_if_there_is_more(ours: int, limit: int) -> None:
    desk = Desk(size=ours)
    desk.people(FIVE)
    told = desk.ask(PERSONS, size=limit)
    assert leaves(told) == FIVE[:limit]
    assert told.code is (ResultCode.SIZE_LIMIT_EXCEEDED if limit < 5 else ResultCode.SUCCESS)


def test_the_stricter_size_limit_counts() -> None:
    desk = Desk(size=2)
    desk.people(FIVE)
    for asked in (0, 2, 3):
        told = desk.ask(PERSONS, size=asked)
        assert (told.code, len(told.entries)) == (ResultCode.SIZE_LIMIT_EXCEEDED, 2)
    assert len(desk.ask(PERSONS, size=1).entries) == 1


class Slow(DeskLine):
    """A line on which every entry that is sent takes a second."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def send(self, data: bytes) -> None:
        before = len(self.sent)
        super().send(data)
        self.desk.now += len(self.sent) - before


@pytest.mark.parametrize(("ours", "asked"), [(0, 300), (300, 0), (300, 1_000), (1_000, 300)])
def test_a_time_limit_ends_a_search_after_what_was_found_in_time(ours: int, asked: int) -> None:
    desk = Desk(time=ours)
    desk.people([f"{number:04}" for number in range(700)])
    told = desk.ask(PERSONS, time=asked, line=Slow(desk))
    assert told.code is ResultCode.TIME_LIMIT_EXCEEDED
    assert 300 <= len(told.entries) < 700
    assert leaves(told) == sorted(leaves(told))


def test_a_time_limit_ends_a_search_that_finds_nothing() -> None:
    desk = Desk()
    desk.people([f"{number:04}" for number in range(700)])
    desk.tick = 1.0
    assert desk.ask("(description=nothing)").code is ResultCode.SUCCESS
    assert desk.ask("(description=nothing)", time=10).code is ResultCode.SUCCESS
    assert desk.ask("(description=nothing)", time=1).code is ResultCode.TIME_LIMIT_EXCEEDED


@pytest.mark.parametrize("most", [1, 3, 5])
def test_the_server_looks_at_no_more_than_it_may_and_sends_what_it_found(most: int) -> None:
    desk = Desk(candidates=most)
    desk.people(FIVE)
    told = desk.ask("(objectClass=*)")
    assert told.code is ResultCode.ADMIN_LIMIT_EXCEEDED
    assert leaves(told) == ["im", *FIVE][:most]


def test_as_many_candidates_as_there_are_is_enough() -> None:
    desk = Desk(candidates=6)
    desk.people(FIVE)
    assert desk.ask("(objectClass=*)").code is ResultCode.SUCCESS


def test_types_only_leaves_the_values_away(desk: Desk) -> None:
    told = desk.ask("(cn=a)", types_only=True, attributes=["sn", "cn"])
    assert [(one.description, one.values) for one in told.entries[0].attributes] == [("sn", ()), ("cn", ())]


def test_limits_do_not_count_in_base_scope_of_one_entry(desk: Desk) -> None:
    told = desk.ask(scope=Scope.BASE, size=1, time=1)
    assert (told.code, leaves(told)) == (ResultCode.SUCCESS, ["im"])


class Counting(DeskLine):
    """A line that knows in which pieces it was handed its messages."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[int] = []

    def send(self, data: bytes) -> None:
        self.pieces.append(len(data))
        super().send(data)


def test_entries_are_handed_over_in_few_pieces_none_of_them_large() -> None:
    desk = Desk()
    names = [f"{number:03}" for number in range(200)]
    for name in names:
        desk.add(f"cn={name},dc=im", "person", sn="x", description="d" * 1_000)
    line = Counting()
    told = desk.ask(PERSONS, line=line)
    assert leaves(told) == names
    assert sum(line.pieces) > 200_000
    assert len(line.pieces) < 8
    assert max(line.pieces) < 64 * 1024 + 2_000
