"""Databases as endpoints, through SQLAlchemy: a column of a table, or a statement.

One connection a line, kept open, in a thread of its own. Every value is bound, never formatted in.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from twisted.internet.defer import CancelledError

from provserver.connectors import sqlfailures, sqlline, sqlwording
from provserver.connectors.blocking import OwnThread, TooSlow
from provserver.connectors.contract import (
    Accepts,
    Account,
    Busy,
    Capabilities,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    Fold,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordOption,
    Security,
    ServerDown,
    keep_as_is,
)
from provserver.connectors.hashes import SETTING_NAMES as HASH_SETTINGS
from provserver.connectors.hashes import HashName, Keeping, text_of
from provserver.connectors.registry import Settings, known_secrets
from provserver.connectors.sqlfailures import Meanings
from provserver.connectors.sqlline import read_line
from provserver.connectors.sqlwording import Columns, Confirm, read_wording
from provserver.directory.names import DN
from provserver.vault.secret import Secret

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Executable

T = TypeVar("T")
PAGE: Final = 1000
"""Accounts that are explored at a time."""


class SqlConnector:
    """A column of a table, or a statement, in a database that SQLAlchemy speaks to."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **sqlline.SETTING_NAMES,
        **sqlwording.SETTING_NAMES,
        **HASH_SETTINGS,
        **sqlfailures.SETTING_NAMES,
        "timeout": "seconds for connecting, and for each statement; 10 when not given",
    }
    secret_names: ClassVar[Mapping[str, str]] = {"password": "the password of the url's user"}
    capabilities: ClassVar[Capabilities] = Capabilities(
        change="a table",
        unlock="a statement with :unlock",
        must_change="a statement with :must_change",
        hashes="schemes",
        explore="a table, or accounts",
        secure="not with tls=none",
    )
    pipeline: ClassVar[int] = 1
    fold: Fold = staticmethod(keep_as_is)

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        self._patience = given.number("timeout", 10.0, least=0.5, most=600.0)
        login = secrets.get("password")
        self._line = read_line(given, None if login is None else text_of(login), self._patience)
        self.security: Security = self._line.security
        self._wording = read_wording(given)
        self._keeping = Keeping.of(given)
        self.accepts: Accepts = self._keeping.accepts
        self._meanings = Meanings(given, hashed=self._keeping.name is not HashName.CLEAR)
        self._thread = OwnThread(reactor, f"sql {self._line.where}")
        self._connection: Connection | None = None

    async def open(self, partition: str = "") -> None:
        if self._connection is None:
            self._connection = await self._ask(self._connect)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._thread.leave(None if connection is None else lambda: _let_go(connection))

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        encoded = PasswordOption.ENCODED in options
        flags = {
            "must_change": int(PasswordOption.FORCE_CHANGE_AT_LOGON in options),
            "unlock": int(PasswordOption.UNLOCK_ACCOUNT in options),
        }
        bound = self._wording.bound(account, flags)
        stored = secret if encoded else await self._ask(lambda _: self._stored(secret))

        def work(connection: Connection) -> None:
            parameters = {**bound, "password": text_of(stored)}
            self._count(connection.execute(self._wording.setting, parameters), account)

        await self._write(work, (secret, stored))

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        columns = self._wording.columns
        if columns is None:
            raise NotSupported("changing a password with the old one needs a table, not a statement")
        stored = await self._ask(lambda _: self._stored(new))

        def work(connection: Connection) -> None:
            kept = connection.execute(_kept(columns), {"name": account.name}).scalars().all()
            if len(kept) == 1 and not self._keeping.verify(old, str(kept[0] or "")):
                raise OldPasswordIncorrect(f"{self._line.where}: the old password is wrong")
            parameters = {"name": account.name, "password": text_of(stored)}
            self._count(connection.execute(self._wording.setting, parameters), account)

        await self._write(work, (old, new, stored))

    async def explore(self) -> AsyncIterator[Account]:
        """Every account, read page by page over a connection of its own. Their DN is empty: a database knows
        none of ours."""
        query = self._listing()
        connection = await self._ask(self._connect)
        nowhere = DN.parse("")
        pages = self._pages(connection, query)
        try:
            while (page := await self._ask(lambda _: self._next(pages))) is not None:
                for names, row in page:
                    if row[0] is not None and str(row[0]):
                        yield Account(str(row[0]), nowhere, _attributes(names, row))
        finally:
            with contextlib.suppress(ConnectorFailure):
                await self._ask(lambda _: _stop_reading(pages, connection))

    # -- in the thread

    def _connect(self, given_up: Event) -> Connection:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        failure: ConnectorFailure
        try:
            connection = self._line.engine.connect()
        except DBAPIError as error:
            failure = self._meanings.of_connecting(error)
        except (SQLAlchemyError, OSError) as error:
            failure = ServerDown(f"cannot connect: {type(error).__name__}")
        else:
            if given_up.is_set():
                _let_go(connection)
            return connection
        raise self._placed(failure)

    def _stored(self, secret: Secret) -> Secret:
        """As a Secret, since it may be the clear text: no frame that a failure passes may hold that bare."""
        return Secret.of_text(self._keeping.stored(secret))

    def _transact(
        self,
        connection: Connection,
        work: Callable[[Connection], None],
        hidden: Sequence[Secret],
        given_up: Event,
    ) -> None:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        failure: ConnectorFailure
        try:
            with connection.begin():
                work(connection)
                if given_up.is_set():
                    raise Busy("given up before it was committed")  # a newer password may be there already
            return
        except ConnectorFailure:
            raise
        except DBAPIError as error:
            failure = self._meanings.of_setting(error, [secret.reveal_text() for secret in hidden])
        except (SQLAlchemyError, OSError, UnicodeError) as error:
            failure = ConnectorError(f"the statement failed: {type(error).__name__}")
            failure.outcome_unknown = True
        finally:
            if given_up.is_set():
                _let_go(connection)
        raise self._placed(failure)

    def _count(self, result: CursorResult[Any], account: Account) -> None:
        if self._wording.confirm is Confirm.NONE:
            return
        if result.rowcount == 0:
            raise ObjectMissing(f"{self._line.where}: no row is account {account.name!r}")
        if result.rowcount != 1:
            raise ConnectorError(
                f"{self._line.where}: expected one changed row for account {account.name!r}, got "
                f"{result.rowcount}; nothing was changed"
            )

    def _listing(self) -> Executable:
        from sqlalchemy import select

        columns = self._wording.columns
        if columns is not None:
            return select(columns.account, *columns.attributes)
        if self._wording.accounts is None:
            raise NotSupported("listing accounts needs a table, or the setting `accounts`")
        return self._wording.accounts

    def _pages(
        self, connection: Connection, query: Executable
    ) -> Generator[Sequence[tuple[Sequence[str], Sequence[Any]]], None, None]:
        result = connection.execution_options(stream_results=True, yield_per=PAGE).execute(query)
        names = list(result.keys())
        try:
            for page in result.partitions():
                yield [(names, row) for row in page]
        finally:
            result.close()

    def _next(
        self, pages: Iterator[Sequence[tuple[Sequence[str], Sequence[Any]]]]
    ) -> Sequence[tuple[Sequence[str], Sequence[Any]]] | None:
        from sqlalchemy.exc import DBAPIError

        try:
            return next(pages, None)
        except DBAPIError as error:
            failure = self._meanings.of_setting(error, ())
        failure.outcome_unknown = False
        raise self._placed(failure)

    def _placed(self, failure: ConnectorFailure) -> ConnectorFailure:
        placed = type(failure)(f"{self._line.where}: {failure}")
        placed.outcome_unknown = failure.outcome_unknown
        return placed

    # -- around it

    async def _write(self, work: Callable[[Connection], None], hidden: Sequence[Secret]) -> None:
        """In one transaction: all of it, or nothing."""
        for secret in hidden:
            text_of(secret)
        await self.open()
        connection = self._connection
        assert connection is not None  # noqa: S101  open() has returned
        try:
            await self._ask(lambda given_up: self._transact(connection, work, hidden, given_up), sending=True)
        except DroppedConnection:
            await self.close()
            raise

    async def _ask(self, work: Callable[[Event], T], *, sending: bool = False) -> T:
        """What the thread answers; it is told when nobody waits for it any more.

        ServerDown when it takes too long; where a password was sent, nobody knows how that ended.
        """
        given_up = Event()
        try:
            return await self._thread.call(lambda: work(given_up), self._patience)
        except (TooSlow, CancelledError) as slow:
            given_up.set()
            connection, self._connection = self._connection, None
            if connection is not None:
                _cut(connection)
            if isinstance(slow, CancelledError):
                raise
            failure = (DroppedConnection if sending else ServerDown)(f"{self._line.where}: {slow}")
            failure.outcome_unknown = sending
            raise failure from None


def _kept(columns: Columns) -> Executable:
    from sqlalchemy import bindparam, select

    return select(columns.password).where(columns.account == bindparam("name")).with_for_update()


def _attributes(names: Sequence[str], row: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    pairs = list(zip(names, row, strict=True))[1:]
    return {
        name: (str(value),) for name, value in pairs if value is not None and not isinstance(value, bytes)
    }


def _let_go(connection: Connection) -> None:
    """Never fails: the server may be gone."""
    with contextlib.suppress(Exception):
        connection.close()


def _stop_reading(pages: Generator[object, None, None], connection: Connection) -> None:
    """The cursor, which some drivers keep at the server, before the connection. Never fails."""
    with contextlib.suppress(Exception):
        pages.close()
    _let_go(connection)


def _cut(connection: Connection) -> None:
    """End a line that a thread still waits on, so that the thread ends. Blocks for nothing."""
    with contextlib.suppress(Exception):
        raw: Any = connection.connection.dbapi_connection
        descriptor = raw.fileno() if hasattr(raw, "fileno") else raw._sock.fileno()
        with socket.socket(fileno=os.dup(descriptor)) as line:
            line.shutdown(socket.SHUT_RDWR)
