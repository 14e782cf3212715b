"""How far a masschange got, in a file, so that a run which was interrupted can be gone on with.

The first line says which change it is (server and statement, secret values hidden); each other one is the DN
of an entry that is changed, as JSON. A last line that was cut off is no entry: it is changed again.
"""

from __future__ import annotations

import json
import os
import tempfile
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

_DIGEST: Final = 8
"""Octets by which an entry is known again: of a million entries two look alike in one run of 37 million."""


class ResumeError(Exception):
    """A file that is not of this masschange: what was expected."""


class Checkpoint:
    """Of one masschange; a context. Without a path it is kept aside, until a file is needed."""

    def __init__(self, path: Path | None, change: str) -> None:
        """`change` says which masschange this is. ResumeError, OSError."""
        self._path = path
        self._change = change
        self._before: set[bytes] = set()
        self._file: IO[bytes]
        if path is not None and path.exists() and path.stat().st_size:
            self._file = self._gone_on(path)
        else:
            self._file = tempfile.TemporaryFile() if path is None else path.open("w+b")  # noqa: SIM115 -- kept
            self._file.write(_line(change))
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _gone_on(self, path: Path) -> IO[bytes]:
        file = path.open("r+b")
        first = file.readline()
        if first != _line(self._change):
            file.close()
            raise ResumeError(f"{path} is not of this masschange, or of another server: {_told(first)}")
        end = file.tell()
        for line in file:
            if not line.endswith(b"\n"):
                break
            self._before.add(_digest(line))
            end += len(line)
        file.seek(end)
        file.truncate()
        return file

    def has(self, dn: str) -> bool:
        """Whether a run before this one changed that entry."""
        return bool(self._before) and _digest(_line(dn)) in self._before

    def add(self, dn: str) -> None:
        self._file.write(_line(dn))

    def flush(self) -> None:
        """What was added is on the disk, if it is a file at all."""
        if self._path is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def complete(self) -> None:
        """Everything is changed: nothing is left to go on with."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def keep(self) -> Path:
        """Something is left to be done: the file that knows what."""
        if self._path is None:
            self._path = Path(f"etautil-{_digest(_line(self._change)).hex()}.resume")
            self._file.seek(0)
            with self._path.open("wb") as kept:
                while piece := self._file.read(1 << 16):
                    kept.write(piece)
        else:
            self.flush()
        return self._path


def _line(text: str) -> bytes:
    return json.dumps(text).encode() + b"\n"


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=_DIGEST).digest()


def _told(first: bytes) -> str:
    try:
        told = json.loads(first)
    except ValueError:
        told = None
    return f"it says {told}" if isinstance(told, str) else "its first line says nothing that etautil wrote"
