"""The external policy in exchanges, on the wire: who is asked about what, and what clients are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from advised_servers import (
    ADA,
    ADA_AD_NAME,
    CONSTRAINT,
    OLD,
    PROFILE,
    SHIP,
    SPRING,
    Advised,
    Services,
    by_word,
    without_rules,
)
from harbour import (
    ADA_AD,
    ADA_UNIX,
    BORIS_AD,
    FRANCO_AD,
    NEW,
    OTHER,
    administrator,
    holds,
    snapshot,
    wire,
)
from stand_in import refusing, settings

from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, USE_EXTERNAL_PASSWORD_POLICIES
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.extended import PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.testing.certificates import make_certificates
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.schemes import Derived, Recipe
from provserver.vault.secret import Secret

PARAMETER = (
    "eTConfigParamName=Use External Password Policies,eTConfigParamFolderName=Identity Manager Server,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,eTNamespaceName=CommonObjects"
)


@pytest_twisted.ensureDeferred
async def test_a_test_asks_and_the_sync_after_it_does_not_ask_again(advised: Advised) -> None:
    server, service = await advised()
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.test(ADA_AD, NEW)).code == 0
    (asked,) = service.asked
    assert asked.is_signed
    assert asked.document == {
        "kind": "test",
        "user": "aokafor",
        "account": "Okafor, Ada",
        "endpoint": "AD-Corp",
        "namespace": "ActiveDirectory",
        "password": NEW,
    }
    service.behave = refusing(SHIP)
    told = await ad.sync(ADA_AD, NEW)
    assert told.code == 0, "it is not refused for what was just accepted"
    assert len(service.asked) == 1
    assert holds(server, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_a_sync_alone_asks_once(advised: Advised) -> None:
    server, service = await advised()
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert [asked.document["kind"] for asked in service.asked] == ["sync"]
    assert await server.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_a_sync_long_after_its_test_asks_again(advised: Advised) -> None:
    server, service = await advised()
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.test(ADA_AD, NEW)).code == 0
    server.clock.turn(31)
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert [asked.document["kind"] for asked in service.asked] == ["test", "sync"]


@pytest.mark.parametrize("trigger", ["test", "sync"])
@pytest_twisted.ensureDeferred
async def test_its_reasons_are_told_like_those_of_the_profile(advised: Advised, trigger: str) -> None:
    server, _ = await advised(refusing(SHIP, SPRING))
    ad = await wire(server, "psync-ad-corp")
    before = await snapshot(server)
    told = await (ad.test if trigger == "test" else ad.sync)(ADA_AD, NEW)
    what = "check" if trigger == "test" else "change"
    number = 9010 if trigger == "test" else 9011
    assert told.code is CONSTRAINT
    assert told.text.startswith(
        f":ETA_E_{number}<MAC>, Password {what} for {ADA_AD_NAME} failed: "
        "the name of a ship; it was used in spring"
    )
    assert await snapshot(server) == before


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        ([SHIP], PolicyError.INSUFFICIENT_PASSWORD_QUALITY),
        ([SPRING], PolicyError.PASSWORD_IN_HISTORY),
        ([SPRING, SHIP], PolicyError.INSUFFICIENT_PASSWORD_QUALITY),
        ([SHIP, ("passwordTooShort", "short")], PolicyError.PASSWORD_TOO_SHORT),
        ([SHIP, ("passwordTooLong", "long")], PolicyError.PASSWORD_TOO_LONG),
        ([SHIP, ("passwordTooYoung", "young")], PolicyError.PASSWORD_TOO_YOUNG),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_control_has_the_first_of_its_codes(
    advised: Advised, reasons: list[tuple[str, str]], error: PolicyError
) -> None:
    server, _ = await advised(refusing(*reasons))
    ad = await wire(server, "psync-ad-corp")
    assert await error_of(ad, ModifyRequest(ADA_AD, (replace("eTTestPassword", NEW),))) is error


async def error_of(client: WireClient, request: ModifyRequest) -> PolicyError | None:
    told = await client.ask(request, [encode_request(PasswordPolicyRequest())])
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None
    return answer.error


@pytest_twisted.ensureDeferred
async def test_all_reasons_are_told_together(advised: Advised) -> None:
    server, _ = await advised(refusing(SHIP))
    ad = await wire(server, "psync-ad-corp")
    told = await ad.test(ADA_AD, "Argo")
    assert told.code is CONSTRAINT
    assert "at least 10 characters are needed, 4 were given; " in told.text
    assert "; the name of a ship" in told.text


@pytest_twisted.ensureDeferred
async def test_the_profiles_other_rules_still_hold(advised: Advised) -> None:
    server, _ = await advised()
    ad = await wire(server, "psync-ad-corp")
    told = await ad.sync(ADA_AD, "weak")
    assert (told.code, "at least 10 characters" in told.text) == (CONSTRAINT, True)


@pytest_twisted.ensureDeferred
async def test_it_judges_where_the_profile_is_disabled(advised: Advised) -> None:
    server, _ = await advised(by_word("Argo", SHIP))
    await without_rules(server)
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.sync(ADA_AD, "Argo")).code is CONSTRAINT
    assert (await ad.sync(ADA_AD, "x")).code == 0


# -- what it stands in for


@pytest_twisted.ensureDeferred
async def test_the_profiles_history_is_not_consulted(advised: Advised) -> None:
    server, _ = await advised()
    ad, ada = await wire(server, "psync-ad-corp"), await wire(server, "aokafor")
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert (await ad.test(ADA_AD, OLD)).code == 0
    assert (await ad.sync(ADA_AD, OLD)).code == 0
    assert (await ada.modify(ADA, replace("eTPassword", NEW))).code == 0


@pytest_twisted.ensureDeferred
async def test_nor_its_minimum_interval(advised: Advised) -> None:
    server, service = await advised()
    admin, ada = await administrator(server), await wire(server, "aokafor")
    await admin.modify(PROFILE, replace("provMinInterval", "3600"))
    assert (await ada.modify(ADA, replace("eTPassword", NEW))).code == 0
    assert (await ada.modify(ADA, replace("eTPassword", OTHER))).code == 0
    assert [asked.document["kind"] for asked in service.asked] == ["self", "self"]


@pytest.mark.parametrize("suffix", ["dc=im,dc=eta", "dc=im,dc=etadb"])
@pytest_twisted.ensureDeferred
async def test_the_parameter_is_obeyed_at_once_from_both_views(advised: Advised, suffix: str) -> None:
    """No: nobody is asked, and the profile's own rules are back."""
    server, service = await advised()
    ad, admin = await wire(server, "psync-ad-corp"), await administrator(server)
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert len(service.asked) == 1
    name = f"{PARAMETER},{suffix}"
    assert (await admin.modify(name, replace("eTConfigParamValue", "no"))).code == 0
    told = await ad.sync(ADA_AD, OLD)
    assert (told.code, "the password was used before" in told.text) == (CONSTRAINT, True)
    assert len(service.asked) == 1
    assert (await admin.modify(name, replace("eTConfigParamValue", "yes"))).code == 0
    assert (await ad.sync(ADA_AD, OLD)).code == 0
    assert len(service.asked) == 2
    assert (await admin.delete(name)).code == 0, "yes by default"
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert len(service.asked) == 3


