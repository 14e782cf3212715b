"""Many entries at once: bounded, stoppable, gone on with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from provserver.etautil.checkpoints import Checkpoint, ResumeError
from provserver.etautil.masschange import MassChanger, Stop
from provserver.etautil.outcomes import Ending, Failure, Outcome
from provserver.etautil.paging import Feed, Page
from provserver.etautil.requests import Values
from provserver.ldap.client import Found, LineLost
from provserver.ldap.messages import Change
from provserver.ldap.results import Refusal, ResultCode


class Server:
    """Holds each change until it is let go; knows how many were in flight."""

    def __init__(self) -> None:
        self.held: list[tuple[str, Deferred[str]]] = []
        self.changed: list[str] = []
        self.most = 0

    async def modify(self, dn: str, changes: Sequence[Change]) -> str:
        answer: Deferred[str] = Deferred()
        self.held.append((dn, answer))
        self.most = max(self.most, len(self.held))
        said = await answer
        self.changed.append(dn)
        return said

    async def add(self, dn: str, attributes: Values) -> None:
        raise NotImplementedError

    async def delete(self, dn: str) -> None:
        raise NotImplementedError

    def answer(self, error: Exception | None = None) -> str:
        """Answer the oldest; its name."""
        dn, held = self.held.pop(0)
        if error is None:
            held.callback("")
        else:
            held.errback(error)
        return dn

    def answer_all(self) -> None:
        while self.held:
            self.answer()


class Shelf:
    """Pages of entries; which were asked for."""

    def __init__(self, *pages: int) -> None:
        self.asked = 0
        self._pages = pages

    async def pages(self) -> AsyncIterator[Page]:
        number = 0
        for size in self._pages:
            self.asked += 1
            entries = [Found(f"cn={number + each}", {}) for each in range(size)]
            number += size
            yield Page(entries, sum(self._pages))


class Run:
    """A masschange under way, and what was told of it."""

    def __init__(
        self,
        shelf: Shelf,
        server: Server,
        *,
        in_flight: int = 3,
        path: Path | None = None,
        change: str = "a change",
    ) -> None:
        self.failures: list[Failure] = []
        self.handled: list[int] = []
        self.estimates: list[int] = []
        self.stop = Stop()
        self.checkpoint = Checkpoint(path, change)
        changer = MassChanger(
            Feed(shelf.pages(), 2, self.estimates.append),
            (),
            self.checkpoint,
            self.stop,
            failed=self.failures.append,
            handled=self.handled.append,
            flush_after=2,
        )
        self.ended = Deferred.fromCoroutine(changer.run([server], in_flight))
        self.ended.addBoth(self._end)

    def _end(self, outcome: object) -> object:
        self.checkpoint.__exit__(None, None, None)
        return outcome

    def outcome(self) -> Outcome:
        outcome = self.ended.result
        assert isinstance(outcome, Outcome)
        return outcome


def names(*numbers: int) -> list[str]:
    return [f"cn={number}" for number in numbers]


def test_never_more_than_so_many_are_in_flight_and_everything_is_changed_once(tmp_path: Path) -> None:
    server = Server()
    run = Run(Shelf(4, 4, 2), server)
    while server.held:
        assert len(server.held) <= 3
        server.answer()
    assert run.outcome() == Outcome(Ending.DONE, 10)
    assert sorted(server.changed) == names(*range(10))
    assert server.most == 3
    assert run.handled == list(range(1, 11))
    assert run.estimates == [10, 10, 10]


def test_pages_are_fetched_when_they_are_needed_not_before() -> None:
    server, shelf = Server(), Shelf(4, 4, 4, 4)
    run = Run(shelf, server, in_flight=1)
    assert shelf.asked == 1
    for _ in range(4):
        server.answer()
    assert shelf.asked == 2
    server.answer_all()
    assert run.outcome().entries == 16


def test_no_entries_are_no_failure() -> None:
    assert Run(Shelf(), Server()).outcome() == Outcome(Ending.DONE)


def test_an_entry_that_fails_is_told_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = Server()
    run = Run(Shelf(4), server)
    server.answer(Refusal(ResultCode.UNWILLING_TO_PERFORM, "not today"))
    server.answer_all()
    outcome = run.outcome()
    assert (outcome.ending, outcome.entries, outcome.failures) == (Ending.FAILED, 3, 1)
    assert run.failures == [Failure("cn=0", "not today", 53, "unwilling_to_perform")]
    [kept] = tmp_path.iterdir()
    assert f"--resume {kept.name}" in outcome.message


def test_a_broken_line_ends_it_and_says_what_is_not_known(tmp_path: Path) -> None:
    server, path = Server(), tmp_path / "far"
    run = Run(Shelf(4, 4), server, path=path)
    server.answer()
    for _ in range(3):
        server.answer(LineLost("the server closed the line"))
    outcome = run.outcome()
    assert (outcome.ending, outcome.entries, outcome.failures) == (Ending.FAILED, 1, 3)
    assert "the server closed the line" in outcome.message
    assert {failure.code for failure in run.failures} == {None}

    again = Server()
    second = Run(Shelf(4, 4), again, path=path)
    again.answer_all()
    assert second.outcome() == Outcome(Ending.DONE, 7, skipped=1)
    assert not path.exists(), "nothing is left to go on with"


def test_who_asks_to_stop_waits_for_what_is_in_flight_and_the_next_run_does_the_rest(tmp_path: Path) -> None:
    server, path = Server(), tmp_path / "far"
    run = Run(Shelf(4, 4, 2), server, path=path)
    server.answer()
    server.answer()
    run.stop.asked = True
    assert not run.ended.called
    server.answer_all()
    assert run.outcome().ending is Ending.INTERRUPTED
    assert str(path) in run.outcome().message
    assert len(server.changed) == 5

    again = Server()
    second = Run(Shelf(4, 4, 2), again, path=path)
    again.answer_all()
    assert second.outcome() == Outcome(Ending.DONE, 5, skipped=5)
    assert sorted(server.changed + again.changed) == names(*range(10))


def test_who_does_not_want_to_wait_gives_up_what_is_in_flight_and_can_still_go_on(tmp_path: Path) -> None:
    server, path = Server(), tmp_path / "far"
    run = Run(Shelf(4, 4), server, path=path)
    server.answer()
    run.stop.asked = True
    run.ended.cancel()
    outcome = run.outcome()
    assert (outcome.ending, outcome.entries, outcome.failures) == (Ending.INTERRUPTED, 1, 3)
    assert {failure.message for failure in run.failures} == {"given up: whether it took place is not known"}
    again = Server()
    second = Run(Shelf(4, 4), again, path=path)
    again.answer_all()
    assert second.outcome() == Outcome(Ending.DONE, 7, skipped=1)


def test_what_failed_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    server, path = Server(), tmp_path / "far"
    Run(Shelf(2), server, path=path)
    server.answer(Refusal(ResultCode.BUSY, ""))
    server.answer_all()
    again = Server()
    second = Run(Shelf(2), again, path=path)
    again.answer_all()
    assert again.changed == ["cn=0"]
    assert second.outcome() == Outcome(Ending.DONE, 1, skipped=1)


def test_a_file_of_another_change_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "far"
    with Checkpoint(path, "one change") as first:
        first.add("cn=x")
    with pytest.raises(ResumeError, match="is not of this masschange, or of another server: it says one cha"):
        Checkpoint(path, "another change")
    (tmp_path / "letter").write_text("Dear Ada")
    with pytest.raises(ResumeError, match="its first line says nothing that etautil wrote"):
        Checkpoint(tmp_path / "letter", "a change")
    assert (tmp_path / "letter").read_text() == "Dear Ada"


def test_a_last_line_that_was_cut_off_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "far"
    with Checkpoint(path, "a change") as first:
        first.add("cn=whole")
        first.add("cn=cut off")
    path.write_bytes(path.read_bytes()[:-3])
    with Checkpoint(path, "a change") as second:
        assert second.has("cn=whole")
        assert not second.has("cn=cut off")
        second.add("cn=then")
    with Checkpoint(path, "a change") as third:
        assert third.has("cn=whole")
        assert third.has("cn=then")
