"""Exploring over LDAP: by a search that asks for eTExplore… attributes, and by an operation of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest_twisted
from harbour import HPDEV01, UNIX, administrator, wire
from twisted.internet.defer import Deferred

from provserver.connectors.contract import ServerDown
from provserver.connectors.emulated import Operation
from provserver.journal.events import Event
from provserver.ldap.extended import CheckTree, ExploreEndpoint, ExtendedValue, encode_request
from provserver.ldap.filters import Scope, parse_filter
from provserver.ldap.messages import DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient, replace

test = pytest_twisted.ensureDeferred
C = ResultCode

EXPLORE, CORRELATE, CREATE, UPDATE = (
    "eTExploreUpdateEtrust",
    "eTExploreCorrelateUsers",
    "eTExploreCreateUsers",
    "eTExploreUpdateUsers",
)


async def at_an_endpoint(server: RunningServer) -> WireClient:
    """hpdev01 has two accounts; an administrator."""
    endpoint = server.endpoint("hpdev01")
    endpoint.add_account("aokafor", {"cn": ("Ada Okafor",)})
    endpoint.add_account("newcomer", {"cn": ("New Comer",)})
    return await administrator(server)


async def explored(client: WireClient, *attributes: str, base: str = HPDEV01, within: int = 0) -> Any:
    wanted = parse_filter("(objectClass=*)")
    return await client.ask(
        SearchRequest(base, Scope.BASE, DerefAliases.NEVER, 0, within, False, wanted, attributes)
    )


async def asked(client: WireClient, request: ExtendedValue) -> Any:
    told = await client.ask(encode_request(request))
    assert told.code is C.SUCCESS, told
    return json.loads(told.value or b"")


def hold_up(server: RunningServer) -> None:
    """The endpoint answers when the test's clock has been turned by a minute."""
    server.endpoint("hpdev01").delay(60, operation=Operation.EXPLORE, times=1)


async def until_asked(server: RunningServer) -> None:
    """Until the endpoint was asked for its accounts."""
    for _ in range(1_000):
        if server.endpoint("hpdev01").asked[Operation.EXPLORE]:
            return
        await server.breathe()
    raise AssertionError("nobody explores")


