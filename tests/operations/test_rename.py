"""Modify DN end to end (RFC 4511 4.9): one entry or a whole subtree, and who refers to it."""

from __future__ import annotations

from dataclasses import replace as replace_field
from pathlib import Path

import pytest
import pytest_twisted
from crossing import Interrupted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    LDAP_HQ,
    NEW,
    NOBODY_AD,
    OTHER,
    PASSWORDS,
    SUFFIX,
    UNIX,
    administrator,
    holds,
    id_of,
    wire,
)
from partly import house_of

from provserver.directory.names import DN
from provserver.foundation import load_schema
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.imps.profiles import identity_of
from provserver.ldap.filters import Scope
from provserver.ldap.messages import AddRequest, ModifyDNRequest, PartialAttribute
from provserver.ldap.results import ResultCode
from provserver.operations import subtrees
from provserver.operations.writes import rename as rename_operation
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

test = pytest_twisted.ensureDeferred

INCLUSIONS = f"eTInclusionContainerName=Inclusions,{COMMON}"
STAFF = f"eTADSOrgUnitName=Staff,{AD_CORP}"
QUAYSIDE = f"eTADSOrgUnitName=Quayside,{STAFF}"
USERS = f"eTADSContainerName=Users,{AD_CORP}"
ADA, BORIS = user_dn("aokafor"), user_dn("bnovak")
ROLES = f"eTRoleContainerName=Roles,{COMMON}"
CAPTAIN = f"eTRoleName=Captain,{ROLES}"
PARAMETERS = f"eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,{COMMON}"
PROFILES = f"eTAdminProfileContainerName=Admin Profiles,{COMMON}"


async def rename(
    client: WireClient, dn: str, rdn: str, *, superior: str | None = None, delete_old: bool = True
) -> Told:
    return await client.ask(ModifyDNRequest(dn, rdn, delete_old, superior))


def inside(dn: str) -> str:
    return dn.removesuffix(",dc=eta")


async def names_below(client: WireClient, dn: str) -> list[str]:
    return sorted((await client.search(dn, "(objectClass=*)", "1.1")).names)


async def included(client: WireClient, server: RunningServer, dn: str) -> list[tuple[str, str]]:
    """The names of superior and subordinate in the inclusions of an entry."""
    entry_id = await id_of(server, dn)
    told = await client.search(INCLUSIONS, f"(|(eTPID={entry_id})(eTCID={entry_id}))")
    found = []
    for entry in told.entries:
        values = {a.description: a.values[0].decode() for a in entry.attributes}
        found.append((values["eTSuperiorClassEntry"], values["eTSubordinateClassEntry"]))
    return sorted(found)


async def state(server: RunningServer) -> tuple[list[str], int]:
    """Every name, and the last change: equal when nothing happened."""
    admin = await administrator(server)
    changes = await server.service.foundation.store.changes(0, 1_000_000)
    return await names_below(admin, SUFFIX), changes[-1].sequence


# ---------------------------------------------------------------- one entry


