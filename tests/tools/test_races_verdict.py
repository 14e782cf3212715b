"""The verdict on a race (tools/faults): it finds every kind of violation, one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools" / "faults"))

from racing import Attempt, Plan
from verdict import Accepted, Seen, Stored, Verdict, judge

from provserver.storage.contract import DeliveryState

REMEMBERED = 2
ON_ENDPOINT, IN_LEDGER = "x=endpoint,dc=im", "x=ledger,dc=im"
ATTEMPTS = (
    Attempt(ON_ENDPOINT, "p0", 10.0, 12.0, acknowledged=True),
    Attempt(IN_LEDGER, "p1", 10.5, 13.0, acknowledged=True),
    Attempt(ON_ENDPOINT, "lost, committed", 12.5, 14.0),
    Attempt(IN_LEDGER, "lost", 13.5, 14.0),
    Attempt(IN_LEDGER, "p4", 15.0, 18.0, acknowledged=True),
    Attempt(ON_ENDPOINT, "p5", 15.0, 17.0, acknowledged=True),
)
"""p0, p1, "lost, committed", p5, p4 is the order in which they were committed."""
SEEN = Seen(
    attempts=ATTEMPTS,
    received={"ledger": ["p0", "p0", "lost, committed", "p5"], "endpoint": ["p4"]},
    bind=["p4"],
    unheld=[],
)
STORED = Stored(
    accepted=[
        Accepted(11.0, ON_ENDPOINT, "c0"),
        Accepted(12.0, IN_LEDGER, "c1"),
        Accepted(13.6, ON_ENDPOINT, "c2"),
        Accepted(16.0, ON_ENDPOINT, "c5"),
        Accepted(17.0, IN_LEDGER, "c4"),
    ],
    lines=range(1, 31),
    versions=range(2, 7),
    change="c4",
    remembered=REMEMBERED,
    remembers=lambda password: password in ("p5", "p4"),
    statuses={ON_ENDPOINT: ("c4", DeliveryState.UPDATED), IN_LEDGER: ("c5", DeliveryState.UPDATED)},
    waiting=0,
)


def verdict_on(seen: Seen = SEEN, stored: Stored = STORED) -> Verdict:
    return judge(seen, stored, REMEMBERED)


def test_a_race_in_which_all_is_as_it_should_be() -> None:
    verdict = verdict_on()
    assert verdict.violations == []
    assert [attempt.password for attempt in verdict.order] == ["p0", "p1", "lost, committed", "p5", "p4"]
    assert verdict.overtaken == 1


def test_a_commit_at_the_very_moment_of_its_request_and_of_its_answer_is_its_own() -> None:
    moment = (Attempt(ON_ENDPOINT, "p0", 10.0, 10.0, acknowledged=True),)
    stored = replace(
        STORED,
        accepted=[Accepted(10.0, ON_ENDPOINT, "c0")],
        versions=[2],
        change="c0",
        remembers=lambda password: True,
        statuses={ON_ENDPOINT: None},
    )
    assert verdict_on(Seen(moment, {}, ["p0"], []), stored).violations == []


Spoil = Callable[[Seen, Stored], tuple[Seen, Stored]]


def stored_with(**changes: object) -> Spoil:
    return lambda seen, stored: (seen, replace(stored, **changes))  # type: ignore[arg-type]


def seen_with(**changes: object) -> Spoil:
    return lambda seen, stored: (replace(seen, **changes), stored)  # type: ignore[arg-type]


SENT = {"ledger": ["p0", "p5"], "endpoint": ["p4"]}
BEFORE = STORED.accepted
SPOILT: dict[str, tuple[Spoil, str]] = {
    "an answer was a refusal": (
        seen_with(attempts=[*ATTEMPTS, Attempt(ON_ENDPOINT, "p6", 20.0, 21.0, refusal="BUSY: no room")]),
        "refused: BUSY: no room",
    ),
    "an acknowledged change was lost": (
        stored_with(accepted=[*BEFORE[:1], *BEFORE[2:]], versions=range(2, 6)),
        "1 acknowledged changes are in no place",
    ),
    "a change was made twice": (
        stored_with(
            accepted=[*BEFORE[:2], Accepted(12.2, IN_LEDGER, "c1b"), *BEFORE[2:]], versions=range(2, 8)
        ),
        "place 2 is a change of x=ledger,dc=im that nobody asked for then",
    ),
    "a change came from nowhere": (
        stored_with(accepted=[*BEFORE, Accepted(19.0, ON_ENDPOINT, "c6")], versions=range(2, 8)),
        "place 5 is a change of x=endpoint,dc=im that nobody asked for then",
    ),
    "a change of an account that nobody changed": (
        stored_with(accepted=[*BEFORE, Accepted(19.0, "x=other,dc=im", "c6")], versions=range(2, 8)),
        "place 5 is a change of x=other,dc=im",
    ),
    "two changes share an id": (
        stored_with(accepted=[*BEFORE[:4], replace(BEFORE[4], change="c5")], change="c5"),
        "two changes have one id",
    ),
    "a line of the change log is missing": (
        stored_with(lines=[1, 2, 4, 5]),
        "the change log has a gap",
    ),
    "a version of the user is missing": (
        stored_with(versions=[2, 3, 4, 5, 7]),
        "5 changes gave the user the versions 2...7",
    ),
    "the user was changed without an exchange": (
        stored_with(versions=range(2, 9)),
        "5 changes gave the user the versions 2...8",
    ),
    "the journal is out of order": (
        stored_with(accepted=[BEFORE[1], BEFORE[0], *BEFORE[2:]]),
        "the journal goes back in time",
    ),
    "the user's entry is of an older change": (
        stored_with(change="c5"),
        "the user's entry names another change than the journal's last",
    ),
    "the user cannot log in": (
        seen_with(bind=[]),
        "the user can log in with [], and the last password was p4",
    ),
    "the user can log in with an older password": (
        seen_with(bind=["p4", "p5"]),
        "the user can log in with ['p4', 'p5'], and the last password was p4",
    ),
    "a delivery is left": (stored_with(waiting=1), "1 deliveries are left in the outbox"),
    "an account was sent nothing": (
        stored_with(statuses={ON_ENDPOINT: None}),
        "x=endpoint,dc=im has not the last password: None",
    ),
    "an account was sent an older one last": (
        stored_with(statuses={ON_ENDPOINT: ("c2", DeliveryState.UPDATED)}),
        "x=endpoint,dc=im has not the last password: updated",
    ),
    "a delivery failed": (
        stored_with(statuses={ON_ENDPOINT: ("c4", DeliveryState.FAILED)}),
        "x=endpoint,dc=im has not the last password: failed",
    ),
    "an endpoint does not hold what it was sent": (
        seen_with(unheld=[ON_ENDPOINT]),
        "x=endpoint,dc=im does not hold the last password",
    ),
    "the history has a gap": (
        stored_with(remembers=lambda password: password == "p4"),
        "the history has gaps: ['p5'] of p5...p4",
    ),
    "the history is too long": (
        stored_with(remembered=REMEMBERED + 1),
        "3 passwords are remembered instead of 2",
    ),
    "an older password was sent after a newer one": (
        seen_with(received={**SENT, "ledger": ["p5", "p0", "p5"]}),
        "ledger was sent p0 after a newer one",
    ),
    "a password was sent that was never committed": (
        seen_with(received={**SENT, "ledger": ["lost", "p5"]}),
        "ledger was sent lost, which was never accepted",
    ),
    "an account has an older password in the end": (
        seen_with(received={**SENT, "endpoint": ["p1"]}),
        "endpoint has p1 in the end, and the last password was p4",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=list(SPOILT))
def test_what_is_wrong_is_found_and_said(spoil: Spoil, said: str) -> None:
    violations = verdict_on(*spoil(SEEN, STORED)).violations
    assert any(violation.startswith(said) for violation in violations), violations


def test_whoever_waits_while_others_are_served_again_and_again_is_starved() -> None:
    often = [Attempt(ON_ENDPOINT, f"p{n}", 10.0 + n, 10.9 + n, acknowledged=True) for n in range(6)]
    starved = Attempt(IN_LEDGER, "late", 10.2, 16.0, acknowledged=True)
    accepted = [Accepted(10.5 + n, ON_ENDPOINT, f"c{n}") for n in range(6)]
    stored = replace(STORED, accepted=[*accepted, Accepted(15.9, IN_LEDGER, "c6")], versions=range(2, 9))
    verdict = verdict_on(replace(SEEN, attempts=[*often, starved]), stored)
    assert verdict.overtaken == 6
    assert verdict.violations == ["6 changes of others overtook one: it was starved"]


def test_the_changes_are_shared_out_and_the_kills_spread() -> None:
    plan = Plan(changes=1000, connections=64, kills=5, seed=1)
    assert sum(plan.quotas()) == 1000
    assert max(plan.quotas()) - min(plan.quotas()) == 1
    moments = plan.moments()
    assert moments == sorted(moments)
    assert moments != Plan(1000, 64, 5, 2).moments()
    assert moments[0] > 0
    assert moments[-1] < 1000 - 2 * 64
    assert Plan(1000, 64).moments() == []
