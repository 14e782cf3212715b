"""To act as somebody else: the proxied authorization control (RFC 4370), over the wire."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import ADA_AD, ADA_UNIX, NEW, OTHER, PASSWORDS, SUFFIX, administrator, wire

from provserver.directory.names import DN
from provserver.imps.users import global_user_dn
from provserver.journal.events import Event
from provserver.ldap.controls import ProxiedAuthorization, encode_request
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    BindRequest,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ModifyRequest,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
BORIS = user_dn("bnovak")
ADMINISTRATOR = (
    "eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles,"
    f"eTNamespaceName=CommonObjects,{SUFFIX}"
)
INSIDE = ADA.removesuffix(",dc=eta")
DENIED = ResultCode.AUTHORIZATION_DENIED


def acting_as(authorization_id: str) -> list[Control]:
    return [encode_request(ProxiedAuthorization(authorization_id))]


def look_at(dn: str) -> SearchRequest:
    return SearchRequest(dn, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ("1.1",))


async def who_am_i(client: WireClient, *controls: Control) -> str:
    told = await client.ask(extended(WhoAmI()), controls)
    assert (told.code, told.text) == (0, ""), told
    assert told.value is not None
    return told.value.decode()


@pytest.mark.parametrize(
    "authorization_id",
    [
        f"dn:{ADA}",
        f"dn:{INSIDE},dc=etadb",
        f"dn:{INSIDE}",
        f"dn:{ADA.upper()}",
        "u:aokafor",
        "u:AOKAFOR",
    ],
)
@test
async def test_an_administrator_acts_as_a_user_with_that_ones_rights_only(
    provserver: RunningServer, authorization_id: str
) -> None:
    admin = await administrator(provserver)
    control = acting_as(authorization_id)
    assert (await who_am_i(admin, *control)).lower() == f"dn:{ADA}".lower()
    assert (await admin.ask(look_at(ADA), control)).names == [ADA]
    assert (await admin.ask(look_at(BORIS), control)).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    told = await admin.ask(ModifyRequest(ADA, (replace("eTTitle", "Admiral"),)), control)
    assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert (await admin.ask(look_at(BORIS))).names == [BORIS], "the connection is still the administrator's"


@pytest.mark.parametrize("nobody", ["", "dn:"])
@test
async def test_or_as_nobody(provserver: RunningServer, nobody: str) -> None:
    admin = await administrator(provserver)
    assert await who_am_i(admin, *acting_as(nobody)) == ""
    told = await admin.ask(look_at(SUFFIX), acting_as(nobody))
    assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert (await admin.ask(look_at(""), acting_as(nobody))).names == [""]


@pytest.mark.parametrize(
    "authorization_id",
    [
        "u:ghost",
        "u:",
        "u:\ue000",
        f"dn:{user_dn('ghost')}",
        "dn:cn=a,dc=elsewhere",
        "dn:no name",
        f"dn:{ADA_AD}",
        f"dn:{SUFFIX}",
        "u:eyilmaz",
        f"dn:{user_dn('eyilmaz')}",
    ],
)
@test
async def test_whoever_is_no_user_or_suspended_is_nobody_to_act_as(
    provserver: RunningServer, authorization_id: str
) -> None:
    admin = await administrator(provserver)
    told = await admin.ask(look_at(ADA), acting_as(authorization_id))
    assert (told.code, bool(told.text), told.names) == (DENIED, True, [])


@pytest.mark.parametrize("who", ["", "aokafor", "psync-ad-corp"])
@pytest.mark.parametrize("authorization_id", ["", "u:aokafor", "u:etaadmin", "u:ghost"])
@test
async def test_only_administrators_may_and_others_are_not_told_who_exists(
    provserver: RunningServer, who: str, authorization_id: str
) -> None:
    client = await (wire(provserver, who) if who else provserver.wire())
    told = await client.ask(look_at(ADA), acting_as(authorization_id))
    assert (told.code, told.text) == (DENIED, f"'{who or 'anonymous'}' may not act as others")


@test
async def test_rights_that_are_taken_away_are_gone_at_the_next_request(provserver: RunningServer) -> None:
    admin, boris = await administrator(provserver), await wire(provserver, "bnovak")
    assert (await admin.modify(BORIS, replace("eTUserAdminProfile", ADMINISTRATOR))).code == 0
    assert await who_am_i(boris, *acting_as("u:aokafor")) == f"dn:{ADA}"
    assert (await admin.modify(BORIS, replace("eTUserAdminProfile"))).code == 0
    assert (await boris.ask(look_at(ADA), acting_as("u:aokafor"))).code is DENIED


@test
async def test_it_has_to_be_critical_and_comes_with_no_bind(provserver: RunningServer) -> None:
    """RFC 4370 3 and 4."""
    admin = await administrator(provserver)
    control = ProxiedAuthorization("u:aokafor")
    harmless = [Control(control.oid, False, control.encode())]
    assert (await admin.ask(look_at(ADA), harmless)).code is ResultCode.PROTOCOL_ERROR
    told = await admin.ask(BindRequest(3, "aokafor", Secret.of_text(PASSWORDS["aokafor"])), acting_as(""))
    assert told.code is ResultCode.UNAVAILABLE_CRITICAL_EXTENSION


@test
async def test_an_agent_is_stood_in_for_in_its_own_scope(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    sync = (replace("eTSyncPassword", NEW),)
    told = await admin.ask(ModifyRequest(ADA_UNIX, sync), acting_as("u:psync-ad-corp"))
    assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert (await admin.ask(ModifyRequest(ADA_AD, sync), acting_as("u:psync-ad-corp"))).code == 0
    assert await provserver.has_password("aokafor", NEW)


@test
async def test_a_password_changed_so_is_the_users_own_change(provserver: RunningServer) -> None:
    """Its history binds it, which binds no administrator's reset."""
    admin = await administrator(provserver)
    old = ModifyRequest(ADA, (replace("eTPassword", PASSWORDS["aokafor"]),))
    assert (await admin.ask(old, acting_as("u:aokafor"))).code is ResultCode.CONSTRAINT_VIOLATION
    assert (await admin.ask(old)).code == 0


