"""A running server in the test's own process.

    server = await RunningServer.start(reactor)
    agent = await server.wire("psync-ad-corp", "Gull-Ferry-Agent-11")
    server.endpoint("hpdev01").down(); server.clock.turn(600); await server.stop()

Free loopback ports, a store in memory (or in a directory of the test's, to start it again), the demo domain,
emulated endpoints that break on command, and a clock that the test turns: thresholds, retries and idle times
pass when the test says so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, ensureDeferred

from provserver.cli.certificates import TlsFiles, make_certificates
from provserver.cli.init import load_base
from provserver.cli.loading import load_stream
from provserver.connectors.emulated import EmulatedEndpoint
from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.foundation import Foundation, lay_foundation, load_schema, memory_store, open_store
from provserver.imps.parameters import Parameter
from provserver.ldap.client import LdapClient, Trust
from provserver.ldap.tls import PemFiles, ServerTls
from provserver.operations.edits import Edits
from provserver.passwords.credentials import HASH
from provserver.service import ProvisioningServer
from provserver.settings import Settings
from provserver.storage.contract import JournalEvent, Store
from provserver.testing.clock import TurnedClock
from provserver.testing.wire import WireClient
from provserver.vault.keyring import KeyRing
from provserver.vault.secret import Secret

ADMINISTRATOR: Final = "etaadmin"
ADMINISTRATOR_PASSWORD: Final = Secret(b"Harbour-Master-99")
GLOBAL_USERS: Final = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im,dc=eta"
_QUICK: Final = (
    "passwords.scheme=ssha256",
    "server.ldap_port=0",
    "server.ldaps_port=0",
    "logging.etatrans=false",
    "limits.idle_time=0",
    "limits.handshake_time=0",
    "limits.time_to_first_bind=0",
    "binds.delay_after=0",
    "binds.address_delay_after=0",
)
"""Settings of a test server: cheap hashes, free ports, no files, connections that stay however far the clock
is turned, and binds that do not wait for it to be."""
_LAST_TURNS: Final = 600
"""Seconds that a server which is being stopped is given, one by one, by the test's clock."""
_PATIENCE: Final = 50
"""Real milliseconds that it is given before each of them: a disk ends its work without the clock."""


