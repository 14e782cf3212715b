"""One file as an endpoint, whatever its format: settings, thread, lock, and what is told of failures."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import islice
from threading import Event
from typing import ClassVar, Final, TypeVar, cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from provserver.connectors.blocking import OwnThread, TooSlow
from provserver.connectors.contract import (
    Accepts,
    Account,
    Capabilities,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    Fold,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordOption,
    Security,
    ServerDown,
    SettingsError,
    keep_as_is,
)
from provserver.connectors.files.layout import Layout, Row, ShapeChanged, replaced
from provserver.connectors.files.replacing import LockBy, Taken, read, replace
from provserver.connectors.hashes import SETTING_NAMES as HASH_SETTINGS
from provserver.connectors.hashes import Keeping, text_of
from provserver.connectors.registry import Settings, known_secrets
from provserver.directory.names import DN
from provserver.vault.secret import Secret

T = TypeVar("T")

SETTING_NAMES: Final[Mapping[str, str]] = {
    "path": "the file; it and its folder must be writable, since a new file takes its place",
    **HASH_SETTINGS,
    "encoding": "the file's encoding; utf-8 when not given",
    "ignore_case": "yes: names of accounts are compared without regard to case; no when not given",
    "lock": "how other writers lock: fcntl (the default; lockf) or flock",
    "lock_file": "what they lock, when it is not the file itself",
    "timeout": "seconds to wait for the lock, and for each step; 10 when not given",
}
LOCK_PAUSE: Final = 0.05
"""Seconds between two looks at a lock that another program has."""
PAGE: Final = 1000
"""Accounts that are explored at a time."""


class FileConnector:
    """What the kinds of file have in common; each adds its settings and its layout."""

    setting_names: ClassVar[Mapping[str, str]]
    secret_names: ClassVar[Mapping[str, str]] = {}
    capabilities: ClassVar[Capabilities] = Capabilities(change=True, hashes="schemes", explore=True)
    pipeline: ClassVar[int] = 1
    security: Security = Security.SECURE
    fold: Fold = staticmethod(keep_as_is)

    @staticmethod
    def layout(given: Settings) -> Layout:
        """SettingsError."""
        raise NotImplementedError

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        self._path = given.text("path")
        if not self._path.startswith("/"):
            raise SettingsError("path", "expected an absolute path")
        self._lock_file = given.text("lock_file", "")
        if self._lock_file and not self._lock_file.startswith("/"):
            raise SettingsError("lock_file", "expected an absolute path")
        self._encoding = _encoding(given.text("encoding", "utf-8"))
        self._ignore_case = given.flag("ignore_case", False)
        self._lock_by = given.choice("lock", LockBy.FCNTL)
        self._patience = given.number("timeout", 10.0, least=0.1, most=600.0)
        self._keeping = Keeping.of(given)
        self.accepts: Accepts = self._keeping.accepts
        self._layout = self.layout(given)
        self._reactor = reactor
        self._thread = OwnThread(reactor, f"{type(self).__name__} {self._path}")
        self._open = False

    async def open(self, partition: str = "") -> None:
        """Looks once whether the file is there and has the shape that the settings say."""
        if self._open:
            return
        await self._ask(self._look)
        self._open = True

    async def close(self) -> None:
        self._open = False
        self._thread.leave()

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        encoded = PasswordOption.ENCODED in options
        stored = secret if encoded else await self._ask(lambda: self._stored(secret))
        await self._change(account, lambda _: text_of(stored))

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        def checked(row: Row) -> str:
            if row.stored is None or not self._keeping.verify(old, row.stored):
                raise OldPasswordIncorrect("the old password is wrong")
            return text_of(stored)

        stored = await self._ask(lambda: self._stored(new))
        await self._change(account, checked)

    async def explore(self) -> AsyncIterator[Account]:
        """Every account, as the file is now. Their DN is empty: a file knows none of ours."""
        rows = await self._ask(lambda: self._shaped(self._layout.rows(self._text(read(self._path))[1])))
        nowhere = DN.parse("")
        while page := await self._ask(lambda: list(islice(rows, PAGE))):
            for row in page:
                if row.names[0]:
                    yield Account(row.names[0], nowhere, row.attributes)

    # -- in the thread

    def _look(self) -> None:
        for _ in self._shaped(self._layout.rows(self._text(read(self._path))[1])):
            pass

    def _stored(self, secret: Secret) -> Secret:
        """As a Secret, since it may be the clear text: no frame that a failure passes may hold that bare."""
        return Secret.of_text(self._keeping.stored(secret))

    def _rewrite(self, name: str, new_value: Callable[[Row], str], still_wanted: Callable[[], bool]) -> None:
        def change(content: bytes) -> bytes:
            mark, text = self._text(content)
            try:
                made = replaced(text, self._layout, name, new_value, ignore_case=self._ignore_case)
            except ShapeChanged as changed:
                raise self._changed(changed) from None
            except ConnectorFailure as failure:
                raise type(failure)(f"{self._path}: {failure}") from None
            try:
                return (mark + made).encode(self._encoding)
            except UnicodeEncodeError:
                pass  # raised outside: the error holds the password
            raise PasswordIllFormed(f"{self._path}: it has characters that {self._encoding} cannot hold")

        replace(self._path, change, self._lock_by, self._lock_file, still_wanted)

    def _text(self, content: bytes) -> tuple[str, str]:
        """A byte order mark, and text that becomes the same octets again. ConnectorError."""
        try:
            text = content.decode(self._encoding)
            if text.encode(self._encoding) == content:
                return ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
        except UnicodeError:
            pass
        raise ConnectorError(f"{self._path}: is not {self._encoding}, or not in the one way that we write it")

    def _shaped(self, rows: Iterator[Row]) -> Iterator[Row]:
        try:
            yield from rows
        except ShapeChanged as changed:
            raise self._changed(changed) from None

    def _changed(self, changed: ShapeChanged) -> ConnectorError:
        return ConnectorError(f"{self._path}, {changed}; nothing is written until file and settings agree")

    # -- around it

    async def _change(self, account: Account, new_value: Callable[[Row], str]) -> None:
        if not account.name:
            raise ObjectMissing("an account without a name")
        waited = 0.0
        given_up = Event()
        try:
            while True:
                try:
                    return await self._ask(
                        lambda: self._rewrite(account.name, new_value, lambda: not given_up.is_set()),
                        sending=True,
                    )
                except Taken:
                    if waited >= self._patience:
                        raise
                await deferLater(cast(IReactorTime, self._reactor), LOCK_PAUSE)
                waited += LOCK_PAUSE
        finally:
            given_up.set()

    async def _ask(self, work: Callable[[], T], *, sending: bool = False) -> T:
        """ServerDown when it takes too long; where a password is written, nobody knows how that ended."""
        try:
            return await self._thread.call(work, self._patience)
        except TooSlow as slow:
            self._open = False
            failure = (DroppedConnection if sending else ServerDown)(f"{self._path}: {slow}")
            failure.outcome_unknown = sending
            raise failure from None


def _encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
    except LookupError:
        codec = None
    # `unicode_escape` and its like are no encodings of text files; those that are say so.
    if codec is None or not codec._is_text_encoding or codec.name in _NO_FILE:
        raise SettingsError("encoding", f"expected an encoding such as utf-8 or iso-8859-1, got {name!r}")
    return codec.name


_NO_FILE: Final = frozenset(("unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"))
