"""The password policy control (draft-behera-ldap-password-policy): always answered when asked, with the
number of every refusal of a password.
"""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    ELIF_AD,
    FRANCO_AD,
    NEW,
    ORACLE,
    OTHER,
    PASSWORDS,
    SUFFIX,
    administrator,
    wire,
)

from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    Change,
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
from provserver.passwords.judging import Weak
from provserver.passwords.reasons import PolicyRefusal, PolicyRule
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
OLD = PASSWORDS["aokafor"]
PROFILE = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    f"eTNamespaceName=CommonObjects,{SUFFIX}"
)
ASKED = [encode_request(PasswordPolicyRequest())]
NOTHING = PasswordPolicyResponse()
C = ResultCode
E = PolicyError


def error(told: Told) -> PolicyError | None:
    """The error of the one control that came."""
    assert [control.oid for control in told.controls] == [PasswordPolicyResponse.oid], told
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None
    assert answer.warning is None
    return answer.error


def binding(name: str, password: str) -> BindRequest:
    return BindRequest(3, name, Secret.of_text(password))


async def modified(client: WireClient, dn: str, *changes: Change) -> Told:
    return await client.ask(ModifyRequest(dn, changes), ASKED)


# ---------------------------------------------------------------- binds


@pytest.mark.parametrize(
    ("name", "password", "code", "wanted"),
    [
        ("aokafor", OLD, C.SUCCESS, None),
        ("", "", C.SUCCESS, None),
        ("aokafor", OTHER, C.INVALID_CREDENTIALS, None),
        ("ghost", OTHER, C.INVALID_CREDENTIALS, None),
        ("aokafor", "", C.UNWILLING_TO_PERFORM, None),
        ("eyilmaz", PASSWORDS["eyilmaz"], C.UNWILLING_TO_PERFORM, E.ACCOUNT_LOCKED),
        ("eyilmaz", OTHER, C.INVALID_CREDENTIALS, None),
    ],
)
@test
async def test_a_bind_is_answered_with_it(
    provserver: RunningServer, name: str, password: str, code: ResultCode, wanted: PolicyError | None
) -> None:
    """A suspended user is locked, and told so with the right password only."""
    client = await provserver.wire()
    told = await client.ask(binding(name, password), ASKED)
    assert (told.code, error(told)) == (code, wanted)


@test
async def test_nobody_gets_it_who_did_not_ask(provserver: RunningServer) -> None:
    client = await provserver.wire()
    assert (await client.bind("eyilmaz", PASSWORDS["eyilmaz"])).controls == ()
    assert (await client.bind("aokafor", OLD)).controls == ()
    assert (await client.modify(ADA, replace("eTPassword", "short"))).controls == ()


# ---------------------------------------------------------------- everything else


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest(SUFFIX, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ()),
        SearchRequest("dc=x", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ()),
        CompareRequest(ADA, "eTTitle", b"x"),
        ModifyRequest(ADA, (replace("eTTitle", "x"),)),
        ModifyRequest(ADA, (replace("nonesuch", "x"),)),
        AddRequest(user_dn("new"), (PartialAttribute("objectClass", (b"eTGlobalUser",)),)),
        DeleteRequest(ADA_UNIX),
        ModifyDNRequest(ADA, "eTGlobalUserName=ada", True),
        extended(WhoAmI()),
        ExtendedRequest("1.2.3.4"),
    ],
)
@test
async def test_whatever_is_asked_is_answered_with_it(provserver: RunningServer, request_: Request) -> None:
    admin = await administrator(provserver)
    assert error(await admin.ask(request_, ASKED)) is None


# ---------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    ("password", "wanted"),
    [
        ("Sh0rt", E.PASSWORD_TOO_SHORT),
        ("nocapitals-1", E.INSUFFICIENT_PASSWORD_QUALITY),
        ("NOSMALL-1234", E.INSUFFICIENT_PASSWORD_QUALITY),
        ("No-Digits-Here", E.INSUFFICIENT_PASSWORD_QUALITY),
        ("tiny", E.PASSWORD_TOO_SHORT),
        (OLD, E.PASSWORD_IN_HISTORY),
        ("Much-Too-Long-A-Password-1", E.PASSWORD_TOO_LONG),
        (NEW, None),
    ],
)
@pytest.mark.parametrize("trigger", ["eTTestPassword", "eTPassword"])
@test
async def test_a_refusal_of_the_policy_says_which_rule(
    provserver: RunningServer, trigger: str, password: str, wanted: PolicyError | None
) -> None:
    admin = await administrator(provserver)
    assert (await admin.modify(PROFILE, replace("provMaxLength", "20"))).code == 0
    if trigger == "eTPassword":
        told = await modified(await wire(provserver, "aokafor"), ADA, replace(trigger, password))
    else:
        told = await modified(admin, ADA_AD, replace(trigger, password))
    assert (told.code, error(told)) == (C.SUCCESS if wanted is None else C.CONSTRAINT_VIOLATION, wanted)


