"""Who may do what; judged on the name, before existence is told (design "The exchange" 1)."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_MVS,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    NEW,
    NOBODY_AD,
    OTHER,
    PASSWORDS,
    SUFFIX,
    administrator,
    snapshot,
    wire,
)

from provserver.ldap.filters import Scope
from provserver.ldap.messages import ModifyDNRequest
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient, add, delete, replace

DENIED = ResultCode.INSUFFICIENT_ACCESS_RIGHTS
GHOST = user_dn("ghost")


async def deniers(client: WireClient, dn: str) -> dict[str, ResultCode]:
    """What each operation that concerns `dn` is answered."""
    told = {
        "search": await client.search(dn, scope=Scope.BASE),
        "compare": await client.compare(dn, "objectClass", "top"),
        "modify": await client.modify(dn, replace("eTDescription", "x")),
        "add": await client.add(dn, {"objectClass": ["eTGlobalUser"]}),
        "delete": await client.delete(dn),
        "rename": await client.ask(ModifyDNRequest(dn, "eTGlobalUserName=y", True)),
        "test": await client.test(dn, NEW),
        "sync": await client.sync(dn, NEW),
        "password": await client.modify(dn, replace("eTPassword", NEW)),
        "compare a password": await client.compare(dn, "eTPassword", NEW),
    }
    return {name: answer.code for name, answer in told.items()}


@pytest.mark.parametrize("dn", [user_dn("aokafor"), GHOST, ADA_AD, NOBODY_AD, COMMON, SUFFIX])
@pytest_twisted.ensureDeferred
async def test_nobody_may_do_anything_whether_the_entry_exists_or_not(
    provserver: RunningServer, dn: str
) -> None:
    before = await snapshot(provserver)
    codes = await deniers(await provserver.wire(), dn)
    assert codes == dict.fromkeys(codes, DENIED)
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("dn", [user_dn("bnovak"), GHOST, ADA_AD, NOBODY_AD, COMMON, AD_CORP])
@pytest_twisted.ensureDeferred
async def test_a_user_may_do_nothing_to_others_whether_they_exist_or_not(
    provserver: RunningServer, dn: str
) -> None:
    before = await snapshot(provserver)
    codes = await deniers(await wire(provserver, "aokafor"), dn)
    if dn == COMMON:
        # Its own entry is below: a search from here is allowed, and shows nothing of this one.
        assert codes.pop("search") is ResultCode.SUCCESS
    assert codes == dict.fromkeys(codes, DENIED)
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("dn", [ADA_UNIX, ADA_MVS, ADA_LDAP, f"eTETCAccountName=ghost,{HPDEV01}"])
@pytest_twisted.ensureDeferred
async def test_an_agent_is_denied_outside_its_scope_for_existing_and_missing_alike(
    provserver: RunningServer, dn: str
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    before = await snapshot(provserver)
    texts = set()
    for told in (
        await agent.test(dn, NEW),
        await agent.sync(dn, NEW),
        await agent.search(dn, scope=Scope.BASE),
        await agent.modify(dn, replace("eTDescription", "x")),
    ):
        assert told.code is DENIED
        assert told.result.matched_dn == ""
        texts.add(told.text.replace(dn.rpartition(",dc=eta")[0], "DN"))
    assert not any("exist" in text for text in texts)
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("dn", [ADA_AD, NOBODY_AD])
@pytest_twisted.ensureDeferred
async def test_an_agent_may_test_and_sync_in_its_scope_and_change_nothing_else(
    provserver: RunningServer, dn: str
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    for told in (
        await agent.modify(dn, replace("eTDescription", "x")),
        await agent.modify(dn, replace("eTPassword", NEW)),
        await agent.delete(dn),
        await agent.add(dn, {"objectClass": ["eTADSAccount"]}),
    ):
        assert told.code is DENIED, told
    assert (await agent.test(dn, NEW)).code in (ResultCode.SUCCESS, ResultCode.NO_SUCH_OBJECT)


@pytest_twisted.ensureDeferred
async def test_an_agent_sees_its_endpoint_what_is_above_it_and_itself(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    names = (await agent.search(SUFFIX, "(objectClass=*)", "1.1")).names
    assert f"eTNamespaceName=ActiveDirectory,{SUFFIX}" in names
    assert ADA_AD in names
    outside = [
        n
        for n in names
        if not n.endswith(AD_CORP) and n not in (SUFFIX, f"eTNamespaceName=ActiveDirectory,{SUFFIX}")
    ]
    assert outside == [user_dn("psync-ad-corp")]


@pytest_twisted.ensureDeferred
async def test_an_agent_without_a_scope_may_act_nowhere(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.modify(user_dn("psync-ad-corp"), delete("provAgentScope"))).code == 0
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code is DENIED
    assert (await agent.search(AD_CORP)).code is DENIED


@pytest_twisted.ensureDeferred
async def test_rights_that_are_taken_away_are_gone_at_the_next_request(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    assert (await agent.test(ADA_AD, NEW)).code == 0
    await admin.modify(user_dn("psync-ad-corp"), delete("eTUserAdminProfile"))
    assert (await agent.test(ADA_AD, NEW)).code is DENIED
    await admin.modify(
        user_dn("psync-ad-corp"),
        add(
            "eTUserAdminProfile",
            f"eTAdminProfileName=PasswordAdministrator,eTAdminProfileContainerName=Admin Profiles,{COMMON}",
        ),
    )
    assert (await agent.test(ADA_AD, NEW)).code == 0
    await admin.modify(user_dn("psync-ad-corp"), replace("eTSuspended", "1"))
    assert (await agent.test(ADA_AD, NEW)).code is DENIED
    await admin.modify(user_dn("psync-ad-corp"), replace("eTSuspended", "0"))
    assert (await agent.test(ADA_AD, NEW)).code is DENIED, "suspended once, the connection is nobody's"


@pytest_twisted.ensureDeferred
async def test_a_deleted_user_is_nobody(provserver: RunningServer) -> None:
    admin, ada = await administrator(provserver), await wire(provserver, "aokafor")
    assert (await ada.search(user_dn("aokafor"), scope=Scope.BASE)).code == 0
    assert (await admin.delete(user_dn("aokafor"))).code == 0
    assert (await ada.search(user_dn("aokafor"), scope=Scope.BASE)).code is DENIED


@pytest_twisted.ensureDeferred
async def test_a_domain_administrator_may_sync_any_account(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.sync(ADA_MVS, NEW)).code == 0
    assert (await admin.test(NOBODY_AD, NEW)).code is ResultCode.NO_SUCH_OBJECT


@pytest_twisted.ensureDeferred
async def test_a_user_reads_itself_and_nothing_else(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    assert (await ada.search(SUFFIX)).names == [user_dn("aokafor")]
    assert (await ada.search(user_dn("aokafor"), scope=Scope.BASE)).values("eTFullName") == ["Ada Okafor"]
    assert (await ada.compare(user_dn("aokafor"), "eTTitle", "berth PLANNER")).code is ResultCode.COMPARE_TRUE


@pytest_twisted.ensureDeferred
async def test_a_plain_user_cannot_let_itself_be_synchronised(provserver: RunningServer) -> None:
    """Issue "It must show": a plain user who tries seed 000's example on itself gets 50."""
    franco = await wire(provserver, "fgreco")
    told = await franco.modify(user_dn("fgreco"), replace("eTPropagatePassword", "1"))
    assert told.code is DENIED
    assert told.text == (
        ":ETA_E_9031<BGU>, 'fgreco' may not modify 'eTGlobalUserName=fgreco,"
        "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im'"
    )


