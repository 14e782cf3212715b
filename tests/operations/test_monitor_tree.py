"""What is below `cn=monitor`: the outbox and the endpoints, searched like any tree."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    BORIS_AD,
    BORIS_UNIX,
    HPDEV01,
    NEW,
    OTHER,
    SUFFIX,
    administrator,
    holds,
    wire,
)

from provserver.connectors.contract import Busy, PasswordPolicyViolation
from provserver.delivery.events import Outcome
from provserver.ldap.controls import (
    PagedResults,
    SortKey,
    SortRequest,
    Subentries,
    encode_request,
)
from provserver.ldap.filters import Scope, parse_filter
from provserver.ldap.messages import DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.operations.monitoring.tree import is_of_monitor
from provserver.storage.contract import DeliveryState
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

test = pytest_twisted.ensureDeferred
MONITOR, OUTBOX, ENDPOINTS = "cn=monitor", "cn=outbox,cn=monitor", "cn=endpoints,cn=monitor"
NAMES = {
    f"cn={name},{ENDPOINTS}"
    for name in (
        "ActiveDirectory:AD-Corp",
        "CA-ACF2:MVSPROD",
        "OpenLDAP:ldap-hq",
        "UNIX - etc:hpdev01",
    )
}


async def found(
    client: WireClient, base: str, filter: str = "(objectClass=*)", scope: Scope = Scope.ONE_LEVEL
) -> Told:
    return await client.search(base, filter, "*", "+", scope=scope)


async def two_held(server: RunningServer) -> WireClient:
    """Ada's and Boris's passwords are held at hpdev01; what an administrator sees."""
    server.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("not here"))
    agent = await wire(server, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code is ResultCode.SUCCESS
    assert (await agent.sync(BORIS_AD, OTHER)).code is ResultCode.SUCCESS
    await server.delivered()
    return await administrator(server)


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("cn=monitor", True),
        ("CN = Monitor ", True),
        ("cn=outbox, cn=monitor", True),
        ("provDelivery=x,cn=outbox,cn=monitor", True),
        ("cn=supervisor", False),
        ("xcn=monitor", False),
        ("cn=monitor,dc=im", False),
        ("cn=monitor,dc=anchor", False),
        ("", False),
    ],
)
def test_a_name_below_the_monitor_is_known_as_one(name: str, is_it: bool) -> None:
    assert is_of_monitor(name) is is_it


@test
async def test_each_scope_finds_what_it_should(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    assert (await found(admin, MONITOR, scope=Scope.BASE)).names == [MONITOR]
    assert (await found(admin, MONITOR)).names == [OUTBOX, ENDPOINTS]
    assert (await found(admin, OUTBOX, scope=Scope.BASE)).names == [OUTBOX]
    rows = (await found(admin, OUTBOX)).names
    assert len(rows) == 2
    assert all(name.startswith("provDelivery=") and name.endswith(f",{OUTBOX}") for name in rows)
    assert (await found(admin, OUTBOX, scope=Scope.SUBTREE)).names == [OUTBOX, *rows]
    assert set((await found(admin, ENDPOINTS)).names) == NAMES
    everything = (await found(admin, MONITOR, scope=Scope.SUBTREE)).names
    assert everything[:4] == [MONITOR, OUTBOX, *rows]
    assert set(everything[4:]) == {ENDPOINTS, *NAMES}
    for leaf in (rows[0], next(iter(NAMES))):
        assert (await found(admin, leaf, scope=Scope.BASE)).names == [leaf]
        assert (await found(admin, leaf, scope=Scope.SUBTREE)).names == [leaf]
        assert (await found(admin, leaf)).names == []


@test
async def test_a_row_tells_all_but_the_password(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    told = await found(admin, OUTBOX, f"(provOutboxAccount={ADA_UNIX})")
    assert len(told.names) == 1
    assert told.values("provOutboxAccount") == [ADA_UNIX.removesuffix(",dc=eta")]
    assert told.values("provOutboxUser") == [user_dn("aokafor").removesuffix(",dc=eta")]
    assert told.values("provOutboxEndpoint") == [HPDEV01.removesuffix(",dc=eta")]
    assert told.values("provOutboxState") == ["held"]
    assert told.values("provOutboxAttempts") == ["1"]
    assert told.values("provOutboxEvent") == ["6927"]
    assert told.values("provOutboxText") == ["The endpoint's password policy refuses the password. not here"]
    assert told.values("provDelivery")[0] in told.names[0]
    assert all(told.values(f"provOutbox{name}") for name in ("Created", "Due", "Change"))
    assert told.values("hasSubordinates") == ["FALSE"]
    rows = await provserver.service.foundation.store.deliveries()
    shown = repr(told.entries).encode()
    assert all(row.sealed and row.sealed not in shown for row in rows)
    assert NEW.encode() not in b"".join(v for e in told.entries for a in e.attributes for v in a.values)


@test
async def test_filters_are_honoured(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    provserver.endpoint("ldap-hq").refuse(lambda: Busy("later"))
    agent = await wire(provserver, "psync-ad-corp")
    provserver.clock.turn(3600)
    assert (await agent.sync(ADA_AD, "Reef-Bollard-93")).code is ResultCode.SUCCESS
    await provserver.delivered()

    async def states(filter: str) -> list[str]:
        told = await found(admin, OUTBOX, filter)
        return sorted(
            value.decode()
            for entry in told.entries
            for attribute in entry.attributes
            if attribute.description == "provOutboxState"
            for value in attribute.values
        )

    assert await states("(objectClass=*)") == ["held", "held", "retrying"]
    assert await states("(provOutboxState=held)") == ["held", "held"]
    assert await states("(!(provOutboxState=held))") == ["retrying"]
    assert await states("(&(provOutboxState=retrying)(provOutboxState=held))") == []
    assert await states("(provOutboxState=lost)") == []
    assert await states(f"(provOutboxEndpoint={HPDEV01})") == ["held", "held"]
    assert await states(f"(&(provOutboxEndpoint={HPDEV01})(provOutboxAccount={BORIS_UNIX}))") == ["held"]
    assert await states("(provOutboxEndpoint=cn=nowhere)") == []
    assert await states("(provOutboxAccount=no name)") == []
    assert await states("(|(provOutboxEvent=6927)(provOutboxState=retrying))") == ["held", "held", "retrying"]
    assert await states("(provOutboxAttempts>=1)") == ["held", "held", "retrying"]
    assert await states("(provOutboxText=*busy*)") == ["retrying"]


@test
async def test_an_endpoint_tells_what_waits_for_it(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    told = await found(admin, ENDPOINTS, "(eTDirectoryName=hpdev01)")
    assert told.names == [f"cn=UNIX - etc:hpdev01,{ENDPOINTS}"]
    assert told.values("provEndpointName") == [HPDEV01.removesuffix(",dc=eta")]
    assert told.values("eTNamespaceName") == ["UNIX - etc"]
    assert told.values("provConnector") == ["emulated"]
    assert told.values("provEndpointState") == ["ready"]
    counts = [told.values(f"provEndpoint{name}") for name in ("Pending", "Retrying", "Held", "Claimed")]
    assert counts == [["0"], ["0"], ["2"], ["0"]]
    assert len(told.values("provEndpointOldest")) == 1
    other = await found(admin, ENDPOINTS, f"(provEndpointName={SUFFIX})")
    assert other.names == []
    mainframe = await found(admin, ENDPOINTS, "(eTDirectoryName=MVSPROD)")
    assert mainframe.values("provEndpointState") == ["disabled"]
    assert mainframe.values("provEndpointOldest") == []


@test
async def test_an_endpoint_that_is_down_says_why_and_when_it_is_tried(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").down()
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code is ResultCode.SUCCESS
    told = await found(admin, ENDPOINTS, "(eTDirectoryName=hpdev01)")
    assert told.values("provEndpointState") == ["down"]
    assert told.values("provEndpointFailure") == ["The endpoint cannot be reached. nobody answers"]
    assert all(told.values(f"provEndpoint{name}") for name in ("Since", "Failed", "Next"))
    waiting = [told.values(f"provEndpoint{name}")[0] for name in ("Pending", "Retrying")]
    assert sum(map(int, waiting)) == 1
    assert told.values("provEndpointLines") == ["0"]


@test
async def test_an_endpoint_that_is_paused_says_so_and_what_waits(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.modify(HPDEV01, replace("provPaused", "TRUE"))).code is ResultCode.SUCCESS
    agent = await wire(provserver, "psync-ad-corp")
    begun = agent.begin_sync(ADA_AD, NEW)
    for _ in range(20):
        await provserver.breathe()
    provserver.clock.turn(5)
    assert "pending: 1" in (await agent.answer(begun)).text
    told = await found(admin, ENDPOINTS, "(provEndpointState=paused)")
    assert told.names == [f"cn=UNIX - etc:hpdev01,{ENDPOINTS}"]
    waiting = [told.values(f"provEndpoint{name}")[0] for name in ("Pending", "Retrying")]
    assert sum(map(int, waiting)) == 1
    assert (await admin.modify(HPDEV01, replace("provPaused", "FALSE"))).code is ResultCode.SUCCESS
    for _ in range(4):
        provserver.clock.turn(1)
        await provserver.breathe()
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    told = await found(admin, ENDPOINTS, "(eTDirectoryName=hpdev01)")
    assert told.values("provEndpointState") == ["ready"]
    assert told.values("provEndpointOldest") == []


@test
async def test_pages_sizes_and_sorting_work_as_anywhere(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    assert (await admin.search(OUTBOX, scope=Scope.ONE_LEVEL, size=1)).code is ResultCode.SIZE_LIMIT_EXCEEDED
    request = SearchRequest(
        MONITOR, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, parse_filter("(objectClass=*)"), ("1.1",)
    )
    everything = (await admin.ask(request)).names
    gathered: list[str] = []
    cookie = b""
    while True:
        told = await admin.ask(request, [encode_request(PagedResults(3, cookie))])
        assert told.code is ResultCode.SUCCESS
        gathered += told.names
        answer = told.control(PagedResults)
        assert answer is not None
        cookie = answer.cookie
        if not cookie:
            break
    assert gathered == everything
    by_name = SortRequest((SortKey("eTDirectoryName"),))
    told = await admin.ask(
        SearchRequest(
            ENDPOINTS, Scope.ONE_LEVEL, DerefAliases.NEVER, 0, 0, False, request.filter, ("eTDirectoryName",)
        ),
        [encode_request(by_name)],
    )
    order = [entry.attributes[0].values[0].decode() for entry in told.entries]
    assert order == sorted(order, key=str.lower)


@test
async def test_a_page_holds_what_is_there_when_it_is_sent(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    request = SearchRequest(
        OUTBOX, Scope.ONE_LEVEL, DerefAliases.NEVER, 0, 0, False, parse_filter("(objectClass=*)"), ("1.1",)
    )
    first = await admin.ask(request, [encode_request(PagedResults(1))])
    answer = first.control(PagedResults)
    assert answer is not None
    assert answer.cookie
    store = provserver.service.foundation.store
    rows = [row.id for row in await store.deliveries()]
    await store.drop(rows, DeliveryState.CANCELLED, provserver.clock.wall(), int(Outcome.DROPPED), "")
    rest = await admin.ask(request, [encode_request(PagedResults(5, answer.cookie))])
    assert rest.code is ResultCode.SUCCESS
    assert rest.names == []


@test
async def test_none_of_it_is_a_subentry(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    request = SearchRequest(
        MONITOR, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, parse_filter("(objectClass=*)"), ("1.1",)
    )
    assert (await admin.ask(request, [encode_request(Subentries(True))])).names == []
    assert len((await admin.ask(request, [encode_request(Subentries(False))])).names) == 3 + len(NAMES)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cn=nothing,cn=monitor", ResultCode.NO_SUCH_OBJECT),
        ("provDelivery=none,cn=outbox,cn=monitor", ResultCode.NO_SUCH_OBJECT),
        ("cn=nowhere:none,cn=endpoints,cn=monitor", ResultCode.NO_SUCH_OBJECT),
        ("cn=deep,cn=deeper,cn=endpoints,cn=monitor", ResultCode.NO_SUCH_OBJECT),
        ("no name,cn=monitor", ResultCode.INVALID_DN_SYNTAX),
    ],
)
@test
async def test_what_is_not_there_is_told(provserver: RunningServer, name: str, code: ResultCode) -> None:
    admin = await administrator(provserver)
    for scope in Scope:
        assert (await found(admin, name, scope=scope)).code is code


@pytest.mark.parametrize("who", ["psync-ad-corp", "aokafor", ""])
@test
async def test_all_of_it_is_for_administrators_alone(provserver: RunningServer, who: str) -> None:
    client = await (wire(provserver, who) if who else provserver.wire())
    for base in (MONITOR, OUTBOX, ENDPOINTS, *NAMES, "provDelivery=none,cn=outbox,cn=monitor"):
        for scope in Scope:
            told = await found(client, base, scope=scope)
            assert (told.code, told.names) == (ResultCode.INSUFFICIENT_ACCESS_RIGHTS, [])
