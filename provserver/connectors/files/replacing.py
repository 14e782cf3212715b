"""A file changed in place: locked, read, written beside, synced, renamed. Readers see the old or the new.

Owner, group, mode, access lists and other extended attributes stay. Blocks: for a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Final

from provserver.connectors.contract import (
    AccessDenied,
    Busy,
    ConnectorError,
    ConnectorFailure,
    ServerDown,
)

LARGEST: Final = 256 * 2**20
"""Octets. A file is read whole; a larger one belongs in a database."""


class LockBy(Enum):
    """What other writers lock with."""

    FCNTL = "fcntl"
    FLOCK = "flock"


class Taken(Busy):
    """Another program has the file, or changed it meanwhile: worth asking again at once."""


def read(path: str) -> bytes:
    """The file's octets. ConnectorFailure."""
    with _told(path):
        descriptor = _opened(path, os.O_RDONLY)
        with open(descriptor, "rb") as file:
            return file.read()


def replace(
    path: str,
    change: Callable[[bytes], bytes],
    lock_by: LockBy,
    lock_file: str = "",
    still_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Let `change` make the new content of the old one, under the lock. ConnectorFailure; what `change`
    raises. Whatever fails before the rename leaves the file as it was. `still_wanted` is asked right before
    it: a thread that was given up must not bring back an older password.
    """
    with _told(path):
        real = os.path.realpath(path)
        with _locked(lock_file or real, lock_by, own=bool(lock_file)):
            descriptor = _opened(real, os.O_RDONLY)
            with open(descriptor, "rb") as file:
                before = os.fstat(descriptor)
                content = file.read()
            changed = change(content)
            if changed != content:
                _put(real, changed, before, still_wanted)


def _opened(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not make us wait
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST:
        return descriptor
    os.close(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise ConnectorError(f"{path}: expected a regular file")
    raise ConnectorError(f"{path}: {found.st_size} octets are more than the {LARGEST} that are taken")


@contextlib.contextmanager
def _locked(path: str, by: LockBy, *, own: bool) -> Iterator[None]:
    """`own`: a file that is there for the lock only. Taken: somebody else has it."""
    if own:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    else:
        descriptor = _opened(path, os.O_RDWR)
    try:
        _lock(path, descriptor, by)
        if not own and not _same(os.fstat(descriptor), os.stat(path)):
            raise Taken(f"{path}: replaced while we waited for it")
        yield
    finally:
        os.close(descriptor)


def _lock(path: str, descriptor: int, by: LockBy) -> None:
    try:
        if by is LockBy.FLOCK:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            # Of the open file, not of the process (as lockf is): another line of ours must wait as well, and
            # closing some other descriptor of the file must not give it up.
            whole = struct.pack("@hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, whole)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise Taken(f"{path}: locked by another program") from None
        raise


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _put(path: str, content: bytes, before: os.stat_result, still_wanted: Callable[[], bool]) -> None:
    """The content in the place of the file that was read when it looked like `before`."""
    folder, name = os.path.split(path)
    fresh = os.path.join(folder, f".{name}.provserver")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)  # of a crash: only who has the lock writes one
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _look_alike(path, descriptor, before)
            os.fsync(descriptor)
        now = os.stat(path)
        if not _same(before, now) or (before.st_size, before.st_mtime_ns) != (now.st_size, now.st_mtime_ns):
            raise Taken(f"{path}: changed by another program that did not wait for the lock")
        if not still_wanted():
            raise Busy(f"{path}: given up before it was written")
        os.rename(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    _sync_folder(path, folder)


def _look_alike(path: str, descriptor: int, before: os.stat_result) -> None:
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
    for name in _attributes(path):
        try:
            os.setxattr(descriptor, name, os.getxattr(path, name))
        except OSError:
            # The kernel's own labels may not be ours to write; an access list must not be lost.
            if not name.startswith(("security.", "trusted.")):
                raise


def _attributes(path: str) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _sync_folder(path: str, folder: str) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        failure = ServerDown(f"{path}: written, but not known to be on the disk: {error.strerror}")
        failure.outcome_unknown = True
        raise failure from None


_KINDS: Final[dict[int, type[ConnectorFailure]]] = {
    errno.EACCES: AccessDenied,
    errno.EPERM: AccessDenied,
    errno.EROFS: AccessDenied,
    errno.ENOENT: ServerDown,
    errno.ENOTDIR: ServerDown,
    errno.ESTALE: ServerDown,
    errno.EIO: ServerDown,
    errno.ENXIO: ServerDown,
    errno.ENODEV: ServerDown,
    errno.EHOSTDOWN: ServerDown,
    errno.ETIMEDOUT: ServerDown,
    errno.ENOSPC: Busy,
    errno.EDQUOT: Busy,
    errno.EMFILE: Busy,
    errno.ENFILE: Busy,
    errno.ENOLCK: Busy,
    errno.ENOMEM: Busy,
    errno.ETXTBSY: Busy,
}


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """What the system refuses, as one of the closed set."""
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, ConnectorError)
        where = Path(error.filename if isinstance(error.filename, str) else path)
        raise kind(f"{where}: {error.strerror}") from None
