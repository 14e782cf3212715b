"""What the kit has to be told of an endpoint, and how its tests make connectors and watch what they say."""

# ruff: noqa: S101  these are tests

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import ClassVar, Final, cast

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher

from provserver.connectors.contract import (
    Ability,
    Account,
    Capabilities,
    Connector,
    ConnectorFailure,
    ConnectorKind,
    PasswordOption,
)
from provserver.directory.names import DN
from provserver.vault.secret import Secret

FIRST: Final = Secret.of_text("Quay-Harbour-Light-21")
SECOND: Final = Secret.of_text("Quay-Lantern-Bay-73")
WRONG: Final = Secret.of_text("Quay-Wrong-Guess-1")
"""Long, of four kinds of character, and without the account's name: what most policies like."""

LOOKS: Final = 250
PAUSE: Final = 0.02
"""Seconds between two looks at an endpoint that has yet to notice something."""

test = pytest_twisted.ensureDeferred


class Asked:
    """Subclass it by way of `ConnectorContract`, and override what is said here. Every test gets fresh
    connectors, which are closed after it.

    What an endpoint cannot show is skipped with a reason; what the connector's `capabilities` declare is
    tested, and fails when the subclass does not say how that is seen.
    """

    kind: ClassVar[ConnectorKind]
    settings: Mapping[str, str]
    secrets: Mapping[str, Secret]

    # -- what these settings do, where the kind says that it depends on the settings

    changes_passwords: ClassVar[bool] = True
    explores: ClassVar[bool] = True
    obeys: ClassVar[PasswordOption] = PasswordOption.NONE
    """Which of FORCE_CHANGE_AT_LOGON and UNLOCK_ACCOUNT are obeyed."""

    # -- what the endpoint refuses

    weak: ClassVar[Secret | None] = None
    """A password that the endpoint's own policy refuses; None: it has no policy."""
    refuses_old_ones: ClassVar[PasswordOption | None] = None
    """The option with which the endpoint refuses a password that the account had; NONE: always; None:
    never."""
    wrong_secrets: ClassVar[Mapping[str, Secret] | None] = None
    """Secrets that the endpoint does not accept as ours; None: it asks for none."""

    # -- how the endpoint is reached without the connector

    def account(self) -> Account:
        """An account that the endpoint has."""
        return Account("kit", DN.parse("cn=kit,dc=im"))

    def missing_account(self) -> Account | None:
        """An account that the endpoint does not have; None: it takes any."""
        return None

    async def has_password(self, account: Account, secret: Secret) -> bool:
        """Ask the endpoint itself, not the connector."""
        raise NotImplementedError

    async def has_encoded(self, account: Account, encoded: Secret, secret: Secret) -> bool:
        """Whether the endpoint has the password that was sent encoded; ask with `secret`, if it can hash."""
        return await self.has_password(account, secret)

    async def must_change(self, account: Account) -> bool | None:
        """Whether the user has to change the password at the next logon; None: cannot be seen."""
        return None

    async def lock(self, account: Account) -> bool:
        """Lock the account; False: cannot be done."""
        return False

    async def is_locked(self, account: Account) -> bool:
        """Only asked of an account that `lock` has locked."""
        raise NotImplementedError

    async def accounts_there(self) -> frozenset[str]:
        """Names that exploring has to find, among others."""
        return frozenset((self.account().name,))

    async def populate(self, count: int) -> bool:
        """Give the endpoint `count` accounts more for the rest of the test; False: too much to ask."""
        return False

    # -- how the endpoint is broken

    async def take_down(self) -> bool:
        """Make the endpoint unreachable for the rest of the test; False: cannot be done."""
        return False

    def troubles(self) -> Mapping[type[ConnectorFailure], Callable[[], Awaitable[object]]]:
        """How the endpoint is brought to refuse a password: the failure that this must be, and who does it.
        `mend` is called after each.
        """
        return {}

    async def mend(self) -> None:
        """Undo what one of the `troubles` did."""

    async def stall(self) -> bool:
        """The next password takes the endpoint long, until `mend`; False: cannot be done."""
        return False

    async def cut_idle_lines(self) -> bool:
        """Close the lines that are open to the endpoint, as it does with idle ones; False: cannot be done."""
        return False

    async def open_lines(self) -> int | None:
        """How many lines the endpoint sees open; None: it has none, or they cannot be counted."""
        return None

    # -- how the kit works

    @pytest.fixture(autouse=True)
    def _lines(self) -> Iterator[None]:
        self._made: list[Connector] = []
        yield
        for connector in self._made:
            pytest_twisted.blockon(Deferred.fromCoroutine(connector.close()))

    @pytest.fixture(autouse=True)
    def _logs(self) -> Iterator[None]:
        """Whatever is logged during a test, at any level, shows no password."""
        with _Overheard() as said:
            yield
        for secret in (FIRST, SECOND, WRONG, *filter(None, (self.weak,)), *self.secrets.values()):
            assert not any(secret.reveal_text() in line for line in said), "a secret is in the logs"

    def make(self, **changes: str) -> Connector:
        return self.make_with(self.secrets, **changes)

    def make_with(self, secrets: Mapping[str, Secret], **changes: str) -> Connector:
        from twisted.internet import reactor

        connector = type(self).kind({**self.settings, **changes}, secrets, reactor)
        self._made.append(connector)
        return connector

    async def set(self, connector: Connector, secret: Secret, account: Account | None = None) -> None:
        await self.set_with(connector, secret, PasswordOption.NONE, account)

    async def set_with(
        self, connector: Connector, secret: Secret, options: PasswordOption, account: Account | None = None
    ) -> None:
        await connector.open()
        await connector.set_password(account or self.account(), secret, options)

    async def lines_become(self, count: int | None) -> bool:
        """Whether the endpoint sees no more lines than this in the end: it learns of a closed one in its own
        time, and of one of the test before, too."""
        from twisted.internet import reactor

        for _ in range(LOOKS):
            found = await self.open_lines()
            if found is None or (count is not None and found <= count):
                return True
            await deferLater(reactor, PAUSE)
        return False

    async def ended(self, what: Awaitable[object]) -> ConnectorFailure | CancelledError | None:
        """How it failed, when it failed as a connector may."""
        try:
            await what
        except (ConnectorFailure, CancelledError) as failure:
            return failure
        return None

    def declared(self) -> Capabilities | None:
        return getattr(type(self).kind, "capabilities", None)

    def able(self, declared: Callable[[Capabilities], Ability], with_these_settings: bool) -> bool:
        """What the kind declares; where that depends on the settings, or nothing is declared, what the
        subclass says."""
        capabilities = self.declared()
        ability = "undeclared" if capabilities is None else declared(capabilities)
        return ability if isinstance(ability, bool) else with_these_settings

    def hides(self, failure: BaseException, secret: Secret) -> None:
        """Neither text nor traceback, locals included, shows the password."""
        shown = "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format())
        if secret.reveal():
            assert secret.reveal_text() not in shown + repr(failure) + repr(failure.args)


class _Overheard(logging.Handler):
    """All lines that are logged meanwhile, by Twisted and by the standard library."""

    def __enter__(self) -> list[str]:
        self._said: list[str] = []
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        globalLogPublisher.addObserver(cast(ILogObserver, self._hear))
        return self._said

    def __exit__(self, *_: object) -> None:
        globalLogPublisher.removeObserver(cast(ILogObserver, self._hear))
        logging.getLogger().removeHandler(self)
        logging.getLogger().setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(self.format(record))

    def _hear(self, event: LogEvent) -> None:
        self._said.append(eventAsText(event))


async def close_iterator(found: AsyncIterator[Account]) -> None:
    """As who stops listening early does."""
    close = getattr(found, "aclose", None)
    if close is not None:
        await close()
