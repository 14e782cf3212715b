"""What ldaptor 21.2.0 gets wrong (facts/ldaptor.md 7.3), and ours must not: each row of those tables names
the tests that show it.

Rows that are tested elsewhere are asked once here, on the wire, where one question can show them. That the
named tests are there is a test.
"""

from __future__ import annotations

import ast
import inspect
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    COMMON,
    NEW,
    OTHER,
    PASSWORDS,
    UNIX,
    administrator,
    wire,
)
from ldaptor_rows import FAULTS, HERE
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from provserver.ldap.extended import PasswordModify, WhoAmI, encode_request
from provserver.ldap.filters import And, Approximate, Equality, Filter, Not, Or, Scope, parse_filter
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    Change,
    ChangeKind,
    ModifyDNRequest,
    PartialAttribute,
    SaslCredentials,
)
from provserver.ldap.results import ResultCode
from provserver.passwords.hashing import Hasher
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.schemes import Derived
from provserver.vault.secret import Secret

REACTOR: Any = reactor
C = ResultCode
test = pytest_twisted.ensureDeferred
ADA, BORIS, ELIF = user_dn("aokafor"), user_dn("bnovak"), user_dn("eyilmaz")
TESTS = Path(__file__).parent.parent


@cache
def named_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_each_row_has_its_tests(fault: str) -> None:
    missing = [f"{file}::{name}" for file, name in FAULTS[fault] if name not in named_in(file)]
    assert FAULTS[fault]
    assert missing == []


def test_each_test_here_is_of_a_row() -> None:
    named = {name for tests in FAULTS.values() for file, name in tests if file == HERE}
    assert {name for name in named_in(HERE) if name.startswith("test_")} == named | {
        "test_each_row_has_its_tests",
        "test_each_test_here_is_of_a_row",
    }


# ---------------------------------------------------------------- asked here


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running: Any = pytest_twisted.blockon(ensureDeferred(RunningServer.start(REACTOR, more=[PEOPLE])))
    yield running
    pytest_twisted.blockon(ensureDeferred(running.stop()))


NAMED = (("Jack", "Doe", 9), ("Jill", "Müller", 10), ("Ann  Marie", "van der Berg", 100))
PEOPLE = "".join(
    f"dn: cn={name},eTRoleContainerName=Roles,eTNamespaceName=CommonObjects,dc=im\n"
    f"objectClass: inetOrgPerson\nobjectClass: extensibleObject\nsn: {surname}\nprovMinLength: {number}\n\n"
    for name, surname, number in NAMED
)
ROLES = f"eTRoleContainerName=Roles,{COMMON}"


async def who(client: WireClient) -> str:
    told = await client.ask(encode_request(WhoAmI()))
    return (told.value or b"").decode().removeprefix("dn:")


@pytest.mark.parametrize("mechanism", ["EXTERNAL", "ANONYMOUS", "GSSAPI", "DIGEST-MD5", ""])
@test
async def test_no_mechanism_makes_somebody_of_an_empty_name(server: RunningServer, mechanism: str) -> None:
    client = await administrator(server)
    told = await client.ask(BindRequest(3, "", SaslCredentials(mechanism)))
    assert told.code in (C.AUTH_METHOD_NOT_SUPPORTED, C.INAPPROPRIATE_AUTHENTICATION)
    assert await who(client) == ""


@test
async def test_a_bind_with_a_name_that_is_no_dn_is_a_bind(server: RunningServer) -> None:
    client = await server.wire()
    assert (await client.bind("jack@example.com", OTHER)).code is C.INVALID_CREDENTIALS
    assert (await client.bind("aokafor", PASSWORDS["aokafor"])).code is C.SUCCESS
    assert await who(client) == ADA


@pytest.mark.sources
def test_keys_are_compared_in_constant_time_and_salts_are_the_systems() -> None:
    assert "compare_digest" in inspect.getsource(Derived.matches)
    assert inspect.signature(Hasher).parameters["random"].default.__name__ == "urandom"


