"""Where changes wait that no server has taken: an SQLite file, each password sealed (AES-256-GCM) under a key
in a file beside it, both for their owner alone.

Of an account only the newest change waits. What is written is on the disk when the call returns, so a change
that is put here before it is sent survives the agent, the host and the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provserver.agents.reporting import Report
from provserver.vault.keyring import KeyRing, KeyRingError
from provserver.vault.sealing import Seal, SealBroken

_FORM: Final = 1
_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS change (
    place    INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    key      TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    captured REAL NOT NULL,
    due      REAL NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    trouble  TEXT NOT NULL DEFAULT '',
    sealed   BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS taken (
    change TEXT NOT NULL REFERENCES change (id) ON DELETE CASCADE,
    server TEXT NOT NULL,
    PRIMARY KEY (change, server)
) WITHOUT ROWID;
PRAGMA user_version = {_FORM};
"""
_COLUMNS: Final = "id, account, captured, due, tries, trouble, sealed"
_PATIENCE: Final = 5.0
"""Seconds that another process may keep the file."""
_LONGEST_REST: Final = 86_400.0
"""Nothing rests for so many seconds: what seems to was put here before the clock was set back."""


class SpoolError(Exception):
    """The spool cannot be used; the text says why, and where."""


@dataclass(frozen=True, slots=True)
class Held:
    """A change that waits. `due`: not before; `tries`: how often a server said no; `taken`: who has it."""

    id: str
    account: str
    captured: float
    due: float
    tries: int
    trouble: str
    sealed: bytes
    taken: frozenset[str]


class Spool:
    """The spool in a directory; several processes may use it at the same time. Use it in a `with`."""

    def __init__(self, directory: Path) -> None:
        """Opens it, and makes it first where there is none. SpoolError."""
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory.stat().st_mode & 0o077:
                raise SpoolError(f"{directory}: others may use it: chmod 700 {directory}")
            self._seal = Seal(self._keys())
            self._base = self._opened(directory / "spool.db")
        except (OSError, KeyRingError, sqlite3.Error) as error:
            raise SpoolError(f"{directory}: {error}") from None

    def _keys(self) -> KeyRing:
        path = self._directory / "spool.key"
        with locked(self._directory / "key.lock"):  # two that begin at once must not have two keys
            if not path.exists():
                if (self._directory / "spool.db").exists():
                    raise SpoolError(f"{path} is missing: what waits in {self._directory} cannot be read")
                KeyRing.generate().write(path)
        return KeyRing.load(path)

    def _opened(self, path: Path) -> sqlite3.Connection:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        base = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("PRAGMA secure_delete = ON")
        base.execute("PRAGMA foreign_keys = ON")
        if base.execute("PRAGMA user_version").fetchone()[0] != _FORM:
            base.executescript(_TABLES)
        return base

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._base.execute("BEGIN IMMEDIATE")
            with contextlib.closing(self._base.cursor()):
                try:
                    yield self._base
                except BaseException:
                    self._base.execute("ROLLBACK")
                    raise
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise SpoolError(f"{self._directory}: {error}") from None

    def put(self, report: Report, due: float) -> list[str]:
        """Keep a change, in the place of an older one of its account; the ids of what it replaced."""
        sealed = self._seal.seal(report.secret, _row(report.id, report.account))
        key = report.account.casefold()
        with self._transaction() as base:
            older = [row[0] for row in base.execute("SELECT id FROM change WHERE key = ?", (key,))]
            base.execute("DELETE FROM change WHERE key = ?", (key,))
            base.execute(
                "INSERT INTO change (id, key, account, captured, due, sealed) VALUES (?, ?, ?, ?, ?, ?)",
                (report.id, key, report.account, report.captured, due, sealed),
            )
        return older

    def waiting(self, until: float | None = None) -> list[Held]:
        """What waits, oldest first; with a time, what is due by then."""
        with self._transaction() as base:
            rows = base.execute(f"SELECT {_COLUMNS} FROM change ORDER BY place").fetchall()  # noqa: S608  a constant
            taken = base.execute("SELECT change, server FROM taken").fetchall()
        by_change: dict[str, set[str]] = {}
        for change, server in taken:
            by_change.setdefault(change, set()).add(server)
        return [
            Held(id, account, captured, due, tries, trouble, sealed, frozenset(by_change.get(id, ())))
            for id, account, captured, due, tries, trouble, sealed in rows
            if until is None or due <= until or due > until + _LONGEST_REST
        ]

    def report(self, held: Held) -> Report:
        """The change as it is told. SealBroken."""
        secret = self._seal.open(held.sealed, _row(held.id, held.account))
        return Report(held.id, held.account, held.captured, secret)

    def take(self, id: str, server: str) -> None:
        """That server has it."""
        with self._transaction() as base:
            base.execute("INSERT OR IGNORE INTO taken SELECT id, ? FROM change WHERE id = ?", (server, id))

    def drop(self, id: str) -> None:
        """It need not wait any more; harmless when it does not."""
        with self._transaction() as base:
            base.execute("DELETE FROM change WHERE id = ?", (id,))

    def settle(self, report: Report) -> None:
        """Neither it nor an older one of its account need wait any more."""
        with self._transaction() as base:
            base.execute(
                "DELETE FROM change WHERE key = ? AND captured <= ?",
                (report.account.casefold(), report.captured),
            )

    def later(self, id: str, due: float, tries: int, trouble: str) -> None:
        """Not before that time, and why."""
        with self._transaction() as base:
            base.execute(
                "UPDATE change SET due = ?, tries = ?, trouble = ? WHERE id = ?", (due, tries, trouble, id)
            )

    def purge(self, before: float) -> list[Held]:
        """Give up what was captured before that time; what it was."""
        old = [held for held in self.waiting() if held.captured < before]
        for held in old:
            self.drop(held.id)
        return old

    @contextlib.contextmanager
    def delivering(self) -> Iterator[bool]:
        """For one at a time: whether it is us."""
        with locked(self._directory / "delivering.lock", wait=False) as ours:
            yield ours


def _row(id: str, account: str) -> bytes:
    """What a sealed password belongs to."""
    return f"{id}\0{account}".encode()


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock file; whether it is held. Goes with the process, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


__all__ = ["Held", "SealBroken", "Spool", "SpoolError", "locked"]
