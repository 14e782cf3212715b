"""A file that takes the place of another: whole or not at all, alike in all but its content, one writer."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from provserver.connectors.blocking import TooSlow
from provserver.connectors.contract import (
    AccessDenied,
    Account,
    Busy,
    ConnectorError,
    DroppedConnection,
    PasswordOption,
    ServerDown,
)
from provserver.connectors.files import replacing
from provserver.connectors.files.delimited import DelimitedConnector
from provserver.connectors.files.replacing import LockBy, Taken, read, replace
from provserver.directory.names import DN
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
ADA = Account("ada", DN.parse("cn=x,dc=im"))
NEW = Secret.of_text("New-Tide-1")
CSV = "login,pw\nada,old\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people"
    path.write_bytes(b"old")
    return path


def change(path: Path, lock: LockBy = LockBy.FCNTL, lock_file: str = "") -> None:
    replace(str(path), lambda content: content + b"+new", lock, lock_file)


def folder_of(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def test_owner_group_mode_and_extended_attributes_stay(file: Path) -> None:
    if os.geteuid() == 0:
        os.chown(file, 12345, 23456)
    os.chmod(file, 0o640)
    with contextlib.suppress(OSError):
        os.setxattr(file, "user.kit", b"x")
    before, labels = file.stat(), os.listxattr(file)
    change(file)
    after = file.stat()
    assert file.read_bytes() == b"old+new"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert os.listxattr(file) == labels
    assert folder_of(file) == ["people"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may give files away")
def test_an_owner_that_cannot_be_kept_is_a_refusal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstat

    def of_another(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[stat.ST_UID] += 1
        return os.stat_result(found)

    monkeypatch.setattr(replacing.os, "fstat", of_another)
    with pytest.raises(AccessDenied):
        change(file)
    assert file.read_bytes() == b"old"


def test_a_symbolic_link_stays_one(file: Path) -> None:
    link = file.parent / "link"
    link.symlink_to(file)
    change(link)
    assert link.is_symlink()
    assert file.read_bytes() == b"old+new"


def test_content_that_stays_the_same_is_not_written(file: Path) -> None:
    before = file.stat()
    replace(str(file), lambda content: content, LockBy.FCNTL)
    assert file.stat().st_ino == before.st_ino


def test_what_a_crash_left_behind_goes_with_the_next_change(file: Path) -> None:
    (file.parent / ".people.provserver").write_text("half of it")
    change(file)
    assert folder_of(file) == ["people"]


def test_a_link_in_the_place_of_the_new_file_is_not_followed(file: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (file.parent / ".people.provserver").symlink_to(victim)
    change(file)
    assert victim.read_text() == "precious"


CODES = [
    (errno.ENOSPC, Busy),
    (errno.EDQUOT, Busy),
    (errno.EROFS, AccessDenied),
    (errno.EACCES, AccessDenied),
    (errno.EIO, ServerDown),
    (errno.ESTALE, ServerDown),
    (errno.EBADF, ConnectorError),
]


@pytest.mark.parametrize(("code", "kind"), CODES, ids=[errno.errorcode[code] for code, _ in CODES])
@pytest.mark.parametrize("step", ["fsync", "rename", "fchmod"])
def test_whatever_fails_before_the_rename_leaves_the_file_and_no_litter(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int, kind: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(replacing.os, step, fail)
    with pytest.raises(kind, match=os.strerror(code)) as failed:
        change(file)
    assert type(failed.value) is kind
    assert not failed.value.outcome_unknown
    assert file.read_bytes() == b"old"
    assert folder_of(file) == ["people"]


def test_after_the_rename_nobody_knows_whether_a_crash_would_undo_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, iter(range(2))

    def second_fails(descriptor: int) -> None:
        if next(calls):
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(replacing.os, "fsync", second_fails)
    with pytest.raises(ServerDown) as failed:
        change(file)
    assert failed.value.outcome_unknown
    assert file.read_bytes() == b"old+new"


def test_it_is_on_the_disk_before_it_takes_the_place(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def noted(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object) -> object:
            steps.append(name)
            return real(*arguments)

        return call

    for name in ("fchmod", "fsync", "rename"):
        monkeypatch.setattr(replacing.os, name, noted(name))
    change(file)
    assert steps == ["fchmod", "fsync", "rename", "fsync"]


def test_a_file_that_is_too_large_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "LARGEST", 2)
    with pytest.raises(ConnectorError, match="3 octets are more than the 2"):
        change(file)
    with pytest.raises(ConnectorError):
        read(str(file))


def test_who_changes_it_without_the_lock_is_noticed_and_wins(file: Path) -> None:
    def meanwhile(content: bytes) -> bytes:
        file.write_bytes(b"theirs")
        return b"ours"

    with pytest.raises(Taken, match="did not wait for the lock"):
        replace(str(file), meanwhile, LockBy.FCNTL)
    assert file.read_bytes() == b"theirs"
    assert folder_of(file) == ["people"]


@contextlib.contextmanager
def another_program(path: Path, how: str) -> Iterator[None]:
    """Holds the lock that programs of that kind take, until it is left."""
    script = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); "
        f"fcntl.{how}(f, fcntl.LOCK_EX); print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.communicate()


@pytest.mark.parametrize(("how", "lock"), [("lockf", LockBy.FCNTL), ("flock", LockBy.FLOCK)])
def test_another_programs_lock_is_waited_for(file: Path, how: str, lock: LockBy) -> None:
    with another_program(file, how), pytest.raises(Taken, match="locked by another program"):
        change(file, lock)
    change(file, lock)
    assert file.read_bytes() == b"old+new"


@pytest.mark.parametrize("lock", list(LockBy))
def test_two_lines_of_this_process_exclude_each_other(file: Path, lock: LockBy) -> None:
    def inner(content: bytes) -> bytes:
        with pytest.raises(Taken):
            change(file, lock)
        with open(file, "rb"):
            pass  # closing another descriptor does not give the lock up
        with pytest.raises(Taken):
            change(file, lock)
        return b"outer"

    replace(str(file), inner, lock)
    assert file.read_bytes() == b"outer"


def test_a_lock_file_of_its_own_is_made_and_stays(file: Path, tmp_path: Path) -> None:
    lock = tmp_path / "people.lock"
    change(file, LockBy.FLOCK, str(lock))
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    with another_program(lock, "flock"), pytest.raises(Taken):
        change(file, LockBy.FLOCK, str(lock))


def test_the_old_file_is_not_what_we_want_to_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our opening and our locking it, another writer put a new one there."""
    real = fcntl.fcntl

    def replaced_meanwhile(descriptor: int, *arguments: object) -> object:
        other = file.parent / "other"
        other.write_bytes(b"theirs")
        other.rename(file)
        return real(descriptor, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(replacing.fcntl, "fcntl", replaced_meanwhile)
    with pytest.raises(Taken, match="replaced while we waited"):
        change(file)
    monkeypatch.undo()
    change(file)
    assert file.read_bytes() == b"theirs+new"


# -- the connector around it


class Threadless:
    """A reactor whose threads are answered by the test's clock: calls from threads run when they come."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.callLater = self.clock.callLater

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        function(*arguments)


@test
async def test_a_lock_is_waited_for_and_then_the_password_is_set(tmp_path: Path) -> None:
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater

    path = tmp_path / "people"
    path.write_text(CSV)
    settings = {"path": str(path), "hash": "clear", "account": "login", "password": "pw"}
    connector = DelimitedConnector(settings, {}, reactor)
    with another_program(path, "lockf"):
        setting = Deferred.fromCoroutine(connector.set_password(ADA, NEW, PasswordOption.NONE))
        await deferLater(reactor, 0.12)
        assert not setting.called
        assert path.read_text() == CSV
    await setting
    assert path.read_text() == CSV.replace("old", "New-Tide-1")
    await connector.close()


@test
async def test_a_lock_that_is_never_given_up_is_busy(tmp_path: Path) -> None:
    from twisted.internet import reactor

    path = tmp_path / "people"
    path.write_text(CSV)
    settings = {"path": str(path), "hash": "clear", "account": "login", "password": "pw", "timeout": "0.1"}
    connector = DelimitedConnector(settings, {}, reactor)
    with another_program(path, "lockf"), pytest.raises(Busy, match="locked by another program") as busy:
        await connector.set_password(ADA, NEW, PasswordOption.NONE)
    assert busy.value.transient
    assert not busy.value.outcome_unknown
    await connector.close()


@test
async def test_a_disk_that_hangs_is_given_up_and_does_not_write_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    path = tmp_path / "people"
    path.write_text(CSV)
    settings = {"path": str(path), "hash": "clear", "account": "login", "password": "pw", "timeout": "0.1"}
    connector = DelimitedConnector(settings, {}, reactor)
    hangs, goes_on, ended = Event(), Event(), Event()
    real_fsync, real_unlink = os.fsync, os.unlink

    def slow(descriptor: int) -> None:
        hangs.set()
        goes_on.wait(30)
        real_fsync(descriptor)

    def unlinked(path: str) -> None:
        real_unlink(path)
        ended.set()

    monkeypatch.setattr(replacing.os, "fsync", slow)
    monkeypatch.setattr(replacing.os, "unlink", unlinked)
    with pytest.raises(DroppedConnection, match=r"no answer within 0.1 s") as dropped:
        await connector.set_password(ADA, NEW, PasswordOption.NONE)
    assert dropped.value.outcome_unknown
    assert hangs.is_set()
    goes_on.set()
    assert ended.wait(30), "what was being written is taken away again"
    assert path.read_text() == CSV
    await connector.close()


def test_a_call_that_is_cancelled_leaves_its_thread_alone() -> None:
    from twisted.internet.defer import CancelledError

    from provserver.connectors.blocking import OwnThread

    reactor, goes_on, ended = Threadless(), Event(), Event()
    thread = OwnThread(reactor, "kit")
    endings: list[type[Exception] | None] = []

    def slow() -> None:
        goes_on.wait(30)
        ended.set()

    cancelled = thread.call(slow, 5.0)
    cancelled.addErrback(lambda failure: endings.append(failure.type))
    cancelled.cancel()
    assert endings == [CancelledError]
    assert not reactor.clock.getDelayedCalls()

    late = thread.call(lambda: goes_on.wait(30), 5.0)
    late.addErrback(lambda failure: endings.append(failure.type))
    reactor.clock.advance(5.0)
    assert endings == [CancelledError, TooSlow]
    goes_on.set()
    assert ended.wait(30)