@cache
def _certificates() -> TlsFiles:
    """One authority and one certificate for all servers of a process; gone when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="provserver-tls-")
    _KEPT.append(folder)
    make_certificates(Path(folder.name), owner="provserver tests", host="localhost", clock=time.time)
    return TlsFiles(Path(folder.name))


_KEPT: Final[list[tempfile.TemporaryDirectory[str]]] = []


@cache
def _keys() -> KeyRing:
    return KeyRing.generate()


@dataclass
class RunningServer:
    """`service` is the server itself, for whoever wants to look inside."""

    service: ProvisioningServer
    clock: TurnedClock
    reactor: Any
    authority: Path
    _lines: list[LdapClient | WireClient] = field(default_factory=list, repr=False)

    @classmethod
    async def start(
        cls,
        reactor: Any,
        *,
        settings: Sequence[str] = (),
        ldif: Sequence[str] | None = None,
        more: Sequence[str] = (),
        store: Store | None = None,
        directory: Path | None = None,
        keys: KeyRing | None = None,
        logs: Path | None = None,
        clock: TurnedClock | None = None,
    ) -> RunningServer:
        """Start one. `settings` are overrides as `--set` takes them; `ldif` texts are loaded in the place of
        the demo domain, after the base tree; `more` after these.

        With a `directory` the store is a file in it; a server that is started there again finds what the
        last one left (give it the last one's `clock`, or time begins anew). A `store` of your own is taken
        as it is (then give the `keys` that go with it). All servers of a process have the same keys unless
        told otherwise.
        """
        chosen = Settings()
        for assignment in (*_QUICK, *settings):
            chosen = chosen.override(assignment)
        clock = clock or TurnedClock()
        schema = load_schema()
        keys = keys or _keys()
        if store is None:
            new = True
            if directory is None:
                store = await memory_store(schema, reactor)
            else:
                path = directory / "store.db"
                new = not path.exists()
                store = await open_store(path, schema, reactor, create=new)
            if new:
                foundation = lay_foundation(chosen, keys, schema, store, wall=clock.wall)
                await _fill(foundation, [*(ldif if ldif is not None else [demo_ldif()]), *more])
        certificates = _certificates()
        authority = chosen.server.tls_client_authority
        pem = PemFiles(certificates.server, certificates.server_key, Path(authority) if authority else None)
        tls = ServerTls(pem, clock)
        service = ProvisioningServer(chosen, keys, schema, reactor, logs=logs, clock=clock, wall=clock.wall)
        await service.start(store=store, tls=tls)
        return cls(service, clock, reactor, certificates.ca)

    async def stop(self) -> None:
        """Stop it whole; its clock is turned for as long as something waits for time to pass. Harmless when
        stopped already.
        """
        lines, self._lines = self._lines, []
        stopped = ensureDeferred(self.service.stop())
        waited = 0
        while not stopped.called and waited < _LAST_TURNS * _PATIENCE:
            await self._pause(0.001 if waited else 0)
            waited += 1
            if waited % _PATIENCE == 0 and not stopped.called:
                self.clock.turn(1)
        await stopped
        for line in lines:
            if isinstance(line, WireClient):
                line.hang_up()
                await line.closed
            else:
                await line.close()

    # -- time

    async def breathe(self) -> None:
        """Let the reactor do what is to be done now: bytes arrive, commits end. No time passes."""
        for _ in range(3):
            await self._pause(0)

    async def _pause(self, seconds: float) -> None:
        over: Deferred[None] = Deferred()
        self.reactor.callLater(seconds, over.callback, None)
        await over

    async def exchanged(self) -> None:
        """Wait until every exchange that a client began has ended, whether or not anybody wants its answer.
        (An answer that waits for an endpoint ends when the clock is turned.)
        """
        await self.service.exchanges_ended()

    async def delivered(self) -> None:
        """Wait until no password is on its way; what is to be retried later, or held, is not."""
        await self.service.couriers.drained()

    # -- ways in

    @property
    def ldaps_url(self) -> str:
        return self.service.url("ldaps")

    @property
    def ldap_url(self) -> str:
        return self.service.url("ldap")

    async def client(self, user: str | None = None, password: str | Secret = "") -> LdapClient:
        """A client over LDAPS, bound as a global user, or as nobody; closed with the server."""
        client = await LdapClient.connect(
            self.ldaps_url, reactor=self.reactor, trust=Trust(ca_file=str(self.authority))
        )
        self._lines.append(client)
        if user is not None:
            secret = password if isinstance(password, Secret) else Secret.of_text(password)
            await client.bind(user_dn(user), secret)
        return client

    async def administrator(self) -> LdapClient:
        return await self.client(ADMINISTRATOR, ADMINISTRATOR_PASSWORD)

    async def wire(self, user: str | None = None, password: str | Secret = "") -> WireClient:
        """A client that keeps all it is told, over clear text; bound as a global user, or as nobody."""
        host, _, port = self.ldap_url.removeprefix("ldap://").rpartition(":")
        client = await WireClient.connect(self.reactor, host, int(port))
        self._lines.append(client)
        if user is not None:
            told = await client.bind(user_dn(user), password)
            if told.code:
                raise PermissionError(f"{user} cannot bind: {told.text}")
        return client

    # -- what is there

    def endpoint(self, name: str) -> EmulatedEndpoint:
        """An emulated endpoint, to ask and to break."""
        return self.service.emulated[name]

    async def entry(self, dn: str) -> Entry | None:
        """An entry as it is stored, whatever the rights; the DN may end as on the wire."""
        foundation = self.service.foundation
        return await foundation.store.read(foundation.views.resolve(dn)[0])

    async def has_password(self, user: str, password: str) -> bool:
        """Whether this is a global user's password, asked of what is stored."""
        entry = await self.entry(user_dn(user))
        stored = entry.text(HASH.lower()) if entry is not None else ""
        return await self.service.foundation.hasher.verify(stored or None, Secret.of_text(password))

    async def journal(self) -> list[JournalEvent]:
        """What happened so far, oldest first."""
        return [event for _, event in await self.service.foundation.store.journal(0, 100_000)]

    # -- what is changed, whatever the rights

    async def load(self, *ldif: str) -> None:
        """Load LDIF into the tree while the server runs. CommandFailed."""
        await _fill(self.service.foundation, ldif, base=False)

    async def set_parameter(self, parameter: Parameter[Any], *values: str) -> None:
        """Set a config parameter; without values it has its default."""
        foundation = self.service.foundation
        edits = Edits(foundation.rooms, "provserver.testing")
        encoded = [value.encode() for value in values]
        await edits.modify(parameter.dn(foundation.views.domain), [(2, "eTConfigParamValue", encoded)])
        await foundation.store.commit(edits.commit())


async def _fill(foundation: Foundation, ldif: Sequence[str], *, base: bool = True) -> None:
    if base:
        await load_base(foundation, ADMINISTRATOR_PASSWORD)
    edits = Edits(foundation.rooms, "provserver.testing")
    for number, text in enumerate(ldif):
        await load_stream(foundation, edits, f"ldif {number}", text.encode().splitlines(keepends=True))
    await foundation.store.commit(edits.commit())


def user_dn(name: str) -> str:
    """A global user's DN on the wire."""
    return str(DN.parse(GLOBAL_USERS).child("eTGlobalUserName", name))


@cache
def demo_ldif() -> str:
    """The demo domain that comes with the server."""
    return (files("provserver.ldif") / "demo.ldif").read_text("utf-8")
