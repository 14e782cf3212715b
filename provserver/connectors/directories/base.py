"""What all LDAP directories have in common as endpoints: a line to one of their servers, accounts found by a
DN template or a search, explored page by page, and a server's words turned into the contract's failures.

A family derives from `DirectoryConnector` and says how it sets and changes a password, which changes go with
a reset, and what it finds wrong with a server.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar, Final

from provserver.connectors.contract import (
    Accepts,
    Account,
    ConnectorError,
    DroppedConnection,
    Fold,
    Misfit,
    ObjectMissing,
    PasswordOption,
    keep_as_is,
)
from provserver.connectors.directories import addresses, exploring, locating
from provserver.connectors.directories.addresses import Resting
from provserver.connectors.directories.exploring import Exploring
from provserver.connectors.directories.line import LINE_SETTINGS, DirectoryLine
from provserver.connectors.directories.locating import Locator
from provserver.connectors.directories.meanings import lost
from provserver.connectors.directories.servers import Server, read_server
from provserver.connectors.registry import Settings, known_secrets
from provserver.ldap.client import LdapClient, LineError
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import Change
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret

COMMON_SETTINGS: Final[Mapping[str, str]] = {
    **locating.SETTING_NAMES,
    **exploring.SETTING_NAMES,
    "pipeline": "how many passwords may be on the way over one line before the first is confirmed; 32 by"
    " default; 1: one after the other",
}


class DirectoryConnector(DirectoryLine):
    """One directory as an endpoint.

    A family overrides `_read_settings`, `_set`, `_change`, `_wishes`, `_misfits`, and `meanings`. What these
    ask of the client may raise LineError and Refusal as they come: here they become failures.
    """

    setting_names: ClassVar[Mapping[str, str]] = {**LINE_SETTINGS, **COMMON_SETTINGS}
    secret_names: ClassVar[Mapping[str, str]] = {"bind_password": "the password that belongs to bind_dn"}
    fold: Fold = staticmethod(keep_as_is)

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Mapping[str, Secret],
        reactor: object,
        *,
        resting: Resting = addresses.SHARED,
    ) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        super().__init__(given, secrets, reactor, resting)
        self.accepts = Accepts()
        self.pipeline = given.count("pipeline", 32, least=1, most=1000)
        self._locate = Locator(given)
        self._exploring = Exploring(given, self._locate)
        self._read_settings(given)

    # -- what a family says

    def _read_settings(self, given: Settings) -> None:
        """The settings that only this family has. SettingsError."""

    async def _set(self, client: LdapClient, dn: str, secret: Secret, options: PasswordOption) -> None:
        """Have the server set the password as an administrator would."""
        raise NotImplementedError

    async def _change(self, client: LdapClient, dn: str, old: Secret, new: Secret) -> None:
        """Have the server change the password for who knows the old one. NotSupported: nothing was sent."""
        raise NotImplementedError

    def _wishes(self, options: PasswordOption) -> Sequence[Change]:
        """What is modified after the password was set, because the caller wishes it."""
        return ()

    async def _misfits(self, client: LdapClient, server: Server) -> Sequence[Misfit]:
        """What of the settings does not go with this server."""
        return ()

    # -- passwords

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        bound = self._line()
        bound.load += 1
        try:
            dn = await self._dn(bound.client, account)
            try:
                await self._set(bound.client, dn, secret, options)
            except LineError as error:
                raise lost(error) from None
            except Refusal as refusal:
                raise self.meanings.of_set(refusal, dn) from None
            await self._wish(bound.client, dn, self._wishes(options))
        finally:
            await self._leave(bound)

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        await self.open()
        bound = self._line()
        bound.load += 1
        try:
            dn = await self._dn(bound.client, account)
            try:
                await self._change(bound.client, dn, old, new)
            except LineError as error:
                raise lost(error) from None
            except Refusal as refusal:
                raise self.meanings.of_change(refusal, dn) from None
            await self._wish(bound.client, dn, self._wishes(PasswordOption.NONE))
        finally:
            await self._leave(bound)

    async def _wish(self, client: LdapClient, dn: str, changes: Sequence[Change]) -> None:
        """After the password was set: a failure here leaves it set."""
        if not changes:
            return
        try:
            await client.modify(dn, changes)
        except LineError as error:
            raise lost(error) from None
        except Refusal as refusal:
            failure = ConnectorError(f"{dn}: the password was set, its policy state was not: {refusal}")
            failure.outcome_unknown = True
            raise failure from None

    # -- accounts

    async def locate(self, account: Account) -> str:
        """What the account is called at the directory, where it must be. ConnectorFailure."""
        await self.open()
        client = self._line().client
        dn = await self._dn(client, account)
        if self._locate.dn:
            try:
                await client.search(dn, Scope.BASE, Present("objectClass"), ["1.1"])
            except LineError as error:
                raise DroppedConnection(str(error)) from None
            except Refusal as refusal:
                raise self.meanings.of_set(refusal, dn) from None
        return dn

    async def explore(self) -> AsyncGenerator[Account, None]:
        """Every account, read page by page over a line of its own: this one goes on with passwords."""
        patience = max(self._patience, exploring.PATIENCE)
        bound = await self._connected(self._addresses.in_order(), patience)
        try:
            async with aclosing(self._exploring.accounts(bound.client, self.meanings)) as accounts:
                async for account in accounts:
                    yield account
        finally:
            await bound.client.close()

    async def misfits(self) -> Sequence[Misfit]:
        """What of the settings does not go with the server, which is asked for its root DSE.
        ConnectorFailure."""
        await self.open()
        client = self._line().client
        try:
            return await self._misfits(client, await read_server(client))
        except LineError as error:
            raise DroppedConnection(str(error)) from None
        except Refusal as refusal:
            raise self.meanings.of_set(refusal, "the root DSE") from None

    async def _dn(self, client: LdapClient, account: Account) -> str:
        """The account's DN at the endpoint. ConnectorFailure; no password was sent when it fails."""
        if self._locate.dn:
            return self._locate.dn_of(account)
        wanted = self._locate.filter_of(account)
        try:
            found = await client.search(self._locate.base, Scope.SUBTREE, wanted, ["1.1"], size_limit=2)
        except LineError as error:
            raise DroppedConnection(str(error)) from None
        except Refusal as refusal:
            if refusal.code is ResultCode.SIZE_LIMIT_EXCEEDED:
                raise ConnectorError(f"more than one entry is {account.name!r}") from None
            raise self.meanings.of_set(refusal, self._locate.base) from None
        if not found:
            raise ObjectMissing(f"no entry below {self._locate.base!r} is {account.name!r}")
        if len(found) > 1:
            raise ConnectorError(f"more than one entry is {account.name!r}")
        return found[0].dn
