"""The echo guard, as a pure function of marks and time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.passwords.guard import CLEARED, MUST_CHANGE, NEVER, Verdict, cleared_at, judge, refuses_until
from provserver.passwords.stamps import stamp
from provserver.storage.contract import ChangeId, Mark

ACCOUNT = EntryId("a")
OURS, OTHER = b"ours", b"other"
THRESHOLD, MEMORY = 600.0, 86_400.0


def mark(digest: bytes = OURS, ended: float | None = 1000.0, options: int = 0, sent: float = 990.0) -> Mark:
    return Mark(ACCOUNT, digest, ChangeId("c"), sent, ended, options)


def verdict(
    marks: list[Mark],
    digest: bytes,
    now: float,
    *,
    threshold: float = THRESHOLD,
    agent: bool = True,
    cleared: float = NEVER,
) -> Verdict:
    return judge(
        marks, [digest], now, threshold=threshold, memory=MEMORY, agent_installed=agent, cleared=cleared
    )


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


def test_also_past_what_was_sent_before_it_but_not_past_what_was_sent_after_it() -> None:
    reset = mark(OTHER, options=MUST_CHANGE)
    assert verdict([mark(), reset], b"new", 1001.0) is Verdict.CLEAR
    assert verdict([mark(ended=None), reset], b"new", 1001.0) is Verdict.CLEAR
    assert verdict([reset, mark()], b"new", 1001.0) is Verdict.IN_PROGRESS


def test_the_refusal_ends_a_threshold_after_the_last_attempt() -> None:
    assert refuses_until([mark(), mark(ended=1200.0)], THRESHOLD) == 1800.0
    assert refuses_until([mark(ended=None)], THRESHOLD) == math.inf
    assert refuses_until([], THRESHOLD) == NEVER


def test_what_was_sent_until_the_clearing_refuses_nothing_and_is_still_an_echo() -> None:
    marks = [mark(sent=1000.0, ended=1010.0), mark(OTHER, sent=1020.0, ended=None)]
    assert verdict(marks, b"new", 1030.0, cleared=1020.0) is Verdict.CLEAR
    assert verdict(marks, OURS, 1030.0, cleared=1020.0) is Verdict.ECHO
    assert verdict(marks, OTHER, 1030.0, cleared=1020.0) is Verdict.ECHO
    assert verdict(marks, b"new", 1030.0, cleared=1019.0) is Verdict.IN_PROGRESS


def test_the_time_of_a_clearing_is_read_from_the_account() -> None:
    bare = Entry(EntryId("a"), DN.parse("cn=a"), {})
    assert cleared_at(bare) == NEVER
    for value, expected in ((stamp(1_790_000_000.25), 1_790_000_000.25), ("nonsense", NEVER)):
        attribute = Attribute(CLEARED, (value.encode(),))
        assert cleared_at(Entry(bare.id, bare.dn, {CLEARED.lower(): attribute})) == expected


# ---------------------------------------------------------------- the arithmetic of the window

PASSWORDS = (b"first", b"second", b"third")
moments = st.integers(0, 40)
thresholds = st.integers(0, 12)
sent_marks = st.lists(
    st.tuples(st.sampled_from(PASSWORDS), moments, st.none() | st.integers(0, 9), st.booleans()), max_size=6
)


@given(
    sent=sent_marks,
    reported=st.sampled_from(PASSWORDS),
    now=st.integers(0, 80),
    threshold=thresholds,
    memory=st.integers(0, 30),
    agent=st.booleans(),
    cleared=st.none() | moments,
)
def test_the_verdict_is_what_the_rules_say_second_by_second(
    sent: list[tuple[bytes, int, int | None, bool]],
    reported: bytes,
    now: int,
    threshold: int,
    memory: int,
    agent: bool,
    cleared: int | None,
) -> None:
    """The oracle counts out on which whole seconds each rule holds, rule by rule as the design says them."""
    sent = sorted(sent, key=lambda one: one[1])
    marks = [
        mark(digest, None if lasts is None else float(at + lasts), MUST_CHANGE * reset, float(at))
        for digest, at, lasts, reset in sent
    ]
    told = judge(
        marks,
        [reported],
        float(now),
        threshold=float(threshold),
        memory=float(memory),
        agent_installed=agent,
        cleared=NEVER if cleared is None else float(cleared),
    )

    def within(at: int, lasts: int | None, seconds: int) -> bool:
        return lasts is None or now in range(at + lasts + seconds)

    echo = any(
        digest == reported and (within(at, lasts, threshold) or within(at, lasts, memory))
        for digest, at, lasts, _ in sent
    )
    last_reset = max((n for n, (*_, reset) in enumerate(sent) if reset), default=-1)
    refused = agent and any(
        within(at, lasts, threshold) and (cleared is None or at > cleared)
        for n, (_, at, lasts, _) in enumerate(sent)
        if n > last_reset
    )
    if threshold == 0:
        expected = Verdict.CLEAR
    elif echo:
        expected = Verdict.ECHO
    else:
        expected = Verdict.IN_PROGRESS if refused else Verdict.CLEAR
    assert told is expected


@given(sent=sent_marks, threshold=st.integers(1, 12), now=st.integers(0, 80))
def test_what_is_refused_now_is_refused_until_the_time_that_is_told_and_not_after_it(
    sent: list[tuple[bytes, int, int | None, bool]], threshold: int, now: int
) -> None:
    marks = [
        mark(digest, None if lasts is None else float(at + lasts), MUST_CHANGE * reset, float(at))
        for digest, at, lasts, reset in sent
    ]
    until = refuses_until(marks, float(threshold))
    refused = verdict(marks, b"new", float(now), threshold=float(threshold)) is Verdict.IN_PROGRESS
    assert refused is (now < until)
    if math.isfinite(until):
        assert verdict(marks, b"new", until - 0.5, threshold=float(threshold)) is Verdict.IN_PROGRESS
        assert verdict(marks, b"new", until, threshold=float(threshold)) is Verdict.CLEAR


@given(at=st.floats(0, 4e9, allow_nan=False))
def test_a_stamp_is_the_millisecond_that_it_was_made_in(at: float) -> None:
    found = cleared_at(
        Entry(EntryId("a"), DN.parse("cn=a"), {CLEARED.lower(): Attribute(CLEARED, (stamp(at).encode(),))})
    )
    assert 0 <= at - found < 0.0011