@test
async def test_a_search_explores_and_its_answer_says_what_was_done(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    told = await explored(client, EXPLORE, "eTETCDirectoryName")
    assert told.code is C.SUCCESS
    done = "accounts: 2, added: 1, changed: 1, removed: 3"
    (entry,) = told.entries
    assert {one.description: one.values for one in entry.attributes} == {
        "eTETCDirectoryName": (b"hpdev01",),
        EXPLORE: (done.encode(),),
    }
    assert told.text == f"'hpdev01' explored: {done}"
    there = await client.search(UNIX, "(objectClass=eTETCAccount)", "1.1")
    assert sorted(name.partition(",")[0] for name in there.names) == [
        "eTETCAccountName=aokafor",
        "eTETCAccountName=newcomer",
    ]
    last = (await provserver.journal())[-1]
    assert last.event == Event.ENDPOINT_EXPLORED
    assert last.fields["done"] == done


@test
async def test_several_attributes_ask_for_all_of_it(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    told = await explored(client, CREATE, UPDATE)
    assert "correlated: 1, created: 1" in told.text
    assert await provserver.entry(
        "eTGlobalUserName=newcomer,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
    )
    again = await explored(client, EXPLORE, CORRELATE, UPDATE)
    assert again.text == "'hpdev01' explored: accounts: 2, unchanged: 2"


@test
async def test_who_may_not_write_accounts_may_not_explore(provserver: RunningServer) -> None:
    for client in (
        await provserver.wire(),
        await wire(provserver, "aokafor"),
        await wire(provserver, "pam-hpdev01"),
    ):
        assert (await explored(client, EXPLORE)).code is C.INSUFFICIENT_ACCESS_RIGHTS
        told = await client.ask(encode_request(ExploreEndpoint("hpdev01", ("explore",))))
        assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS
        told = await client.ask(encode_request(CheckTree()))
        assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS


@test
async def test_what_is_no_endpoint_is_not_explored(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    assert (await explored(client, EXPLORE, base=UNIX)).code is C.UNWILLING_TO_PERFORM
    assert (await explored(client, EXPLORE, base=f"cn=x,{UNIX}")).code is C.NO_SUCH_OBJECT


@test
async def test_a_filter_that_does_not_hold_explores_nothing(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    told = await client.search(HPDEV01, "(objectClass=eTADSDirectory)", EXPLORE, scope=Scope.BASE)
    assert (told.code, told.entries) == (C.SUCCESS, [])
    assert not await provserver.entry(f"eTETCAccountName=newcomer,{UNIX}")


@test
async def test_an_endpoint_that_cannot_be_explored_says_why(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    provserver.endpoint("hpdev01").refuse(lambda: ServerDown("asleep"), operation=Operation.EXPLORE)
    told = await explored(client, EXPLORE)
    assert told.code is C.UNAVAILABLE
    assert told.text == "exploring 'hpdev01' broke off: ServerDown: asleep; done before that: accounts: 0"
    last = (await provserver.journal())[-1]
    assert last.event == Event.EXPLORATION_BROKEN


@test
async def test_a_second_exploration_of_an_endpoint_has_to_wait_for_the_first(
    provserver: RunningServer,
) -> None:
    client = await at_an_endpoint(provserver)
    hold_up(provserver)
    other = await administrator(provserver)
    first = Deferred.fromCoroutine(explored(client, EXPLORE))
    await until_asked(provserver)
    told = await explored(other, EXPLORE)
    assert told.code is C.BUSY
    assert "is being explored" in told.text
    provserver.clock.turn(60)
    assert (await first).code is C.SUCCESS


@test
async def test_an_exploration_goes_on_when_the_client_has_no_more_time(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    hold_up(provserver)
    answer = Deferred.fromCoroutine(explored(client, EXPLORE, within=5))
    await until_asked(provserver)
    provserver.clock.turn(6)
    told = await answer
    assert told.code is C.TIME_LIMIT_EXCEEDED
    assert "goes on" in told.text
    client.hang_up()
    provserver.clock.turn(60)
    for _ in range(1_000):
        if await provserver.entry(f"eTETCAccountName=newcomer,{UNIX}"):
            break
        await provserver.breathe()
    else:
        raise AssertionError("it did not go on")


@test
async def test_progress_is_told_to_who_follows(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    hold_up(provserver)
    request = ExploreEndpoint("UNIX - etc:hpdev01", ("explore", "correlate"))
    begun = Deferred.fromCoroutine(asked(client, request))
    await until_asked(provserver)
    provserver.clock.turn(2)
    first = await begun
    assert (first["running"], first["accounts"]) == (True, 0)
    provserver.clock.turn(60)
    last = await asked(client, ExploreEndpoint("", follow=first["exploration"]))
    assert (last["running"], last["accounts"], last["added"]) == (False, 2, 1)
    assert last == await asked(client, ExploreEndpoint("", follow=first["exploration"]))


@test
async def test_a_server_that_stops_ends_explorations(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    hold_up(provserver)
    Deferred.fromCoroutine(explored(client, EXPLORE)).addErrback(lambda failure: None)
    await until_asked(provserver)
    await provserver.stop()


@test
async def test_a_dry_run_says_so(provserver: RunningServer) -> None:
    client = await at_an_endpoint(provserver)
    told = await asked(client, ExploreEndpoint("hpdev01", ("create-users",), dry_run=True))
    assert (told["dryRun"], told["added"], told["created"]) == (True, 1, 1)
    assert any("newcomer" in line and "would be added" in line for line in told["differences"])
    assert not await provserver.entry(f"eTETCAccountName=newcomer,{UNIX}")


@test
async def test_what_cannot_be_asked_is_refused(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    for request, code, text in (
        (ExploreEndpoint("hpdev01", ("dance",)), C.CONSTRAINT_VIOLATION, "expected explore"),
        (ExploreEndpoint("hpdev01"), C.UNWILLING_TO_PERFORM, "expected to be told"),
        (ExploreEndpoint("ghost", ("explore",)), C.NO_SUCH_OBJECT, "no endpoint 'ghost'"),
        (ExploreEndpoint("", follow="ghost"), C.NO_SUCH_OBJECT, "no exploration 'ghost'"),
    ):
        told = await client.ask(encode_request(request))
        assert told.code is code, request
        assert text in told.text


@test
async def test_a_map_that_makes_no_sense_is_refused_when_it_is_written(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    told = await client.modify(HPDEV01, replace("provExploreMap", "eTPassword=userPassword"))
    assert told.code is C.CONSTRAINT_VIOLATION
    assert "provExploreMap: expected" in told.text
    assert (await client.modify(HPDEV01, replace("provExploreMap", "eTUserid=uid"))).code is C.SUCCESS


@test
async def test_the_inclusions_are_checked(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    told = await asked(client, CheckTree(repair=True))
    assert (told["good"], told["faults"]) == (True, 0)
