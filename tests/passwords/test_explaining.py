"""What an administrator is told of an account, by the extended operation."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_MVS,
    ADA_UNIX,
    ELIF_AD,
    FRANCO_AD,
    NEW,
    NOBODY_AD,
    ORACLE,
    OTHER,
    PASSWORDS,
    administrator,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    AUTOMATIC_CORRELATION,
    CHECK_ACCOUNT_PASSWORDS,
    UPDATE_ONLY_GLOBAL_USER,
)
from provserver.ldap.extended import Explain, encode_request
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

test = pytest_twisted.ensureDeferred


def inside(dn: str) -> str:
    return dn.removesuffix(",dc=eta")


async def explained(server: RunningServer, account: str) -> dict[str, Any]:
    told = await (await administrator(server)).ask(encode_request(Explain(account)))
    assert told.code is ResultCode.SUCCESS, told
    found: dict[str, Any] = json.loads(told.value or b"")
    for password in (*PASSWORDS.values(), NEW, OTHER):
        assert password not in (told.value or b"").decode()
    return found


@pytest.mark.parametrize(
    "account", [ADA_AD, f"{ADA_AD}db", inside(ADA_AD), "ActiveDirectory:AD-Corp:aokafor"]
)
@test
async def test_it_says_whose_the_account_is_and_what_its_change_would_go_to(
    provserver: RunningServer, account: str
) -> None:
    before = await snapshot(provserver)
    found = await explained(provserver, account)
    assert await snapshot(provserver) == before
    assert found["account"] == {
        "dn": inside(ADA_AD),
        "name": "Active Directory Account 'Okafor, Ada' on 'AD-Corp'",
    }
    assert found["owner"] == inside(user_dn("aokafor"))
    assert found["gates"] == [{"open": True, "why": "correlated to Global User 'aokafor'"}]
    nothing_yet = {"waiting": [], "last": None}
    assert found["plan"]["sync"] == [
        {
            "dn": inside(dn),
            "name": name,
            "in": why == "deliver",
            "why": why,
            "deliveries": nothing_yet,
        }
        for dn, name, why in (
            (ADA_MVS, "CA-ACF2 Account 'OKAFOR1' on 'MVSPROD'", "propagation disabled on the endpoint"),
            (ADA_LDAP, "OpenLDAP Account 'aokafor' on 'ldap-hq'", "deliver"),
            (ADA_UNIX, "UNIX - etc Account 'aokafor' on 'hpdev01'", "deliver"),
        )
    ]
    assert found["plan"]["elsewhere"]["in"] is True
    assert found["deliveries"] == nothing_yet


@pytest.mark.parametrize(
    ("account", "gates"),
    [
        (ORACLE, [(False, "the account is not yet correlated to this global user")]),
        (
            FRANCO_AD,
            [
                (True, "correlated to Global User 'fgreco'"),
                (
                    False,
                    "password synchronization is not enabled for Global User 'fgreco' (eTPropagatePassword)",
                ),
            ],
        ),
        (
            ELIF_AD,
            [
                (True, "correlated to Global User 'eyilmaz'"),
                (False, "Global User 'eyilmaz' is suspended"),
            ],
        ),
    ],
)
@test
async def test_a_gate_that_is_closed_is_said_in_the_words_of_the_refusal(
    provserver: RunningServer, account: str, gates: list[tuple[bool, str]]
) -> None:
    found = await explained(provserver, account)
    assert [(gate["open"], gate["why"]) for gate in found["gates"]] == gates
    assert found["plan"]["elsewhere"]["in"] is (account != ORACLE)
    told = await (await administrator(provserver)).sync(account, NEW)
    assert told.text.endswith(gates[-1][1])


@test
async def test_with_automatic_correlation_it_says_what_a_sync_would_do(provserver: RunningServer) -> None:
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "Yes")
    await provserver.load(f"dn: {user_dn('oracle')}\nobjectClass: eTGlobalUser\neTPropagatePassword: 1\n")
    found = await explained(provserver, ORACLE)
    assert found["gates"] == [{"open": True, "why": "would be correlated by a sync to Global User 'oracle'"}]
    assert found["plan"]["sync"] == []


@test
async def test_the_guard_and_the_time_left(provserver: RunningServer) -> None:
    clear = (await explained(provserver, ADA_UNIX))["guard"]
    assert (clear["on"], clear["threshold"], clear["refuses"], clear["sent"]) == (True, 600.0, False, [])
    await (await wire(provserver, "psync-ad-corp")).sync(ADA_AD, NEW)
    provserver.clock.turn(100)
    guard = (await explained(provserver, ADA_UNIX))["guard"]
    assert (guard["refuses"], guard["attemptLasts"], guard["secondsLeft"]) == (True, False, 500.0)
    assert (guard["refusesUntil"], guard["echoes"]) == ("2026-09-21T14:23:20Z", 1)
    assert [
        (mark["sentAt"], mark["endedAt"], mark["echoUntil"], mark["mustChange"]) for mark in guard["sent"]
    ] == [("2026-09-21T14:13:20Z", "2026-09-21T14:13:20Z", "2026-09-22T14:13:20Z", False)]
    provserver.clock.turn(500)
    guard = (await explained(provserver, ADA_UNIX))["guard"]
    assert (guard["refuses"], guard["secondsLeft"], guard["echoes"]) == (False, None, 1)
    provserver.clock.turn(86_400)
    assert (await explained(provserver, ADA_UNIX))["guard"]["echoes"] == 0


@test
async def test_the_guard_while_an_attempt_lasts_where_it_is_off_and_where_no_agent_is(
    provserver: RunningServer,
) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").delay(90.0, times=1)
    asked = ad.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    guard = (await explained(provserver, ADA_UNIX))["guard"]
    assert (guard["refuses"], guard["attemptLasts"], guard["refusesUntil"], guard["secondsLeft"]) == (
        (True, True, None, None)
    )
    assert guard["sent"][0]["endedAt"] is None
    assert (await explained(provserver, ADA_LDAP))["guard"]["refuses"] is False
    assert (await explained(provserver, ADA_LDAP))["endpoint"]["agentInstalled"] is False
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    guard = (await explained(provserver, ADA_UNIX))["guard"]
    assert (guard["on"], guard["refuses"], guard["echoes"]) == (False, False, 0)
    provserver.clock.turn(90)
    await ad.answer(asked)


@test
async def test_after_a_reset_that_must_be_changed_nothing_is_refused(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await admin.modify(user_dn("aokafor"), replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    guard = (await explained(provserver, ADA_UNIX))["guard"]
    assert (guard["refuses"], [mark["mustChange"] for mark in guard["sent"]]) == (False, [True])


@test
async def test_why_an_account_did_not_get_the_password(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("too new"), times=1)
    provserver.endpoint("ldap-hq").down()
    await agent.sync(ADA_AD, NEW)
    provserver.clock.turn(3)
    await provserver.delivered()
    held = (await explained(provserver, ADA_UNIX))["deliveries"]
    assert [(row["state"], row["event"], row["attempts"]) for row in held["waiting"]] == [("held", 6927, 1)]
    waiting = (await explained(provserver, ADA_LDAP))["deliveries"]["waiting"]
    assert [(row["state"], row["event"]) for row in waiting] == [("retrying", 7014)]
    # The same from the account on which it was changed.
    others = {line["dn"]: line for line in (await explained(provserver, ADA_AD))["plan"]["sync"]}
    assert others[inside(ADA_UNIX)]["deliveries"] == held
    assert others[inside(ADA_LDAP)]["deliveries"]["waiting"] == waiting
    provserver.endpoint("ldap-hq").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    done = (await explained(provserver, ADA_LDAP))["deliveries"]
    assert (done["waiting"], done["last"]["state"], done["last"]["event"]) == ([], "updated", 7000)


@test
async def test_parameters_that_leave_others_out_are_named(provserver: RunningServer) -> None:
    await provserver.set_parameter(UPDATE_ONLY_GLOBAL_USER, "Yes")
    await provserver.set_parameter(CHECK_ACCOUNT_PASSWORDS, "ActiveDirectory")
    found = await explained(provserver, ADA_AD)
    assert {line["why"] for line in found["plan"]["sync"]} == {
        "only the global user is updated",
        "propagation disabled on the endpoint",
    }
    assert found["endpoint"]["resetsChecked"] is True
    assert (await explained(provserver, ADA_MVS))["plan"]["elsewhere"] == {
        "dn": inside(ADA_MVS),
        "name": "CA-ACF2 Account 'OKAFOR1' on 'MVSPROD'",
        "in": False,
        "why": "propagation disabled on the endpoint",
    }


@pytest.mark.parametrize("account", [ADA_AD, NOBODY_AD, "ActiveDirectory:AD-Corp:ghost"])
@pytest.mark.parametrize("who", ["", "aokafor", "psync-ad-corp"])
@test
async def test_it_is_for_administrators_whether_or_not_there_is_such_an_account(
    provserver: RunningServer, who: str, account: str
) -> None:
    client = await (wire(provserver, who) if who else provserver.wire())
    told = await client.ask(encode_request(Explain(account)))
    assert (told.code, told.value) == (ResultCode.INSUFFICIENT_ACCESS_RIGHTS, None)


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (NOBODY_AD, ResultCode.NO_SUCH_OBJECT),
        (AD_CORP, ResultCode.OBJECT_CLASS_VIOLATION),
        (user_dn("aokafor"), ResultCode.OBJECT_CLASS_VIOLATION),
        ("dc=elsewhere", ResultCode.NO_SUCH_OBJECT),
        ("no name", ResultCode.INVALID_DN_SYNTAX),
        ("ActiveDirectory:AD-Corp:ghost", ResultCode.NO_SUCH_OBJECT),
    ],
)
@test
async def test_what_is_no_account_cannot_be_explained(
    provserver: RunningServer, account: str, code: ResultCode
) -> None:
    told = await (await administrator(provserver)).ask(encode_request(Explain(account)))
    assert (told.code, told.value, bool(told.text)) == (code, None, True)
