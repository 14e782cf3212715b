"""One request for each result code that the server gives, with the clause that asks for it.

The id of a row is `<code name>: <RFC and clause>: <case>`.
"""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    LDAP_HQ,
    NEW,
    NOBODY_AD,
    OTHER,
    SUFFIX,
    UNIX,
    administrator,
)

from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    BindRequest,
    Control,
    DerefAliases,
    ExtendedRequest,
    ModifyDNRequest,
    SaslCredentials,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.clock import TurnedClock
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.secret import Secret

ADA = user_dn("aokafor")
ACCOUNT = {"objectClass": ["eTETCAccount"], "eTETCAccountName": ["fresh"]}
FRESH = f"eTETCAccountName=fresh,{UNIX}"

Case = Callable[[WireClient], Awaitable[Told]]


@dataclass(frozen=True)
class Row:
    code: ResultCode
    clause: str
    case: str
    ask: Case
    bound: bool = True

    def __str__(self) -> str:
        return f"{self.code.name}: {self.clause}: {self.case}"


def search_request(base: str, time_limit: int = 0) -> SearchRequest:
    return SearchRequest(
        base, Scope.SUBTREE, DerefAliases.NEVER, 0, time_limit, False, Present("objectClass"), ("1.1",)
    )


C = ResultCode
ROWS = [
    Row(C.SUCCESS, "RFC 4511 4.5.2", "a search that finds nothing", lambda c: c.search(SUFFIX, "(eTTitle=none)")),
    Row(C.SUCCESS, "RFC 4513 5.1.1", "an anonymous bind", lambda c: c.bind("", ""), bound=False),
    Row(C.SUCCESS, "RFC 4511 4.1.11", "a control that is unknown and not critical",
        lambda c: c.ask(search_request(SUFFIX), [Control("1.2.3", False)])),
    Row(C.PROTOCOL_ERROR, "RFC 4511 4.2", "a bind of version 2",
        lambda c: c.ask(BindRequest(2, ADA, Secret(b"x")))),
    Row(C.PROTOCOL_ERROR, "RFC 4511 4.12", "an extended operation that is unknown",
        lambda c: c.ask(ExtendedRequest("1.2.3.4"))),
    Row(C.PROTOCOL_ERROR, "RFC 4511 4.14.1", "StartTLS where there is none",
        lambda c: c.ask(ExtendedRequest("1.3.6.1.4.1.1466.20037"))),
    Row(C.PROTOCOL_ERROR, "RFC 4511 4.7", "an attribute without values added",
        lambda c: c.add(FRESH, ACCOUNT | {"eTDescription": []})),
    Row(C.SIZE_LIMIT_EXCEEDED, "RFC 4511 4.5.1.4", "more entries than asked for", lambda c: c.search(UNIX, size=1)),
    Row(C.COMPARE_TRUE, "RFC 4511 4.10", "the value is there", lambda c: c.compare(ADA, "eTTitle", "berth planner")),
    Row(C.COMPARE_FALSE, "RFC 4511 4.10", "it is not", lambda c: c.compare(ADA, "eTTitle", "admiral")),
    Row(C.AUTH_METHOD_NOT_SUPPORTED, "RFC 4511 4.2", "SASL",
        lambda c: c.ask(BindRequest(3, "", SaslCredentials("EXTERNAL")))),
    Row(C.UNAVAILABLE_CRITICAL_EXTENSION, "RFC 4511 4.1.11", "a control that is unknown and critical",
        lambda c: c.ask(search_request(SUFFIX), [Control("1.2.3", True)])),
    Row(C.NO_SUCH_ATTRIBUTE, "RFC 4511 4.10", "compare of what is not there",
        lambda c: c.compare(ADA, "eTOffice", "x")),
    Row(C.NO_SUCH_ATTRIBUTE, "RFC 4511 4.6", "delete of what is not there",
        lambda c: c.modify(ADA, delete("eTOffice"))),
    Row(C.UNDEFINED_ATTRIBUTE_TYPE, "RFC 4511 A.2", "a type that no schema has",
        lambda c: c.modify(ADA, replace("nonesuch", "x"))),
    Row(C.INAPPROPRIATE_MATCHING, "RFC 4511 4.6", "delete of a value that cannot be compared",
        lambda c: c.modify(LDAP_HQ, add("provSecret", "a=b"), delete("provSecret", "a=b"))),
    Row(C.CONSTRAINT_VIOLATION, "RFC 4511 A.2", "a second value of a single-valued type",
        lambda c: c.modify(ADA, add("eTTitle", "x"))),
    Row(C.CONSTRAINT_VIOLATION, "RFC 4512 3.4", "what only the server sets",
        lambda c: c.modify(ADA, replace("modifyTimestamp", "20260101000000Z"))),
    Row(C.CONSTRAINT_VIOLATION, "RFC 4511 A.2", "a password that the policy refuses",
        lambda c: c.sync(ADA_AD, "weak")),
    Row(C.ATTRIBUTE_OR_VALUE_EXISTS, "RFC 4511 4.6", "a value that is there already",
        lambda c: c.modify(ADA, add("objectClass", "etglobaluser"))),
    Row(C.INVALID_ATTRIBUTE_SYNTAX, "RFC 4511 A.2", "an integer that is none",
        lambda c: c.modify(ADA, replace("eTSuspended", "one"))),
    Row(C.NO_SUCH_OBJECT, "RFC 4511 4.5.1.1", "a base that is not there", lambda c: c.search(NOBODY_AD)),
    Row(C.NO_SUCH_OBJECT, "RFC 4511 4.7", "a parent that is not there",
        lambda c: c.add(f"eTETCAccountName=x,eTETCAccountContainerName=y,{HPDEV01}", ACCOUNT)),
    Row(C.NO_SUCH_OBJECT, "RFC 4511 4.6", "modify", lambda c: c.modify(NOBODY_AD, replace("eTDescription", "x"))),
    Row(C.NO_SUCH_OBJECT, "RFC 4511 4.8", "delete", lambda c: c.delete(NOBODY_AD)),
    Row(C.NO_SUCH_OBJECT, "RFC 4511 4.10", "compare", lambda c: c.compare(NOBODY_AD, "cn", "x")),
    Row(C.INVALID_DN_SYNTAX, "RFC 4511 4.1.3", "no name", lambda c: c.search("no name")),
    Row(C.INVALID_CREDENTIALS, "RFC 4511 A.2", "a wrong password", lambda c: c.bind(ADA, OTHER), bound=False),
    Row(C.INVALID_CREDENTIALS, "RFC 4511 A.2", "an unknown name", lambda c: c.bind(user_dn("ghost"), OTHER), bound=False),
    Row(C.INVALID_CREDENTIALS, "RFC 4511 A.2", "a name elsewhere", lambda c: c.bind("cn=a,dc=b", OTHER), bound=False),
    Row(C.INVALID_CREDENTIALS, "RFC 4511 A.2", "an entry without a password", lambda c: c.bind(COMMON, OTHER), bound=False),
    Row(C.INSUFFICIENT_ACCESS_RIGHTS, "RFC 4511 A.2", "search by nobody", lambda c: c.search(SUFFIX), bound=False),
    Row(C.INSUFFICIENT_ACCESS_RIGHTS, "RFC 4513 4", "sync by nobody", lambda c: c.sync(ADA_AD, NEW), bound=False),
    Row(C.UNWILLING_TO_PERFORM, "RFC 4513 5.1.2", "a bind with a name and no password",
        lambda c: c.bind(ADA, ""), bound=False),
    Row(C.UNWILLING_TO_PERFORM, "RFC 4511 4.9", "a rename, which is not offered",
        lambda c: c.ask(ModifyDNRequest(ADA, "eTGlobalUserName=b", True))),
    Row(C.UNWILLING_TO_PERFORM, "RFC 4511 A.2", "the domain deleted", lambda c: c.delete(SUFFIX)),
    Row(C.NAMING_VIOLATION, "RFC 4511 A.2", "a name by a password",
        lambda c: c.add(f"eTPassword=x,{UNIX}", ACCOUNT)),
    Row(C.OBJECT_CLASS_VIOLATION, "RFC 4512 2.4", "an attribute that the classes do not allow",
        lambda c: c.modify(ADA, replace("provMinLength", "1"))),
    Row(C.OBJECT_CLASS_VIOLATION, "RFC 4511 4.7", "no class", lambda c: c.add(FRESH, {"eTDescription": ["x"]})),
    Row(C.NOT_ALLOWED_ON_NON_LEAF, "RFC 4511 4.8", "delete of what has entries below", lambda c: c.delete(AD_CORP)),
    Row(C.NOT_ALLOWED_ON_RDN, "RFC 4511 4.6", "the name's own value deleted",
        lambda c: c.modify(ADA, replace("eTGlobalUserName", "else"))),
    Row(C.ENTRY_ALREADY_EXISTS, "RFC 4511 4.7", "add of what is there", lambda c: c.add(ADA_UNIX, ACCOUNT)),
    Row(C.OBJECT_CLASS_MODS_PROHIBITED, "RFC 4512 2.4.2", "another structural class",
        lambda c: c.modify(ADA, replace("objectClass", "eTADSAccount"))),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest_twisted.ensureDeferred
async def test_the_result_is_the_one_of_the_clause(provserver: RunningServer, row: Row) -> None:
    client = await (administrator(provserver) if row.bound else provserver.wire())
    told = await row.ask(client)
    assert told.code is row.code, told
    if row.code not in (C.SUCCESS, C.COMPARE_TRUE, C.COMPARE_FALSE):
        assert told.text, "a refusal says why"
        assert told.text.isprintable()
    if row.code not in (C.NO_SUCH_OBJECT, C.INVALID_DN_SYNTAX):
        assert told.result.matched_dn == ""
    assert told.result.referrals == ()


@pytest_twisted.ensureDeferred
async def test_admin_limit_exceeded_is_of_rfc_4511_a_2(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["search.candidate_limit=10"])
    admin = await administrator(server)
    assert (await admin.search(SUFFIX, "(eTTitle=none)")).code is C.ADMIN_LIMIT_EXCEEDED


class HastyClock(TurnedClock):
    """Time passes whenever somebody looks."""

    step = 0.0

    def seconds(self) -> float:
        self.rightNow += self.step
        return self.rightNow


@pytest_twisted.ensureDeferred
async def test_time_limit_exceeded_is_of_rfc_4511_4_5_1_5(start_provserver: Starter) -> None:
    many = "".join(
        f"dn: eTETCAccountName=a{number},{UNIX}\nobjectClass: eTETCAccount\neTETCAccountName: a{number}\n\n"
        for number in range(600)
    )
    clock = HastyClock()
    server = await start_provserver(more=[many], clock=clock)
    admin = await administrator(server)
    clock.step = 0.7
    told = await admin.ask(search_request(UNIX, time_limit=1))
    clock.step = 0.0
    assert told.code is C.TIME_LIMIT_EXCEEDED
    assert 0 < len(told.entries) < 600
