"""The echo guard in the running server: what is an echo, for how long, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_MVS,
    ADA_UNIX,
    BORIS_AD,
    BORIS_UNIX,
    IN_PROGRESS,
    NEW,
    OTHER,
    PASSWORDS,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, replace

THIRD = "Reef-Signal-64"
ECHO = "was set by this server: nothing to do"
THRESHOLD_DN = (
    "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
    "eTNamespaceName=CommonObjects,dc=im"
)


def is_echo(told: Told) -> bool:
    assert told.code is ResultCode.SUCCESS, told
    return ECHO in told.text


def in_progress(told: Told) -> bool:
    return told.code is ResultCode.UNWILLING_TO_PERFORM and told.text.endswith(f"failed: {IN_PROGRESS}")


@pytest_twisted.ensureDeferred
async def test_the_originating_account_is_never_marked_nor_sent_to(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    store = provserver.service.foundation.store
    assert await store.marks(await id_of(provserver, ADA_AD)) == ()
    assert provserver.endpoint("AD-Corp").asked.total() == 0
    # So the user may change the password there again at once.
    assert not is_echo(await agent.sync(ADA_AD, OTHER))
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


@pytest_twisted.ensureDeferred
async def test_an_account_that_nothing_is_sent_to_is_not_marked(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    store = provserver.service.foundation.store
    assert await store.marks(await id_of(provserver, ADA_MVS)) == ()
    mainframe = await wire(provserver, "lds-mvsprod")
    assert not is_echo(await mainframe.sync(ADA_MVS, OTHER))


@pytest_twisted.ensureDeferred
async def test_the_window_is_the_threshold_long(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    provserver.clock.turn(599)
    assert in_progress(await unix.test(ADA_UNIX, OTHER))
    assert in_progress(await unix.sync(ADA_UNIX, OTHER))
    provserver.clock.turn(1)
    assert (await unix.test(ADA_UNIX, OTHER)).code == 0
    assert not is_echo(await unix.sync(ADA_UNIX, OTHER))
    assert await provserver.has_password("aokafor", OTHER)
    assert holds(provserver, "AD-Corp", "Okafor, Ada", OTHER)


@pytest_twisted.ensureDeferred
async def test_the_window_runs_from_the_end_of_the_attempt(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    provserver.endpoint("hpdev01").delay(90.0, times=1)
    asked = ad.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    assert is_echo(await unix.sync(ADA_UNIX, NEW)), "while the attempt lasts"
    provserver.clock.turn(60)
    assert in_progress(await unix.sync(ADA_UNIX, OTHER))
    assert ", pending: 1)" in (await ad.answer(asked)).text
    provserver.clock.turn(30)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    provserver.clock.turn(599)
    assert in_progress(await unix.sync(ADA_UNIX, OTHER))
    provserver.clock.turn(1)
    assert not is_echo(await unix.sync(ADA_UNIX, OTHER))


@pytest_twisted.ensureDeferred
async def test_a_late_echo_is_still_one_within_the_echo_memory(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    provserver.clock.turn(700)
    await ad.sync(ADA_AD, OTHER)
    provserver.clock.turn(86_000 - 700)
    before = await snapshot(provserver)
    assert is_echo(await unix.sync(ADA_UNIX, NEW)), "the first password, reported a day late, reverts nobody"
    assert is_echo(await unix.sync(ADA_UNIX, OTHER))
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_after_the_echo_memory_it_is_judged_like_any_other(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["passwords.echo_memory=1000"])
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    await ad.sync(ADA_AD, OTHER)
    server.clock.turn(1001)
    told = await unix.sync(ADA_UNIX, NEW)
    assert (told.code, "used before" in told.text) == (ResultCode.CONSTRAINT_VIOLATION, True)


@pytest_twisted.ensureDeferred
async def test_every_password_of_the_window_is_an_echo_not_only_the_last(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    for password in (NEW, OTHER, THIRD):
        await ad.sync(ADA_AD, password)
    for password in (THIRD, NEW, OTHER):
        assert is_echo(await unix.sync(ADA_UNIX, password))
    assert await provserver.has_password("aokafor", THIRD)


@pytest_twisted.ensureDeferred
async def test_a_threshold_of_zero_turns_the_guard_off(provserver: RunningServer) -> None:
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    assert not is_echo(await unix.sync(ADA_UNIX, OTHER))
    assert await provserver.has_password("aokafor", OTHER)
    told = await ad.sync(ADA_AD, OTHER)
    assert (told.code, ECHO in told.text) == (0, False)


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", ""])
@pytest_twisted.ensureDeferred
async def test_the_threshold_acts_at_once_from_whichever_view_it_is_changed(
    provserver: RunningServer, tail: str
) -> None:
    admin = await administrator(provserver)
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    provserver.clock.turn(100)
    assert in_progress(await unix.test(ADA_UNIX, OTHER))
    assert (await admin.modify(THRESHOLD_DN + tail, replace("eTConfigParamValue", "90"))).code == 0
    assert (await unix.test(ADA_UNIX, OTHER)).code == 0
    assert (await admin.modify(THRESHOLD_DN + tail, replace("eTConfigParamValue", "110"))).code == 0
    assert in_progress(await unix.test(ADA_UNIX, OTHER))
    read = await admin.search(THRESHOLD_DN + tail, "(objectClass=eTConfigParam)", "eTConfigParamValue")
    assert read.values("eTConfigParamValue") == ["110"]


@pytest_twisted.ensureDeferred
async def test_where_no_agent_is_installed_another_password_is_taken_at_once(
    provserver: RunningServer,
) -> None:
    ad, ldap = await wire(provserver, "psync-ad-corp"), await wire(provserver, "agent-ldap-hq")
    await ad.sync(ADA_AD, NEW)
    assert is_echo(await ldap.sync(ADA_LDAP, NEW))
    assert not is_echo(await ldap.sync(ADA_LDAP, OTHER))


@pytest_twisted.ensureDeferred
async def test_a_definite_refusal_by_the_endpoint_leaves_no_mark(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    provserver.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("too new"), times=1)
    await ad.sync(ADA_AD, NEW)
    assert not is_echo(await unix.sync(ADA_UNIX, OTHER)), (
        "the user changed it there: nothing of ours is under way"
    )


@pytest_twisted.ensureDeferred
async def test_an_unknown_outcome_keeps_the_mark(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    provserver.endpoint("hpdev01").drop(after_taking_it=True)
    await ad.sync(ADA_AD, NEW)
    assert is_echo(await unix.sync(ADA_UNIX, NEW))
    assert in_progress(await unix.sync(ADA_UNIX, OTHER))


@pytest_twisted.ensureDeferred
async def test_marks_are_of_one_account_only(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    told = await unix.sync(BORIS_UNIX, NEW)
    assert (told.code, ECHO in told.text) == (0, False)
    assert await provserver.has_password("bnovak", NEW)


@pytest_twisted.ensureDeferred
async def test_an_echo_is_recognised_as_the_endpoint_folds_it(provserver: RunningServer) -> None:
    await provserver.load(
        f"dn: {AD_CORP}\nchangetype: modify\nadd: provSetting\nprovSetting: fold=mainframe\n"
    )
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await unix.sync(BORIS_UNIX, NEW)
    assert is_echo(await ad.sync(BORIS_AD, NEW.upper()[:8]))
    assert in_progress(await ad.sync(BORIS_AD, OTHER))


@pytest_twisted.ensureDeferred
async def test_after_a_reset_by_an_administrator_the_user_may_change_at_once(
    provserver: RunningServer,
) -> None:
    """KB 53148: the help desk resets, the user must change at the next logon, and may not for ten minutes."""
    admin, ad = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    told = await admin.modify(user_dn("aokafor"), replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert told.code == 0
    assert holds(provserver, "AD-Corp", "Okafor, Ada", NEW)
    assert is_echo(await ad.sync(ADA_AD, NEW))
    told = await ad.sync(ADA_AD, OTHER)
    assert told.code == 0, told.text
    assert await provserver.has_password("aokafor", OTHER)
    # His change is a sync like others, and so is the window that it opens elsewhere.
    unix = await wire(provserver, "pam-hpdev01")
    assert in_progress(await unix.sync(ADA_UNIX, PASSWORDS["bnovak"]))


@pytest_twisted.ensureDeferred
async def test_also_when_something_else_was_sent_there_shortly_before(provserver: RunningServer) -> None:
    """The user changed the password on UNIX, forgot it, and called the help desk."""
    admin, ad = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    unix = await wire(provserver, "pam-hpdev01")
    await unix.sync(ADA_UNIX, NEW)
    assert in_progress(await ad.sync(ADA_AD, THIRD))
    await admin.modify(user_dn("aokafor"), replace("eTPassword", OTHER), replace("eTSyncAccounts", "1"))
    assert is_echo(await ad.sync(ADA_AD, NEW)), "late, and it reverts nobody"
    assert not is_echo(await ad.sync(ADA_AD, THIRD))
    assert await provserver.has_password("aokafor", THIRD)
    assert in_progress(await unix.sync(ADA_UNIX, PASSWORDS["bnovak"]))


@pytest_twisted.ensureDeferred
async def test_marks_survive_a_restart(start_provserver: Starter, tmp_path: Path) -> None:
    first = await start_provserver(directory=tmp_path)
    ad = await wire(first, "psync-ad-corp")
    await ad.sync(ADA_AD, NEW)
    await first.stop()
    second = await start_provserver(directory=tmp_path, clock=first.clock)
    unix = await wire(second, "pam-hpdev01")
    assert is_echo(await unix.sync(ADA_UNIX, NEW))
    assert in_progress(await unix.sync(ADA_UNIX, OTHER))