# ---------------------------------------------------------------- who did it


def written(logs: Path) -> str:
    return "".join(path.read_text() for path in logs.glob("etatrans*.log"))


def inside(name: str) -> str:
    return str(global_user_dn(name, DN.parse("dc=im")))


@test
async def test_the_journal_names_both(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    change = ModifyRequest(ADA, (replace("eTPassword", NEW),))
    assert (await admin.ask(change, acting_as("u:aokafor"))).code == 0
    assert (await admin.ask(change, acting_as("u:bnovak"))).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    event = [event for event in await provserver.journal() if event.event == Event.USER_CHANGED][-1]
    assert (event.fields["by"], event.fields["asked by"]) == (inside("aokafor"), inside("etaadmin"))
    assert (await admin.modify(ADA, replace("eTPassword", OTHER))).code == 0
    event = [event for event in await provserver.journal() if event.event == Event.USER_RESET][-1]
    assert event.fields["by"] == inside("etaadmin")
    assert "asked by" not in event.fields


@test
async def test_a_change_of_the_tree_is_the_other_ones_and_the_journal_says_who_asked(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    assert (await admin.modify(BORIS, replace("eTUserAdminProfile", ADMINISTRATOR))).code == 0
    before = len(await provserver.journal())
    for request in (ModifyRequest(ADA, (replace("eTTitle", "Admiral"),)), DeleteRequest(ADA_UNIX)):
        assert (await admin.ask(request, acting_as("u:bnovak"))).code == 0
    found = await admin.search(ADA, "(objectClass=*)", "modifiersName", scope=Scope.BASE)
    assert found.values("modifiersName") == [inside("bnovak")]
    log = await provserver.service.foundation.store.changes(0, 1_000_000)
    assert log[-1].by == inside("bnovak")
    events = (await provserver.journal())[before:]
    assert [event.event for event in events] == [Event.TREE_CHANGED, Event.TREE_CHANGED]
    for event in events:
        assert (event.fields["by"], event.fields["asked by"]) == (inside("bnovak"), inside("etaadmin"))
        assert event.text == "The tree was changed by etaadmin for bnovak"
    assert events[0].fields["entry"] == inside("aokafor")


@test
async def test_the_transaction_log_names_both(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(settings=["logging.etatrans=true"], logs=tmp_path)
    admin = await administrator(server)
    told = await admin.ask(ModifyRequest(BORIS, (replace("eTTitle", "x"),)), acting_as("u:aokafor"))
    assert (told.code, "'etaadmin for aokafor' may not" in told.text) == (50, True)
    await server.stop()
    assert "External Modify (eTGlobalUserName=bnovak) Requested by User etaadmin for aokafor" in written(
        tmp_path
    )


@test
async def test_a_compare_is_asked_as_the_other_one(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    comparison = CompareRequest(BORIS, "eTTitle", b"Systems engineer")
    assert (await admin.ask(comparison, acting_as("u:bnovak"))).code is ResultCode.COMPARE_TRUE
    assert (await admin.ask(comparison, acting_as("u:aokafor"))).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
