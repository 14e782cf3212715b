"""The access log of a running server: a line for each operation, and no value in any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, OTHER, PASSWORDS, SUFFIX, administrator, wire
from twisted.internet.defer import Deferred

from provserver.ldap.extended import Cancel, WhoAmI, encode_request
from provserver.ldap.filters import Equality, Present, Scope
from provserver.ldap.messages import Control, DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

ADA = user_dn("aokafor")
AGENT = user_dn("psync-ad-corp").removesuffix(",dc=eta")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


async def started(start_provserver: Starter, logs: Path) -> RunningServer:
    return await start_provserver(settings=["logging.access=true"], logs=logs)


def lines(server: RunningServer, logs: Path, *wanted: str) -> list[Any]:
    """What was logged; of each line only what is wanted, if that is said."""
    server.clock.turn(1)
    found = [json.loads(line) for line in (logs / "access.log").read_text().splitlines()]
    return [tuple(line.get(key) for key in wanted) for line in found] if wanted else found


@pytest_twisted.ensureDeferred
async def test_each_operation_is_a_line_with_who_what_and_what_came_of_it(
    start_provserver: Starter, logs: Path
) -> None:
    server = await started(start_provserver, logs)
    agent = await server.wire()
    await agent.bind("psync-ad-corp", OTHER)
    await agent.bind("psync-ad-corp", PASSWORDS["psync-ad-corp"])
    await agent.search(ADA_AD, scope=Scope.BASE)
    await agent.search(SUFFIX, "(eTADSAccountName=*)")
    await agent.test(ADA_AD, NEW)
    await agent.delete(ADA_AD)
    await agent.ask(encode_request(WhoAmI()), [Control("1.2.3")])
    agent.unbind()
    await agent.closed
    await server.breathe()
    told = lines(server, logs, "op", "kind", "user", "target", "code", "entries", "controls")
    assert told[1:-1] == [
        (1, "bind", "", "psync-ad-corp", 49, None, None),
        (2, "bind", AGENT, "psync-ad-corp", 0, None, None),
        (3, "search", AGENT, ADA_AD, 0, 1, None),
        (4, "search", AGENT, SUFFIX, 0, 6, None),
        (5, "modify", AGENT, ADA_AD, 0, None, None),
        (6, "delete", AGENT, ADA_AD, 50, None, None),
        (7, "extended", AGENT, "1.3.6.1.4.1.4203.1.11.3", 0, None, ["1.2.3"]),
    ]
    opened, *_, closed = lines(server, logs)
    assert (opened["event"], opened["peer"], opened["tls"]) == ("opened", "127.0.0.1", False)
    assert (closed["event"], closed["why"]) == ("closed", "unbind")
    assert 0 < closed["received"] < closed["sent"]
    assert len({line["conn"] for line in lines(server, logs)}) == 1


@pytest_twisted.ensureDeferred
async def test_no_value_is_in_it(start_provserver: Starter, logs: Path) -> None:
    server = await started(start_provserver, logs)
    admin = await administrator(server)
    await admin.sync(ADA_AD, NEW)
    await admin.search(SUFFIX, Equality("eTPassword", b"canary-1"))
    await admin.search(SUFFIX, Equality("eTTitle", b"canary-2"))
    await admin.compare(ADA, "eTTitle", "canary-3")
    await admin.modify(ADA, replace("eTTitle", "canary-4"), controls=[Control("1.2.3", False, b"canary-5")])
    await admin.add(f"eTGlobalUserName=x,{ADA}", {"objectClass": ["canary-6"]})
    server.clock.turn(1)
    text = (logs / "access.log").read_text()
    assert text.count("\n") == 8
    for value in ("canary", NEW, *PASSWORDS.values()):
        assert value not in text


@pytest_twisted.ensureDeferred
async def test_who_acts_as_somebody_else_is_named_too(start_provserver: Starter, logs: Path) -> None:
    server = await started(start_provserver, logs)
    admin = await administrator(server)
    proxy = Control("2.16.840.1.113730.3.4.18", True, b"u:aokafor")
    told = await admin.ask(encode_request(WhoAmI()), [proxy])
    assert told.value == f"dn:{ADA}".encode()
    (line,) = [line for line in lines(server, logs) if line.get("kind") == "extended"]
    assert line["user"] == ADA.removesuffix(",dc=eta")
    assert line["asker"] == user_dn("etaadmin").removesuffix(",dc=eta")


@pytest_twisted.ensureDeferred
async def test_tls_is_told_with_its_version(start_provserver: Starter, logs: Path) -> None:
    server = await started(start_provserver, logs)
    client = await server.client("aokafor", PASSWORDS["aokafor"])
    await client.close()
    await server.breathe()
    opened, secured, bind, *_ = lines(server, logs)
    assert (opened["event"], opened["tls"]) == ("opened", True)
    assert (secured["event"], secured["version"]) == ("secured", "TLSv1.3")
    assert (bind["kind"], bind["code"]) == ("bind", 0)


@pytest_twisted.ensureDeferred
async def test_what_was_abandoned_cancelled_or_broken_is_a_line_too(
    start_provserver: Starter, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await started(start_provserver, logs)
    client = await wire(server, "etaadmin")
    store = server.service.foundation.store

    async def waits(dn: object) -> object:
        return await Deferred()

    monkeypatch.setattr(store, "read", waits)
    search = SearchRequest(SUFFIX, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Present("cn"), ())
    abandoned = client.begin(search)
    client.abandon(abandoned)
    cancelled = client.begin(search)
    await client.ask(encode_request(Cancel(cancelled)))

    async def breaks(dn: object) -> object:
        raise KeyError("a bug")

    monkeypatch.setattr(store, "read", breaks)
    assert (await client.ask(search)).code is ResultCode.OTHER
    monkeypatch.undo()
    told = [line for line in lines(server, logs, "kind", "code") if line[0] in ("search", "extended")]
    assert told == [("search", -1), ("search", 118), ("extended", 0), ("search", 80)]


@pytest_twisted.ensureDeferred
async def test_without_the_setting_there_is_none(start_provserver: Starter, logs: Path) -> None:
    server = await start_provserver(logs=logs)
    await administrator(server)
    server.clock.turn(1)
    assert not (logs / "access.log").exists()


@pytest_twisted.ensureDeferred
async def test_renewing_goes_on_in_a_new_file(start_provserver: Starter, logs: Path) -> None:
    server = await started(start_provserver, logs)
    admin = await administrator(server)
    (logs / "access.log").rename(logs / "access.log.1")
    server.service.renew()
    await admin.search(SUFFIX, scope=Scope.BASE)
    assert lines(server, logs, "kind") == [("search",)]
    assert [json.loads(line).get("kind") for line in (logs / "access.log.1").read_text().splitlines()] == [
        None,
        "bind",
    ]
