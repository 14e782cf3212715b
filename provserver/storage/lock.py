"""The lock that keeps a store to one process, and says which.

`flock` on a file beside the store: it ends with the process, however that ends, and also keeps out a second
opening in the same process. The file stays: removing it would race with who is just opening it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from provserver.storage.contract import StoreLocked

_HOLDER: Final = re.compile(r"process (\d+) on (\S+) since ")


def _lock_file(store: Path) -> Path:
    return store.with_name(store.name + ".lock")


@dataclass(frozen=True, slots=True)
class Holder:
    """Which process has a store."""

    process: int
    host: str

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine."""
        return self.host == socket.gethostname()


def holder_of(store: Path) -> Holder | None:
    """Who has a store; None: nobody does."""
    try:
        descriptor = os.open(_lock_file(store), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        found = _HOLDER.match(os.pread(descriptor, 512, 0).decode("utf-8", "replace"))
        if found is not None and _is_locked(descriptor):
            return Holder(int(found[1]), found[2])
        return None  # what it may say is of a process that died
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


class StoreLock:
    """Held from `acquire` until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, store: Path) -> StoreLock:
        """Take the lock of a store. StoreLocked says who has it: process, host, since when."""
        path = _lock_file(store)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = ""
            with contextlib.suppress(OSError):
                holder = os.pread(descriptor, 512, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            raise StoreLocked(f"{store} is in use by {holder or 'another process'}") from None
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let others have the store. Once."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
