"""Deliveries tried again or given up, endpoints checked and paused: over LDAP, by administrators, and in the
journal.
"""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_LDAP,
    ADA_UNIX,
    BORIS_AD,
    BORIS_UNIX,
    HPDEV01,
    LDAP_HQ,
    NEW,
    OTHER,
    administrator,
    holds,
    overwrite,
    wire,
)

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    Connector,
    ObjectMissing,
    PasswordPolicyViolation,
    Security,
    ServerDown,
)
from provserver.connectors.emulated import Operation
from provserver.delivery.declared import DECLARED
from provserver.delivery.events import Outcome
from provserver.journal.declared import problem_of
from provserver.journal.events import Event
from provserver.ldap.extended import (
    CheckEndpoint,
    DropDeliveries,
    ExtendedValue,
    RetryDeliveries,
    encode_request,
)
from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.operations.endpoint_checks import PATIENCE, EndpointChecks
from provserver.storage.contract import DeliveryState, JournalEvent
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

test = pytest_twisted.ensureDeferred
C = ResultCode


async def asked(client: WireClient, request: ExtendedValue) -> tuple[Told, dict[str, Any]]:
    told = await client.ask(encode_request(request))
    return told, json.loads(told.value or b"{}")


async def two_held(server: RunningServer) -> WireClient:
    """Ada's and Boris's passwords are held at hpdev01."""
    server.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("not here"))
    agent = await wire(server, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code is C.SUCCESS
    assert (await agent.sync(BORIS_AD, OTHER)).code is C.SUCCESS
    await server.delivered()
    return await administrator(server)


async def states(server: RunningServer) -> list[DeliveryState]:
    return [row.state for row in await server.service.foundation.store.deliveries()]


async def told_of(server: RunningServer, kind: Event) -> list[JournalEvent]:
    found = [event for event in await server.journal() if event.event == kind]
    assert [problem_of(event, DECLARED) for event in found] == [""] * len(found)
    return found


# ---------------------------------------------------------------- retry


@test
async def test_what_is_held_is_delivered_when_it_is_tried_again(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    provserver.endpoint("hpdev01").mend()
    told, answer = await asked(admin, RetryDeliveries(endpoint="hpdev01"))
    assert told.code is C.SUCCESS
    assert (answer["retried"], answer["leftAlone"]) == (2, 0)
    assert {one["account"] for one in answer["deliveries"]} == {
        "UNIX - etc Account 'aokafor' on 'hpdev01'",
        "UNIX - etc Account 'bnovak' on 'hpdev01'",
    }
    assert all(one["state"] == "held" for one in answer["deliveries"])
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert holds(provserver, "hpdev01", "bnovak", OTHER)
    assert await states(provserver) == []


@test
async def test_a_retry_has_all_its_retries_before_it(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    endpoint = provserver.endpoint("hpdev01")
    endpoint.mend()
    endpoint.refuse(lambda: Busy("later"))
    await asked(admin, RetryDeliveries(all=True))
    await provserver.delivered()
    assert await states(provserver) == [DeliveryState.RETRYING] * 2
    told, answer = await asked(admin, RetryDeliveries(all=True))
    assert (told.code, answer["retried"]) == (C.SUCCESS, 2), "what is retrying is tried at once, too"
    await provserver.delivered()
    endpoint.mend()
    await asked(admin, RetryDeliveries(state="retrying"))
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest.mark.parametrize(
    ("request_", "users"),
    [
        (RetryDeliveries(user="aokafor"), {"aokafor"}),
        (RetryDeliveries(user=user_dn("aokafor")), {"aokafor"}),
        (RetryDeliveries(account="UNIX - etc:hpdev01:bnovak"), {"bnovak"}),
        (RetryDeliveries(account=ADA_UNIX), {"aokafor"}),
        (RetryDeliveries(account=ADA_LDAP), set()),
        (RetryDeliveries(endpoint=HPDEV01), {"aokafor", "bnovak"}),
        (RetryDeliveries(endpoint="UNIX - etc:hpdev01", user="bnovak"), {"bnovak"}),
        (RetryDeliveries(endpoint="ldap-hq"), set()),
        (RetryDeliveries(user="cmercier"), set()),
        (RetryDeliveries(state="HELD", account=BORIS_UNIX), {"bnovak"}),
        (RetryDeliveries(state="pending"), set()),
        (RetryDeliveries(all=True), {"aokafor", "bnovak"}),
    ],
)
@test
async def test_conditions_choose_what_all_of_them_fit(
    provserver: RunningServer, request_: RetryDeliveries, users: set[str]
) -> None:
    admin = await two_held(provserver)
    told, answer = await asked(admin, request_)
    assert told.code is C.SUCCESS
    assert {one["account"].split("'")[1] for one in answer["deliveries"]} == users
    assert answer["retried"] == len(users)


@test
async def test_ids_choose_deliveries_and_each_must_be_there(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    rows = await provserver.service.foundation.store.deliveries()
    told, answer = await asked(admin, RetryDeliveries((rows[0].id, "nobody's")))
    assert told.code is C.NO_SUCH_OBJECT
    assert told.text == "not in the outbox: 'nobody's'; it has ended, or never was there"
    assert await states(provserver) == [DeliveryState.HELD] * 2
    told, answer = await asked(admin, RetryDeliveries((rows[1].id,)))
    assert [one["id"] for one in answer["deliveries"]] == [rows[1].id]
    told, answer = await asked(admin, RetryDeliveries((rows[0].id,), user="bnovak"))
    assert answer["retried"] == 0


@pytest.mark.parametrize(
    ("request_", "code", "problem"),
    [
        (RetryDeliveries(), C.UNWILLING_TO_PERFORM, "expected deliveries by their ids, or by user"),
        (DropDeliveries(), C.UNWILLING_TO_PERFORM, "expected deliveries by their ids, or by user"),
        (RetryDeliveries(user="ghost"), C.NO_SUCH_OBJECT, "there is no global user 'ghost'"),
        (RetryDeliveries(account="UNIX - etc:hpdev01:x"), C.NO_SUCH_OBJECT, "there is no account"),
        (RetryDeliveries(account="cn=x,dc=im"), C.NO_SUCH_OBJECT, "there is no account 'cn=x,dc=im'"),
        (
            RetryDeliveries(endpoint="ghost"),
            C.NO_SUCH_OBJECT,
            "there is no endpoint 'ghost'; expected one of ActiveDirectory:AD-Corp, CA-ACF2:MVSPROD, "
            "OpenLDAP:ldap-hq, UNIX - etc:hpdev01",
        ),
        (
            RetryDeliveries(state="claimed"),
            C.CONSTRAINT_VIOLATION,
            "state: expected pending, retrying or held",
        ),
        (CheckEndpoint("ghost"), C.NO_SUCH_OBJECT, "there is no endpoint 'ghost'"),
        (CheckEndpoint("hpdev01", ADA_AD), C.NO_SUCH_OBJECT, "on 'UNIX - etc:hpdev01'"),
    ],
)
@test
async def test_what_makes_no_sense_is_told(
    provserver: RunningServer, request_: ExtendedValue, code: ResultCode, problem: str
) -> None:
    admin = await administrator(provserver)
    told, _ = await asked(admin, request_)
    assert told.code is code
    assert problem in told.text


@test
async def test_what_a_courier_has_is_left_alone(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").delay(30)
    agent = await wire(provserver, "psync-ad-corp")
    begun = agent.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    await provserver.breathe()
    [row] = await provserver.service.foundation.store.deliveries()
    assert row.state is DeliveryState.CLAIMED
    for kind, verb in ((RetryDeliveries, "retried"), (DropDeliveries, "dropped")):
        told, answer = await asked(admin, kind((row.id,)))
        assert (told.code, answer[verb], answer["leftAlone"]) == (C.SUCCESS, 0, 1)
    provserver.clock.turn(60)
    await agent.answer(begun)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)


# ---------------------------------------------------------------- drop


@test
async def test_what_is_dropped_is_gone_and_the_account_says_so(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    told, answer = await asked(admin, DropDeliveries(user="aokafor"))
    assert (told.code, answer["dropped"], answer["leftAlone"]) == (C.SUCCESS, 1, 0)
    [left] = await provserver.service.foundation.store.deliveries()
    assert left.state is DeliveryState.HELD
    shown = await admin.search(
        ADA_UNIX, "(objectClass=*)", "provDeliveryState", "provLastDeliveryError", scope=Scope.BASE
    )
    assert shown.values("provDeliveryState") == ["cancelled"]
    [why] = shown.values("provLastDeliveryError")
    assert why.startswith("An administrator dropped the delivery: nothing more is sent. By eTGlobalUserName=")
    user = await admin.search(user_dn("aokafor"), "(objectClass=*)", "provAccountStatus", scope=Scope.BASE)
    values = [json.loads(value) for value in user.values("provAccountStatus")]
    assert [one["event"] for one in values if one["state"] == "cancelled"] == [int(Outcome.DROPPED)]
    provserver.endpoint("hpdev01").mend()
    await asked(admin, RetryDeliveries(all=True))
    await provserver.delivered()
    assert not holds(provserver, "hpdev01", "aokafor", NEW)


@test
async def test_a_drop_without_a_state_is_of_what_is_held(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    provserver.endpoint("ldap-hq").refuse(lambda: Busy("later"))
    agent = await wire(provserver, "psync-ad-corp")
    provserver.clock.turn(3600)
    await agent.sync(ADA_AD, "Reef-Bollard-93")
    await provserver.delivered()
    _, answer = await asked(admin, DropDeliveries(user="aokafor"))
    assert answer["dropped"] == 1
    _, answer = await asked(admin, DropDeliveries(state="retrying", endpoint=LDAP_HQ))
    assert answer["dropped"] == 1
    assert await states(provserver) == [DeliveryState.HELD], "Boris's"


# ---------------------------------------------------------------- the journal, and who may


@test
async def test_each_act_is_in_the_journal_with_who_and_from_where(provserver: RunningServer) -> None:
    admin = await two_held(provserver)
    await asked(admin, RetryDeliveries(user="aokafor"))
    await asked(admin, DropDeliveries(user="bnovak"))
    [retried] = await told_of(provserver, Event.DELIVERY_RETRIED)
    [dropped] = await told_of(provserver, Event.DELIVERY_DROPPED)
    for event, account in ((retried, ADA_UNIX), (dropped, BORIS_UNIX)):
        assert event.fields["by"] == user_dn("etaadmin").removesuffix(",dc=eta")
        assert event.fields["peer"] == "127.0.0.1"
        assert event.fields["account"] == account.removesuffix(",dc=eta")
        assert event.fields["state"] == "held"
    assert retried.text == "Delivery to UNIX - etc Account 'aokafor' on 'hpdev01' retried"


@pytest.mark.parametrize("who", ["psync-ad-corp", "cmercier", ""])
@pytest.mark.parametrize(
    "request_",
    [
        RetryDeliveries(all=True),
        RetryDeliveries(user="ghost"),
        DropDeliveries(all=True),
        CheckEndpoint("hpdev01"),
        CheckEndpoint("ghost"),
    ],
    ids=lambda one: f"{type(one).__name__}-{one.encode().hex()}",
)
@test
async def test_they_are_for_administrators_alone(
    provserver: RunningServer, who: str, request_: ExtendedValue
) -> None:
    await two_held(provserver)
    client = await (wire(provserver, who) if who else provserver.wire())
    told, answer = await asked(client, request_)
    assert (told.code, answer) == (C.INSUFFICIENT_ACCESS_RIGHTS, {})
    assert "may not ask about 'cn=" in told.text
    assert await states(provserver) == [DeliveryState.HELD] * 2


# ---------------------------------------------------------------- an endpoint, checked


async def steps(client: WireClient, request: CheckEndpoint) -> list[tuple[str, bool]]:
    told, answer = await asked(client, request)
    assert told.code is C.SUCCESS
    assert answer["good"] is all(step["good"] for step in answer["steps"])
    return [(step["step"], step["good"]) for step in answer["steps"]]


@test
async def test_an_endpoint_that_is_set_up_right_passes_each_step(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told, answer = await asked(admin, CheckEndpoint("hpdev01"))
    assert told.code is C.SUCCESS
    assert (answer["endpoint"], answer["good"]) == ("UNIX - etc:hpdev01", True)
    assert [(step["step"], step["good"]) for step in answer["steps"]] == [
        ("settings", True),
        ("connect and log in", True),
        ("protection", True),
        ("look up an account", True),
    ]
    assert provserver.endpoint("hpdev01").received == 0
    assert provserver.endpoint("hpdev01").open_lines == 0, "it is closed again"
    [event] = await told_of(provserver, Event.ENDPOINT_CHECKED)
    assert event.text == "Endpoint 'hpdev01' checked: all is well"
    assert event.fields["peer"] == "127.0.0.1"


@test
async def test_the_step_that_fails_is_the_last_and_says_what_to_do(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    endpoint = provserver.endpoint("hpdev01")
    for failure, event, advice in (
        (lambda: ServerDown("nobody answers"), 7014, "look at the address and port"),
        (lambda: BadServerCredentials("who are you"), 7011, "look at the name and the password"),
        (lambda: RuntimeError("with a pass word"), 7022, "this is a fault of the connector's"),
    ):
        endpoint.refuse(failure, times=1, operation=Operation.OPEN)  # type: ignore[arg-type]  # one is a fault
        _, answer = await asked(admin, CheckEndpoint("hpdev01"))
        last = answer["steps"][-1]
        assert (answer["good"], last["step"], last["event"]) == (False, "connect and log in", event)
        assert last["advice"].startswith(advice)
        assert "pass word" not in json.dumps(answer)
    failed = await told_of(provserver, Event.ENDPOINT_CHECKED)
    assert [event.fields["failed"] for event in failed] == ["connect and log in"] * 3


@test
async def test_settings_that_make_no_sense_are_told(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await overwrite(provserver, HPDEV01, "provSetting", b"colour=blue")
    _, answer = await asked(admin, CheckEndpoint(HPDEV01))
    [step] = answer["steps"]
    assert (step["step"], step["event"]) == ("settings", int(Outcome.NOT_CONFIGURED))
    assert "colour: unknown setting" in step["text"]


@test
async def test_a_line_that_can_be_read_is_told_before_it_is_used(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await admin.modify(HPDEV01, replace("provSetting", "security=not-secure"))
    assert await steps(admin, CheckEndpoint("hpdev01")) == [("settings", True), ("protection", False)]
    assert provserver.endpoint("hpdev01").asked[Operation.OPEN] == 0
    await admin.modify(HPDEV01, replace("provRequireSecureConnection", "FALSE"))
    assert (await steps(admin, CheckEndpoint("hpdev01")))[-1] == ("look up an account", True)


@test
async def test_an_endpoint_that_says_nothing_is_given_up(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").delay(3600, times=1, operation=Operation.OPEN)
    number = admin.begin(encode_request(CheckEndpoint("hpdev01")))
    for _ in range(20):
        await provserver.breathe()
    assert provserver.endpoint("hpdev01").asked[Operation.OPEN] == 1
    assert not admin.is_answered(number)
    provserver.clock.turn(PATIENCE + 1)
    told = await admin.answer(number)
    last = json.loads(told.value or b"{}")["steps"][-1]
    assert (last["step"], last["good"]) == ("connect and log in", False)
    assert "No answer in 15 s." in last["text"]


class Finder:
    """A connector that looks accounts up."""

    security = Security.SECURE

    def __init__(self, found: str | Exception) -> None:
        self._found = found
        self.closed = 0

    async def open(self, partition: str = "") -> None:
        pass

    async def close(self) -> None:
        self.closed += 1

    async def locate(self, account: Account) -> str:
        if isinstance(self._found, Exception):
            raise self._found
        return f"{self._found}={account.name}"


@pytest.mark.parametrize(
    ("found", "good", "text"),
    [
        ("uid", True, "'aokafor' is uid=aokafor"),
        (ObjectMissing("no such"), False, "The account could not be found. no such"),
        (AccessDenied("not you"), False, "The server has no right to set this password. not you"),
    ],
    ids=["there", "missing", "not shown"],
)
@test
async def test_an_account_is_looked_up_where_the_connector_can(
    provserver: RunningServer, found: str | Exception, good: bool, text: str
) -> None:
    foundation = provserver.service.foundation
    finder = Finder(found)
    checks = EndpointChecks(
        foundation.rooms, foundation.endpoints, lambda endpoint: cast(Connector, finder), provserver.clock
    )
    answer: Any = await checks.check(CheckEndpoint("hpdev01", "UNIX - etc:hpdev01:aokafor"), {"by": "tests"})
    last = answer["steps"][-1]
    assert (answer["good"], last["step"], last["text"]) == (good, "look up an account", text)
    assert good or last["advice"]
    assert finder.closed == 1


# ---------------------------------------------------------------- paused


@test
async def test_a_pause_and_its_end_are_in_the_journal_and_other_changes_are_not(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    for value in ("TRUE", "TRUE", "FALSE"):
        assert (await admin.modify(HPDEV01, replace("provPaused", value))).code is C.SUCCESS
    assert (await admin.modify(HPDEV01, replace("description", "x"))).code is C.SUCCESS
    [paused] = await told_of(provserver, Event.ENDPOINT_PAUSED)
    [resumed] = await told_of(provserver, Event.ENDPOINT_RESUMED)
    by = user_dn("etaadmin").removesuffix(",dc=eta")
    assert paused.text == f"Endpoint 'hpdev01' paused by {by}"
    assert resumed.fields == {
        "by": by,
        "peer": "127.0.0.1",
        "endpoint": HPDEV01.removesuffix(",dc=eta"),
    }
