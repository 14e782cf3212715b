"""Search end to end: scopes, filters, views, selection, limits; and what a search never shows."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    MVSPROD,
    NOBODY_AD,
    PASSWORDS,
    SUFFIX,
    UNIX,
    administrator,
    wire,
)

from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import Control, DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn

USERS = f"eTGlobalUserContainerName=Global Users,{COMMON}"
PEOPLE = ["aokafor", "bnovak", "cmercier", "dsorensen", "eyilmaz", "fgreco"]
SECRETS = [
    "eTPassword",
    "eTTestPassword",
    "eTSyncPassword",
    "provPasswordHash",
    "provPasswordHistory",
    "provSecret",
    "eTIMPasswordData",
]


def users(names: list[str]) -> list[str]:
    """The names of global users among DNs, sorted."""
    return sorted(name.partition(",")[0].partition("=")[2] for name in names)


# ---------------------------------------------------------------- scopes


@pytest_twisted.ensureDeferred
async def test_base_scope_is_the_entry_itself(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.search(HPDEV01, scope=Scope.BASE)).names == [HPDEV01]


@pytest_twisted.ensureDeferred
async def test_one_level_is_the_children_without_the_base(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.search(HPDEV01, scope=Scope.ONE_LEVEL)).names == [UNIX]
    found = await admin.search(UNIX, scope=Scope.ONE_LEVEL)
    assert users(found.names) == ["aokafor", "bnovak", "dsorensen", "oracle"]


@pytest_twisted.ensureDeferred
async def test_subtree_is_the_base_and_everything_below_parents_first(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    names = (await admin.search(HPDEV01)).names
    assert names[:2] == [HPDEV01, UNIX]
    assert len(names) == 6


# ---------------------------------------------------------------- filters


FILTERS = [
    ("(eTGlobalUserName=aokafor)", ["aokafor"]),
    ("(etglobalusername=AOKAFOR)", ["aokafor"]),
    ("(eTFullName=Ada*)", ["aokafor"]),
    ("(eTFullName=*kafo*)", ["aokafor"]),
    ("(eTFullName=B*r*s*Novak)", ["bnovak"]),
    ("(eTFullName=*Mercier)", ["cmercier"]),
    ("(eTFullName=Dan S\\c3\\b8rensen)", ["dsorensen"]),
    ("(&(eTCompany=Port of Marenholm)(eTDepartment=Operations))", ["aokafor", "fgreco"]),
    ("(|(eTFirstName=Ada)(eTFirstName=Boris))", ["aokafor", "bnovak"]),
    ("(&(eTCompany=*)(!(eTPropagatePassword=1)))", ["fgreco"]),
    ("(&(eTCompany=*)(!(eTPropagatePassword=*)))", ["fgreco"]),
    ("(&(eTCompany=*)(eTSuspended=1))", ["eyilmaz"]),
    ("(&(eTCompany=*)(eTPropagatePassword>=1))", ["aokafor", "bnovak", "cmercier", "dsorensen", "eyilmaz"]),
    ("(&(eTCompany=*)(eTPropagatePassword<=0))", []),
    ("(&(eTFirstName~=ada)(eTCompany=*))", ["aokafor"]),
    ("(eTFirstName:caseExactMatch:=Ada)", ["aokafor"]),
    ("(eTFirstName:caseExactMatch:=ada)", []),
    ("(eTGlobalUserName:dn:=aokafor)", ["aokafor"]),
    ("(eTNoSuchAttribute=x)", []),
    ("(!(eTNoSuchAttribute=x))", []),
    ("(&(eTCompany=*)(|(eTNoSuchAttribute=x)(eTFirstName=Ada)))", ["aokafor"]),
    ("(&(objectClass=eTGlobalUser)(eTCompany=Port   of marenholm))", PEOPLE),
    ("(&(objectClass=top)(eTCompany=*)(&))", PEOPLE),
    ("(|)", []),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS, ids=[row[0] for row in FILTERS])
@pytest_twisted.ensureDeferred
async def test_filters_find_what_they_describe(
    provserver: RunningServer, text: str, expected: list[str]
) -> None:
    admin = await administrator(provserver)
    found = await admin.search(USERS, text, "1.1")
    assert found.code == 0
    assert users(found.names) == expected


@pytest_twisted.ensureDeferred
async def test_the_look_up_of_a_psync_agent(provserver: RunningServer) -> None:
    """facts/imps.md 5.1: from the endpoint, by class and logon name; from the namespace too."""
    agent = await wire(provserver, "psync-ad-corp")
    asked = "(&(objectClass=eTADSAccount)(eTADSsAMAccountName=aokafor))"
    for base in (AD_CORP, f"eTNamespaceName=ActiveDirectory,{SUFFIX}"):
        assert (await agent.search(base, asked, "1.1")).names == [ADA_AD]
    assert (await agent.search(AD_CORP, "(eTADSAccountName=Okafor, Ada)", "1.1")).names == [ADA_AD]


@pytest_twisted.ensureDeferred
async def test_an_unknown_account_is_an_empty_answer(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.search(AD_CORP, "(&(objectClass=eTADSAccount)(eTADSsAMAccountName=ghost))")
    assert (told.code, told.names) == (0, [])


# ---------------------------------------------------------------- selection


@pytest_twisted.ensureDeferred
async def test_without_a_list_the_user_attributes_come_and_operational_ones_when_asked(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)

    async def described(*attributes: str) -> set[str]:
        told = await admin.search(user_dn("aokafor"), "(objectClass=*)", *attributes, scope=Scope.BASE)
        return {attribute.description for attribute in told.entries[0].attributes}

    plain = await described()
    assert {"eTFullName", "objectClass"} <= plain
    assert not plain & {"createTimestamp", "modifiersName", "entryDN"}
    assert await described("*") == plain
    operational = await described("+")
    assert {
        "createTimestamp",
        "creatorsName",
        "modifyTimestamp",
        "entryDN",
        "subschemaSubentry",
    } <= operational
    assert not operational & plain
    assert await described("*", "+") == plain | operational
    assert await described("1.1") == set()
    assert await described("1.1", "eTTITLE") == {"eTTitle"}
    assert await described("ettitle", "noSuchThing") == {"eTTitle"}


@pytest_twisted.ensureDeferred
async def test_types_only_sends_no_values(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.search(user_dn("aokafor"), scope=Scope.BASE, types_only=True)
    assert told.entries[0].attributes
    assert all(attribute.values == () for attribute in told.entries[0].attributes)


# ---------------------------------------------------------------- views


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", "", ",DC=ETA", " , dc = etadb"])
@pytest_twisted.ensureDeferred
async def test_the_answer_uses_the_suffix_of_the_question(provserver: RunningServer, tail: str) -> None:
    admin = await administrator(provserver)
    base = (
        "eTGlobalUserName=aokafor,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
    )
    told = await admin.search(base + tail, "(objectClass=*)", "entryDN", scope=Scope.BASE)
    answered = base + tail.replace(" ", "").lower()
    assert told.names == [answered]
    assert told.values("entryDN") == [answered]


@pytest_twisted.ensureDeferred
async def test_the_domain_may_be_left_out_of_a_repository_name(provserver: RunningServer) -> None:
    """facts/imps.md 1.1: `eTDSAContainerName=DSAs,eTNamespaceName=CommonObjects,dc=etadb`."""
    admin = await administrator(provserver)
    told = await admin.search(
        "eTDSAContainerName=DSAs,eTNamespaceName=CommonObjects,dc=etadb", scope=Scope.BASE
    )
    assert (told.code, len(told.names)) == (0, 1)


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", ""])
@pytest_twisted.ensureDeferred
async def test_dn_values_match_under_any_suffix_and_end_in_the_domain(
    provserver: RunningServer, tail: str
) -> None:
    admin = await administrator(provserver)
    scope = f"eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im{tail}"
    told = await admin.search(USERS, f"(provAgentScope={scope})", "provAgentScope")
    assert users(told.names) == ["psync-ad-corp"]
    assert told.values("provAgentScope") == [
        "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im"
    ]


# ---------------------------------------------------------------- limits and refusals


@pytest_twisted.ensureDeferred
async def test_the_size_limit_ends_a_search_after_that_many_entries(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.search(UNIX, scope=Scope.ONE_LEVEL, size=3)
    assert (told.code, len(told.entries)) == (ResultCode.SIZE_LIMIT_EXCEEDED, 3)
    exact = await admin.search(UNIX, scope=Scope.ONE_LEVEL, size=4)
    assert (exact.code, len(exact.entries)) == (ResultCode.SUCCESS, 4)


@pytest_twisted.ensureDeferred
async def test_entries_that_may_not_be_seen_do_not_count(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    told = await ada.search(SUFFIX, size=1)
    assert (told.code, told.names) == (ResultCode.SUCCESS, [user_dn("aokafor")])


@pytest_twisted.ensureDeferred
async def test_the_servers_own_limits_are_the_stricter_ones(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["search.size_limit=2", "search.candidate_limit=20"])
    admin = await administrator(server)
    assert (await admin.search(UNIX, size=3)).code is ResultCode.SIZE_LIMIT_EXCEEDED
    assert (await admin.search(UNIX, size=1)).code is ResultCode.SIZE_LIMIT_EXCEEDED
    assert len((await admin.search(UNIX)).entries) == 2
    assert (await admin.search(SUFFIX, "(eTTitle=nobody)")).code is ResultCode.ADMIN_LIMIT_EXCEEDED
    by_index = await admin.search(SUFFIX, "(eTGlobalUserName=aokafor)")
    assert (by_index.code, len(by_index.entries)) == (0, 1)


MISSING = [
    (NOBODY_AD, f"eTADSContainerName=Users,{AD_CORP}"),
    (f"eTADSAccountName=x,eTADSContainerName=Ghost,{AD_CORP}", AD_CORP),
    (f"eTNamespaceName=Ghost,{SUFFIX}", SUFFIX),
    ("eTNamespaceName=Ghost,dc=im,dc=etadb", "dc=im,dc=etadb"),
    ("eTNamespaceName=Ghost,dc=im", "dc=im"),
]


@pytest.mark.parametrize(("dn", "matched"), MISSING)
@pytest_twisted.ensureDeferred
async def test_what_is_missing_names_the_nearest_entry_that_is_there(
    provserver: RunningServer, dn: str, matched: str
) -> None:
    """RFC 4511 4.1.9, whatever the operation."""
    admin = await administrator(provserver)
    for told in (
        await admin.search(dn, scope=Scope.BASE),
        await admin.compare(dn, "objectClass", "top"),
        await admin.delete(dn),
        await admin.modify(
            dn,
        ),
        await admin.test(dn, "Whatever-1-Whatever"),
        await admin.sync(dn, "Whatever-1-Whatever"),
        await admin.add(f"eTADSAccountName=y,{dn}", {"objectClass": ["eTADSAccount"]}),
    ):
        assert (told.code, told.result.matched_dn) == (ResultCode.NO_SUCH_OBJECT, matched), told


@pytest_twisted.ensureDeferred
async def test_an_agent_is_told_of_no_entry_that_it_may_not_see(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.search(NOBODY_AD)
    assert told.result.matched_dn == f"eTADSContainerName=Users,{AD_CORP}"
    outside = await agent.search(f"eTACFLidName=GHOST,{MVSPROD}")
    assert (outside.code, outside.result.matched_dn) == (ResultCode.INSUFFICIENT_ACCESS_RIGHTS, "")


@pytest.mark.parametrize(
    ("base", "code"),
    [
        ("dc=elsewhere", ResultCode.NO_SUCH_OBJECT),
        ("dc=other,dc=eta", ResultCode.NO_SUCH_OBJECT),
        ("dc=eta", ResultCode.NO_SUCH_OBJECT),
        ("no name", ResultCode.INVALID_DN_SYNTAX),
        ("eTNamespaceName=a,,dc=im", ResultCode.INVALID_DN_SYNTAX),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_base_that_is_not_ours_or_no_name(
    provserver: RunningServer, base: str, code: ResultCode
) -> None:
    admin = await administrator(provserver)
    assert (await admin.search(base)).code is code


@pytest_twisted.ensureDeferred
async def test_a_control_that_is_critical_and_unknown_is_refused_others_are_ignored(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    request = SearchRequest(SUFFIX, Scope.BASE, DerefAliases.ALWAYS, 0, 0, False, Present("objectClass"), ())
    assert (await admin.ask(request, [Control("1.2.3.4", False, b"x")])).code == 0
    told = await admin.ask(request, [Control("1.2.3.4", True)])
    assert (told.code, told.entries) == (ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, [])


# ---------------------------------------------------------------- secrets


@pytest_twisted.ensureDeferred
async def test_no_search_returns_a_secret_whatever_is_asked_for(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await provserver.load(
        "dn: eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im\nchangetype: modify\n"
        "delete: provConnector\n-\nadd: provSecret\nprovSecret: password=Hidden-Rock-1\n"
    )
    secret = {name.lower() for name in SECRETS}
    for asked in ((), ("*",), ("+",), ("*", "+"), tuple(SECRETS), ("eTPassword;lang-de", "PROVPASSWORDHASH")):
        told = await admin.search(SUFFIX, "(objectClass=*)", *asked)
        assert told.code == 0
        for entry in told.entries:
            shown = {attribute.description.lower().partition(";")[0] for attribute in entry.attributes}
            assert not shown & secret, entry.dn
            held = b"".join(value for attribute in entry.attributes for value in attribute.values)
            assert not any(password.encode() in held for password in PASSWORDS.values())
            assert b"Hidden-Rock" not in held


@pytest.mark.parametrize("attribute", SECRETS)
@pytest.mark.parametrize("kind", ["({}=*)", "({}=*a*)", "({}=a)", "({}>=a)", "({}<=z)", "({}~=a)", "({}:=a)"])
@pytest_twisted.ensureDeferred
async def test_no_filter_matches_a_secret_nor_its_absence(
    provserver: RunningServer, attribute: str, kind: str
) -> None:
    admin = await administrator(provserver)
    wanted = kind.format(attribute)
    for text in (
        wanted,
        f"(!{wanted})",
        f"(&(objectClass=*){wanted})",
        f"(!(|{wanted}(objectClass=nothing)))",
    ):
        told = await admin.search(SUFFIX, text, "1.1")
        assert (told.code, told.names) == (0, []), text


@pytest_twisted.ensureDeferred
async def test_a_right_guess_in_a_filter_finds_nothing(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.search(SUFFIX, f"(eTPassword={PASSWORDS['aokafor']})")).names == []
    stored = await provserver.entry(user_dn("aokafor"))
    assert stored is not None
    assert (await admin.search(SUFFIX, f"(provPasswordHash={stored.text('provpasswordhash')})")).names == []


@pytest.mark.parametrize("attribute", SECRETS)
@pytest_twisted.ensureDeferred
async def test_a_secret_is_never_compared(provserver: RunningServer, attribute: str) -> None:
    admin = await administrator(provserver)
    for value in (PASSWORDS["aokafor"], "wrong"):
        told = await admin.compare(user_dn("aokafor"), attribute, value)
        assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS


# ---------------------------------------------------------------- compare


@pytest.mark.parametrize(
    ("dn", "attribute", "value", "code"),
    [
        (user_dn("aokafor"), "eTFullName", "ada   OKAFOR", ResultCode.COMPARE_TRUE),
        (user_dn("aokafor"), "eTFullName", "Ada", ResultCode.COMPARE_FALSE),
        (user_dn("aokafor"), "objectClass", "ETGLOBALUSER", ResultCode.COMPARE_TRUE),
        (user_dn("aokafor"), "eTSuspended", "1", ResultCode.NO_SUCH_ATTRIBUTE),
        (user_dn("eyilmaz"), "eTSuspended", "one", ResultCode.INVALID_ATTRIBUTE_SYNTAX),
        (user_dn("psync-ad-corp"), "provAgentScope", AD_CORP, ResultCode.COMPARE_TRUE),
        (user_dn("aokafor"), "eTNoSuchThing", "x", ResultCode.UNDEFINED_ATTRIBUTE_TYPE),
        (ADA_UNIX, "eTETCAccountName", "aokafor", ResultCode.COMPARE_TRUE),
    ],
)
@pytest_twisted.ensureDeferred
async def test_compare(
    provserver: RunningServer, dn: str, attribute: str, value: str, code: ResultCode
) -> None:
    admin = await administrator(provserver)
    assert (await admin.compare(dn, attribute, value)).code is code
