"""Searches with controls as clients see them: over a connection that binds, abandons and goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from harbour import COMMON, PASSWORDS, SUFFIX, administrator
from twisted.internet.defer import Deferred

from provserver.ldap.controls import (
    PagedResults,
    SortKey,
    SortRequest,
    encode_request,
)
from provserver.ldap.filters import Scope, parse_filter
from provserver.ldap.messages import Control, DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.operations.asked import HONOURED
from provserver.operations.paging import Pages
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told

USERS = f"eTGlobalUserContainerName=Global Users,{COMMON}"
PEOPLE = ["aokafor", "bnovak", "cmercier", "dsorensen", "eyilmaz", "fgreco"]


def people(size: int = 0) -> SearchRequest:
    wanted = parse_filter("(eTCompany=*)")
    return SearchRequest(USERS, Scope.SUBTREE, DerefAliases.NEVER, size, 0, False, wanted, ("1.1",))


def page(size: int, cookie: bytes = b"") -> Control:
    return encode_request(PagedResults(size, cookie), critical=True)


def cookie_of(told: Told) -> bytes:
    control = told.control(PagedResults)
    assert control is not None
    return control.cookie


def names(told: Told) -> list[str]:
    return [name.partition(",")[0].partition("=")[2] for name in told.names]


def pages_of(server: RunningServer) -> Pages:
    factory = server.service._factory
    assert factory is not None
    handler = next(iter(factory.connections))._handler
    pages: Pages = handler._searches._controlled.pages  # type: ignore[attr-defined]
    return pages


@pytest_twisted.ensureDeferred
async def test_a_client_reads_page_by_page(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    first = await admin.ask(people(), [page(4)])
    second = await admin.ask(people(), [page(4, cookie_of(first))])
    assert names(first) + names(second) == PEOPLE
    assert cookie_of(second) == b""


@pytest_twisted.ensureDeferred
async def test_a_bind_ends_what_was_open_even_as_the_same_user(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    cookie = cookie_of(await admin.ask(people(), [page(2)]))
    await admin.bind(user_dn("etaadmin"), PASSWORDS["etaadmin"])
    told = await admin.ask(people(), [page(2, cookie)])
    assert (told.code, told.entries) == (ResultCode.UNWILLING_TO_PERFORM, [])


@pytest_twisted.ensureDeferred
async def test_a_cookie_of_another_connection_is_worth_nothing(provserver: RunningServer) -> None:
    one, other = await administrator(provserver), await administrator(provserver)
    cookie = cookie_of(await one.ask(people(), [page(2)]))
    assert (await other.ask(people(), [page(2, cookie)])).code is ResultCode.UNWILLING_TO_PERFORM
    assert names(await one.ask(people(), [page(2, cookie)])) == PEOPLE[2:4]


@pytest_twisted.ensureDeferred
async def test_a_connection_that_ends_leaves_nothing_open(provserver: RunningServer) -> None:
    staying, leaving = await administrator(provserver), await administrator(provserver)
    for client in (staying, leaving, leaving):
        await client.ask(people(), [page(2)])
    pages = pages_of(provserver)
    assert len(pages) == 3
    leaving.cut()
    await leaving.closed
    await until(provserver, lambda: len(pages) == 1)


@pytest_twisted.ensureDeferred
async def test_pages_that_are_asked_for_at_once_are_one_page_and_a_refusal(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    cookie = cookie_of(await admin.ask(people(), [page(2)]))
    numbers = [admin.begin(people(), [page(2, cookie)]) for _ in range(2)]
    told = [await admin.answer(number) for number in numbers]
    assert sorted(one.code for one in told) == [ResultCode.SUCCESS, ResultCode.UNWILLING_TO_PERFORM]
    assert [names(one) for one in told if one.entries] == [PEOPLE[2:4]]


MANY = "".join(
    f"dn: cn=p{number:04},dc=im\nobjectClass: person\nobjectClass: extensibleObject\nsn: x\n\n"
    for number in range(600)
)
BY_NAME = encode_request(SortRequest((SortKey("cn"),)))


@pytest.mark.parametrize("controls", [[], [page(500)], [BY_NAME], [BY_NAME, page(5)]], ids=len)
@pytest_twisted.ensureDeferred
async def test_an_abandoned_search_stops(provserver: RunningServer, controls: list[Control]) -> None:
    await provserver.load(MANY)
    admin = await administrator(provserver)
    store: Any = provserver.service.foundation.store
    held: list[Deferred[None]] = []

    async def turn() -> None:
        held.append(Deferred())
        await held[-1]

    store._turn = turn
    wanted = parse_filter("(!(sn=y))")
    request = SearchRequest(SUFFIX, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, wanted, ("1.1",))
    number = admin.begin(request, controls)
    await until(provserver, lambda: bool(held))
    assert list(store._tree.wanderers)
    admin.abandon(number)
    assert (await admin.search(SUFFIX, scope=Scope.BASE)).code is ResultCode.SUCCESS
    assert not list(store._tree.wanderers)
    assert len(held) == 1
    assert len(pages_of(provserver)) == 0
    assert admin.late == []


@pytest_twisted.ensureDeferred
async def test_the_root_dse_lists_what_is_honoured(provserver: RunningServer) -> None:
    client = await provserver.wire()
    told = await client.search("", "(objectClass=*)", "supportedControl", scope=Scope.BASE)
    listed = told.values("supportedControl")
    assert listed == sorted(HONOURED)
    assert PagedResults.oid in listed


@pytest_twisted.ensureDeferred
async def test_the_settings_are_the_limits(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["search.sort_limit=5", "search.paged_limit=1"])
    admin = await administrator(server)
    sort = encode_request(SortRequest((SortKey("eTFullName"),)), critical=True)
    assert (await admin.ask(people(), [sort])).code is ResultCode.ADMIN_LIMIT_EXCEEDED
    cookies = [cookie_of(await admin.ask(people(), [page(2)])) for _ in range(2)]
    told = [await admin.ask(people(), [page(2, cookie)]) for cookie in cookies]
    assert [one.code for one in told] == [ResultCode.UNWILLING_TO_PERFORM, ResultCode.SUCCESS]


async def until(server: RunningServer, holds: Callable[[], bool]) -> None:
    """Turns of the reactor, as many as it takes."""
    for _ in range(10_000):
        if holds():
            return
        turn: Deferred[None] = Deferred()
        server.reactor.callLater(0, turn.callback, None)
        await turn
    raise AssertionError("it never came to hold")
