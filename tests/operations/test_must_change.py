"""Who must change its password: told so when it binds, and let do nothing else until it has
(draft-behera-ldap-password-policy 8.1.2.2, 8.3).
"""

from __future__ import annotations

from typing import Final

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    NEW,
    OTHER,
    PASSWORDS,
    SUFFIX,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordOption
from provserver.imps.parameters import CHANGE_AFTER_RESET, SYNCHRONIZATION_MANAGERS
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    ProxiedAuthorization,
    encode_request,
)
from provserver.ldap.extended import Cancel, PasswordModify, WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    DerefAliases,
    ExtendedRequest,
    ModifyDNRequest,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

C = ResultCode
E = PolicyError
ADA: Final = user_dn("aokafor")
ASKED: Final = [encode_request(PasswordPolicyRequest())]
THIRD: Final = "Lamp-Oil-Store-3"
FLAG: Final = "provMustChangePassword"


def error(told: Told) -> PolicyError | None:
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None, told
    return answer.error


async def reset(server: RunningServer, password: str = NEW, user: str = "aokafor") -> None:
    admin = await administrator(server)
    assert (await admin.modify(user_dn(user), replace("eTPassword", password))).code == 0


async def bound(server: RunningServer, password: str, user: str = "aokafor") -> tuple[WireClient, Told]:
    client = await server.wire()
    told = await client.ask(BindRequest(3, user, Secret.of_text(password)), ASKED)
    return client, told


async def flag(server: RunningServer, user: str = "aokafor") -> list[str]:
    admin = await administrator(server)
    return (await admin.search(user_dn(user), "(objectClass=*)", FLAG)).values(FLAG)


async def told_to_endpoints(server: RunningServer) -> PasswordOption:
    """How the last password that went to one of them is to be set."""
    marks = await server.service.foundation.store.marks(await id_of(server, ADA_UNIX))
    return PasswordOption(marks[-1].options)


# ---------------------------------------------------------------- what is told, and what is left


@test
async def test_after_a_reset_the_bind_succeeds_and_says_what_must_be_done(provserver: RunningServer) -> None:
    _, before = await bound(provserver, PASSWORDS["aokafor"])
    assert (before.code, error(before)) == (C.SUCCESS, None)
    await reset(provserver)
    assert await flag(provserver) == ["TRUE"]
    _, told = await bound(provserver, NEW)
    assert (told.code, error(told)) == (C.SUCCESS, E.CHANGE_AFTER_RESET)
    _, wrong = await bound(provserver, OTHER)
    assert (wrong.code, error(wrong)) == (C.INVALID_CREDENTIALS, None), "with the right password only"
    silent = await provserver.wire()
    assert (await silent.bind(ADA, NEW)).controls == (), "who does not ask is not told"


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ()),
        SearchRequest(ADA, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ()),
        SearchRequest(SUFFIX, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ()),
        CompareRequest(ADA, "eTTitle", b"x"),
        ModifyRequest(ADA, (replace("eTTitle", "x"),)),
        ModifyRequest(ADA, (replace(FLAG, "FALSE"),)),
        ModifyRequest(ADA_AD, (replace("eTSyncPassword", OTHER),)),
        ModifyRequest(ADA, (replace("eTSyncAccounts", "1"),)),
        AddRequest(user_dn("new"), (PartialAttribute("objectClass", (b"eTGlobalUser",)),)),
        DeleteRequest(ADA_UNIX),
        ModifyDNRequest(ADA, "eTGlobalUserName=ada", True),
        extended(WhoAmI()),
        ExtendedRequest("1.2.3.4"),
    ],
)
@pytest.mark.parametrize("who", ["aokafor", "etaadmin"])
@test
async def test_nothing_else_is_let_through(provserver: RunningServer, who: str, request_: Request) -> None:
    """Not even to who could do everything."""
    admin = await administrator(provserver)
    assert (await admin.modify(user_dn(who), replace(FLAG, "TRUE"))).code == 0
    client, told = await bound(provserver, PASSWORDS[who], who)
    assert error(told) is E.CHANGE_AFTER_RESET
    before = await snapshot(provserver)
    refused = await client.ask(request_, ASKED)
    assert (refused.code, error(refused)) == (C.INSUFFICIENT_ACCESS_RIGHTS, E.CHANGE_AFTER_RESET)
    assert (
        refused.text == f":ETA_E_9045<BGU>, Global User '{who}' must change its password before anything else"
    )
    assert refused.entries == []
    assert await snapshot(provserver) == before


