"""A line to one of the servers of a directory: protected and verified, or nothing is said on it; logged in;
kept open between passwords, with many of them on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from provserver.connectors.contract import (
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.directories.addresses import Addresses, Resting
from provserver.connectors.directories.meanings import Meanings
from provserver.connectors.registry import Settings
from provserver.ldap.client import LdapClient, LineError, Trust
from provserver.ldap.results import Refusal
from provserver.vault.secret import Secret

LINE_SETTINGS: Final[Mapping[str, str]] = {
    "url": "ldaps://host[:port], or ldap://host[:port] raised to TLS by StartTLS; several with spaces or "
    "commas between them are tried in this order",
    "starttls": "yes (the default), or no: an ldap:// line stays in clear, and says so (not secure)",
    "ca_file": "PEM file of the authorities that may vouch for the server; the system's when not given",
    "server_name": "the name in the server's certificate, when it is not the host of the url",
    "bind_dn": "who we are at the directory",
    "timeout": "seconds for connecting, and for each answer; 10 when not given",
}


class Bound:
    """A line on which we are logged in."""

    __slots__ = ("client", "load", "url")

    def __init__(self, client: LdapClient, url: str) -> None:
        self.client = client
        self.url = url
        self.load = 0
        """How many passwords are on the way over it."""


class DirectoryLine:
    """What of a connector is about its line. Kept open; `open` makes a new one when the old one is lost."""

    meanings: ClassVar[Meanings] = Meanings()

    def __init__(
        self, given: Settings, secrets: Mapping[str, Secret], reactor: object, resting: Resting
    ) -> None:
        self._reactor = reactor
        self._addresses = Addresses(given, resting)
        ldaps = self._addresses.ldaps
        self._protected = given.flag("starttls", True) or ldaps
        if ldaps and "starttls" in given:
            raise SettingsError("starttls", "expected only with an ldap:// url")
        self._trust = Trust(given.text("ca_file", "") or None, given.text("server_name", "") or None)
        self.security = Security.SECURE if self._protected else Security.NOT_SECURE
        self._bind_dn = given.text("bind_dn")
        password = secrets.get("bind_password")
        if not password:
            # RFC 4513 5.1.2: an empty one would be an unauthenticated bind, which succeeds and proves
            # nothing.
            raise SettingsError("bind_password", "must be given, and not be empty")
        self._bind_password = password
        self._patience = given.number("timeout", 10.0, least=0.1, most=600.0)
        self._bound: Bound | None = None

    async def open(self, partition: str = "") -> None:
        bound = self._bound
        if bound is not None and bound.client.connected:
            if not self._addresses.better_than(bound.url):
                return
            try:
                self._bound = await self._connected(self._addresses.in_order(), self._patience, bound.url)
            except ConnectorFailure:
                # The line that we have is good. A login that was refused must not be tried at every password.
                self._addresses.rest_before(bound.url)
                return
            if not bound.load:
                await bound.client.close()
            return
        self._bound = None
        self._bound = await self._connected(self._addresses.in_order(), self._patience)

    async def close(self) -> None:
        bound, self._bound = self._bound, None
        if bound is not None:
            await bound.client.close()

    async def _connected(self, urls: Sequence[str], patience: float, until: str = "") -> Bound:
        """A line to the first server that lets us in, of those before `until`. ConnectorFailure: what is
        transient at one server is tried at the next; what is not would be the same there, or worse: a wrong
        password tried everywhere locks us out.
        """
        failures: list[ConnectorFailure] = []
        for url in urls:
            if url == until:
                break
            try:
                client = await self._let_in(url, patience)
            except ConnectorFailure as failure:
                if not failure.transient:
                    raise
                self._addresses.failed(url)
                failures.append(failure)
            else:
                self._addresses.answered(url)
                return Bound(client, url)
        text = "; ".join(map(str, failures))
        raise Busy(text) if all(isinstance(one, Busy) for one in failures) else ServerDown(text)

    async def _let_in(self, url: str, patience: float) -> LdapClient:
        trust = self._trust if self._protected else None
        try:
            client = await LdapClient.connect(url, reactor=self._reactor, trust=trust, patience=patience)
        except LineError as error:
            raise ServerDown(f"{url}: {error}") from None
        except Refusal as refusal:
            raise ConnectorError(f"{url}: StartTLS was refused: {refusal}") from None
        except ValueError as error:
            raise ConnectorError(f"{url}: {error}") from None
        try:
            await client.bind(self._bind_dn, self._bind_password)
        except LineError as error:
            raise ServerDown(f"{url}: {error}") from None
        except Refusal as refusal:
            await client.close()
            raise self.meanings.of_bind(refusal, self._bind_dn) from None
        return client

    def _line(self) -> Bound:
        """The line as it is: a lost one is not made anew while others find out that it is lost.
        DroppedConnection.
        """
        bound = self._bound
        if bound is None or not bound.client.connected:
            raise DroppedConnection("the line is closed")
        return bound

    async def _leave(self, bound: Bound) -> None:
        """One password less is on the way; a line that another one has replaced ends with its last."""
        bound.load -= 1
        if not bound.load and bound is not self._bound:
            await bound.client.close()
