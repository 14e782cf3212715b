"""What a rehearsal reckons with, without a server: times, turns, passwords, advice."""

from __future__ import annotations

import itertools
import json
import math
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.agents.post import Post
from provserver.agents.rehearsal import cast, command, watching
from provserver.agents.rehearsal.advice import MARGIN, advise
from provserver.agents.rehearsal.pace import Pace, arrivals
from provserver.agents.rehearsal.passwords import DEFAULT, Pattern
from provserver.agents.rehearsal.picture import bars, shown
from provserver.agents.rehearsal.report import Ended, Own, for_programs, remarks
from provserver.agents.rehearsal.spread import Spread
from provserver.agents.rehearsal.tally import GUARD, Seen, Step, Stuck, Tally, Trouble
from provserver.agents.rehearsal.watching import Found, seconds_of, standing
from provserver.directory.names import DN
from provserver.imps.inclusions import inclusions_container
from provserver.imps.messages import Reason
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.imps.users import global_users
from provserver.ldap.results import Result, ResultCode
from provserver.operations.statuses import STATES, UNDELIVERED
from provserver.passwords.stamps import stamp

SECONDS = st.floats(min_value=1e-5, max_value=1e5)
TIMES = st.lists(SECONDS, min_size=1, max_size=200)


def spread_of(*times: float) -> Spread:
    spread = Spread()
    for seconds in times:
        spread.add(seconds)
    return spread


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# -- spreads


@given(TIMES, st.floats(min_value=0.001, max_value=1.0))
def test_a_quantile_is_the_true_one_or_up_to_two_percent_more(times: list[float], share: float) -> None:
    ordered = sorted(times)
    # The least of all times for which that share of all took at most as long, counted as the curve counts.
    rank = next(rank for rank in range(1, len(ordered) + 1) if rank / len(ordered) >= share)
    told = spread_of(*times).quantile(share)
    assert ordered[rank - 1] * (1 - 1e-9) <= told <= ordered[rank - 1] * 1.0201


@given(TIMES)
def test_the_longest_time_is_exact(times: list[float]) -> None:
    spread = spread_of(*times)
    assert spread.longest == spread.quantile(1.0) == max(times)
    assert spread.count == len(times)


@given(TIMES)
def test_a_curve_rises_to_everything(times: list[float]) -> None:
    curve = spread_of(*times).curve()
    assert curve == sorted(curve)
    assert curve[-1] == (max(times), 1.0)


def test_a_spread_has_no_more_buckets_than_there_are_lengths() -> None:
    spread = Spread()
    randomness = random.Random(1)
    for _ in range(200_000):
        spread.add(10 ** randomness.uniform(-7, 5))
    assert len(spread.curve()) < 1_200


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="at least one time"):
        Spread().quantile(0.5)


@given(TIMES)
def test_bars_show_everything_once(times: list[float]) -> None:
    lines = list(bars(spread_of(*times)))
    assert 1 <= len(lines) <= 10
    assert sum(float(line.split()[-1].rstrip("%")) for line in lines) == pytest.approx(100, abs=1)
    assert lines[-1].lstrip().startswith(shown(max(times)))


# -- turns


def a_pace(accounts: int, clock: Clock, **how: object) -> Pace:
    given: dict[str, object] = {"gaps": None, "again": 600.0, "changes": None, "duration": None, **how}
    return Pace(accounts, clock, **given)  # type: ignore[arg-type]  # as the test says


def test_at_a_rate_each_change_has_its_time_though_nobody_is_free() -> None:
    clock = Clock()
    pace = a_pace(5, clock, gaps=iter([1.0, 2.0, 3.0]))
    clock.now += 500
    turns = [pace.take() for _ in range(3)]
    assert [turn.at - 1000 for turn in turns if turn] == [1.0, 3.0, 6.0]


def test_in_a_closed_loop_a_turn_is_now() -> None:
    clock = Clock()
    pace = a_pace(5, clock)
    for wait in (0.0, 5.0, 7.0):
        clock.now += wait
        turn = pace.take()
        assert turn is not None
        assert turn.at == clock.now