@pytest_twisted.ensureDeferred
async def test_a_verdict_of_the_profile_alone_ends_when_the_parameter_changes(advised: Advised) -> None:
    server, _ = await advised(refusing(SHIP))
    await server.set_parameter(USE_EXTERNAL_PASSWORD_POLICIES, "no")
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.test(ADA_AD, NEW)).code == 0
    await server.set_parameter(USE_EXTERNAL_PASSWORD_POLICIES, "yes")
    assert (await ad.sync(ADA_AD, NEW)).code is CONSTRAINT


@pytest_twisted.ensureDeferred
async def test_without_a_url_the_profile_judges_alone(provserver: RunningServer) -> None:
    await provserver.set_parameter(USE_EXTERNAL_PASSWORD_POLICIES, "yes")
    ad = await wire(provserver, "psync-ad-corp")
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    told = await ad.sync(ADA_AD, OLD)
    assert (told.code, "the password was used before" in told.text) == (CONSTRAINT, True)


@pytest_twisted.ensureDeferred
async def test_history_is_kept_meanwhile(advised: Advised) -> None:
    """For when the profile's is consulted again."""
    server, _ = await advised()
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert (await ad.sync(ADA_AD, OTHER)).code == 0
    await server.set_parameter(USE_EXTERNAL_PASSWORD_POLICIES, "no")
    assert (await ad.sync(ADA_AD, NEW)).code is CONSTRAINT


# -- who else is asked about


@pytest_twisted.ensureDeferred
async def test_a_users_own_change_and_a_reset_are_told_apart(advised: Advised) -> None:
    server, service = await advised()
    ada, admin = await wire(server, "aokafor"), await administrator(server)
    assert (await ada.modify(ADA, delete("eTPassword", OLD), add("eTPassword", NEW))).code == 0
    assert (await admin.modify(ADA, replace("eTPassword", OTHER), replace("eTSyncAccounts", "1"))).code == 0
    assert [asked.document for asked in service.asked] == [
        {
            "kind": kind,
            "user": "aokafor",
            "account": None,
            "endpoint": None,
            "namespace": None,
            "password": password,
        }
        for kind, password in (("self", NEW), ("reset", OTHER))
    ]