@test
async def test_of_binds_that_are_sent_together_each_counts_until_the_next(server: RunningServer) -> None:
    client = await server.wire()
    asked = []
    for user in ("aokafor", "bnovak", "cmercier", "aokafor"):
        client.begin(BindRequest(3, user_dn(user), Secret.of_text(PASSWORDS[user])))
        asked.append((user, client.begin(encode_request(WhoAmI()))))
    for user, number in asked:
        told = await client.answer(number)
        assert told.value == f"dn:{user_dn(user)}".encode()


@test
async def test_password_modify_takes_an_old_one_and_a_name_in_any_spelling(
    start_provserver: Starter,
) -> None:
    server = await start_provserver()
    client = await wire(server, "aokafor")
    old, new = Secret.of_text(PASSWORDS["aokafor"]), Secret.of_text(NEW)
    spelled = ADA.upper().replace(",", " , ").replace("=", " = ")
    told = await client.ask(encode_request(PasswordModify(spelled, old, new)))
    assert told.code is C.SUCCESS, told
    assert await server.has_password("aokafor", NEW)


@test
async def test_a_search_obeys_what_it_is_asked(server: RunningServer) -> None:
    client = await administrator(server)
    assert (await client.search(UNIX, size=2)).code is C.SIZE_LIMIT_EXCEEDED
    types = await client.search(ADA, "(objectClass=*)", "eTTitle", types_only=True)
    assert [(one.description, one.values) for one in types.entries[0].attributes] == [("eTTitle", ())]
    operational = await client.search(ADA, "(objectClass=*)", "+")
    assert operational.values("createTimestamp")
    assert operational.values("eTTitle") == []
    missing = await client.search(f"cn=x,cn=y,{AD_CORP}")
    assert missing.result.matched_dn == AD_CORP


@pytest.mark.parametrize("filter", ["(objectClass=*)", "(objectclass=*)", "(objectClass=top)", "(&)"])
@test
async def test_the_root_dse_is_an_entry_like_others(server: RunningServer, filter: str) -> None:
    client = await server.wire()
    told = await client.search("", filter, "supportedLDAPVersion", "nonesuch", scope=Scope.BASE)
    assert [one.description for one in told.entries[0].attributes] == ["supportedLDAPVersion"]
    everything = await client.search("", filter, "+", scope=Scope.BASE)
    for attribute in ("namingContexts", "supportedControl", "supportedExtension", "subschemaSubentry"):
        assert everything.values(attribute)


@test
async def test_a_modify_is_whole_or_not_there_and_has_the_codes_of_the_rfc(
    start_provserver: Starter,
) -> None:
    server = await start_provserver()
    client = await administrator(server)
    for changes, code in (
        ((replace("eTTitle", "x"), delete("eTOffice")), C.NO_SUCH_ATTRIBUTE),
        ((replace("eTTitle", "x"), add("objectClass", "ETGLOBALUSER")), C.ATTRIBUTE_OR_VALUE_EXISTS),
        ((replace("eTTitle", "x"), replace("nosuch", "y")), C.UNDEFINED_ATTRIBUTE_TYPE),
    ):
        assert (await client.modify(ADA, *changes)).code is code
        assert (await client.compare(ADA, "eTTitle", "Berth planner")).code is C.COMPARE_TRUE
    more = Change(ChangeKind.INCREMENT, PartialAttribute("eTSuspended", (b"-1",)))
    assert (await client.modify(ELIF, more)).code is C.SUCCESS
    assert (await client.compare(ELIF, "eTSuspended", "0")).code is C.COMPARE_TRUE


@test
async def test_a_name_is_taken_in_any_case_and_free_after_a_rename(start_provserver: Starter) -> None:
    server = await start_provserver()
    client = await administrator(server)
    again = (await client.add(ADA_UNIX.replace("aokafor", "AOkafor"), {"objectClass": ["eTETCAccount"]})).code
    assert again is C.ENTRY_ALREADY_EXISTS
    taken = await client.ask(ModifyDNRequest(ADA_UNIX, "eTETCAccountName=BNOVAK", True))
    assert taken.code is C.ENTRY_ALREADY_EXISTS
    assert (await client.ask(ModifyDNRequest(ADA_UNIX, "eTETCAccountName=ada", True))).code is C.SUCCESS
    assert (await client.search(ADA_UNIX)).code is C.NO_SUCH_OBJECT
    assert (await client.add(ADA_UNIX, {"objectClass": ["eTETCAccount"]})).code is C.SUCCESS


