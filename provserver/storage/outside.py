"""A store looked at, and copied, from outside: whether or not another process has it, and without stopping
that one. Nothing in it is changed.

SQLite lets many processes read beside the one that writes (its log is shared memory between them); our lock
keeps out a second writer only. What is read is the store at one moment. While that lasts, the writer's log
cannot begin anew: it grows by what is written meanwhile, and is as long as before afterwards.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from provserver.directory.entries import Attribute
from provserver.storage import bodies
from provserver.storage import statements as sql
from provserver.storage.contract import StoreLocked
from provserver.storage.database import Database, StoreUnusable, problem_of
from provserver.storage.lock import StoreLock

_PAGES: Final = 2_048
"""Copied between two reports: 8 MB."""
_STEP: Final = 256

Progress = Callable[[int, int], None]
"""Pages done, pages in all."""


class OutsideView:
    """One moment of a store, from `__enter__` to `__exit__`."""

    def __init__(self, path: Path) -> None:
        """FileNotFoundError, StoreUnusable."""
        if not path.exists():
            raise FileNotFoundError(f"there is no store at {path}")
        self._path = path
        self._lock: StoreLock | None = None
        self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            self._begin()
        except sqlite3.DatabaseError as error:
            self._end()
            raise StoreUnusable(f"{path} cannot be read: {error}") from None
        except BaseException:
            self._end()
            raise

    def _begin(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA busy_timeout = 5000")
        execute("PRAGMA query_only = ON")
        problem = problem_of(self._connection)
        if problem:
            raise StoreUnusable(f"{self._path} {problem}")
        if execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            # As a load leaves it, or has it: then whoever reads would stand in its way.
            try:
                self._lock = StoreLock.acquire(self._path)
            except StoreLocked as locked:
                raise StoreUnusable(f"{locked}, which loads it; try again when that has ended") from None
        execute("BEGIN")
        execute(sql.ANY_ENTRY).fetchone()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def _end(self) -> None:
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    # What keys are needed for

    def sealed(self) -> Iterator[tuple[bytes, bytes]]:
        """Sealed value and mark of each delivery in the outbox."""
        return self._each(sql.SEALED)

    def marks(self) -> Iterator[bytes]:
        """The marks of what was sent, or is being sent."""
        for (mark,) in self._each(sql.MARKS):
            yield mark

    def entries(self) -> Iterator[Mapping[str, Attribute]]:
        """The attributes of each entry. StoreUnusable names the one that is damaged."""
        for dn, body in self._each(sql.ALL_BODIES):
            try:
                yield bodies.read(body)
            except bodies.DamagedBody as error:
                raise StoreUnusable(f"the entry '{dn}' of the store is damaged: {error}") from error

    def count(self) -> int:
        """Entries."""
        number: int = self._connection.execute(sql.COUNT_ENTRIES).fetchone()[0]
        return number

    # The journal

    def last_line(self) -> int:
        """The number of the journal's last line."""
        number: int = self._connection.execute(sql.LAST_JOURNAL).fetchone()[0]
        return number

    def journal(self, after: int) -> Iterator[tuple[int, str]]:
        """Event and fields (JSON) of the lines after this one."""
        every = -1  # as a LIMIT: none
        for _, _, event, _, fields in self._each(sql.JOURNAL_AFTER, (after, every)):
            yield event, fields

    def _each(self, statement: str, parameters: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
        rows = self._connection.execute(statement, parameters)
        while step := rows.fetchmany(_STEP):
            yield from step

    # A copy

    def copy(self, target: Path, at: float, progress: Progress) -> None:
        """A new store, complete and on disk when this returns, that says of itself that it is a backup made
        `at` that time. StoreUnusable: what was copied is damaged. OSError; FileExistsError.
        """
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            self._connection.backup(
                copy, pages=_PAGES, progress=lambda _, left, all_: progress(all_ - left, all_)
            )
        database = Database.open(target, durable=True)
        try:
            database.make_current()
            database.writing.execute(sql.SET_META, (sql.BACKUP, at))
            (found,) = database.writing.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise StoreUnusable(f"{self._path} is damaged: {found}")
        finally:
            database.close()
