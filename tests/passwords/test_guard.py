"""The echo guard, as a pure function of marks and time."""

from __future__ import annotations

import pytest

from provserver.directory.entries import EntryId
from provserver.passwords.guard import MUST_CHANGE, Verdict, closes, judge
from provserver.storage.contract import ChangeId, Mark

ACCOUNT = EntryId("a")
OURS, OTHER = b"ours", b"other"
THRESHOLD, MEMORY = 600.0, 86_400.0


def mark(digest: bytes = OURS, ended: float | None = 1000.0, options: int = 0) -> Mark:
    return Mark(ACCOUNT, digest, ChangeId("c"), 990.0, ended, options)


def verdict(
    marks: list[Mark], digest: bytes, now: float, *, threshold: float = THRESHOLD, agent: bool = True
) -> Verdict:
    return judge(marks, [digest], now, threshold=threshold, memory=MEMORY, agent_installed=agent)


def test_without_marks_everything_is_clear() -> None:
    assert verdict([], OURS, 0.0) is Verdict.CLEAR


def test_the_password_that_we_sent_is_an_echo_inside_the_window() -> None:
    assert verdict([mark()], OURS, 1599.9) is Verdict.ECHO


def test_it_is_an_echo_while_the_attempt_still_lasts_however_long() -> None:
    assert verdict([mark(ended=None)], OURS, 1e9) is Verdict.ECHO


def test_a_late_echo_is_still_one_for_as_long_as_it_is_remembered() -> None:
    assert verdict([mark()], OURS, 1000.0 + MEMORY - 1) is Verdict.ECHO
    assert verdict([mark()], OURS, 1000.0 + MEMORY + 1) is Verdict.CLEAR


def test_a_different_password_inside_the_window_is_refused_and_after_it_clear() -> None:
    assert verdict([mark()], OTHER, 1599.9) is Verdict.IN_PROGRESS
    assert verdict([mark()], OTHER, 1600.0) is Verdict.CLEAR


def test_every_password_of_the_window_counts_as_an_echo_not_only_the_last() -> None:
    assert verdict([mark(OURS), mark(OTHER, ended=1100.0)], OURS, 1200.0) is Verdict.ECHO


def test_where_no_agent_is_installed_nothing_is_refused_but_an_echo_is_still_known() -> None:
    assert verdict([mark()], OTHER, 1200.0, agent=False) is Verdict.CLEAR
    assert verdict([mark()], OURS, 1200.0, agent=False) is Verdict.ECHO


def test_after_a_delivery_that_told_the_user_to_change_the_change_is_welcome() -> None:
    assert verdict([mark(options=MUST_CHANGE)], OTHER, 1001.0) is Verdict.CLEAR


@pytest.mark.parametrize("digest", [OURS, OTHER])
def test_threshold_zero_turns_the_guard_off(digest: bytes) -> None:
    assert verdict([mark(ended=None)], digest, 1001.0, threshold=0) is Verdict.CLEAR


def test_the_window_closes_a_threshold_after_the_last_attempt() -> None:
    assert closes([mark(), mark(ended=1200.0)], THRESHOLD) == 1800.0
    assert closes([mark(ended=None)], THRESHOLD) is None