@pytest_twisted.ensureDeferred
async def test_its_refusal_of_a_users_own_change_is_told(advised: Advised) -> None:
    server, _ = await advised(refusing(SHIP))
    ada = await wire(server, "aokafor")
    told = await ada.modify(ADA, replace("eTPassword", NEW))
    assert told.code is CONSTRAINT
    assert told.text.startswith(
        ":ETA_E_9020<MGU>, Global User 'aokafor' password change failed: the name of a ship"
    )
    assert await server.has_password("aokafor", OLD)


@pytest_twisted.ensureDeferred
async def test_a_wrong_old_password_asks_nobody(advised: Advised) -> None:
    server, service = await advised()
    ada = await wire(server, "aokafor")
    told = await ada.modify(ADA, delete("eTPassword", OTHER), add("eTPassword", NEW))
    assert "the old password is wrong" in told.text
    assert service.asked == []


async def behind_a_gate(server: RunningServer) -> Told:
    return await (await wire(server, "psync-ad-corp")).sync(FRANCO_AD, NEW)


async def current_one(server: RunningServer) -> Told:
    """A sync of the password that the user has is success, and served to those who lack it."""
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    return await (await wire(server, "psync-ad-corp")).sync(ADA_AD, OLD)


async def not_yours(server: RunningServer) -> Told:
    return await (await wire(server, "psync-ad-corp")).sync(ADA_UNIX, NEW)


async def one_account(server: RunningServer) -> Told:
    """Whose password an administrator sets: it is no change of the user's (seed 000)."""
    admin = await administrator(server)
    return await admin.ask(extended(PasswordModify(ADA_UNIX, None, Secret.of_text(NEW))))


@pytest.mark.parametrize(
    ("ask", "code"), [(behind_a_gate, 53), (current_one, 0), (not_yours, 50), (one_account, 0)]
)
@pytest_twisted.ensureDeferred
async def test_nobody_is_asked_without_need(
    advised: Advised, ask: Callable[[RunningServer], Any], code: int
) -> None:
    server, service = await advised()
    told = await ask(server)
    assert (told.code, service.asked) == (code, [])


@pytest_twisted.ensureDeferred
async def test_nobody_is_asked_about_an_echo(advised: Advised) -> None:
    server, service = await advised()
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert (await unix.test(ADA_UNIX, NEW)).code == 0
    assert (await unix.sync(ADA_UNIX, NEW)).code == 0
    assert (await unix.sync(ADA_UNIX, OTHER)).code is ResultCode.UNWILLING_TO_PERFORM
    assert len(service.asked) == 1


@pytest_twisted.ensureDeferred
async def test_a_test_is_counted_once(advised: Advised) -> None:
    server, service = await advised(more=("passwords.tests_per_minute=1",))
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.test(ADA_AD, NEW)).code == 0
    assert (await ad.test(ADA_AD, NEW)).code is ResultCode.BUSY
    assert len(service.asked) == 1


@pytest_twisted.ensureDeferred
async def test_what_was_derived_before_it_was_asked_is_used_after(advised: Advised) -> None:
    server, _ = await advised()
    hasher = server.service.foundation.hasher
    derive, counted = hasher.derive, []

    async def counting(secret: Secret, salt: bytes, recipe: Recipe | None = None) -> Derived:
        counted.append(salt)
        return await derive(secret, salt, recipe)

    hasher.derive = counting  # type: ignore[method-assign]
    ad, boris = await wire(server, "psync-ad-corp"), await wire(server, "bnovak")
    counted.clear()
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert len(counted) == 1
    assert (await boris.modify(user_dn("bnovak"), replace("eTPassword", NEW))).code == 0
    assert len(counted) == 2
    assert (await ad.test(BORIS_AD, OTHER)).code == 0
    assert (await ad.sync(BORIS_AD, OTHER)).code == 0
    assert len(counted) == 3


@pytest_twisted.ensureDeferred
async def test_over_tls_with_an_authority_of_the_settings(
    start_provserver: Starter, stand_in: Services, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    service = stand_in(refusing(SHIP), certificates)
    server = await start_provserver(
        settings=settings(tmp_path, [service.url("localhost")], authority=certificates.authority)
    )
    ad = await wire(server, "psync-ad-corp")
    assert "the name of a ship" in (await ad.test(ADA_AD, NEW)).text