@test
async def test_to_cancel_and_to_bind_as_somebody_else_is(provserver: RunningServer) -> None:
    await reset(provserver)
    client, _ = await bound(provserver, NEW)
    assert (await client.ask(extended(Cancel(77)))).code is C.NO_SUCH_OPERATION
    assert (await client.bind("bnovak", PASSWORDS["bnovak"])).code == 0
    assert (await client.search(user_dn("bnovak"))).names == [user_dn("bnovak")]


@test
async def test_another_ones_password_is_not(provserver: RunningServer) -> None:
    """Also not to an administrator, who could otherwise."""
    admin = await administrator(provserver)
    assert (await admin.modify(user_dn("etaadmin"), replace(FLAG, "TRUE"))).code == 0
    told = await admin.modify(ADA, replace("eTPassword", NEW))
    assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS
    told = await admin.ask(extended(PasswordModify("aokafor", None, Secret.of_text(NEW))))
    assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS
    asked = [encode_request(ProxiedAuthorization("u:bnovak"), critical=True)]
    request = SearchRequest(ADA, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ())
    assert (await admin.ask(request, asked)).code is C.AUTHORIZATION_DENIED


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize("how", ["replace", "delete and add", "Password Modify"])
@test
async def test_the_users_own_change_frees_it_on_the_same_connection(
    provserver: RunningServer, how: str
) -> None:
    admin = await administrator(provserver)
    profile = (
        "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
        f"eTNamespaceName=CommonObjects,{SUFFIX}"
    )
    assert (await admin.modify(profile, replace("provMinInterval", "3600"))).code == 0
    await reset(provserver)
    client, _ = await bound(provserver, NEW)
    if how == "replace":
        told = await client.modify(ADA, replace("eTPassword", OTHER))
    elif how == "delete and add":
        told = await client.modify(ADA, delete("eTPassword", NEW), add("eTPassword", OTHER))
    else:
        told = await client.ask(extended(PasswordModify(None, Secret.of_text(NEW), Secret.of_text(OTHER))))
    assert told.code == 0, "the minimum interval is not for who must change"
    assert (await client.search(ADA)).names == [ADA]
    assert await flag(provserver) == []
    assert error((await bound(provserver, OTHER))[1]) is None


@test
async def test_a_change_that_is_refused_frees_nobody(provserver: RunningServer) -> None:
    await reset(provserver)
    client, _ = await bound(provserver, NEW)
    weak = await client.ask(ModifyRequest(ADA, (replace("eTPassword", "weak"),)), ASKED)
    assert (weak.code, error(weak)) == (C.CONSTRAINT_VIOLATION, E.PASSWORD_TOO_SHORT)
    assert (await client.search(ADA)).code is C.INSUFFICIENT_ACCESS_RIGHTS


