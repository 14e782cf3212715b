"""The judge of tools/faults/kills.py finds each kind of violation, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools" / "faults"))

from aftermath import Report, violations
from moody import Taken

Accounts = Sequence[Sequence[Taken]]


def report(place: int, *, acknowledged: bool = True, refusal: str = "") -> Report:
    """The change of that place, ended that many tens of seconds after the start."""
    return Report("u", f"p{place}", 10.0 * place, acknowledged, refusal)


def sent(at: float, place: int) -> Taken:
    return Taken(at, f"p{place}", sent=True)


def home(at: float, place: int) -> Taken:
    return Taken(at, f"p{place}", sent=False)


def judged(reports: Sequence[Report], accounts: Accounts, *, logs_in: bool = True) -> list[str]:
    return violations({"u": reports}, {"u": accounts}, {"u": logs_in})


GOOD: Accounts = ([home(9, 1), sent(20.1, 2)], [sent(10.5, 1), home(19, 2)])


def test_all_is_well() -> None:
    assert judged([report(0, acknowledged=False), report(1), report(2)], GOOD) == []


def test_what_was_not_acknowledged_may_have_been_sent() -> None:
    accounts = ([sent(5, 1), sent(20.1, 2)], [sent(20.2, 2)])
    assert judged([report(0), report(1, acknowledged=False), report(2)], accounts) == []


def test_an_older_password_may_arrive_until_the_newer_one_is_committed() -> None:
    """What the agent's own account has set is not known to the server before that."""
    accounts = ([home(19, 2), sent(19.5, 1), sent(20.1, 2)],)
    assert judged([report(0), report(1), report(2)], accounts) == []


@pytest.mark.parametrize(
    ("accounts", "fault"),
    [
        (([sent(20.1, 2), sent(20.2, 1)],), "was sent change 1 after change 2"),
        (([sent(25, 1), sent(25.1, 2)],), "was sent change 1 long after change 2 was acknowledged"),
        (([sent(10.1, 1)],), "has change 1, not the last one, 2"),
        (([],), "has change nothing, not the last one, 2"),
        (([Taken(5, "what?", sent=True), sent(20.1, 2)],), "was sent a password that nobody reported"),
    ],
)
def test_what_an_account_has_or_was_sent_wrongly_is_found(accounts: Accounts, fault: str) -> None:
    found = judged([report(0), report(1), report(2)], accounts)
    assert f"u, account 0: {fault}" in found


def test_a_refused_password_that_was_sent_is_found() -> None:
    reports = [report(0), report(1, acknowledged=False, refusal="19: weak"), report(2)]
    found = judged(reports, ([sent(10.1, 1), sent(20.1, 2)],))
    assert found == ["u, account 0: was sent change 1, which was refused: 19: weak"]


def test_a_user_who_cannot_log_in_is_found() -> None:
    assert judged([report(0), report(1), report(2)], GOOD, logs_in=False) == [
        "u: cannot log in with its newest password"
    ]


def test_a_last_change_without_acknowledgement_is_told() -> None:
    (found,) = judged([report(0), report(1, acknowledged=False)], GOOD)
    assert found == "u: its last change was not acknowledged: no answer"
