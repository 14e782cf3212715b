"""How far passwords have come, as attributes of accounts and of global users."""

from __future__ import annotations

import json
from typing import Any

import pytest_twisted
from harbour import ADA_AD, ADA_LDAP, ADA_MVS, ADA_UNIX, NEW, OTHER, UNIX, administrator, id_of, wire

from provserver.connectors.contract import Busy, PasswordPolicyViolation
from provserver.directory.computed import ACCOUNT_STATUS_KEY, OF_DELIVERIES
from provserver.foundation import load_schema
from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.operations.statuses import NEVER, STATES
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient

test = pytest_twisted.ensureDeferred
NAMES = (
    "provDeliveryState",
    "provLastDelivery",
    "provLastDeliveryEvent",
    "provLastDeliveryError",
    "provDeliveryDue",
    "provDeliveryAttempts",
)
REFUSED = "The endpoint's password policy refuses the password. no words of the sea"


async def status(client: WireClient, account: str, *attributes: str) -> dict[str, str]:
    told = await client.search(account, "(objectClass=*)", *(attributes or NAMES), scope=Scope.BASE)
    assert told.code is ResultCode.SUCCESS
    return {one.description: one.values[0].decode() for one in told.entries[0].attributes}


async def accounts_of(client: WireClient, user: str) -> dict[str, dict[str, Any]]:
    """By the name of the endpoint."""
    told = await client.search(user_dn(user), "(objectClass=*)", "provAccountStatus", scope=Scope.BASE)
    values = [json.loads(value) for value in told.values("provAccountStatus")]
    return {value["endpoint"]: value for value in values}


async def changed(server: RunningServer, password: str = NEW) -> None:
    """Ada changes her password on her Windows PC."""
    agent = await wire(server, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, password)).code is ResultCode.SUCCESS
    await server.delivered()


def refusing() -> PasswordPolicyViolation:
    return PasswordPolicyViolation("no words of the sea")


def test_the_schema_has_each_of_them_and_nobody_writes_them() -> None:
    schema = load_schema()
    for key in OF_DELIVERIES:
        type = schema.type_of(key)
        assert type.operational
        assert not type.modifiable
        assert type.single_value is (key != ACCOUNT_STATUS_KEY)


