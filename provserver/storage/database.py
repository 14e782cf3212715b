"""The SQLite file and its connections: made whole, opened with the settings that durability rests on.

WAL with synchronous=FULL: what COMMIT has returned is on disk. `secure_delete` overwrites what is deleted (it
costs nothing measurable here). There is a second connection for reads while the first is in a COMMIT on the
writer's thread: it sees only what is on disk, and does not wait.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

from provserver.storage import statements as sql

FORMAT: Final = 3
_FORMER_FORMATS: Final = (1, 2)
"""1 differs in the bodies of entries, and both kinds are read (`bodies`); both lack indexes and `meta`."""
_APPLICATION_ID: Final = 0x70727673  # "prvs", so that file(1) and we know our own
_STAMP: Final = f"PRAGMA user_version = {FORMAT}"
_STATEMENTS: Final = 256
_PAGE_CACHE_KIB: Final = 32_768
BUSY: Final = 250
"""Milliseconds that somebody else may lock the file (a database tool; we are the only server). All clients
wait as long: then it is an error, and they are told."""


class StoreUnusable(Exception):
    """The file is no store of ours, is damaged, or of another version: names the file, and what is wrong."""


class Database:
    """One open SQLite store: tables, no meaning. `path` is None for a store in memory."""

    def __init__(self, path: Path | None, *, durable: bool, alone: bool = False) -> None:
        """`alone`: with one connection for everything, as a store in memory has."""
        self.path = path
        self.writing = _connect(path, durable=durable)
        several = path is not None and not alone
        self._second = _connect(path, durable=durable) if several else self.writing
        self._third = _connect(path, durable=durable) if several else None
        """For checkpoints."""
        self._durable = durable
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC) if path is not None and several else -1
        self.committing = False
        """A COMMIT is under way on another thread: `writing` is not to be touched."""

    @classmethod
    def in_memory(cls) -> Database:
        database = cls(None, durable=False)
        _lay_out(database.writing)
        return database

    @classmethod
    def create(cls, path: Path, *, durable: bool) -> Database:
        """A new store, complete from the moment it has its name. FileExistsError."""
        if path.exists():
            raise FileExistsError(f"{path} exists already")
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        os.close(descriptor)
        try:
            with contextlib.closing(sqlite3.connect(name, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                _lay_out(connection)
            os.link(name, path)  # unlike rename, never over another's file
        finally:
            os.unlink(name)
        if durable:
            _sync_directory(path.parent)
        return cls(path, durable=durable)

    @classmethod
    def open(cls, path: Path, *, durable: bool) -> Database:
        """An existing store. FileNotFoundError, StoreUnusable."""
        if not path.exists():
            raise FileNotFoundError(f"there is no store at {path}")
        try:
            database = cls(path, durable=durable)
        except sqlite3.DatabaseError as error:
            raise StoreUnusable(f"{path} is no store: {error}") from None
        problem = problem_of(database.writing)
        if problem:
            database.close()
            raise StoreUnusable(f"{path} {problem}")
        return database

    @property
    def reading(self) -> sqlite3.Connection:
        """The connection to read with now, on the reactor thread: sees what is on disk."""
        return self._second if self.committing else self.writing

    def make_current(self) -> None:
        """Before the first write: what is written now, an older version would take for damage."""
        if self.writing.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            execute = self.writing.execute
            execute("BEGIN IMMEDIATE")
            try:
                for statement in sql.TO_FORMAT_3:
                    execute(statement)
                execute(_STAMP)
            except BaseException:
                execute("ROLLBACK")
                raise
            execute("COMMIT")

    def begin(self) -> None:
        """Begin a write transaction."""
        self.writing.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End it; what it wrote is on disk."""
        self.writing.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo it, if there is one."""
        if self.writing.in_transaction:
            self.writing.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Copy what the log holds into the file, beside the writer. Blocks: it is for the writer's thread.

        SQLite syncs the file only when nothing was appended meanwhile. It is synced here in any case, so that
        the call for the rest, during which commits wait, has little to sync.
        """
        if self._third is None:
            return
        self._third.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if self._durable:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        for connection in (self._third, self._second, self.writing):
            if connection is not None:
                connection.close()
        # Not before: closing any descriptor of a file drops the process's locks on it.
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _connect(path: Path | None, *, durable: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path or ":memory:", isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    settings = connection.execute
    if path is not None:
        settings("PRAGMA journal_mode = WAL")
        settings("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = OFF")
        settings("PRAGMA wal_autocheckpoint = 0")  # the writer does it, on its thread
        settings(f"PRAGMA busy_timeout = {BUSY}")
        settings(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
    settings("PRAGMA secure_delete = ON")
    settings("PRAGMA trusted_schema = OFF")
    settings("PRAGMA temp_store = MEMORY")
    return connection


def _lay_out(connection: sqlite3.Connection) -> None:
    tables = resources.files("provserver.storage.sql").joinpath("sqlite.sql").read_text("utf-8")
    connection.executescript(f"BEGIN; {tables} PRAGMA application_id = {_APPLICATION_ID}; {_STAMP}; COMMIT;")


def problem_of(connection: sqlite3.Connection) -> str:
    """Why what it is connected to is no store that we can use; empty: it is one."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        return f"is no store: {error}"
    if application != _APPLICATION_ID:
        return "is no store: it is an SQLite file of something else"
    if version != FORMAT and version not in _FORMER_FORMATS:
        return f"has format {version}; this version of provserver reads format {FORMAT}"
    return ""


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
