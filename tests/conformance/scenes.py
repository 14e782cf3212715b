"""The servers that rows are asked on, and the asking itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from asking import HastyClock, Row, line_for
from operations.client_certificates import ClientAuthority
from signposted import crossroads, signposted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from provserver.testing.clock import TurnedClock
from provserver.testing.server import RunningServer
from provserver.testing.wire import Told, WireClient

REACTOR: Any = reactor
_EXAMPLES: Final = Path(__file__).resolve().parents[2] / "docs" / "examples"
PATIENCE: Final = 10
"""Seconds for any answer to come."""


@dataclass(frozen=True)
class Scene:
    """What a server is started with."""

    settings: Sequence[str] = ()
    ldif: Callable[[], str] | None = None
    authority: bool = False
    """Whether client certificates are taken."""
    advised: bool = False
    """Whether an external policy is to be asked. Nobody answers."""
    clock: type[TurnedClock] = TurnedClock


SCENES: Final = {
    "demo": Scene(),
    "signposted": Scene(ldif=signposted),
    "crossroads": Scene(ldif=crossroads),
    "hasty": Scene(ldif=crossroads, clock=HastyClock),
    "certified": Scene(authority=True),
    "advised": Scene(advised=True),
    "listed": Scene((f"passwords.breached={_EXAMPLES / 'breached-sha1.txt'}",)),
    "tight": Scene(("search.candidate_limit=10", "search.size_limit=3", "limits.ber_depth=200")),
    "small": Scene(("search.size_limit=1",)),
    "unsorted": Scene(("search.sort_limit=2",)),
    "watched": Scene(("passwords.tests_per_minute=1",)),
    "full": Scene(("delivery.outbox_limit=1", "passwords.propagation_wait=0")),
    "aging": Scene(("delivery.outbox_age=60", "passwords.propagation_wait=0")),
    "hasty answers": Scene(("passwords.propagation_wait=0",)),
    "as IMPS": Scene(("passwords.partial_failure_result=1",)),
    "trusting": Scene(("passwords.require_protected_connection=false",)),
    "crowded": Scene(
        ("binds.queue=1", "binds.threads=1", "passwords.scheme=scrypt", "passwords.scrypt_n=1024")
    ),
}
_PATIENT: Final = ("binds.delay_after=0", "binds.address_delay_after=0", "passwords.tests_per_minute=0")
"""Nobody is slowed down for what others did."""


@dataclass(frozen=True)
class Answered:
    """What a row was told, and whether it has changed the tree."""

    told: Told
    changed: bool
    notices: int


class Scenes:
    """Starts servers as rows need them; those that rows share are kept until the end."""

    def __init__(self, folder: Path) -> None:
        self._clients = ClientAuthority(folder)
        self._secret = folder / "policy.secret"
        self._secret.touch(mode=0o600)
        self._secret.write_bytes(b"Keel-And-Rudder-0123456789abcdef")
        self._running: dict[str, RunningServer] = {}

    async def ask(self, row: Row) -> Answered:
        """What a row is told; TimeoutError."""
        answered: Answered = await ensureDeferred(self._ask(row)).addTimeout(PATIENCE, REACTOR)
        return answered

    async def close(self) -> None:
        for server in self._running.values():
            await server.stop()

    async def _ask(self, row: Row) -> Answered:
        if row.first is not None:
            server = await self._started(row.scene)
            with pytest.MonkeyPatch.context() as patches:
                client = await line_for(row, server, self._clients)
                await row.first(server, patches)
                answered = await _answered(row, server, client)
                if isinstance(server.clock, HastyClock):
                    server.clock.step = 0.0
            await server.stop()
            return answered
        if row.scene not in self._running:
            self._running[row.scene] = await self._started(row.scene)
        server = self._running[row.scene]
        return await _answered(row, server, await line_for(row, server, self._clients))

    async def _started(self, name: str) -> RunningServer:
        scene = SCENES[name]
        settings = [*_PATIENT, *scene.settings]
        if scene.authority:
            settings.append(f"server.tls_client_authority={self._clients.file}")
        if scene.advised:
            settings += [
                "external_policy.urls=http://127.0.0.1:1/",
                f"external_policy.secret_file={self._secret}",
            ]
        more = [scene.ldif()] if scene.ldif is not None else []
        return await RunningServer.start(REACTOR, settings=settings, more=more, clock=scene.clock())


async def _answered(row: Row, server: RunningServer, client: WireClient) -> Answered:
    before = await _last_change(server)
    told = await row.ask(client)
    changed = await _last_change(server) != before
    client.hang_up()
    await client.closed
    return Answered(told, changed, len(client.notices))


async def _last_change(server: RunningServer) -> int:
    changes = await server.service.foundation.store.changes(0, 1_000_000)
    return changes[-1].sequence
