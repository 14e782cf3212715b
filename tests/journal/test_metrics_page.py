"""GET /metrics of a running server, over real sockets: what it says, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytest_twisted
from following import followed
from harbour import ADA_AD, HPDEV01, LDAP_HQ, NEW, OTHER, wire
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from provserver.journal.metrics.declared import METRICS
from provserver.journal.metrics.page import MOST_CONNECTIONS
from provserver.settings import SettingsError
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer

METRICS_ON = ("metrics.enabled=true", "metrics.port=0")
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Line(Protocol):
    """Keeps what it is told until the end."""

    def __init__(self) -> None:
        self.said = b""
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.said += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(None)


async def line_to(server: RunningServer) -> Any:
    host, _, port = server.service.url("metrics").removeprefix("metrics://").rpartition(":")
    return await connectProtocol(TCP4ClientEndpoint(server.reactor, host, int(port)), Line())


async def asked(server: RunningServer, request: bytes = GET) -> tuple[str, str]:
    """Head and body of the answer."""
    line = await line_to(server)
    line.transport.write(request)
    await line.ended
    head, _, body = line.said.partition(b"\r\n\r\n")
    return head.decode(), body.decode()


async def figures(server: RunningServer) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by their name, then by the values of their labels."""
    await followed(server)
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families((await asked(server))[1]):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest_twisted.ensureDeferred
async def test_it_counts_what_happens(start_provserver: Starter) -> None:
    server = await start_provserver(settings=METRICS_ON)
    server.endpoint("ldap-hq").down()
    agent = await wire(server, "psync-ad-corp")
    await agent.test(ADA_AD, "weakling")
    await agent.test(ADA_AD, NEW)
    await agent.sync(ADA_AD, NEW)
    found = await figures(server)
    exchanges = found["provserver_exchanges_total"]
    assert exchanges["test", "accepted"] == exchanges["test", "refused"] == exchanges["sync", "accepted"] == 1
    assert exchanges["sync", "refused"] == 0
    down = LDAP_HQ.removesuffix(",dc=eta")
    assert found["provserver_deliveries_total"][down, "server_down"] == 1
    assert found["provserver_outbox_deliveries"] == {(down, "retrying"): 1}
    assert found["provserver_endpoint_reachable"][down,] == 0
    assert found["provserver_endpoint_reachable"][HPDEV01.removesuffix(",dc=eta"),] == 1
    assert found["provserver_endpoint_lines"][HPDEV01.removesuffix(",dc=eta"),] == 1
    assert found["provserver_outbox_size"] == {(): 1}
    assert found["provserver_delivery_seconds_count"] == {(): 1}
    assert found["provserver_operations_total"]["modify",] == 3
    assert found["provserver_operation_seconds_count"]["modify",] == 3
    assert found["provserver_connections"] == {(): 1}
    assert found["provserver_events_total"]["8010", "SYNC_ACCEPTED", "information"] == 1


@pytest_twisted.ensureDeferred
async def test_all_that_is_said_is_declared_and_names_no_user(start_provserver: Starter) -> None:
    server = await start_provserver(settings=METRICS_ON)
    agent = await wire(server, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    _, text = await asked(server)
    declared = {metric.name: metric for metric in METRICS}
    for name, kind in re.findall(r"^# TYPE (provserver_\w+) (\w+)$", text, re.MULTILINE):
        assert declared[name].kind.value == kind
    for secret in (NEW, "aokafor", "Okafor", "eTGlobalUserName"):
        assert secret not in text


@pytest_twisted.ensureDeferred
async def test_what_was_before_the_start_is_not_counted(start_provserver: Starter, tmp_path: Any) -> None:
    server = await start_provserver(directory=tmp_path)
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await server.stop()
    again = await start_provserver(directory=tmp_path, settings=METRICS_ON, clock=server.clock)
    await (await wire(again, "psync-ad-corp")).sync(ADA_AD, OTHER)
    assert (await figures(again))["provserver_exchanges_total"]["sync", "accepted"] == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"GET /metrics/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"DELETE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", 413),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 413),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 10_000 + b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
    ],
)
@pytest_twisted.ensureDeferred
async def test_nothing_else_is_answered_and_no_banner_is_shown(
    start_provserver: Starter, request_: bytes, status: int
) -> None:
    server = await start_provserver(settings=METRICS_ON)
    head, body = await asked(server, request_)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "server:" not in head.lower()
    assert "Twisted" not in head + body
    assert "provserver_" not in body


@pytest_twisted.ensureDeferred
async def test_head_is_answered_without_a_body_and_a_query_is_no_harm(start_provserver: Starter) -> None:
    server = await start_provserver(settings=METRICS_ON)
    head, body = await asked(server, GET.replace(b"GET", b"HEAD"))
    assert head.startswith("HTTP/1.1 200 ")
    assert "text/plain; version=0.0.4" in head
    assert body == ""
    assert "provserver_connections" in (await asked(server, GET.replace(b"/metrics", b"/metrics?x=y")))[1]


@pytest_twisted.ensureDeferred
async def test_who_says_nothing_is_cut_off_and_there_are_never_too_many(start_provserver: Starter) -> None:
    server = await start_provserver(settings=METRICS_ON)
    lines = [await line_to(server) for _ in range(MOST_CONNECTIONS)]
    await server.breathe()
    turned_away = await line_to(server)
    await turned_away.ended
    server.clock.turn(16)
    for line in lines:
        await line.ended
    assert (await asked(server))[0].startswith("HTTP/1.1 200 ")


@pytest_twisted.ensureDeferred
async def test_a_scrape_that_is_under_way_does_not_hold_up_the_end(start_provserver: Starter) -> None:
    server = await start_provserver(settings=METRICS_ON)
    line = await line_to(server)
    await server.breathe()
    await server.stop()
    await line.ended


@pytest_twisted.ensureDeferred
async def test_it_is_off_by_default(provserver: RunningServer) -> None:
    with pytest.raises(LookupError):
        provserver.service.url("metrics")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "metrics.example.com"])
@pytest_twisted.ensureDeferred
async def test_others_see_it_only_when_it_is_public(start_provserver: Starter, address: str) -> None:
    with pytest.raises(SettingsError) as error:
        await start_provserver(settings=[*METRICS_ON, f"metrics.address={address}"])
    assert error.value.key == "metrics.address"


@pytest_twisted.ensureDeferred
async def test_and_then_they_do(start_provserver: Starter) -> None:
    server = await start_provserver(settings=[*METRICS_ON, "metrics.address=0.0.0.0", "metrics.public=true"])
    assert server.service.url("metrics").startswith("metrics://0.0.0.0:")
