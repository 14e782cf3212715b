"""Who there is, what each may try, and what the rules make of it: one server for all cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rights
from harbour import AD_CORP, COMMON, HPDEV01, OTHER, PASSWORDS, SUFFIX, administrator, wire
from operations.client_certificates import under_tls
from rights import EVERYTHING, NOBODY, Place, Rights, in_scope, inside
from twisted.internet import reactor

from provserver.imps.parameters import CHECK_ACCOUNT_PASSWORDS
from provserver.ldap.controls import (
    ByOffset,
    ControlValue,
    PagedResults,
    ProxiedAuthorization,
    SortKey,
    SortRequest,
    SyncMode,
    SyncRequest,
    TreeDelete,
    ViewRequest,
    encode_request,
)
from provserver.ldap.extended import ClearGuard, Explain, PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Filter, Present, Scope
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    DerefAliases,
    ModifyDNRequest,
    ModifyRequest,
    PartialAttribute,
    Request,
    SaslCredentials,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, delete, replace
from provserver.vault.secret import Secret

REACTOR: Any = reactor
C = ResultCode
WEAK = "weak"

Answer = tuple[ResultCode, frozenset[str]]
"""A code, and the names of what was found, as they are inside."""


# ---------------------------------------------------------------- who

USER, AGENT = rights.rights_of("aokafor"), rights.rights_of("psync-ad-corp", AD_CORP)
WHO: dict[str, Rights] = {
    "nobody": NOBODY,
    "a user": USER,
    "a user who was suspended": NOBODY,
    "a user who was deleted": NOBODY,
    "an agent": AGENT,
    "an agent without a scope": rights.rights_of("lds-mvsprod"),
    "an agent that was one": rights.rights_of("agent-ldap-hq"),
    "an administrator": EVERYTHING,
    "an administrator as a user": USER,
    "an administrator as a user, by its bind": USER,
    "an administrator as an agent": AGENT,
    "an administrator as nobody": NOBODY,
}
ACTING = {
    "an administrator as a user": "u:aokafor",
    "an administrator as an agent": "u:psync-ad-corp",
    "an administrator as nobody": "",
}


@dataclass
class Stage:
    """A server, with everybody on a line to it, and what there is in its tree."""

    server: RunningServer
    lines: dict[str, WireClient]
    tree: frozenset[str]

    async def ask(self, who: str, request: Request, *values: ControlValue) -> Told:
        controls = [encode_request(value, critical=True) for value in values]
        if who in ACTING:
            controls.append(encode_request(ProxiedAuthorization(ACTING[who])))
        told = await self.lines[who].ask(request, controls)
        demand_secrecy(told)
        return told


def demand_secrecy(told: Told) -> None:
    """No password of anybody is in an answer."""
    said = [told.text, told.result.matched_dn, *told.names]
    said += [
        value.decode(errors="replace")
        for entry in told.entries
        for one in entry.attributes
        for value in one.values
    ]
    assert not [text for text in said if any(password in text for password in (*PASSWORDS.values(), OTHER))]


async def set_stage() -> Stage:
    server = await RunningServer.start(REACTOR, settings=["passwords.tests_per_minute=0"])
    admin = await administrator(server)
    lines = {
        "nobody": await server.wire(),
        "a user": await wire(server, "aokafor"),
        "a user who was suspended": await wire(server, "bnovak"),
        "a user who was deleted": await wire(server, "dsorensen"),
        "an agent": await wire(server, "psync-ad-corp"),
        "an agent without a scope": await wire(server, "lds-mvsprod"),
        "an agent that was one": await wire(server, "agent-ldap-hq"),
        "an administrator as a user, by its bind": await _as_a_user(server),
        **dict.fromkeys(("an administrator", *ACTING), admin),
    }
    for told in (
        await admin.modify(user_dn("bnovak"), replace("eTSuspended", "1")),
        await admin.delete(user_dn("dsorensen")),
        await admin.modify(user_dn("lds-mvsprod"), delete("provAgentScope")),
        await admin.modify(user_dn("agent-ldap-hq"), delete("eTUserAdminProfile")),
    ):
        assert told.code is C.SUCCESS, told
    # So that no password that is set in passing is set at all.
    await server.set_parameter(CHECK_ACCOUNT_PASSWORDS, "ALL")
    found = await admin.search(SUFFIX, "(objectClass=*)", "1.1")
    return Stage(server, lines, frozenset(map(inside, found.names)))


async def _as_a_user(server: RunningServer) -> WireClient:
    client = await under_tls(server)
    credentials = Secret(b"u:aokafor\0etaadmin\0" + PASSWORDS["etaadmin"].encode())
    assert (await client.ask(BindRequest(3, "", SaslCredentials("PLAIN", credentials)))).code is C.SUCCESS
    return client


# ---------------------------------------------------------------- what

Expected = Callable[[Rights, Place, Stage], Answer]


@dataclass(frozen=True)
class Operation:
    ask: Callable[[Place], Request]
    expected: Expected
    controls: tuple[ControlValue, ...] = ()
    of_another: bool = False
    """Whether the place is not what it is about in the first place."""


def nothing(code: ResultCode) -> Answer:
    return code, frozenset()


ANYTHING = Present("objectClass")


def searching(scope: Scope, *attributes: str, filter: Filter = ANYTHING) -> Callable[[Place], Request]:
    wanted = attributes or ("1.1",)
    return lambda place: SearchRequest(place.dn, scope, DerefAliases.NEVER, 0, 0, False, filter, wanted)


def found(scope: Scope) -> Expected:
    """What is found from there, of what the caller sees."""

    def expected(who: Rights, place: Place, stage: Stage) -> Answer:
        if not place.is_ours:
            return nothing(C.NO_SUCH_OBJECT)
        if not who.searches(place.name):
            return nothing(C.INSUFFICIENT_ACCESS_RIGHTS)
        if not place.is_there:
            return nothing(C.NO_SUCH_OBJECT)
        seen = [name for name in stage.tree if in_scope(name, place.name, scope) and who.sees(name)]
        return C.SUCCESS, frozenset(seen)

    return expected


def allowed(may: Callable[[Rights, str], bool], then: Callable[[Place], ResultCode]) -> Expected:
    """The right first, then what is there, then the rest."""

    def expected(who: Rights, place: Place, stage: Stage) -> Answer:
        if not place.is_ours:
            return nothing(C.NO_SUCH_OBJECT)
        if not may(who, place.name):
            return nothing(C.INSUFFICIENT_ACCESS_RIGHTS)
        return nothing(then(place) if place.is_there else C.NO_SUCH_OBJECT)

    return expected


def always(code: ResultCode) -> Callable[[Place], ResultCode]:
    return lambda place: code


def no_right(who: Rights, name: str) -> bool:
    return False


def of_an_account(place: Place) -> ResultCode:
    return place.taken or C.OBJECT_CLASS_VIOLATION


def of_a_user(place: Place) -> ResultCode:
    return C.CONSTRAINT_VIOLATION if place.is_user else C.UNWILLING_TO_PERFORM


def comparing(description: str, value: str) -> Callable[[Place], Request]:
    return lambda place: CompareRequest(place.dn, description, value.encode())


def setting(description: str, value: str) -> Callable[[Place], Request]:
    return lambda place: ModifyRequest(place.dn, (replace(description, value),))


def password_modify(old: str | None) -> Callable[[Place], Request]:
    secret = None if old is None else Secret.of_text(old)
    return lambda place: extended(PasswordModify(place.dn, secret, Secret.of_text(WEAK)))


def password_modified(who: Rights, place: Place, stage: Stage) -> Answer:
    """One's own password is changed with the old one; an account's is, where passwords are taken at all."""
    if who == NOBODY:
        return nothing(C.INSUFFICIENT_ACCESS_RIGHTS)
    if place.is_ours and place.name == who.own:
        return nothing(C.INSUFFICIENT_ACCESS_RIGHTS)
    then = of_a_user if place.taken is None else always(C.CONSTRAINT_VIOLATION)
    return allowed(Rights.changes_password_of, then)(who, place, stage)


def password_modified_by_the_wrong_one(who: Rights, place: Place, stage: Stage) -> Answer:
    if who == NOBODY:
        return nothing(C.INSUFFICIENT_ACCESS_RIGHTS)
    return allowed(Rights.changes_password_of, always(C.UNWILLING_TO_PERFORM))(who, place, stage)


def held(who: Rights, place: Place, stage: Stage) -> Answer:
    """Only administrators ask what an emulated endpoint holds."""
    there = any(place.name.endswith(f",{inside(endpoint)}") for endpoint in (AD_CORP, HPDEV01))
    seen = allowed(Rights.sees, always(C.COMPARE_FALSE if there else C.NO_SUCH_ATTRIBUTE))(who, place, stage)
    denied = seen[0] in (C.COMPARE_FALSE, C.NO_SUCH_ATTRIBUTE) and not who.everything
    return nothing(C.INSUFFICIENT_ACCESS_RIGHTS) if denied else seen


def does_nothing_yet(who: Rights, place: Place, stage: Stage) -> Answer:
    """Not even look whether the entry is there."""
    if not place.is_ours:
        return nothing(C.NO_SUCH_OBJECT)
    return nothing(C.UNWILLING_TO_PERFORM if who.everything else C.INSUFFICIENT_ACCESS_RIGHTS)


IS_A_DEVICE = (PartialAttribute("objectClass", (b"device",)),)


def below(dn: str) -> str:
    return f"cn=x,{dn}" if dn else "cn=x"


BY_CLASS = SortRequest((SortKey("structuralObjectClass"),))
WINDOW = ViewRequest(0, 1_000_000, ByOffset(1))
SECRETS = (
    "userPassword",
    "eTIMPasswordData",
    "eTPassword",
    "eTTestPassword",
    "eTSyncPassword",
    "provSecret",
    "provPasswordHash",
    "provPasswordHistory",
)

READS = {
    "search, base": Operation(searching(Scope.BASE), found(Scope.BASE)),
    "search, one level": Operation(searching(Scope.ONE_LEVEL), found(Scope.ONE_LEVEL)),
    "search, subtree": Operation(searching(Scope.SUBTREE), found(Scope.SUBTREE)),
    "search, in pages": Operation(searching(Scope.SUBTREE), found(Scope.SUBTREE), (PagedResults(1_000_000),)),
    "search, sorted": Operation(searching(Scope.SUBTREE), found(Scope.SUBTREE), (BY_CLASS,)),
    "search, a window": Operation(searching(Scope.SUBTREE), found(Scope.SUBTREE), (BY_CLASS, WINDOW)),
    "search, all attributes": Operation(searching(Scope.SUBTREE, "*", "+"), found(Scope.SUBTREE)),
    "synchronise": Operation(
        searching(Scope.SUBTREE), found(Scope.SUBTREE), (SyncRequest(SyncMode.REFRESH_ONLY),)
    ),
    "compare": Operation(comparing("objectClass", "top"), allowed(Rights.sees, always(C.COMPARE_TRUE))),
    "compare what is not there": Operation(
        comparing("mail", "x"), allowed(Rights.sees, always(C.NO_SUCH_ATTRIBUTE))
    ),
    **{
        f"compare {secret}": Operation(comparing(secret, OTHER), allowed(no_right, always(C.COMPARE_FALSE)))
        for secret in SECRETS
    },
    "compare what an endpoint holds": Operation(comparing("provHeldPassword", OTHER), held),
}
ADMINISTRATORS: Expected = allowed(
    lambda who, name: who.everything,
    lambda place: C.SUCCESS if place.taken is not None else C.OBJECT_CLASS_VIOLATION,
)
"""What they are told of accounts."""
READS |= {
    "explain": Operation(lambda place: extended(Explain(place.dn)), ADMINISTRATORS),
    "clear a guard that refuses nothing": Operation(
        lambda place: extended(ClearGuard(place.dn)), ADMINISTRATORS
    ),
}
PASSWORDS_SET = {
    "test": Operation(setting("eTTestPassword", WEAK), allowed(Rights.synchronises, of_an_account)),
    "sync": Operation(setting("eTSyncPassword", WEAK), allowed(Rights.synchronises, of_an_account)),
    "eTPassword": Operation(setting("eTPassword", WEAK), allowed(Rights.changes_password_of, of_a_user)),
    "Password Modify": Operation(password_modify(None), password_modified),
    "Password Modify, a wrong old one": Operation(
        password_modify(OTHER), password_modified_by_the_wrong_one
    ),
    "a trigger that does nothing yet": Operation(
        setting("eTSyncAccounts", "1"), does_nothing_yet
    ),
}  # fmt: skip
DENIED = allowed(no_right, always(C.SUCCESS))
WRITES = {
    "modify": Operation(setting("description", "x"), DENIED),
    "modify what only the server sets": Operation(setting("createTimestamp", "20260101000000Z"), DENIED),
    "modify what no schema has": Operation(setting("nonesuch", "x"), DENIED),
    "modify a secret": Operation(setting("provSecret", "a=b"), DENIED),
    "add": Operation(lambda place: AddRequest(place.dn, IS_A_DEVICE), DENIED),
    "add below": Operation(lambda place: AddRequest(below(place.dn), IS_A_DEVICE), DENIED),
    "delete": Operation(lambda place: DeleteRequest(place.dn), DENIED),
    "delete the tree": Operation(lambda place: DeleteRequest(place.dn), DENIED, (TreeDelete(),)),
    "rename": Operation(lambda place: ModifyDNRequest(place.dn, "cn=x", False), DENIED),
    "move away": Operation(lambda place: ModifyDNRequest(place.dn, "cn=x", False, SUFFIX), DENIED),
    "move there": Operation(
        lambda place: ModifyDNRequest(COMMON, "cn=x", False, place.dn),
        lambda who, place, stage: nothing(C.INSUFFICIENT_ACCESS_RIGHTS),
        of_another=True,
    ),
}  # fmt: skip