@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.floats(0, 50),
    st.lists(st.floats(0, 10), min_size=40, max_size=40),
)
def test_no_account_changes_again_too_early(
    accounts: int, changes: int, again: float, gaps: list[float]
) -> None:
    pace = a_pace(accounts, Clock(), gaps=iter(gaps), again=again, changes=changes)
    turns = list(iter(pace.take, None))
    assert len(turns) == changes
    assert [turn.at for turn in turns] == sorted(turn.at for turn in turns)
    for account in range(accounts):
        own = [turn.at for turn in turns if turn.account == account]
        assert all(later >= earlier + again for earlier, later in itertools.pairwise(own))


def test_no_turn_is_after_the_end() -> None:
    pace = a_pace(3, Clock(), gaps=itertools.repeat(1.0), again=0.0, duration=4.5)
    assert [turn.at for turn in iter(pace.take, None)] == [1001.0, 1002.0, 1003.0, 1004.0]
    assert pace.take() is None


def test_arrivals_come_at_their_rate_and_the_same_for_a_seed() -> None:
    first = list(itertools.islice(arrivals(50.0, random.Random(7)), 20_000))
    assert sum(first) / len(first) == pytest.approx(1 / 50, rel=0.03)
    assert first == list(itertools.islice(arrivals(50.0, random.Random(7)), 20_000))


# -- passwords


@given(st.randoms(use_true_random=False))
def test_a_password_has_what_its_pattern_says(randomness: random.Random) -> None:
    text = Pattern(DEFAULT).draw(randomness.randrange).reveal_text()
    kinds = {
        "u": string.ascii_uppercase,
        "l": string.ascii_lowercase,
        "d": string.digits,
        "s": string.punctuation,
    }
    assert len(text) == len(DEFAULT)
    assert all(sign in kinds[letter] for sign, letter in zip(text, DEFAULT, strict=True))


@pytest.mark.parametrize(
    ("pattern", "problem"), [("uldx" * 6, "u a capital"), ("ulds", "can be guessed"), ("", "can be guessed")]
)
def test_a_pattern_that_is_none_or_too_short_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Pattern(pattern)


# -- arrival


def test_an_account_counts_when_its_delivery_is_younger_than_the_change() -> None:
    found = standing(
        100.5,
        [
            Found("origin", "never", None),
            Found("disabled", "updated", 40.0),
            Found("quick", "updated", 100.7),
            Found("slow", "unverified", 130.5),
        ],
    )
    assert (found.reached, found.last, found.waiting, found.ended) == (2, 30.0, [], [])


def test_what_waits_and_what_will_not_arrive_are_told_apart() -> None:
    found = standing(
        100.5,
        [
            Found("waits", "retrying", None, "Nobody answers."),
            Found("refused", "held", 100.0, "Too short."),  # as the server writes it: whole seconds
            Found("old", "failed", 99.0),
        ],
    )
    assert found.waiting == [Stuck("waits", "retrying", "Nobody answers.")]
    assert found.ended == [Stuck("refused", "held", "Too short.")]
    assert found.reached == 0


@given(st.integers(0, 4_000_000_000_000))
def test_the_servers_stamps_are_read(milliseconds: int) -> None:
    at = milliseconds / 1000
    told = seconds_of(stamp(at))
    assert told is not None
    assert told == pytest.approx(at, abs=0.0011)


def test_what_is_no_stamp_is_none() -> None:
    assert seconds_of("") is None
    assert seconds_of("yesterday") is None


# -- advice


@given(TIMES, st.integers(0, 5), st.integers(0, 5), st.sampled_from([None, 0.0, 60.0, 600.0]))
def test_a_threshold_covers_the_longest_way_with_its_margin(
    times: list[float], stuck: int, unknown: int, current: float | None
) -> None:
    advice = advise(spread_of(*times), stuck, unknown, current)
    assert advice.threshold is not None
    assert advice.threshold >= max(60, MARGIN * max(times))
    assert advice.threshold - 30 < max(60, MARGIN * max(times))
    assert advice.safe is not bool(stuck)


