"""`cn=monitor`: what the server counts, for administrators."""

from __future__ import annotations

import pytest_twisted
from harbour import OTHER, SUFFIX, administrator, wire

from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient


async def figures(client: WireClient) -> dict[str, str]:
    """By attribute; counts by name as `attribute/name`."""
    told = await client.search("cn=monitor", "(objectClass=*)", "+", scope=Scope.BASE)
    found = {}
    for attribute in told.entries[0].attributes:
        for value in attribute.values:
            name, equals, count = value.decode().partition("=")
            found[f"{attribute.description}/{name}" if equals else attribute.description] = count or name
    return found


@pytest_twisted.ensureDeferred
async def test_connections_requests_and_bytes_are_counted(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    gone = await provserver.wire()
    gone.unbind()
    await gone.closed
    await client.search(SUFFIX, scope=Scope.BASE)
    await client.compare(SUFFIX, "dc", "im")
    found = await figures(client)
    assert (found["provConnections"], found["provConnectionsTotal"]) == ("1", "2")
    assert found["provConnectionsRefused"] == "0"
    counted = {
        kind: found[f"provOperations/{kind}"] for kind in ("bind", "search", "compare", "unbind", "add")
    }
    assert counted == {"bind": "1", "search": "2", "compare": "1", "unbind": "1", "add": "0"}
    assert all(100 < int(found[name]) < 10_000 for name in ("provBytesReceived", "provBytesSent"))
    assert found["provOutboxSize"] == "0"
    assert not any(name.startswith("provLimitsReached") for name in found)


@pytest_twisted.ensureDeferred
async def test_limits_that_were_reached_are_counted_by_name(start_provserver: Starter) -> None:
    settings = [
        "search.size_limit=2",
        "search.candidate_limit=3",
        "binds.delay_after=1",
        "binds.first_delay=0.25",
    ]
    server = await start_provserver(settings=settings)
    client = await administrator(server)
    assert (await client.search(SUFFIX, "(eTTitle=*none*)")).code is ResultCode.ADMIN_LIMIT_EXCEEDED
    assert (await client.search(SUFFIX, size=1)).code is ResultCode.SIZE_LIMIT_EXCEEDED
    assert (await client.search(SUFFIX)).code is ResultCode.SIZE_LIMIT_EXCEEDED
    rude = await server.wire()
    rude.transport.write(b"GET / HTTP/1.1\r\n\r\n")  # type: ignore[union-attr]
    await rude.closed
    guesser = await server.wire()
    await guesser.bind("aokafor", OTHER)
    guesser.hang_up()
    found = await figures(client)
    assert {name: count for name, count in found.items() if "LimitsReached" in name} == {
        "provLimitsReached/adminLimitExceeded": "1",
        "provLimitsReached/search.size_limit": "1",
        "provLimitsReached/malformed": "1",
    }


@pytest_twisted.ensureDeferred
async def test_it_is_for_administrators_alone(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.search("cn=monitor", scope=Scope.BASE)
    assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
