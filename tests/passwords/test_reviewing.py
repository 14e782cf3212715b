"""What is held because of a restore, joined with what is known of its account."""

from __future__ import annotations

import pytest_twisted
from harbour import ADA_AD, ADA_LDAP, ADA_UNIX, LDAP_HQ, NEW, OTHER, id_of, overwrite, wire

from provserver.connectors.contract import AccessDenied
from provserver.delivery.events import Outcome
from provserver.passwords.reviewing import Review, Reviewing
from provserver.storage.contract import (
    ChangeId,
    Commit,
    DeliveryId,
    DeliveryState,
    NewDelivery,
    Remove,
)
from provserver.testing.server import RunningServer, user_dn

test = pytest_twisted.ensureDeferred


async def reviews(server: RunningServer) -> list[Review]:
    foundation = server.service.foundation
    return [one async for one in Reviewing(foundation.store, foundation.inclusions).restored()]


async def hold(server: RunningServer) -> None:
    """What a restore does."""
    await server.service.foundation.store.hold_all(server.clock.wall(), int(Outcome.RESTORED), "restored")


async def down_then_held(server: RunningServer) -> None:
    server.endpoint("ldap-hq").down()
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await server.delivered()
    await hold(server)


@test
async def test_a_held_one_is_shown_with_names(provserver: RunningServer) -> None:
    await down_then_held(provserver)
    (one,) = await reviews(provserver)
    assert one.account.startswith("eTDYNAccountName=aokafor,")
    assert one.user.startswith("eTGlobalUserName=aokafor,")
    assert (one.endpoint, one.last, one.changed) == ("ldap-hq", None, None)
    assert one.delivery.state is DeliveryState.HELD


@test
async def test_the_last_delivery_and_a_later_change_are_known(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    await agent.sync(ADA_AD, OTHER)
    await provserver.delivered()
    provserver.clock.turn(10_000)
    await down_then_held(provserver)
    (one,) = await reviews(provserver)
    assert one.last is not None
    assert one.last.state is DeliveryState.UPDATED
    assert one.last.change != one.delivery.change
    # Another change since, which for some reason did not end it: as after a restore of the outbox alone.
    await overwrite(provserver, user_dn("aokafor"), "provPasswordChangeId", b"another")
    await overwrite(provserver, user_dn("aokafor"), "provPasswordChanged", b"20991231235959.000Z")
    (one,) = await reviews(provserver)
    assert one.changed is not None
    assert one.changed > one.delivery.created


@test
async def test_what_is_held_for_another_reason_is_not_shown(provserver: RunningServer) -> None:
    provserver.endpoint("hpdev01").refuse(AccessDenied)
    await down_then_held(provserver)
    assert len(await provserver.service.foundation.store.deliveries()) == 2
    assert [one.endpoint for one in await reviews(provserver)] == ["ldap-hq"]


@test
async def test_pages_of_them_are_shown_oldest_first_and_what_is_gone_by_its_id(
    provserver: RunningServer,
) -> None:
    store = provserver.service.foundation.store
    account, endpoint = await id_of(provserver, ADA_UNIX), await id_of(provserver, LDAP_HQ)
    rows = [
        NewDelivery(DeliveryId(f"d{n:03}"), ChangeId("c"), account, account, endpoint, b"sealed", b"mark")
        for n in range(450)
    ]
    await store.commit(Commit(provserver.clock.wall(), "tests", deliveries=tuple(rows)))
    await hold(provserver)
    shown = await reviews(provserver)
    assert [one.delivery.id for one in shown] == [row.id for row in rows]
    assert {one.user.partition(",")[0] for one in shown} == {"eTGlobalUserName=aokafor"}, (
        "the owner, of a reset"
    )
    entry = await provserver.entry(ADA_UNIX)
    assert entry is not None
    await store.commit(Commit(0.0, "tests", (Remove(entry.id, entry.dn, entry.version),)))
    one = (await reviews(provserver))[0]
    assert (one.account, one.user) == (account, "")
    assert await id_of(provserver, ADA_LDAP) != account
