"""Cookies of a content synchronisation: what they say, and which are recognised."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.operations.cookies import Cookies, Place, UnknownCookie, read_cookie
from provserver.storage.contract import ChangeRecord

BEGAN = 1_790_000_000.25
"""2026-09-21 14:13:20.25 UTC"""
OURS = Cookies(BEGAN, b"everything, for etaadmin")


def line(sequence: int, kind: str = "modify", version: int = 3) -> ChangeRecord:
    dn = DN.parse("cn=a,dc=im")
    return ChangeRecord(sequence, BEGAN + sequence, "cn=x", kind, EntryId("id"), dn, version)


def place(cookie: bytes) -> Place:
    found = read_cookie(cookie)
    assert found is not None
    return found


def csn(cookie: bytes) -> bytes:
    return cookie.removeprefix(b"rid=000,csn=")


lines = st.builds(line, st.integers(1, 10**12), st.sampled_from(["add", "modify", "delete", "move"]))
leads = st.integers(0, 0xFFFFFF)


def test_a_cookie_is_a_csn_that_openldap_understands() -> None:
    cookie = OURS.cookie(line(42))
    assert cookie.startswith(b"rid=000,csn=20260921141320.250042Z#000000#000#")
    assert len(cookie) == 52


@given(line=lines, lead=leads)
def test_a_cookie_says_which_line_it_is_of(line: ChangeRecord, lead: int) -> None:
    given = replace(OURS, lead=lead)
    said = place(given.cookie(line))
    assert OURS.sequence(said) == line.sequence
    assert OURS.recognises(said, line)
    assert OURS.like(said) == given


@given(one=st.integers(1, 10**12), other=st.integers(1, 10**12), lead=leads)
def test_cookies_and_stamps_are_ordered_as_text_like_the_lines(one: int, other: int, lead: int) -> None:
    cookies = replace(OURS, lead=lead)
    a, b = cookies.cookie(line(one)), cookies.cookie(line(other))
    assert (a < b) == (one < other)
    assert (cookies.stamp(one) < cookies.stamp(other)) == (one < other)
    assert (csn(a) < cookies.stamp(other, other - 1)) == (one < other)


@given(last=st.integers(2, 10**9), lead=leads, data=st.data())
def test_a_stamp_is_newer_than_those_of_lines_before_and_covered_by_the_cookie(
    last: int, lead: int, data: st.DataObject
) -> None:
    cookies = replace(OURS, lead=lead)
    first = data.draw(st.integers(max(1, last - 1_000_000), last - 1))
    second = data.draw(st.integers(first + 1, last))
    cookie = csn(cookies.cookie(line(last)))
    assert cookies.stamp(last) < cookies.stamp(last, last - first) < cookies.stamp(last, last - second)
    assert cookies.stamp(last, last - second) <= cookie
    assert csn(cookies.cookie(line(last - 1))) < cookies.stamp(last)


@pytest.mark.parametrize(
    "other",
    [
        replace(OURS, content=b"everything, for somebody else"),
        replace(OURS, began=BEGAN + 1),
        replace(OURS, began=BEGAN - 0.000_001),
    ],
    ids=["content", "younger store", "older store"],
)
def test_a_cookie_for_something_else_is_not_recognised(other: Cookies) -> None:
    assert not OURS.recognises(place(other.cookie(line(42))), line(42))


def test_a_cookie_of_another_past_is_not_recognised() -> None:
    """The store was restored, and something else has happened since."""
    said = place(OURS.cookie(line(42)))
    assert OURS.recognises(said, line(42))
    for other in (line(42, "delete"), line(42, version=4), replace(line(42), at=BEGAN), line(43)):
        assert not OURS.recognises(said, other)


@given(
    theirs=st.datetimes().map(lambda at: f"{at:%Y%m%d%H%M%S.%f}".rjust(21, "0")),
    count=st.integers(0, 0xFFFF),
    last=st.integers(1, 10**9),
)
def test_a_copy_that_is_made_anew_is_newer_than_what_it_was(theirs: str, count: int, last: int) -> None:
    """Up to the year 3900."""
    cookie = f"rid=001,csn={theirs}Z#{count:06x}#000#000000"
    if not "1970" < theirs[:4] < "3900":
        return
    anew = OURS.ahead_of(place(cookie.encode()), last)
    assert csn(anew.cookie(line(last))) > cookie.removeprefix("rid=001,csn=").encode()
    assert anew.stamp(last) > cookie.removeprefix("rid=001,csn=").encode()
    assert OURS.sequence(place(anew.cookie(line(last)))) == last


def test_a_time_that_cannot_be_outdone_is_left_alone() -> None:
    said = place(b"rid=001,csn=99991231235959.999999Z#000000#000#000000")
    assert OURS.ahead_of(said, 1) == OURS
    assert OURS.ahead_of(replace(said, lead=0xFFFFFF), 1) == OURS


@pytest.mark.parametrize("nothing", [None, b"", b"rid=001", b"rid=001,sid=00a"])
def test_a_consumer_that_has_nothing_yet_says_so_in_its_own_way(nothing: bytes | None) -> None:
    assert read_cookie(nothing) is None


@pytest.mark.parametrize(
    "cookie",
    [
        b"rid=007,sid=001,csn=%s",
        b"csn=%s",
        b"rid=001,csn=%s;20250101000000.000000Z#000000#001#000000",
        b"rid=001,csn=20250101000000.000000Z#000000#002#000000;%s",
        b"rid=001,csn=%s,delcsn=20250101000000.000000Z#000000#000#000000",
    ],
)
def test_a_consumer_may_put_the_csn_into_a_cookie_of_its_own(cookie: bytes) -> None:
    said = place(cookie % csn(OURS.cookie(line(42))))
    assert OURS.recognises(said, line(42))


@pytest.mark.parametrize(
    "cookie",
    [
        b"\x00",
        b"42",
        b"rid=001,csn=",
        b"rid=001,csn=20250101000000.000000Z#000000#001#000000",
        b"rid=001,csn=20250101000000Z#000000#000#000000",
        b"rid=001,csn=20251301000000.000000Z#000000#000#000000",
        b"rid=001,csn=00000101000000.000000Z#000000#000#000000",
        b"rid=001,csn=20250101000000.000000Z#000000#000#00000000",
        b"rid=001,csn=" + b"20250101000000.000000Z#000000#002#000000;" * 20 + csn(OURS.cookie(line(42))),
    ],
)
def test_anything_else_is_no_cookie_of_ours(cookie: bytes) -> None:
    with pytest.raises(UnknownCookie):
        read_cookie(cookie)


@given(st.binary(max_size=80) | st.from_regex(rb"rid=\d{1,3},csn=[0-9#Z.;,]{0,60}", fullmatch=True))
def test_no_cookie_breaks_the_reader(cookie: bytes) -> None:
    try:
        said = read_cookie(cookie)
    except UnknownCookie:
        return
    if said is not None:
        OURS.ahead_of(said, 10)
        assert not OURS.recognises(said, line(10))
