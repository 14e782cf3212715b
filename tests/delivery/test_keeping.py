"""What has been held for too long ends, and old lines of the logs go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest_twisted
from harbour import ADA_AD, ADA_LDAP, ADA_UNIX, NEW, id_of, wire

from provserver.connectors.contract import AccessDenied
from provserver.delivery.events import Outcome
from provserver.delivery.hourly import INTERVAL
from provserver.directory.entries import EntryId
from provserver.storage.contract import (
    ChangeId,
    Commit,
    Delivery,
    DeliveryId,
    DeliveryState,
    JournalEvent,
    NewDelivery,
    Store,
)
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer

test = pytest_twisted.ensureDeferred
USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
USER = "objectClass: eTGlobalUser\n"


def store_of(server: RunningServer) -> Store:
    return server.service.foundation.store


async def pass_hours(server: RunningServer, count: int) -> None:
    for _ in range(count):
        server.clock.turn(INTERVAL)
        await server.breathe()
    await server.breathe()


async def hold_one(server: RunningServer) -> EntryId:
    """A delivery to Ada's account at ldap-hq that nobody can make: held."""
    server.endpoint("ldap-hq").refuse(AccessDenied)
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await server.delivered()
    account = await id_of(server, ADA_LDAP)
    (row,) = await store_of(server).deliveries(account=account)
    assert row.state is DeliveryState.HELD
    return account


@test
async def test_what_is_held_for_too_long_fails_for_good_and_its_password_is_gone(
    start_provserver: Starter,
) -> None:
    server = await start_provserver(settings=["delivery.held_time=7200"])
    account = await hold_one(server)
    await pass_hours(server, 1)
    (row,) = await store_of(server).deliveries()
    await pass_hours(server, 2)
    assert list(await store_of(server).deliveries()) == []
    status = await store_of(server).status(account)
    assert status is not None
    assert (status.state, status.event) == (DeliveryState.FAILED, Outcome.KEPT_TOO_LONG)
    (line,) = [line for line in await server.journal() if line.event == Outcome.KEPT_TOO_LONG]
    assert line.text == "The delivery was held for too long: its password was destroyed."
    assert line.fields == {
        "user": row.user,
        "account": account,
        "endpoint": row.endpoint,
        "change": row.change,
        "delivery": row.id,
        "state": "failed",
    }


@test
async def test_held_time_0_keeps_it(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["delivery.held_time=0"])
    await hold_one(server)
    await pass_hours(server, 100)
    assert [row.state for row in await store_of(server).deliveries()] == [DeliveryState.HELD]


@test
async def test_by_default_it_is_kept_for_three_days(provserver: RunningServer) -> None:
    await hold_one(provserver)
    await pass_hours(provserver, 71)
    assert len(await store_of(provserver).deliveries()) == 1
    await pass_hours(provserver, 2)
    assert len(await store_of(provserver).deliveries()) == 0


@test
async def test_many_are_ended_in_one_look(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["delivery.held_time=3600"])
    store = store_of(server)
    account, user = await id_of(server, ADA_UNIX), await id_of(server, ADA_LDAP)
    rows = [
        NewDelivery(DeliveryId(f"d{n}"), ChangeId("c"), user, account, EntryId("gone"), b"sealed", b"mark")
        for n in range(450)
    ]
    await store.commit(Commit(server.clock.wall(), "tests", deliveries=tuple(rows)))
    await store.hold_all(server.clock.wall(), 7033, "")
    await pass_hours(server, 2)
    assert await store.outbox_size() == 0
    assert len([line for line in await server.journal() if line.event == Outcome.KEPT_TOO_LONG]) == 450


@test
async def test_old_lines_of_both_logs_go(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["storage.journal_time=7200", "storage.changes_time=10800"])
    store = store_of(server)
    first = (await store.history()).first
    began = (await store.history()).began
    for _ in range(3):
        line = JournalEvent(server.clock.wall(), 8030, "said")
        await store.commit(Commit(line.at, "tests", journal=(line,)))
        await server.load(f"dn: eTGlobalUserName=u{server.clock.wall():.0f},{USERS}\n{USER}")
        await pass_hours(server, 1)
    assert (await store.history()).first == first
    assert await said(store) == 2, "the first is two hours old"
    await pass_hours(server, 1)
    after = await store.history()
    assert after.first > first
    assert (after.began, after.last) == (began, after.last)
    await pass_hours(server, 5)
    assert (await store.history()).first == (await store.history()).last


async def said(store: Store) -> int:
    return len([line for _, line in await store.journal(0, 100_000) if line.text == "said"])


@test
async def test_a_store_that_fails_once_is_asked_again(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["delivery.held_time=3600"])
    await hold_one(server)
    store: Any = store_of(server)
    asked = store.held_before

    async def fail(time: float, limit: int) -> Sequence[Delivery]:
        raise OSError("disk full")

    store.held_before = fail
    await pass_hours(server, 2)
    store.held_before = asked
    assert await store.outbox_size() == 1
    await pass_hours(server, 1)
    assert await store.outbox_size() == 0
