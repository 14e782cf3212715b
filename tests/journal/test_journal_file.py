"""journal.jsonl: it goes on where it ended, rotates by itself, and loses nothing to a full disk."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.delivery.declared import DECLARED
from provserver.journal.jsonfile import JournalFile
from provserver.journal.lines import Lines
from provserver.storage.contract import JournalEvent
from provserver.testing.clock import TurnedClock

DAY = 86_400.0


class Shelf:
    """A folder with the file, opened as often as the test wants."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.path = folder / "logs" / "journal.jsonl"
        self.clock = TurnedClock()
        self.limits = {"size": 0, "age": 0.0, "keep": 3} | limits

    def open(self) -> JournalFile:
        return JournalFile(self.path, Lines(DECLARED), self.clock.wall, **self.limits)

    def events(self, *numbers: int, text: str = "x") -> Sequence[tuple[int, JournalEvent]]:
        return [(number, JournalEvent(self.clock.wall(), 8026, text, {})) for number in numbers]

    def numbers(self, suffix: str = "") -> list[int]:
        text = Path(f"{self.path}{suffix}").read_text("ascii")
        return [json.loads(line)["seq"] for line in text.splitlines()]

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Callable[..., Shelf]:
    return lambda **limits: Shelf(tmp_path, **limits)


Shelves = Callable[..., Shelf]


def test_it_is_for_its_owner_alone(shelf: Shelves) -> None:
    there = shelf()
    there.open().close()
    assert there.path.stat().st_mode & 0o777 == 0o600


def test_it_begins_with_all_that_there_is_and_goes_on_after_its_last_line(shelf: Shelves) -> None:
    there = shelf()
    file = there.open()
    assert file.after == 0
    file.take(there.events(1, 2, 5))
    file.close()
    again = there.open()
    assert again.after == 5
    again.take(there.events(6))
    again.close()
    assert there.numbers() == [1, 2, 5, 6]


def test_half_a_line_that_a_crash_left_is_cut_off(shelf: Shelves) -> None:
    there = shelf()
    file = there.open()
    file.take(there.events(1, 2))
    file.close()
    whole = there.path.read_bytes()
    there.path.write_bytes(whole[:-7])
    again = there.open()
    assert again.after == 1
    again.take(there.events(2))
    again.close()
    assert there.path.read_bytes() == whole


def test_lines_of_somebody_else_are_passed_over(shelf: Shelves) -> None:
    there = shelf()
    file = there.open()
    file.take(there.events(7))
    file.close()
    with there.path.open("a") as handle:
        handle.write('{"a":"note"}\n\nnot JSON\n[1]\n')
    assert there.open().after == 7


def test_a_file_that_was_taken_away_goes_on_after_the_one_before(shelf: Shelves) -> None:
    there = shelf()
    file = there.open()
    file.take(there.events(1, 2, 3))
    file.close()
    there.path.rename(f"{there.path}.1")
    assert there.open().after == 3


def test_it_rotates_by_size_and_keeps_so_many(shelf: Shelves) -> None:
    there = shelf(size=100, keep=2)
    file = there.open()
    for number in range(1, 6):
        file.take(there.events(number))
    file.close()
    assert there.names == ["journal.jsonl", "journal.jsonl.1", "journal.jsonl.2"]
    assert [there.numbers(), there.numbers(".1"), there.numbers(".2")] == [[5], [4], [3]]
    assert Path(f"{there.path}.1").stat().st_mode & 0o777 == 0o600


def test_it_rotates_by_age_also_when_it_was_opened_again_meanwhile(shelf: Shelves) -> None:
    there = shelf(age=DAY)
    file = there.open()
    file.take(there.events(1))
    there.clock.turn(DAY / 2)
    file.take(there.events(2))
    file.close()
    file = there.open()
    there.clock.turn(DAY / 2)
    file.take(there.events(3))
    assert [there.numbers(".1"), there.numbers()] == [[1, 2], [3]]
    there.clock.turn(DAY - 1)
    file.take(there.events(4))
    assert there.numbers() == [3, 4]
    file.close()


def test_with_none_to_be_kept_it_begins_anew(shelf: Shelves) -> None:
    there = shelf(size=100, keep=0)
    file = there.open()
    file.take(there.events(1))
    file.take(there.events(2))
    file.close()
    assert there.names == ["journal.jsonl"]
    assert there.numbers() == [2]


def test_a_file_that_was_moved_away_is_begun_anew_at_a_hangup(shelf: Shelves) -> None:
    there = shelf(size=300)
    file = there.open()
    file.take(there.events(1))
    there.path.rename(there.path.with_name("elsewhere"))
    file.reopen()
    file.take(there.events(2))
    file.close()
    assert there.numbers() == [2]
    assert not Path(f"{there.path}.1").exists()


def test_what_a_full_disk_does_not_take_is_no_line_and_comes_again(
    shelf: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = shelf()
    file = there.open()
    file.take(there.events(1))
    write = os.write
    room = 10

    def full(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken, room = data[:room], 0
        return write(descriptor, taken)

    monkeypatch.setattr(os, "write", full)
    file.take(there.events(2, 3))
    assert file.after == 1
    assert there.numbers() == [1]
    monkeypatch.undo()
    file.take(there.events(2, 3))
    file.close()
    assert there.numbers() == [1, 2, 3]


def test_where_it_cannot_be_rotated_it_goes_on(shelf: Shelves) -> None:
    there = shelf(size=100, keep=1)
    file = there.open()
    file.take(there.events(1))
    Path(f"{there.path}.1").mkdir()
    file.take(there.events(2))
    file.close()
    assert there.numbers() == [1, 2]


@settings(max_examples=40)  # each rotation is a rename of every file
@given(st.lists(st.one_of(st.integers(1, 5), st.just(0)), max_size=25), st.integers(0, 400))
def test_however_often_it_ends_nothing_is_missing_and_nothing_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, acts: list[int], size: int
) -> None:
    """A number of events to be taken, or 0: the server ends and starts again."""
    there = Shelf(tmp_path_factory.mktemp("shelf"), size=size, keep=30)
    file, last = there.open(), 0
    for act in acts:
        if act:
            file.take(there.events(*range(last + 1, last + 1 + act)))
            last += act
        else:
            file.close()
            file = there.open()
            assert file.after == last
    file.close()
    older = sorted(there.path.parent.glob("journal.jsonl.*"), key=lambda path: -int(path.suffix[1:]))
    found = [number for path in older for number in there.numbers(path.suffix)] + there.numbers()
    assert found == list(range(1, last + 1))