ALL = {"Jack", "Jill", "Ann  Marie"}
FOUND: list[tuple[str | Filter, set[str]]] = [
    ("(cn=*a*a*)", {"Ann  Marie"}),
    ("(cn=Jac*ack)", set()),
    ("(cn=j*l)", {"Jill"}),
    ("(provMinLength>=10)", {"Jill", "Ann  Marie"}),
    ("(provMinLength<=9)", {"Jack"}),
    ("(cn= ann marie )", {"Ann  Marie"}),
    ("(2.5.4.3=jack)", {"Jack"}),
    ("(name=doe)", {"Jack"}),
    ("(!(nosuch=x))", set()),
    ("(!(sn=x))", ALL),
    ("(&(objectClass=person)(cn~=jack))", {"Jack"}),
    ("(cn:caseExactMatch:=jack)", set()),
    ("(cn:caseExactMatch:=Jack)", {"Jack"}),
    (r"(sn=m\c3\bcller)", {"Jill"}),
    ("(sn=MÜLLER)", {"Jill"}),
    (Equality("cn", b"\xff\xfe"), set()),
    (Or((Equality("cn", b"\xff\xfe"), Equality("cn", b"jack"))), {"Jack"}),
    (Not(Equality("cn", b"\xff\xfe")), set()),
    (Approximate("sn", b"muller"), {"Jill"}),
    (And(()), ALL),
    (Or(()), set()),
]


@pytest.mark.parametrize(("filter", "names"), FOUND, ids=[str(filter) for filter, _ in FOUND])
@test
async def test_a_filter_finds_what_it_describes(
    server: RunningServer, filter: str | Filter, names: set[str]
) -> None:
    client = await administrator(server)
    wanted = parse_filter(filter) if isinstance(filter, str) else filter
    people = And((Equality("objectClass", b"inetOrgPerson"), wanted))
    told = await client.search(ROLES, people, "1.1")
    assert told.code is C.SUCCESS
    assert {name.partition(",")[0].removeprefix("cn=") for name in told.names} == names


def test_a_filters_text_is_read_quickly_and_as_the_rfc_has_it() -> None:
    assert parse_filter("(&)") == And(())
    assert parse_filter("(|)") == Or(())
    assert parse_filter(r"(2.5.4.3=\c3\a4)") == Equality("2.5.4.3", "ä".encode())
    text = "(&" + "(cn=a*b*c)(!(sn>=x))" * 100 + ")"
    began = time.perf_counter()
    parse_filter(text)
    assert time.perf_counter() - began < 0.1, "ldaptor needs 1 ms for each part"


SPELLINGS = [
    ADA_AD.upper(),
    ADA_AD.replace(",", " , ").replace("\\ , ", "\\,"),
    ADA_AD.replace("=", " = "),
    ADA_AD.replace("Okafor\\, Ada", r"Okafor\2C Ada"),
    ADA_AD.replace("Okafor\\, Ada", r"Okafor\2c\20Ada"),
    ADA_AD.replace("Okafor\\, Ada", '"Okafor, Ada"'),
    ADA_AD.replace("Okafor\\, Ada", "#0C0B4F6B61666F722C20416461"),
]


@pytest.mark.parametrize("spelled", SPELLINGS)
@test
async def test_a_name_is_the_same_however_it_is_spelled(server: RunningServer, spelled: str) -> None:
    client = await administrator(server)
    assert (await client.search(spelled, scope=Scope.BASE)).names == [ADA_AD]
    assert (await client.search(ADA_AD + "\\")).code is C.INVALID_DN_SYNTAX


@test
async def test_an_entry_with_many_values_is_added_at_once(start_provserver: Starter) -> None:
    server = await start_provserver()
    client = await administrator(server)
    values = tuple(b"value %d" % number for number in range(20_000))
    entry = (
        PartialAttribute("objectClass", (b"eTRole",)),
        PartialAttribute("description", values),
    )
    began = time.perf_counter()
    told: Told = await client.ask(AddRequest(f"eTRoleName=many,{ROLES}", entry))
    assert told.code is C.SUCCESS
    assert time.perf_counter() - began < 5