@test
async def test_too_young_is_said_before_all_else(provserver: RunningServer) -> None:
    """No other password would help."""
    admin, ada = await administrator(provserver), await wire(provserver, "aokafor")
    assert (await admin.modify(PROFILE, replace("provMinInterval", "3600"))).code == 0
    provserver.clock.turn(3600)
    assert error(await modified(ada, ADA, replace("eTPassword", NEW))) is None
    told = await modified(ada, ADA, replace("eTPassword", "short"))
    assert (told.code, error(told)) == (C.CONSTRAINT_VIOLATION, E.PASSWORD_TOO_YOUNG)


ORDER = [
    PolicyRule.TOO_YOUNG,
    PolicyRule.TOO_SHORT,
    PolicyRule.TOO_LONG,
    PolicyRule.TOO_FEW_DIGITS,
    PolicyRule.IN_HISTORY,
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_of_several_reasons_the_first_of_the_draft_is_told(first: int) -> None:
    """draft-behera-ldap-password-policy 8.2.4 to 8.2.6."""
    found = [PolicyRefusal(rule, rule.value) for rule in reversed(ORDER[first:])]
    assert Weak(found).policy_error == ORDER[first].behera_error


@pytest.mark.parametrize("rule", PolicyRule)
def test_every_rule_can_be_told(rule: PolicyRule) -> None:
    assert Weak([PolicyRefusal(rule, "so")]).policy_error == rule.behera_error


@test
async def test_a_wrong_old_password(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    told = await modified(ada, ADA, delete("eTPassword", OTHER), add("eTPassword", NEW))
    assert (told.code, error(told)) == (C.UNWILLING_TO_PERFORM, E.MUST_SUPPLY_OLD_PASSWORD)


@pytest.mark.parametrize(
    ("dn", "trigger"),
    [(ADA_AD, "eTSyncPassword"), (ADA_AD, "eTTestPassword"), (user_dn("bnovak"), "eTPassword")],
)
@test
async def test_who_may_not_change_a_password_is_told_so(
    provserver: RunningServer, dn: str, trigger: str
) -> None:
    for client in (await wire(provserver, "aokafor"), await provserver.wire()):
        told = await modified(client, dn, replace(trigger, NEW))
        assert (told.code, error(told)) == (C.INSUFFICIENT_ACCESS_RIGHTS, E.PASSWORD_MOD_NOT_ALLOWED)


@pytest.mark.parametrize("dn", [ORACLE, FRANCO_AD, ELIF_AD], ids=["nobody's", "not enabled", "suspended"])
@pytest.mark.parametrize("trigger", ["eTSyncPassword", "eTTestPassword"])
@test
async def test_where_a_gate_is_closed_no_password_may_be_changed(
    provserver: RunningServer, dn: str, trigger: str
) -> None:
    told = await modified(await administrator(provserver), dn, replace(trigger, NEW))
    assert (told.code, error(told)) == (C.UNWILLING_TO_PERFORM, E.PASSWORD_MOD_NOT_ALLOWED)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", E.PASSWORD_TOO_SHORT),
        (f"{NEW}\0x", E.INSUFFICIENT_PASSWORD_QUALITY),
        (b"\xff" + NEW.encode(), E.INSUFFICIENT_PASSWORD_QUALITY),
    ],
)
@test
async def test_what_cannot_be_a_password_is_not_good_enough(
    provserver: RunningServer, value: str | bytes, wanted: PolicyError
) -> None:
    told = await modified(await administrator(provserver), ADA_AD, replace("eTSyncPassword", value))
    assert (told.code != 0, error(told)) == (True, wanted)
