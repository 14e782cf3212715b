"""Log files: written in large pieces, by the clock, closed whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provserver.journal.files import LogFile, etatrans_name
from provserver.testing.clock import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def test_lines_go_out_after_a_second(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "logs" / "a.log", clock)
    file.write("one\n")
    file.write("two\n")
    assert file.path.read_text() == ""
    clock.turn(1)
    assert file.path.read_text() == "one\ntwo\n"
    file.close()
    assert clock.getDelayedCalls() == []


def test_much_goes_out_at_once_and_only_once(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "a.log", clock)
    file.write("x" * 300_000 + "\n")
    assert file.path.stat().st_size == 300_001
    file.close()
    assert file.path.stat().st_size == 300_001


def test_closing_writes_what_is_left(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "a.log", clock)
    file.write("last\n")
    file.close()
    assert file.path.read_text() == "last\n"


def test_what_comes_after_the_end_is_dropped(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "a.log", clock)
    file.close()
    with (tmp_path / "b.log").open("w"):  # which may get the number that the closed file had
        file.write("too late\n")
        file.write("x" * 300_000)
        clock.turn(1)
    assert (tmp_path / "a.log").read_text() == (tmp_path / "b.log").read_text() == ""
    assert clock.getDelayedCalls() == []


def test_it_is_for_its_owner_alone_and_is_appended_to(tmp_path: Path, clock: TurnedClock) -> None:
    for line in ("one\n", "two\n"):
        file = LogFile(tmp_path / "a.log", clock)
        file.write(line)
        file.close()
    assert (tmp_path / "a.log").read_text() == "one\ntwo\n"
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_nothing_loses_lines_and_counts_them(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "a.log", clock)
    os.close(file._file)
    file._file = os.open("/dev/full", os.O_WRONLY)
    file.write("lost\n")
    clock.turn(1)
    assert file.lost == 5
    file.close()


def test_a_disk_that_takes_a_part_gets_the_rest_too(
    tmp_path: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LogFile(tmp_path / "a.log", clock)
    write = os.write
    monkeypatch.setattr(os, "write", lambda where, data: write(where, bytes(data)[:3]))
    file.write("all of it\n")
    clock.turn(1)
    monkeypatch.undo()
    file.close()
    assert file.path.read_text() == "all of it\n"


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "a.log", clock)
    file.write("one\n")
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    file.reopen()
    file.write("two\n")
    file.close()
    assert (tmp_path / "a.log.1").read_text() == "one\n"
    assert (tmp_path / "a.log").read_text() == "two\n"
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


def test_where_no_new_file_can_be_made_the_old_one_goes_on(tmp_path: Path, clock: TurnedClock) -> None:
    file = LogFile(tmp_path / "logs" / "a.log", clock)
    (tmp_path / "logs").rename(tmp_path / "elsewhere")
    file.reopen()
    file.write("one\n")
    file.close()
    assert (tmp_path / "elsewhere" / "a.log").read_text() == "one\n"


def test_the_name_is_imps_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """facts/imps.md 3.5: `etatrans<yyyymmdd>-<hhmm>.log`."""
    name = etatrans_name(1_790_000_000.0)
    assert name.startswith("etatrans2026092")
    assert len(name) == len("etatrans20190402-1114.log")
