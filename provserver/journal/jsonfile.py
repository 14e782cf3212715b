"""The journal as a file of JSON lines, `journal.jsonl`, that rotates by itself: `journal.jsonl.1` is the one
before it, and so on.

Its last line says where to go on after a restart, so that no event is missing, whenever the server ended. One
is written twice only when its file was taken away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from provserver.journal.files import append_only, put_in_place
from provserver.journal.lines import Lines
from provserver.storage.contract import JournalEvent

_log = Logger(__name__)

JOURNAL_NAME: Final = "journal.jsonl"
_LOOKED_BACK: Final = 1024 * 1024
"""Bytes. Longer than any line."""


class JournalFile:
    """Takes events (`tail.Reader`). `size` bytes and `age` seconds that a file may have before the next one
    is begun, 0: any; `keep`: how many older ones there are at most. OSError: it cannot be made.
    """

    def __init__(
        self, path: Path, lines: Lines, wall: Callable[[], float], *, size: int, age: float, keep: int
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lines = lines
        self._wall = wall
        self._limit = size
        self._age = age
        self._keep = keep
        self._file = append_only(path)
        self._cut_off_half_a_line()
        self._begun = 0.0
        """The time of its first line."""
        self._size = 0
        self._measure()
        self._problems: dict[str, str] = {}
        self.after = self._last_written()

    def take(self, events: Sequence[tuple[int, JournalEvent]]) -> None:
        """What a full disk does not take now is tried again: `after` stays."""
        if self._is_due():
            self._rotate()
        data = "".join([self._lines.line(sequence, event) for sequence, event in events]).encode()
        try:
            self._write(data)
        except OSError as error:
            self._say("written", error.strerror or type(error).__name__)
            return
        self._say("written", "")
        self._begun = self._begun or events[0][1].at
        self._size += len(data)
        self.after = events[-1][0]

    def reopen(self) -> None:
        """Go on in a new file of this name when the old one was moved away."""
        put_in_place(self.path, self._file)
        self._measure()

    def close(self) -> None:
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        """All of it, or OSError and nothing: half a line would be no JSON."""
        end = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def _is_due(self) -> bool:
        if not self._size:
            return False
        full = 0 < self._limit <= self._size
        return full or 0 < self._age <= self._wall() - self._begun

    def _rotate(self) -> None:
        """Every file gets the number after its own; the oldest goes."""
        try:
            for number in range(self._keep, 0, -1):
                younger = _numbered(self.path, number - 1)
                if younger.exists():
                    younger.replace(_numbered(self.path, number))
            if not self._keep:
                self.path.unlink()
        except OSError as error:
            self._say("rotated", error.strerror or type(error).__name__)
        else:
            self._say("rotated", "")
        self.reopen()

    def _measure(self) -> None:
        """How large the file is, and when it was begun."""
        self._size = os.fstat(self._file).st_size
        first = _read(_head(self.path)) if self._size else None
        self._begun = first[1] if first is not None else self._wall() if self._size else 0.0

    def _cut_off_half_a_line(self) -> None:
        """What a crash of the machine left."""
        tail = _end(self.path)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            os.ftruncate(self._file, os.fstat(self._file).st_size - (len(tail) - whole))

    def _last_written(self) -> int:
        """The number in the last line that has one, here or in the files before."""
        for number in range(self._keep + 1):
            for line in reversed(_end(_numbered(self.path, number)).splitlines()):
                read = _read(line)
                if read is not None:
                    return read[0]
        return 0

    def _say(self, what: str, problem: str) -> None:
        """Once for each problem, and when it is over."""
        before = self._problems.get(what, "")
        if problem != before:
            self._problems[what] = problem
            if problem:
                _log.error(
                    "{path} cannot be {what}: {problem}; it will be tried again",
                    path=self.path,
                    what=what,
                    problem=problem,
                )
            else:
                _log.info("{path} can be {what} again", path=self.path, what=what)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(_LOOKED_BACK)


def _end(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOOKED_BACK))
            return file.read()
    except FileNotFoundError:
        return b""


def _read(line: bytes) -> tuple[int, float] | None:
    """Number and time of a line of ours; None of anything else."""
    try:
        document = json.loads(line)
        return int(document["seq"]), datetime.fromisoformat(document["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return None
