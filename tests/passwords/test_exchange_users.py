"""`eTPassword` on a global user: the user's own change, and an administrator's reset."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_LDAP,
    ADA_UNIX,
    NEW,
    OTHER,
    PASSWORDS,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordOption
from provserver.imps.parameters import UPDATE_ONLY_GLOBAL_USER
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace

ADA = user_dn("aokafor")
OLD = PASSWORDS["aokafor"]
PROFILE = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    "eTNamespaceName=CommonObjects,dc=im,dc=eta"
)
DONE = ":ETA_S_9021<MGU>, Global User 'aokafor' password updated successfully"


async def set_own(client: WireClient, password: str) -> Told:
    return await client.modify(ADA, replace("eTPassword", password))


@pytest_twisted.ensureDeferred
async def test_a_user_changes_its_own_password_and_no_account_hears_of_it(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    told = await set_own(ada, NEW)
    assert (told.code, told.text) == (0, DONE)
    assert await provserver.has_password("aokafor", NEW)
    assert all(provserver.endpoint(name).asked.total() == 0 for name in ("AD-Corp", "hpdev01", "ldap-hq"))
    assert (await provserver.wire("aokafor", NEW)).notices == []


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 10 characters are needed, 5 were given; at least 1 upper-case letter is needed"),
        (OLD, "the password was used before (among the last 5 passwords) [inHistory]"),
    ],
    ids=["weak", "in history"],
)
@pytest_twisted.ensureDeferred
async def test_the_policy_judges_it(provserver: RunningServer, password: str, reason: str) -> None:
    ada = await wire(provserver, "aokafor")
    before = await snapshot(provserver)
    told = await set_own(ada, password)
    assert told.code is ResultCode.CONSTRAINT_VIOLATION
    assert told.text.startswith(f":ETA_E_9020<MGU>, Global User 'aokafor' password change failed: {reason}")
    assert password not in told.text
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_the_old_password_deleted_and_the_new_one_added(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    before = await snapshot(provserver)
    told = await ada.modify(ADA, delete("eTPassword", OTHER), add("eTPassword", NEW))
    assert (told.code, told.text.partition(" failed: ")[2]) == (
        ResultCode.UNWILLING_TO_PERFORM,
        "the old password is wrong",
    )
    assert await snapshot(provserver) == before
    assert (await ada.modify(ADA, delete("eTPassword", OLD), add("eTPassword", NEW))).code == 0
    assert await provserver.has_password("aokafor", NEW)


@pytest.mark.parametrize("values", [(OLD,), (OTHER,), ()], ids=["right", "wrong", "none"])
@pytest_twisted.ensureDeferred
async def test_a_password_cannot_be_deleted(provserver: RunningServer, values: tuple[str, ...]) -> None:
    ada, admin = await wire(provserver, "aokafor"), await administrator(provserver)
    before = await snapshot(provserver)
    for client in (ada, admin):
        told = await client.modify(ADA, delete("eTPassword", *values))
        assert told.code is ResultCode.UNWILLING_TO_PERFORM
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_the_minimum_interval_binds_the_user_not_agents_nor_administrators(
    provserver: RunningServer,
) -> None:
    ada, admin = await wire(provserver, "aokafor"), await administrator(provserver)
    ad = await wire(provserver, "psync-ad-corp")
    assert (await admin.modify(PROFILE, replace("provMinInterval", "3600"))).code == 0
    provserver.clock.turn(3600)
    assert (await set_own(ada, NEW)).code == 0
    told = await set_own(ada, OTHER)
    assert told.code is ResultCode.CONSTRAINT_VIOLATION
    assert "changed too recently; wait 3600 seconds" in told.text
    assert (await ad.sync(ADA_AD, OTHER)).code == 0
    free = replace("provMustChangePassword", "FALSE")
    assert (await admin.modify(ADA, replace("eTPassword", "Lamp-Oil-Store-3"), free)).code == 0
    provserver.clock.turn(3599)
    assert (await set_own(ada, "Mast-Head-Light-8")).code is ResultCode.CONSTRAINT_VIOLATION
    provserver.clock.turn(1)
    assert (await set_own(ada, "Mast-Head-Light-8")).code == 0


@pytest_twisted.ensureDeferred
async def test_a_reset_is_judged_by_length_and_classes_but_not_by_history(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    before = await snapshot(provserver)
    assert (await set_own(admin, "weak")).code is ResultCode.CONSTRAINT_VIOLATION
    assert await snapshot(provserver) == before
    await set_own(admin, NEW)
    assert (await set_own(admin, OLD)).code == 0
    assert await provserver.has_password("aokafor", OLD)


@pytest_twisted.ensureDeferred
async def test_a_reset_reaches_the_accounts_with_etsyncaccounts_and_not_without(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    assert (await set_own(admin, NEW)).text == DONE
    assert not holds(provserver, "AD-Corp", "Okafor, Ada", NEW)
    told = await admin.modify(ADA, replace("eTPassword", OTHER), replace("eTSyncAccounts", "1"))
    assert told.code == 0
    assert told.text == (
        ":ETA_S_0245<MGU>, Global User 'aokafor' and associated account passwords updated successfully: "
        "(accounts updated: 3, unchanged: 1, failures: 0)"
    )
    for endpoint, account in (("AD-Corp", "Okafor, Ada"), ("hpdev01", "aokafor"), ("ldap-hq", "aokafor")):
        assert holds(provserver, endpoint, account, OTHER)
    assert provserver.endpoint("MVSPROD").asked.total() == 0
    no = await admin.modify(ADA, replace("eTPassword", NEW), replace("eTSyncAccounts", "0"))
    assert no.text == DONE


@pytest_twisted.ensureDeferred
async def test_update_only_global_user_is_about_agents_not_about_resets(provserver: RunningServer) -> None:
    """Seed 000: it "controls having password change notifications from a password synchronization agent"."""
    await provserver.set_parameter(UPDATE_ONLY_GLOBAL_USER, "Yes")
    admin = await administrator(provserver)
    told = await admin.modify(ADA, replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert "accounts updated: 3" in told.text
    assert holds(provserver, "AD-Corp", "Okafor, Ada", NEW)


@pytest.mark.parametrize(
    ("who", "options"),
    [
        ("etaadmin", PasswordOption.FORCE_CHANGE_AT_LOGON),
        ("aokafor", PasswordOption.UNLOCK_ACCOUNT | PasswordOption.VALIDATE_PASSWORD),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_sent_says_how_it_is_to_be_set(
    provserver: RunningServer, who: str, options: PasswordOption
) -> None:
    """Design "Contracts", Connector: an administrator's reset, self-service, an agent's sync."""
    client = await wire(provserver, who)
    told = await client.modify(ADA, replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert told.code == 0
    store = provserver.service.foundation.store
    marks = await store.marks(await id_of(provserver, ADA_UNIX))
    assert [mark.options for mark in marks] == [options.value]


@pytest_twisted.ensureDeferred
async def test_a_reset_needs_no_etpropagatepassword_and_no_active_user(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    for name in ("fgreco", "eyilmaz"):
        assert (await admin.modify(user_dn(name), replace("eTPassword", NEW))).code == 0
        assert await provserver.has_password(name, NEW)


@pytest_twisted.ensureDeferred
async def test_a_reset_of_nobody_is_no_such_object(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(user_dn("ghost"), replace("eTPassword", NEW))
    assert told.code is ResultCode.NO_SUCH_OBJECT


@pytest_twisted.ensureDeferred
async def test_a_user_without_a_password_is_given_its_first_one(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(user_dn("[default user]"), replace("eTPassword", NEW))
    assert told.code == 0
    assert await provserver.has_password("[default user]", NEW)


@pytest_twisted.ensureDeferred
async def test_a_change_that_goes_to_nobody_cancels_what_waits_of_an_older_password(
    provserver: RunningServer,
) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    provserver.endpoint("hpdev01").down()
    await ad.sync(ADA_AD, NEW)
    assert (await set_own(admin, OTHER)).code == 0
    assert await provserver.service.foundation.store.deliveries() == []


@pytest_twisted.ensureDeferred
async def test_a_repeat_that_goes_to_nobody_does_not_lose_what_waits_of_the_same_password(
    provserver: RunningServer,
) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    provserver.endpoint("hpdev01").down()
    await ad.sync(ADA_AD, NEW)
    assert (await set_own(admin, NEW)).code == 0
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_a_reset_repeated_with_etsyncaccounts_serves_who_does_not_hold_it(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    await set_own(admin, NEW)
    both = replace("eTPassword", NEW), replace("eTSyncAccounts", "1")
    assert "accounts updated: 3, unchanged: 1" in (await admin.modify(ADA, *both)).text
    assert "accounts updated: 0, unchanged: 4" in (await admin.modify(ADA, *both)).text
    assert holds(provserver, "ldap-hq", "aokafor", NEW), ADA_LDAP


@pytest_twisted.ensureDeferred
async def test_when_it_was_changed_is_a_time_that_ldap_understands(provserver: RunningServer) -> None:
    """RFC 4517 3.3.13: provPasswordChanged is a Generalized Time."""
    admin = await administrator(provserver)
    await set_own(admin, NEW)
    told = await admin.search(ADA, "(objectClass=*)", "provPasswordChanged")
    assert told.values("provPasswordChanged")[0].startswith("20260921")
    assert told.values("provPasswordChanged")[0].endswith("Z")
    for text, expected in (
        ("(provPasswordChanged>=20260101000000Z)", 1),
        ("(provPasswordChanged<=20260101000000Z)", 0),
    ):
        assert len((await admin.search(ADA, text, "1.1")).names) == expected
