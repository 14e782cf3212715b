"""Log files that are written without making anyone wait: lines gather, and go out once a second or in large
pieces.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger(__name__)

ACCESS_NAME: Final = "access.log"
_PIECE: Final = 256 * 1024
_INTERVAL: Final = 1.0


class LogFile:
    """A file of whole lines, mode 0600. The last second may be lost in a crash; `close` writes what is
    left, and what comes after it is dropped."""

    def __init__(self, path: Path, clock: IReactorTime) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = append_only(path)
        self._clock = clock
        self.lost = 0
        """Bytes that could not be written."""
        self._gathered: list[str] = []
        self._size = 0
        self._call: IDelayedCall | None = None
        self._closed = False

    def write(self, text: str) -> None:
        if self._closed:
            return
        self._gathered.append(text)
        self._size += len(text)
        if self._size >= _PIECE:
            self.flush()
        elif self._call is None:
            self._call = self._clock.callLater(_INTERVAL, self._timed)

    def flush(self) -> None:
        """What has gathered, into the file. A full disk loses log lines, never a password change."""
        if self._gathered:
            data = "".join(self._gathered).encode(errors="replace")
            self._gathered.clear()
            self._size = 0
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError:
                self.lost += len(data)

    def reopen(self) -> None:
        """Go on in a new file of this name when the old one was moved away (logrotate); where that cannot be
        made, in the old one.
        """
        self.flush()
        put_in_place(self.path, self._file)

    def close(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self.flush()
        self._closed = True
        os.close(self._file)

    def _timed(self) -> None:
        self._call = None
        self.flush()


def append_only(path: Path) -> int:
    """A descriptor of a log file for its owner alone. OSError."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def put_in_place(path: Path, descriptor: int) -> None:
    """Have an open descriptor lead to the file that is at this path now; as before, where that cannot be."""
    try:
        new = append_only(path)
    except OSError as error:
        _log.error("{path} cannot be opened again: {error}", path=path, error=error)
    else:
        os.dup2(new, descriptor, inheritable=False)
        os.close(new)


def etatrans_name(at: float) -> str:
    """`etatrans<yyyymmdd>-<hhmm>.log` (facts/imps.md 3.5): one a start."""
    return time.strftime("etatrans%Y%m%d-%H%M.log", time.localtime(at))
