"""A new key ring is taken while the server runs, and what is sealed follows."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest_twisted
from harbour import ADA_AD, ADA_LDAP, LDAP_HQ, NEW, holds, id_of, wire
from twisted.internet.defer import Deferred

from provserver.journal.events import Event
from provserver.passwords.renewing import AGAIN
from provserver.storage.contract import DeliveryState
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer
from provserver.vault import sealing
from provserver.vault.keyring import KeyId, KeyRing
from provserver.vault.sealing import Seal

test = pytest_twisted.ensureDeferred


async def started(start: Starter, folder: Path) -> tuple[RunningServer, KeyRing]:
    """A server with keys of its own, and how its file has them."""
    ring = KeyRing.generate()
    ring.write(folder / "keys.json")
    server = await start(keys=KeyRing.load(folder / "keys.json"))
    renewal: Any = server.service._renewal
    renewal._read = lambda: KeyRing.load(folder / "keys.json")
    return server, ring


async def keys_of_outbox(server: RunningServer) -> set[KeyId | None]:
    return {sealing.key_of(row.sealed) for row in await server.service.foundation.store.deliveries()}


@test
async def test_what_waits_is_delivered_after_a_rotation_under_the_new_key(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server, ring = await started(start_provserver, tmp_path)
    server.endpoint("ldap-hq").down()
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await server.delivered()
    assert await keys_of_outbox(server) == {ring.current}
    newer = ring.rotated()
    newer.write(tmp_path / "keys.json")
    server.service.renew()
    await server.breathe()
    await server.breathe()
    assert await keys_of_outbox(server) == {newer.current}
    told = [line for line in await server.journal() if line.event in (Event.KEYS_READ, Event.SEALED_ANEW)]
    assert [line.fields for line in told] == [{"key": newer.current}, {"deliveries": "1", "endpoints": "0"}]
    server.endpoint("ldap-hq").mend()
    for _ in range(20):
        server.clock.turn(60)
        await server.delivered()
    assert holds(server, "ldap-hq", "aokafor", NEW)


@test
async def test_an_echo_of_what_was_sent_under_the_old_key_is_still_one(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server, ring = await started(start_provserver, tmp_path)
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await server.delivered()
    ring.rotated().write(tmp_path / "keys.json")
    server.service.renew()
    await server.breathe()
    before = server.endpoint("ldap-hq").received
    told = await (await wire(server, "agent-ldap-hq")).sync(ADA_LDAP, NEW)
    assert told.code == 0
    assert [line.event for line in await server.journal()][-1] == Event.ECHO
    assert server.endpoint("ldap-hq").received == before
    marks = await server.service.foundation.store.marks(await id_of(server, ADA_LDAP))
    assert marks[-1].ended is not None


@test
async def test_what_is_on_its_way_is_looked_at_again(start_provserver: Starter, tmp_path: Path) -> None:
    server, ring = await started(start_provserver, tmp_path)
    server.endpoint("ldap-hq").delay(30)
    agent = await wire(server, "psync-ad-corp")
    answered = Deferred.fromCoroutine(agent.sync(ADA_AD, NEW))
    await server.breathe()
    await server.breathe()
    rows = await server.service.foundation.store.deliveries(account=await id_of(server, ADA_LDAP))
    assert [row.state for row in rows] == [DeliveryState.CLAIMED]
    newer = ring.rotated()
    newer.write(tmp_path / "keys.json")
    server.service.renew()
    await server.breathe()
    assert ring.current in await keys_of_outbox(server)
    server.endpoint("ldap-hq").down()
    server.clock.turn(31)
    await answered
    server.clock.turn(AGAIN)
    await server.breathe()
    await server.breathe()
    assert await keys_of_outbox(server) <= {newer.current}


@test
async def test_the_secrets_of_an_endpoint_open_under_the_new_key_alone(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server, ring = await started(start_provserver, tmp_path)
    await server.load(
        f"dn: {LDAP_HQ}\nchangetype: modify\nreplace: provConnector\nprovConnector: ldap\n-\n"
        "replace: provSetting\nprovSetting: url=ldaps://127.0.0.1:1\nprovSetting: bind_dn=cn=a\n"
        "provSetting: dn=uid={name}\n-\nreplace: provSecret\nprovSecret: bind_password=One-91\n-\n"
    )
    newer = ring.rotated()
    newer.write(tmp_path / "keys.json")
    server.service.renew()
    await server.breathe()
    await server.breathe()
    newer.without(ring.current).write(tmp_path / "keys.json")
    server.service.renew()
    await server.breathe()
    endpoint = await server.service.foundation.endpoints.get(await id_of(server, LDAP_HQ))
    assert endpoint is not None
    (value,) = endpoint.sealed_secrets
    name, _, box = value.partition("=")
    opened = Seal(KeyRing.load(tmp_path / "keys.json")).open(base64.b64decode(box), endpoint.id.encode())
    assert (name, opened.reveal()) == ("bind_password", b"One-91")
    assert server.service.foundation.seal.open(base64.b64decode(box), endpoint.id.encode()) is not None


@test
async def test_without_a_key_file_nothing_is_read(provserver: RunningServer) -> None:
    provserver.service.renew()
    await provserver.breathe()
    assert not [line for line in await provserver.journal() if line.event == Event.KEYS_READ]
