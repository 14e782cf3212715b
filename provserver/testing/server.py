"""A running server in the test's own process.

    server = await RunningServer.start(reactor)
    client = await server.client("psync-ad-corp", "Gull-Ferry-Agent-11")
    server.endpoint("hpdev01").down(); server.clock.turn(600); await server.stop()

Free loopback ports, a store in memory (or in a directory of the test's), the demo domain, emulated endpoints
that break on command, and a clock that the test turns: thresholds, retries and idle times pass when the test
says so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from provserver.cli.certificates import TlsFiles, make_certificates
from provserver.cli.init import load_base
from provserver.cli.loading import load_stream
from provserver.connectors.emulated import EmulatedEndpoint
from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.ldap.client import LdapClient, Trust
from provserver.operations.edits import Edits
from provserver.service import ProvisioningServer, lay_foundation, load_schema, memory_store, tls_options
from provserver.settings import Settings
from provserver.storage.contract import Store
from provserver.testing.clock import TurnedClock
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
)
"""Settings of a test server: cheap hashes, free ports, no files."""


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

    @classmethod
    async def start(
        cls,
        reactor: Any,
        *,
        settings: Sequence[str] = (),
        ldif: Sequence[str] | None = None,
        store: Store | None = None,
        keys: KeyRing | None = None,
        logs: Path | None = None,
    ) -> RunningServer:
        """Start one. `settings` are overrides as `--set` takes them; `ldif` texts are loaded in the place of
        the demo domain, after the base tree.

        A `store` that holds a tree already is taken as it is (then give the `keys` that go with it).
        """
        chosen = Settings()
        for assignment in (*_QUICK, *settings):
            chosen = chosen.override(assignment)
        clock = TurnedClock()
        schema = load_schema()
        keys = keys or _keys()
        if store is None:
            store = await memory_store(schema, reactor)
            foundation = lay_foundation(chosen, keys, schema, store, wall=clock.wall)
            await load_base(foundation, ADMINISTRATOR_PASSWORD)
            edits = Edits(foundation.rooms, "provserver.testing")
            for number, text in enumerate(ldif if ldif is not None else [demo_ldif()]):
                await load_stream(
                    foundation, edits, f"ldif {number}", text.encode().splitlines(keepends=True)
                )
            await store.commit(edits.commit())
        tls = _certificates()
        service = ProvisioningServer(chosen, keys, schema, reactor, logs=logs, clock=clock, wall=clock.wall)
        await service.start(store=store, tls=tls_options(tls.server, tls.server_key))
        return cls(service, clock, reactor, tls.ca)

    async def stop(self) -> None:
        await self.service.stop()

    @property
    def ldaps_url(self) -> str:
        return self.service.url("ldaps")

    @property
    def ldap_url(self) -> str:
        return self.service.url("ldap")

    def endpoint(self, name: str) -> EmulatedEndpoint:
        """An emulated endpoint, to ask and to break."""
        return self.service.emulated[name]

    async def client(self, user: str | None = None, password: str | Secret = "") -> LdapClient:
        """A client over LDAPS, bound as a global user, or as nobody."""
        client = await LdapClient.connect(
            self.ldaps_url, reactor=self.reactor, trust=Trust(ca_file=str(self.authority))
        )
        if user is not None:
            secret = password if isinstance(password, Secret) else Secret.of_text(password)
            await client.bind(user_dn(user), secret)
        return client

    async def administrator(self) -> LdapClient:
        return await self.client(ADMINISTRATOR, ADMINISTRATOR_PASSWORD)

    async def entry(self, dn: str) -> Entry | None:
        """An entry as it is stored, whatever the rights; the DN ends in dc=im."""
        return await self.service.foundation.store.read(DN.parse(dn))


def user_dn(name: str) -> str:
    """A global user's DN on the wire."""
    return f"eTGlobalUserName={name},{GLOBAL_USERS}"


@cache
def demo_ldif() -> str:
    """The demo domain that comes with the server."""
    return (files("provserver.ldif") / "demo.ldif").read_text("utf-8")
