"""More connections than there may be: who comes too late is told so, and who is there does not notice."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import PASSWORDS, SUFFIX, administrator

from provserver.ldap.client import Unreachable
from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient


async def turned_away(server: RunningServer) -> tuple[ResultCode, str]:
    """What somebody is told who comes too late."""
    client = await server.wire()
    await client.closed
    (notice,) = client.notices
    return notice.result.code, notice.result.diagnostic


async def is_served(client: WireClient) -> bool:
    return (await client.search("", scope=Scope.BASE)).code is ResultCode.SUCCESS


@pytest_twisted.ensureDeferred
async def test_beyond_the_limit_for_all_nobody_is_served_until_somebody_leaves(
    start_provserver: Starter,
) -> None:
    server = await start_provserver(settings=["connections.total=3"])
    admin = await administrator(server)
    guests = [await server.wire() for _ in range(2)]
    assert await turned_away(server) == (ResultCode.BUSY, "too many connections: try again later")
    with pytest.raises(Unreachable):
        await server.client("aokafor", PASSWORDS["aokafor"])
    assert all([await is_served(one) for one in (admin, *guests)])
    guests[0].unbind()
    await guests[0].closed
    await server.client("aokafor", PASSWORDS["aokafor"])
    told = await admin.search("cn=monitor", "(objectClass=*)", "provConnectionsRefused", scope=Scope.BASE)
    assert told.values("provConnectionsRefused") == ["2"]


@pytest_twisted.ensureDeferred
async def test_one_address_cannot_have_them_all_unless_it_is_exempt(start_provserver: Starter) -> None:
    strict = ["connections.per_address=1", "connections.exempt_addresses=192.0.2.0/24"]
    server = await start_provserver(settings=strict)
    guest = await server.wire()
    assert (await turned_away(server))[0] is ResultCode.BUSY
    assert await is_served(guest)
    server = await start_provserver(settings=["connections.per_address=1"])
    guests = [await server.wire() for _ in range(3)]
    assert all([await is_served(one) for one in guests]), "loopback is exempt by default"


@pytest_twisted.ensureDeferred
async def test_whoever_was_turned_away_leaves_nothing_behind(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["connections.total=1"])
    admin = await administrator(server)
    for _ in range(20):
        await turned_away(server)
    assert len(server.service._counters.connections) == 1
    assert (await admin.search(SUFFIX, scope=Scope.BASE)).code is ResultCode.SUCCESS
