"""Agents at work, without a server: who opens lines, what is asked, what is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from provserver.agents.line import Line
from provserver.agents.rehearsal.cast import Part
from provserver.agents.rehearsal.pace import Pace
from provserver.agents.rehearsal.playing import Manner, Play
from provserver.agents.rehearsal.progress import Bar
from provserver.agents.rehearsal.stage import Stage
from provserver.agents.rehearsal.tally import Seen, Step, Tally, Trouble
from provserver.agents.wire import Deadline, LineLost, TimedOut
from provserver.ldap.results import SUCCESS, Result, ResultCode
from provserver.vault.secret import Secret

SECRET = Secret(b"Kelp-Compass-88")
Answers = Callable[[Step, str], Result]


class Hall:
    """Where lines are opened; `answers` may raise NoAnswer."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self.asked: list[tuple[Step, str]] = []
        self.opened = 0
        self.closed = 0

    def open(self, deadline: Deadline) -> Line:
        with self._lock:
            self.opened += 1
        return cast(Line, self)

    def close(self) -> None:
        with self._lock:
            self.closed += 1

    def ask(self, line: Line, step: Step, account: str, secret: Secret, deadline: Deadline) -> Result:
        assert secret is SECRET
        with self._lock:
            self.asked.append((step, account))
        return self._answers(step, account)


def fine(step: Step, account: str) -> Result:
    return SUCCESS


def played(hall: Hall, changes: int = 6, **manner: Any) -> tuple[Seen, list[str], Stage]:
    tally, accepted = Tally(), list[str]()
    parts = [Part(f"u{number}", "") for number in range(3)]
    pace = Pace(3, lambda: 0.0, gaps=None, again=0.0, changes=changes, duration=None)
    how = Manner(**{"agents": 1, **manner})

    def note(part: Part) -> None:
        accepted.append(part.account)

    play = Play(hall, how, parts, pace, lambda: SECRET, tally, note, clock=lambda: 0.0)
    stage = Stage(play, None, tally, Bar(None), 0.0)
    stage.run()
    assert hall.opened == hall.closed
    return tally.seen(), accepted, stage


def test_an_agent_tests_and_then_tells_of_each_account_in_turn() -> None:
    hall = Hall(fine)
    seen, accepted, _ = played(hall, changes=4)
    turns = ["u0", "u1", "u2", "u0"]
    assert hall.asked == [(step, account) for account in turns for step in (Step.TEST, Step.SYNC)]
    assert accepted == turns
    assert (seen.begun, seen.accepted, seen.ended, seen.clean) == (4, 4, 4, True)
    assert hall.opened == 1


def test_with_new_connections_each_change_has_its_own() -> None:
    hall = Hall(fine)
    seen, _, _ = played(hall, changes=5, new_connection=True, agents=2)
    assert hall.opened == seen.connection.count == 5


def test_a_test_alone_never_tells() -> None:
    hall = Hall(fine)
    _, accepted, _ = played(hall, test_only=True)
    assert {step for step, _ in hall.asked} == {Step.TEST}
    assert accepted == []


def test_what_the_test_refuses_is_not_told() -> None:
    hall = Hall(lambda step, account: Result(ResultCode.CONSTRAINT_VIOLATION, "too short"))
    seen, accepted, _ = played(hall)
    assert {step for step, _ in hall.asked} == {Step.TEST}
    assert seen.refused == {(Step.TEST, ResultCode.CONSTRAINT_VIOLATION): 6}
    assert (accepted, seen.clean) == ([], True)


def test_a_server_that_cannot_is_an_error_not_a_refusal() -> None:
    hall = Hall(lambda step, account: Result(ResultCode.BUSY, "the outbox is full"))
    seen, _, _ = played(hall)
    assert seen.troubles == {Trouble.ERROR: 6}
    assert not seen.refused


def test_after_a_broken_line_there_is_a_new_one() -> None:
    def breaking(step: Step, account: str) -> Result:
        if account == "u1":
            raise LineLost("the line broke")
        if account == "u2":
            raise TimedOut("no answer in time")
        return SUCCESS

    hall = Hall(breaking)
    seen, _, _ = played(hall, changes=6)
    assert seen.troubles == {Trouble.ERROR: 2, Trouble.TIMED_OUT: 2}
    assert seen.accepted == 2
    # One to begin with, and one after each failure but the last.
    assert hall.opened == 4


def test_as_many_agents_play_as_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    start, left = threading.Thread.start, iter(range(3))

    def few(self: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", few)
    seen, _, stage = played(Hall(fine), changes=9, agents=5)
    assert stage.agents == 3
    assert seen.accepted == 9


def test_whoever_interrupts_hears_what_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(fine)
    looks = iter([None, None])

    def tired(self: Stage) -> None:
        if next(looks, 0) == 0:
            monkeypatch.undo()
            raise KeyboardInterrupt

    monkeypatch.setattr(Stage, "_look", tired)
    seen, _, stage = played(hall, changes=10**9)
    assert stage.interrupted
    assert seen.begun == seen.ended