def test_advice_says_how_it_stands_with_the_servers() -> None:
    arrival = spread_of(40.0)
    assert any("too short" in reason for reason in advise(arrival, 0, 0, 60.0).reasons)
    assert any("enough" in reason for reason in advise(arrival, 0, 0, 600.0).reasons)
    assert any("off" in reason for reason in advise(arrival, 0, 0, 0.0).reasons)


def test_without_an_arrival_there_is_no_advice() -> None:
    advice = advise(Spread(), 3, 0, 600.0)
    assert (advice.threshold, advice.safe) == (None, False)


# -- the tally


def test_the_guards_refusal_is_counted_apart() -> None:
    tally = Tally()
    said = f":ETA_E_0071<SGU>, Password check for X failed: {GUARD}"
    tally.refused(Step.TEST, Result(ResultCode.UNWILLING_TO_PERFORM, said))
    tally.refused(Step.TEST, Result(ResultCode.UNWILLING_TO_PERFORM, "suspended"))
    seen = tally.seen()
    assert seen.guarded == 1
    assert seen.refused == {(Step.TEST, ResultCode.UNWILLING_TO_PERFORM): 1}


def test_texts_of_errors_do_not_grow_without_end() -> None:
    tally = Tally()
    for number in range(1_000):
        tally.failed(Trouble.ERROR, f"error {number}")
    seen = tally.seen()
    assert seen.troubles[Trouble.ERROR] == seen.texts.total() == 1_000
    assert len(seen.texts) <= 21


def test_what_was_seen_does_not_change_afterwards() -> None:
    tally = Tally()
    tally.began(0.0)
    seen = tally.seen()
    tally.began(0.0)
    assert (seen.begun, tally.seen().begun) == (1, 2)


# -- the result


def an_end(seen: Seen, own: Own) -> Ended:
    return Ended(seen, 10.0, own, None, False, [])


def test_a_process_that_was_busy_itself_says_so() -> None:
    assert any("busy itself" in remark for remark in remarks(an_end(Seen(), Own(0.95, 0.0))))
    assert any("busy itself" in remark for remark in remarks(an_end(Seen(), Own(0.2, 0.4))))
    assert list(remarks(an_end(Seen(), Own(0.2, 0.001)))) == []


def test_changes_that_began_late_are_said() -> None:
    seen = Seen(late=spread_of(3.0))
    assert any("began up to 3.00 s late" in remark for remark in remarks(an_end(seen, Own(0.1, 0.0))))


def test_the_result_for_programs_is_json_also_when_nothing_was_seen() -> None:
    told = json.loads(json.dumps(for_programs(an_end(Seen(), Own(0.1, 0.0)))))
    assert told["changes"]["begun"] == 0
    assert told["times"] == {}
    assert all(math.isfinite(value) for value in told["own"].values())


# -- what stands twice, here and in the server


def test_names_and_texts_are_the_servers() -> None:
    domain = DN.parse("dc=im")
    assert Reason.IN_PROGRESS.value == GUARD
    assert DN.parse(f"{command._THRESHOLD},dc=im") == AGENT_RESPONSE_THRESHOLD.dn(domain)
    assert DN.parse(f"{cast._USERS},{cast._COMMON},dc=im") == global_users(domain)
    assert inclusions_container(domain, "eTADSAccount").is_within(
        DN.parse(f"{cast._INCLUSIONS},{cast._COMMON},dc=im")
    )
    assert watching.WAITING | watching.REACHED | {watching.NEVER} | set(UNDELIVERED) == set(STATES)


def test_the_domain_of_an_endpoint_is_what_is_above_its_namespace() -> None:
    post = Post("eTADSDirectoryName=a,eTNamespaceName=ActiveDirectory,dc=im,dc=eta", "c", "l")
    assert cast.suffix_of(post) == DN.parse("dc=im,dc=eta")
    with pytest.raises(cast.NoCast, match="not below a namespace"):
        cast.suffix_of(Post("ou=people,dc=example", "c", "l"))
