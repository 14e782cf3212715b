"""The lock that keeps a store to one process, and says which.

`flock` on a file beside the store: it ends with the process, however that ends, and also keeps out a second
opening in the same process. The file stays: removing it would race with who is just opening it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from provserver.storage.contract import StoreLocked


class StoreLock:
    """Held from `acquire` until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, store: Path) -> StoreLock:
        """Take the lock of a store. StoreLocked says who has it: process, host, since when."""
        path = store.with_name(store.name + ".lock")
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