@pytest_twisted.ensureDeferred
async def test_everybody_may_read_the_root_dse_and_the_subschema(provserver: RunningServer) -> None:
    nobody = await provserver.wire()
    root = await nobody.search("", "(objectClass=*)", "*", "+", scope=Scope.BASE)
    assert root.names == [""]
    assert root.values("namingContexts") == ["dc=im,dc=eta", "dc=im,dc=etadb"]
    assert root.values("supportedLDAPVersion") == ["3"]
    (subschema,) = root.values("subschemaSubentry")
    schema = await nobody.search(
        subschema, "(objectClass=subschema)", "attributeTypes", "objectClasses", scope=Scope.BASE
    )
    assert any("'eTSyncPassword'" in text for text in schema.values("attributeTypes"))
    assert any("'eTGlobalUser'" in text for text in schema.values("objectClasses"))


@pytest_twisted.ensureDeferred
async def test_the_root_dse_and_the_subschema_cannot_be_changed(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    for dn in ("", "cn=Subschema"):
        for told in (await admin.modify(dn, replace("cn", "x")), await admin.delete(dn)):
            assert told.code not in (ResultCode.SUCCESS, ResultCode.OTHER)


@pytest_twisted.ensureDeferred
async def test_after_a_failed_bind_the_connection_is_nobodys(provserver: RunningServer) -> None:
    client = await wire(provserver, "etaadmin")
    assert (await client.bind(user_dn("etaadmin"), OTHER)).code is ResultCode.INVALID_CREDENTIALS
    assert (await client.search(SUFFIX)).code is DENIED
    assert (await client.bind(user_dn("etaadmin"), PASSWORDS["etaadmin"])).code == 0
    assert (await client.search(SUFFIX, scope=Scope.BASE)).code == 0