@test
async def test_a_renamed_user_is_the_same_user_under_a_new_name(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    entry_id = await id_of(provserver, ADA)
    assert (await rename(admin, ADA, "eTGlobalUserName=aking")).code == 0
    new = user_dn("aking")
    assert (await admin.search(ADA, scope=Scope.BASE)).code is ResultCode.NO_SUCH_OBJECT
    found = await admin.search(new, "(objectClass=*)", "*", "+", scope=Scope.BASE)
    assert found.names == [new]
    assert found.values("eTGlobalUserName") == ["aking"]
    assert found.values("eTID") == [entry_id]
    assert found.values("modifiersName") == [inside(user_dn("etaadmin"))]
    assert (await admin.search(GLOBAL_USERS, "(eTGlobalUserName=aking)")).names == [new]
    assert (await admin.search(GLOBAL_USERS, "(eTGlobalUserName=aokafor)")).names == []
    ada = await provserver.wire("aking", PASSWORDS["aokafor"])
    assert (await ada.search(new, scope=Scope.BASE)).values("eTFullName") == ["Ada Okafor"]
    with pytest.raises(PermissionError):
        await provserver.wire("aokafor", PASSWORDS["aokafor"])


@test
async def test_the_accounts_of_a_renamed_user_stay_its_own(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    before = await included(admin, provserver, ADA)
    assert len(before) == 4
    assert (await rename(admin, ADA, "eTGlobalUserName=aking")).code == 0
    new = user_dn("aking")
    after = await included(admin, provserver, new)
    assert after == [(inside(new), account) for _, account in before]
    assert (await admin.search(INCLUSIONS, f"(eTSuperiorClassEntry={inside(ADA)})")).names == []
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await provserver.delivered()
    assert await provserver.has_password("aking", NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@test
async def test_a_renamed_account_is_still_its_user_s(provserver: RunningServer) -> None:
    """The agent's name for it has changed; at the endpoint nothing was renamed by us."""
    admin, agent = await administrator(provserver), await wire(provserver, "pam-hpdev01")
    assert (await rename(admin, ADA_UNIX, "eTETCAccountName=aking")).code == 0
    new = f"eTETCAccountName=aking,{UNIX}"
    assert await included(admin, provserver, new) == [(inside(ADA), inside(new))]
    assert (await agent.sync(ADA_UNIX, NEW)).code is ResultCode.NO_SUCH_OBJECT
    assert (await agent.sync(new, NEW)).code == 0
    await provserver.delivered()
    assert holds(provserver, "AD-Corp", "Okafor, Ada", NEW)
    other = await wire(provserver, "psync-ad-corp")
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    assert (await other.sync(ADA_AD, OTHER)).code == 0
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aking", OTHER)


@test
async def test_who_is_renamed_while_bound_keeps_its_rights(provserver: RunningServer) -> None:
    admin, ada = await administrator(provserver), await wire(provserver, "aokafor")
    agent = await wire(provserver, "psync-ad-corp")
    for user in ("aokafor", "psync-ad-corp", "etaadmin"):
        assert (await rename(admin, user_dn(user), f"eTGlobalUserName=new-{user}")).code == 0
    assert (await ada.search(SUFFIX)).names == [user_dn("new-aokafor")]
    assert (await agent.test(ADA_AD, NEW)).code == 0
    assert (await admin.modify(user_dn("new-aokafor"), replace("eTTitle", "Admiral"))).code == 0
    found = await admin.search(user_dn("new-aokafor"), "(objectClass=*)", "modifiersName", scope=Scope.BASE)
    assert found.values("modifiersName") == [inside(user_dn("new-etaadmin"))]


@test
async def test_the_same_name_in_another_case_is_a_new_spelling(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await rename(admin, ADA, "ETGLOBALUSERNAME=AOkafor")).code == 0
    found = await admin.search(ADA, scope=Scope.BASE)
    assert found.names == [ADA.replace("eTGlobalUserName=aokafor", "ETGLOBALUSERNAME=AOkafor")]
    assert found.values("eTGlobalUserName") == ["AOkafor"]
    assert (await rename(admin, STAFF, "eTADSOrgUnitName=STAFF", superior=AD_CORP.lower())).code == 0
    below = await names_below(admin, STAFF)
    assert len(below) == 8
    assert all(name.endswith(f"eTADSOrgUnitName=STAFF,{AD_CORP}") for name in below), "the superior's own"
    for fixed in (COMMON, GLOBAL_USERS, f"eTNamespaceName=ActiveDirectory,{SUFFIX}"):
        rdn, _, _ = fixed.partition(",")
        assert (await rename(admin, fixed, rdn.upper())).code == 0


@pytest.mark.parametrize("delete_old", [True, False])
@test
async def test_a_rename_to_the_same_name_is_success(provserver: RunningServer, delete_old: bool) -> None:
    admin = await administrator(provserver)
    assert (await rename(admin, ADA, "eTGlobalUserName=aokafor", delete_old=delete_old)).code == 0
    assert (await admin.search(ADA, scope=Scope.BASE)).values("eTGlobalUserName") == ["aokafor"]


@test
async def test_an_old_value_can_stay_only_where_there_may_be_several(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    before = await state(provserver)
    told = await rename(admin, ADA, "eTGlobalUserName=aking", delete_old=False)
    assert (told.code, told.text) == (
        ResultCode.CONSTRAINT_VIOLATION,
        "eTGlobalUserName: expected a single value: the old one must go with the old name",
    )
    assert await state(provserver) == before
    several = "eTADSOrgUnitName=Crew+description=at sea"
    assert (await rename(admin, QUAYSIDE, several)).code == 0
    new = f"{several},{STAFF}"
    assert (await admin.search(new, scope=Scope.BASE)).values("description") == ["at sea"]
    ashore = "description=on land+eTADSOrgUnitName=Crew"
    assert (await rename(admin, new, ashore, delete_old=False)).code == 0
    found = await admin.search(f"{ashore},{STAFF}", scope=Scope.BASE)
    assert found.values("description") == ["at sea", "on land"]


# ---------------------------------------------------------------- what is below goes along


@test
async def test_a_whole_subtree_moves_and_its_accounts_stay_correlated(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    ids = {name: await id_of(provserver, name) for name in await names_below(admin, STAFF)}
    last = (await provserver.service.foundation.store.changes(0, 1_000_000))[-1].sequence
    assert (await rename(admin, STAFF, "eTADSOrgUnitName=Crew", superior=USERS)).code == 0
    new = f"eTADSOrgUnitName=Crew,{USERS}"
    moved = {name: name.replace(STAFF, new) for name in ids}
    assert await names_below(admin, new) == sorted(moved.values())
    assert (await admin.search(STAFF)).code is ResultCode.NO_SUCH_OBJECT
    assert {name: await id_of(provserver, moved[name]) for name in ids} == ids
    account = moved[ADA_AD]
    assert await included(admin, provserver, account) == [(inside(ADA), inside(account))]
    log = await provserver.service.foundation.store.changes(last, 1_000)
    assert set(ids.values()) <= {line.id for line in log}
    assert {line.kind for line in log if line.id in ids.values()} == {"move"}
    assert (await agent.sync(account, NEW)).code == 0
    await provserver.delivered()
    assert await provserver.has_password("aokafor", NEW)


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", ""])
@test
async def test_a_new_superior_may_be_named_in_every_view(provserver: RunningServer, tail: str) -> None:
    admin = await administrator(provserver)
    told = await rename(admin, QUAYSIDE, "eTADSOrgUnitName=Quayside", superior=inside(AD_CORP) + tail)
    assert told.code == 0
    assert len(await names_below(admin, f"eTADSOrgUnitName=Quayside,{AD_CORP}")) == 4


@test
async def test_a_renamed_endpoint_keeps_its_accounts_and_takes_passwords(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    assert (await rename(admin, HPDEV01, "eTETCDirectoryName=hpprod01")).code == 0
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await provserver.delivered()
    assert holds(provserver, "hpprod01", "aokafor", NEW)
    assert not holds(provserver, "hpdev01", "aokafor", NEW)
    account = ADA_UNIX.replace("hpdev01", "hpprod01")
    assert await included(admin, provserver, account) == [(inside(ADA), inside(account))]


@test
async def test_a_namespace_that_is_in_no_table_may_be_renamed(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    old, new = f"eTNamespaceName=OpenLDAP,{SUFFIX}", f"eTNamespaceName=Directories,{SUFFIX}"
    assert (await rename(admin, old, "eTNamespaceName=Directories")).code == 0
    assert LDAP_HQ.replace(old, new) in await names_below(admin, new)
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await provserver.delivered()
    assert holds(provserver, "ldap-hq", "aokafor", NEW)


# ---------------------------------------------------------------- who refers to it

FOLLOWING = [
    schema.shown(key)
    for schema in [load_schema()]
    for key in sorted(schema.indexed)
    if schema.is_name_valued(key) and key in {"etroledn", "provagentscope"}
]


@pytest.mark.parametrize("attribute", FOLLOWING)
@test
async def test_names_in_indexed_attributes_follow(provserver: RunningServer, attribute: str) -> None:
    admin = await administrator(provserver)
    role = {"objectClass": ["eTRole"], "eTRoleName": ["Captain"]}
    assert (await admin.add(CAPTAIN, role)).code == 0
    agent, other = user_dn("pam-hpdev01"), inside(AD_CORP)
    values = [inside(CAPTAIN), inside(QUAYSIDE), other]
    assert (await admin.modify(agent, replace(attribute, *values))).code == 0
    assert (await rename(admin, CAPTAIN, "eTRoleName=Skipper")).code == 0
    assert (await rename(admin, STAFF, "eTADSOrgUnitName=Crew")).code == 0
    found = await admin.search(agent, "(objectClass=*)", attribute, "modifiersName", scope=Scope.BASE)
    assert found.values(attribute) == [
        inside(f"eTRoleName=Skipper,{ROLES}"),
        inside(f"eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Crew,{AD_CORP}"),
        other,
    ]
    assert found.values("modifiersName") == [inside(user_dn("etaadmin"))]


@test
async def test_a_follower_may_be_renamed_itself(provserver: RunningServer) -> None:
    """A role below a role, both named by users, and by one that is renamed with its own name as a value."""
    admin = await administrator(provserver)
    below = f"eTRoleName=Mate,{CAPTAIN}"
    for dn, name in ((CAPTAIN, "Captain"), (below, "Mate")):
        assert (await admin.add(dn, {"objectClass": ["eTRole"], "eTRoleName": [name]})).code == 0
    assert (
        await admin.modify(ADA, replace("eTRoleDN", inside(ADA), inside(below), inside(CAPTAIN)))
    ).code == 0
    _, last = await state(provserver)
    assert (await rename(admin, ADA, "eTGlobalUserName=aking")).code == 0
    log = await provserver.service.foundation.store.changes(last, 1_000)
    assert [line.dn.text for line in log].count(inside(user_dn("aking"))) == 1
    assert (await rename(admin, CAPTAIN, "eTRoleName=Skipper")).code == 0
    skipper = f"eTRoleName=Skipper,{ROLES}"
    found = await admin.search(user_dn("aking"), "(objectClass=*)", "eTRoleDN", scope=Scope.BASE)
    assert found.values("eTRoleDN") == [
        inside(user_dn("aking")),
        inside(f"eTRoleName=Mate,{skipper}"),
        inside(skipper),
    ]


@test
async def test_followers_within_the_subtree_follow_too(provserver: RunningServer) -> None:
    """A user below a container that moves, whose value names something else that moves."""
    admin = await administrator(provserver)
    deep = f"eTGlobalUserName=deep,{ROLES}"
    top, below = f"eTRoleName=top,{ROLES}", f"eTGlobalUserName=deep,eTRoleName=top,{ROLES}"
    assert (await admin.add(top, {"objectClass": ["eTRole"], "eTRoleName": ["top"]})).code == 0
    user = {"objectClass": ["eTGlobalUser"], "eTGlobalUserName": ["deep"], "eTRoleDN": [inside(top)]}
    assert (await admin.add(below, user)).code == 0
    assert (await rename(admin, top, "eTRoleName=peak")).code == 0
    new = below.replace("top", "peak")
    found = await admin.search(new, "(objectClass=*)", "eTRoleDN", scope=Scope.BASE)
    assert found.values("eTRoleDN") == [inside(f"eTRoleName=peak,{ROLES}")]
    assert deep not in await names_below(admin, ROLES)


@test
async def test_both_names_among_the_values_become_one(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.add(CAPTAIN, {"objectClass": ["eTRole"], "eTRoleName": ["Captain"]})).code == 0
    skipper = inside(f"eTRoleName=Skipper,{ROLES}")
    assert (await admin.modify(ADA, replace("eTRoleDN", skipper.upper(), inside(CAPTAIN)))).code == 0
    assert (await rename(admin, CAPTAIN, "eTRoleName=Skipper")).code == 0
    found = await admin.search(ADA, "(objectClass=*)", "eTRoleDN", scope=Scope.BASE)
    assert [DN.parse(value) for value in found.values("eTRoleDN")] == [DN.parse(skipper)]


# ---------------------------------------------------------------- what is refused

C = ResultCode
REFUSED = [
    ("no new name", ADA, "", None, C.INVALID_DN_SYNTAX),
    ("no name at all", ADA, "aking", None, C.INVALID_DN_SYNTAX),
    ("two levels", ADA, "eTGlobalUserName=a,ou=b", None, C.INVALID_DN_SYNTAX),
    ("a type twice", ADA, "eTGlobalUserName=a+eTGlobalUserName=b", None, C.INVALID_DN_SYNTAX),
    ("a superior that is no name", QUAYSIDE, "eTADSOrgUnitName=x", "??", C.INVALID_DN_SYNTAX),
    ("the domain", SUFFIX, "dc=other", None, C.UNWILLING_TO_PERFORM),
    ("the domain, spelled anew", SUFFIX, "DC=IM", None, C.UNWILLING_TO_PERFORM),
    ("nothing there", NOBODY_AD, "eTADSAccountName=x", None, C.NO_SUCH_OBJECT),
    ("no such superior", QUAYSIDE, "eTADSOrgUnitName=x", f"eTADSOrgUnitName=Ghost,{STAFF}", C.NO_SUCH_OBJECT),
    ("a superior elsewhere", QUAYSIDE, "eTADSOrgUnitName=x", "dc=elsewhere", C.NO_SUCH_OBJECT),
    ("the root as superior", QUAYSIDE, "eTADSOrgUnitName=x", "", C.NO_SUCH_OBJECT),
    ("a name in use", ADA, "eTGlobalUserName=bnovak", None, C.ENTRY_ALREADY_EXISTS),
    ("a name in use elsewhere", QUAYSIDE, "eTADSOrgUnitName=Staff", AD_CORP, C.ENTRY_ALREADY_EXISTS),
    ("below itself", STAFF, "eTADSOrgUnitName=x", STAFF, C.UNWILLING_TO_PERFORM),
    ("below what is below it", STAFF, "eTADSOrgUnitName=x", QUAYSIDE, C.UNWILLING_TO_PERFORM),
    ("a type that is none", QUAYSIDE, "nonesuch=x", None, C.NAMING_VIOLATION),
    ("a type that its class has not", QUAYSIDE, "provMinLength=1", None, C.OBJECT_CLASS_VIOLATION),
    ("a name without what its class needs", QUAYSIDE, "description=x", None, C.OBJECT_CLASS_VIOLATION),
    ("a password as name", QUAYSIDE, "eTPassword=x", None, C.NAMING_VIOLATION),
    ("an id as name", QUAYSIDE, "eTID=x", None, C.NAMING_VIOLATION),
    ("a user by another type", ADA, "eTFullName=Ada", None, C.NAMING_VIOLATION),
    ("a user by two", ADA, "eTGlobalUserName=a+eTFullName=b", None, C.NAMING_VIOLATION),
    ("an account by another type", ADA_LDAP, "description=a", None, C.NAMING_VIOLATION),
    ("an endpoint by two", HPDEV01, "eTETCDirectoryName=a+description=b", None, C.NAMING_VIOLATION),
    ("an account to another endpoint", ADA_AD, "eTADSAccountName=x", UNIX, C.UNWILLING_TO_PERFORM),
    ("a container to another endpoint", QUAYSIDE, "eTADSOrgUnitName=x", HPDEV01, C.UNWILLING_TO_PERFORM),
    ("an account out of its endpoint", ADA_AD, "eTADSAccountName=x", GLOBAL_USERS, C.UNWILLING_TO_PERFORM),
    ("an endpoint to another namespace", HPDEV01, "eTETCDirectoryName=x", COMMON, C.UNWILLING_TO_PERFORM),
    ("a user out of its container", ADA, "eTGlobalUserName=x", BORIS, C.UNWILLING_TO_PERFORM),
    ("a user to an endpoint", ADA, "eTGlobalUserName=x", AD_CORP, C.UNWILLING_TO_PERFORM),
    ("a role out of its container", CAPTAIN, "eTRoleName=x", GLOBAL_USERS, C.UNWILLING_TO_PERFORM),
    ("the container of users", GLOBAL_USERS, "eTGlobalUserContainerName=x", None, C.UNWILLING_TO_PERFORM),
    ("a parameter", f"eTConfigParamFolderName=provserver,{PARAMETERS}", "eTConfigParamFolderName=x", None,
        C.UNWILLING_TO_PERFORM),
    ("a profile", f"eTAdminProfileName=DomainAdministrator,{PROFILES}", "eTAdminProfileName=x", None,
        C.UNWILLING_TO_PERFORM),
    ("the common objects", COMMON, "eTNamespaceName=x", None, C.UNWILLING_TO_PERFORM),
    ("a known namespace", f"eTNamespaceName=ActiveDirectory,{SUFFIX}", "eTNamespaceName=x", None,
        C.UNWILLING_TO_PERFORM),
    ("a namespace elsewhere", f"eTNamespaceName=OpenLDAP,{SUFFIX}", "eTNamespaceName=LND", COMMON,
        C.UNWILLING_TO_PERFORM),
    ("a namespace to a known one", f"eTNamespaceName=OpenLDAP,{SUFFIX}", "eTNamespaceName=RACF", None,
        C.UNWILLING_TO_PERFORM),
    ("too long a name", STAFF, f"eTADSOrgUnitName={'x' * 65_400}", None, C.NAMING_VIOLATION),
]  # fmt: skip


@pytest.mark.parametrize(("what", "dn", "rdn", "superior", "code"), REFUSED, ids=[row[0] for row in REFUSED])
@test
async def test_what_cannot_be_renamed(
    provserver: RunningServer, what: str, dn: str, rdn: str, superior: str | None, code: ResultCode
) -> None:
    admin = await administrator(provserver)
    assert (await admin.add(CAPTAIN, {"objectClass": ["eTRole"], "eTRoleName": ["Captain"]})).code == 0
    before = await state(provserver)
    told = await rename(admin, dn, rdn, superior=superior)
    assert (told.code, bool(told.text)) == (code, True), told
    assert await state(provserver) == before


@test
async def test_who_may_not_write_is_told_nothing_else(provserver: RunningServer) -> None:
    for client in (
        await provserver.wire(),
        await wire(provserver, "aokafor"),
        await wire(provserver, "psync-ad-corp"),
    ):
        for dn in (ADA, QUAYSIDE, NOBODY_AD, SUFFIX):
            told = await rename(client, dn, "??", superior=f"eTADSOrgUnitName=Ghost,{AD_CORP}")
            assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS, told


@test
async def test_a_rename_of_too_many_entries_is_refused_as_a_whole(
    provserver: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await administrator(provserver)
    before = await state(provserver)
    monkeypatch.setattr(subtrees, "MOST_TOUCHED", 12)
    told = await rename(admin, STAFF, "eTADSOrgUnitName=Crew")  # 8 entries, and the inclusions of 5 accounts
    assert (told.code, told.text) == (
        C.ADMIN_LIMIT_EXCEEDED,
        "expected at most 12 entries to be changed at once",
    )
    assert await state(provserver) == before
    monkeypatch.setattr(subtrees, "MOST_TOUCHED", 13)
    assert (await rename(admin, STAFF, "eTADSOrgUnitName=Crew")).code == 0


# ---------------------------------------------------------------- with others at the same time


@test
async def test_accounts_that_are_added_meanwhile_are_never_left_behind(provserver: RunningServer) -> None:
    admin, other = await administrator(provserver), await administrator(provserver)
    units = [f"eTADSOrgUnitName=Quayside,{STAFF}", f"eTADSOrgUnitName=Wharf,{STAFF}"]
    added: list[str] = []
    for turn in range(12):
        old, new = units[turn % 2], units[(turn + 1) % 2]
        name = f"eTADSAccountName=late{turn}"
        account = (
            PartialAttribute("objectClass", (b"eTADSAccount",)),
            PartialAttribute("provGlobalUser", (BORIS.encode(),)),
        )
        moving = admin.begin(ModifyDNRequest(old, new.partition(",")[0], True, None))
        adding = other.begin(AddRequest(f"{name},{old}", account))
        told = await admin.answer(moving)
        assert told.code == 0, told
        if (await other.answer(adding)).code == 0:
            added.append(name)
    below = await names_below(admin, units[0])
    assert len(below) == 4 + len(added)
    for name in added:
        account_dn = f"{name},{units[0]}"
        assert await included(admin, provserver, account_dn) == [(inside(BORIS), inside(account_dn))]


@test
async def test_an_account_that_is_added_just_before_the_commit_is_seen(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    rooms = provserver.service.foundation.rooms
    late, account = (
        f"eTADSAccountName=late,{QUAYSIDE}",
        {"objectClass": ["eTADSAccount"], "provGlobalUser": [BORIS]},
    )
    house = house_of(replace_field(rooms, store=Interrupted(rooms.store, lambda: admin.add(late, account))))
    entry = await provserver.entry(user_dn("etaadmin"))
    assert entry is not None
    request = ModifyDNRequest(STAFF, "eTADSOrgUnitName=Crew", True)
    assert (await rename_operation(request, identity_of(entry), house)).code == 0
    moved = late.replace("Staff", "Crew")
    assert await included(admin, provserver, moved) == [(inside(BORIS), inside(moved))]


@test
async def test_a_server_started_again_knows_the_new_names(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(directory=tmp_path)
    admin = await administrator(server)
    assert (await rename(admin, STAFF, "eTADSOrgUnitName=Crew", superior=USERS)).code == 0
    before = await names_below(admin, SUFFIX)
    await server.stop()
    server = await start_provserver(directory=tmp_path, clock=server.clock)
    admin = await administrator(server)
    assert await names_below(admin, SUFFIX) == before
    account = ADA_AD.replace(STAFF, f"eTADSOrgUnitName=Crew,{USERS}")
    assert (await (await wire(server, "psync-ad-corp")).sync(account, NEW)).code == 0


@test
async def test_what_is_of_no_namespace_goes_wherever_it_likes(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    top, east, west = f"ou=harbour,{SUFFIX}", f"ou=east,ou=harbour,{SUFFIX}", f"ou=west,ou=harbour,{SUFFIX}"
    for unit in (top, east, west):
        await admin.add(unit, {"objectClass": ["organizationalUnit"]})
    await admin.add(f"ou=pier,{east}", {"objectClass": ["organizationalUnit"]})
    assert (await rename(admin, f"ou=pier,{east}", "ou=pier", superior=west)).code == 0
    assert (await rename(admin, west, "ou=west", superior=SUFFIX)).code == 0
    assert f"ou=pier,ou=west,{SUFFIX}" in await names_below(admin, SUFFIX)