@test
async def test_it_must_be_another_password_whatever_the_profile_says(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    profile = (
        "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
        f"eTNamespaceName=CommonObjects,{SUFFIX}"
    )
    assert (await admin.modify(profile, replace("provProfileEnabled", "FALSE"))).code == 0
    await reset(provserver)
    client, _ = await bound(provserver, NEW)
    told = await client.ask(ModifyRequest(ADA, (replace("eTPassword", NEW),)), ASKED)
    assert (told.code, error(told)) == (C.CONSTRAINT_VIOLATION, E.PASSWORD_IN_HISTORY)
    assert "must be another one than the administrator has set" in told.text
    assert await flag(provserver) == ["TRUE"]


@test
async def test_an_agents_sync_frees_its_user(provserver: RunningServer) -> None:
    """The user has chosen the password, at an endpoint."""
    await reset(provserver)
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    assert await flag(provserver) == ["TRUE"], "it is the administrator's still"
    assert (await agent.sync(ADA_AD, OTHER)).code == 0
    assert await flag(provserver) == []


@test
async def test_an_administrator_demands_it_and_lets_go_of_it_by_hand(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    ada = await wire(provserver, "aokafor")
    assert (await admin.modify(ADA, replace(FLAG, "TRUE"))).code == 0
    assert (await ada.search(ADA)).code is C.INSUFFICIENT_ACCESS_RIGHTS, "also who was bound before"
    assert (await admin.modify(ADA, delete(FLAG))).code == 0
    assert (await ada.search(ADA)).names == [ADA]


# ---------------------------------------------------------------- which resets demand it


@test
async def test_by_default_a_reset_does_and_endpoints_are_told_so(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(ADA, replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert told.code == 0
    assert holds(provserver, "AD-Corp", "Okafor, Ada", NEW)
    assert await flag(provserver) == ["TRUE"]
    assert await told_to_endpoints(provserver) == PasswordOption.FORCE_CHANGE_AT_LOGON


@pytest.mark.parametrize("suffix", [",dc=eta", ",dc=etadb"])
@test
async def test_the_parameter_ends_that_at_once_in_both_views(provserver: RunningServer, suffix: str) -> None:
    admin = await administrator(provserver)
    parameter = str(CHANGE_AFTER_RESET.dn(provserver.service.foundation.views.domain)) + suffix
    assert (await admin.modify(parameter, replace("eTConfigParamValue", "No"))).code == 0
    await reset(provserver)
    assert await flag(provserver) == []
    assert (await admin.modify(parameter, replace("eTConfigParamValue", "Yes"))).code == 0
    await reset(provserver, OTHER)
    assert await flag(provserver) == ["TRUE"]
    nonsense = await admin.modify(parameter, replace("eTConfigParamValue", "perhaps"))
    assert (nonsense.code, "expected yes or no" in nonsense.text) == (C.CONSTRAINT_VIOLATION, True)


@test
async def test_a_listed_manager_sets_passwords_that_need_not_be_changed(provserver: RunningServer) -> None:
    """Seed 001, passSyncManagersDNs: "will not then require a password reset"."""
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, user_dn("etaadmin"))
    await reset(provserver)
    assert await flag(provserver) == []
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS)
    await reset(provserver, OTHER)
    assert await flag(provserver) == ["TRUE"]
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, user_dn("etaadmin"))
    await reset(provserver, THIRD)
    assert await flag(provserver) == [], "and its word ends what another one has demanded"


@pytest.mark.parametrize(("word", "wanted"), [("FALSE", []), ("true", ["TRUE"])])
@test
async def test_a_reset_may_say_itself(provserver: RunningServer, word: str, wanted: list[str]) -> None:
    """Whatever parameter and list say; and the endpoints are told the same."""
    if wanted:
        await provserver.set_parameter(CHANGE_AFTER_RESET, "No")
    admin = await administrator(provserver)
    both = replace(FLAG, word), replace("eTPassword", NEW), replace("eTSyncAccounts", "1")
    assert (await admin.modify(ADA, *both)).code == 0
    assert await flag(provserver) == wanted
    assert bool(await told_to_endpoints(provserver) & PasswordOption.FORCE_CHANGE_AT_LOGON) == bool(wanted)
    again = replace(FLAG, "FALSE" if wanted else "TRUE"), replace("eTPassword", NEW)
    assert (await admin.modify(ADA, *again)).code == 0
    assert await flag(provserver) == ([] if wanted else ["TRUE"]), "also with the password that it has"


@test
async def test_who_changes_its_own_does_not_say(provserver: RunningServer) -> None:
    for who in ("aokafor", "etaadmin"):
        client = await wire(provserver, who)
        told = await client.modify(user_dn(who), replace("eTPassword", NEW), replace(FLAG, "FALSE"))
        assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS
        assert await provserver.has_password(who, PASSWORDS[who])


@pytest.mark.parametrize("values", [(), ("maybe",), ("TRUE", "FALSE")])
@test
async def test_what_it_says_is_true_or_false(provserver: RunningServer, values: tuple[str, ...]) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(ADA, replace("eTPassword", NEW), replace(FLAG, *values))
    assert told.code is C.INVALID_ATTRIBUTE_SYNTAX
    assert await provserver.has_password("aokafor", PASSWORDS["aokafor"])


@test
async def test_who_holds_an_admin_profile_is_spared_unless_it_is_asked_for(provserver: RunningServer) -> None:
    """An agent whose password was reset goes on with the new one: nobody is there to change it."""
    await reset(provserver, NEW, "psync-ad-corp")
    assert await flag(provserver, "psync-ad-corp") == []
    agent = await provserver.wire("psync-ad-corp", NEW)
    assert (await agent.test(ADA_AD, OTHER)).code == 0
    admin = await administrator(provserver)
    both = replace("eTPassword", OTHER), replace(FLAG, "TRUE")
    assert (await admin.modify(user_dn("psync-ad-corp"), *both)).code == 0
    assert (await agent.test(ADA_AD, THIRD)).code is C.INSUFFICIENT_ACCESS_RIGHTS


@test
async def test_a_password_that_is_loaded_demands_nothing_unless_it_says_so(provserver: RunningServer) -> None:
    name = user_dn("loaded").removesuffix(",dc=eta")
    head = f"dn: {name}\nobjectClass: eTGlobalUser\neTGlobalUserName: loaded\neTPassword: {NEW}\n"
    await provserver.load(head + f"{FLAG}: TRUE\n")
    assert error((await bound(provserver, NEW, "loaded"))[1]) is E.CHANGE_AFTER_RESET
    change = f"dn: {name}\nchangetype: modify\nreplace: eTPassword\neTPassword: {OTHER}\n-\n"
    await provserver.load(change)
    assert error((await bound(provserver, OTHER, "loaded"))[1]) is None
