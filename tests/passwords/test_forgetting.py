"""Marks go when they can tell nothing any more, and with them what is left of their deliveries."""

from __future__ import annotations

import pytest_twisted
from harbour import ADA_AD, ADA_LDAP, ADA_UNIX, NEW, OTHER, id_of, wire

from provserver.delivery.hourly import INTERVAL
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.storage.contract import DeliveryState
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer

test = pytest_twisted.ensureDeferred
DAY = 86_400


async def marks_of(server: RunningServer, account: str) -> int:
    return len(await server.service.foundation.store.marks(await id_of(server, account)))


@test
async def test_a_mark_is_kept_for_the_echo_memory_and_then_goes(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    for _ in range(DAY // 3600 - 1):
        provserver.clock.turn(3600)
        await provserver.breathe()
    assert await marks_of(provserver, ADA_UNIX) == 1
    await agent.sync(ADA_AD, OTHER)
    for _ in range(2):
        provserver.clock.turn(INTERVAL)
        await provserver.breathe()
    assert await marks_of(provserver, ADA_UNIX) == 1, "the younger one"
    status = await provserver.service.foundation.store.status(await id_of(provserver, ADA_LDAP))
    assert status is not None
    assert status.state is DeliveryState.UPDATED


@test
async def test_a_threshold_that_is_longer_keeps_it_longer(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["passwords.echo_memory=60"])
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "10000")
    agent = await wire(server, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    server.clock.turn(INTERVAL + 100)
    await server.breathe()
    assert await marks_of(server, ADA_UNIX) == 1
    server.clock.turn(10_000)
    await server.breathe()
    assert await marks_of(server, ADA_UNIX) == 0


@test
async def test_what_was_forgotten_late_is_not_missed(start_provserver: Starter) -> None:
    """The store fails once; the next look does it."""
    server = await start_provserver(settings=["passwords.echo_memory=60"])
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "1")
    store = server.service.foundation.store
    agent = await wire(server, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    forget = store.forget_marks

    async def fail(older_than: float) -> int:
        raise OSError("the disk is full")

    store.forget_marks = fail  # type: ignore[method-assign]
    server.clock.turn(INTERVAL + 100)
    await server.breathe()
    store.forget_marks = forget  # type: ignore[method-assign]
    assert await marks_of(server, ADA_UNIX) == 1
    server.clock.turn(INTERVAL + 100)
    await server.breathe()
    assert await marks_of(server, ADA_UNIX) == 0