@test
async def test_an_account_that_was_never_sent_anything_says_so(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert await status(admin, ADA_UNIX) == {"provDeliveryState": NEVER}
    assert all(one["state"] == NEVER for one in (await accounts_of(admin, "aokafor")).values())


@test
async def test_a_delivery_is_told_with_its_time_and_its_event(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    version = (await _entry(provserver, ADA_UNIX)).version
    await changed(provserver)
    told = await status(admin, ADA_UNIX)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000")
    assert set(told) == {"provDeliveryState", "provLastDelivery", "provLastDeliveryEvent"}
    assert (await _entry(provserver, ADA_UNIX)).version == version
    assert (await status(admin, ADA_AD))["provDeliveryState"] == NEVER, "it came from there"
    found = await accounts_of(admin, "aokafor")
    assert {name: one["state"] for name, one in found.items()} == {
        "ActiveDirectory:AD-Corp": "never",
        "CA-ACF2:MVSPROD": "never",
        "OpenLDAP:ldap-hq": "updated",
        "UNIX - etc:hpdev01": "updated",
    }
    unix = found["UNIX - etc:hpdev01"]
    assert unix["account"] == "UNIX - etc Account 'aokafor' on 'hpdev01'"
    assert unix["dn"] == ADA_UNIX.removesuffix(",dc=eta")
    assert (unix["event"], unix["text"], unix["due"], unix["attempts"]) == (7000, None, None, None)
    assert unix["at"].startswith(told["provLastDelivery"][:4])


@test
async def test_what_an_endpoint_refused_is_shown_on_the_account_and_on_the_user(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").refuse(refusing)
    await changed(provserver)
    told = await status(admin, ADA_UNIX)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6927")
    assert told["provLastDeliveryError"] == REFUSED
    assert told["provDeliveryAttempts"] == "1"
    assert "provDeliveryDue" not in told
    one = (await accounts_of(admin, "aokafor"))["UNIX - etc:hpdev01"]
    assert (one["state"], one["event"], one["text"]) == ("held", 6927, REFUSED)
    assert one["at"] is not None
    # The user sees it too: it may read itself.
    ada = await provserver.wire("aokafor", NEW)
    assert (await accounts_of(ada, "aokafor"))["UNIX - etc:hpdev01"]["event"] == 6927


@test
async def test_a_retry_is_told_with_when_it_is_due(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").refuse(lambda: Busy("later"), times=1)
    await changed(provserver)
    told = await status(admin, ADA_UNIX)
    assert told["provDeliveryState"] == "retrying"
    assert told["provDeliveryDue"].endswith("Z")
    assert told["provLastDeliveryError"] == "The endpoint is busy. later"
    assert (await accounts_of(admin, "aokafor"))["UNIX - etc:hpdev01"]["due"] is not None
    provserver.clock.turn(3600)
    await provserver.delivered()
    assert (await status(admin, ADA_UNIX))["provDeliveryState"] == "updated"


@test
async def test_what_is_on_its_way_is_pending(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").delay(30)
    agent = await wire(provserver, "psync-ad-corp")
    begun = agent.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    await provserver.breathe()
    assert (await status(admin, ADA_UNIX))["provDeliveryState"] == "pending"
    provserver.clock.turn(5)
    assert "pending: 1" in (await agent.answer(begun)).text
    provserver.clock.turn(60)
    await provserver.delivered()
    assert (await status(admin, ADA_UNIX))["provDeliveryState"] == "updated"


@test
async def test_they_come_with_all_operational_attributes_and_not_without_being_asked(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    await changed(provserver)
    assert (await status(admin, ADA_UNIX, "+"))["provDeliveryState"] == "updated"
    assert not set(await status(admin, ADA_UNIX, "*")) & set(NAMES)
    assert "provDeliveryState" not in await status(admin, UNIX, "+"), "it is no account"
    everything = await status(admin, user_dn("aokafor"), "+")
    assert "provAccountStatus" in everything
    assert "provDeliveryState" not in everything


@test
async def test_when_a_user_last_changed_is_told_under_both_names(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await changed(provserver)
    by_name = await status(admin, user_dn("aokafor"), "provLastChange")
    assert by_name == await status(admin, user_dn("aokafor"), "provPasswordChanged")
    assert by_name


@test
async def test_a_search_is_not_remembered_with_the_status_of_before(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    before = [await status(admin, ADA_UNIX) for _ in range(3)]
    await changed(provserver)
    assert (await status(admin, ADA_UNIX)) not in before


@test
async def test_a_filter_about_them_is_undefined(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await changed(provserver)
    for filter in ("(provDeliveryState=updated)", "(!(provDeliveryState=never))", "(provAccountStatus=*)"):
        told = await admin.search(ADA_UNIX, filter, scope=Scope.BASE)
        assert (told.code, told.names) == (ResultCode.SUCCESS, [])


@test
async def test_an_agent_reads_it_of_its_own_accounts_and_a_user_of_itself(provserver: RunningServer) -> None:
    await changed(provserver)
    agent = await wire(provserver, "pam-hpdev01")
    assert (await status(agent, ADA_UNIX))["provDeliveryState"] == "updated"
    for client, name in ((agent, ADA_LDAP), (agent, user_dn("aokafor"))):
        told = await client.search(name, "(objectClass=*)", "+", scope=Scope.BASE)
        assert (told.code, told.names) == (ResultCode.INSUFFICIENT_ACCESS_RIGHTS, [])
    ada = await provserver.wire("aokafor", NEW)
    told = await ada.search(ADA_UNIX, "(objectClass=*)", *NAMES, scope=Scope.BASE)
    assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS


@test
async def test_the_newest_delivery_is_told_and_not_the_one_before(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await changed(provserver)
    provserver.endpoint("hpdev01").refuse(refusing)
    provserver.clock.turn(3600)
    await changed(provserver, OTHER)
    told = await status(admin, ADA_UNIX)
    assert told["provDeliveryState"] == "held"
    assert (await provserver.service.foundation.store.status(await id_of(provserver, ADA_UNIX))) is not None
    assert (await status(admin, ADA_MVS))["provDeliveryState"] == NEVER
    assert told["provDeliveryState"] in STATES


async def _entry(server: RunningServer, dn: str) -> Any:
    entry = await server.entry(dn)
    assert entry is not None
    return entry
