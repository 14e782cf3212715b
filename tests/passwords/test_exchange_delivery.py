"""From the commit to the endpoints, and what the answer says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_MVS,
    ADA_UNIX,
    BORIS_AD,
    MVSPROD,
    NEW,
    OTHER,
    PASSWORDS,
    UNIX,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, PROPAGATION_WAIT, UPDATE_ONLY_GLOBAL_USER
from provserver.ldap.results import ResultCode
from provserver.storage.contract import DeliveryState
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Hung, WireClient, replace


def updated(counts: str) -> str:
    return (
        ":ETA_S_0245<MGU>, Global User 'aokafor' and associated account passwords updated successfully: "
        f"({counts})"
    )


def failed(counts: str, at: str = "hpdev01") -> str:
    user = "Global User 'aokafor' and associated account passwords"
    return f":ETA_E_0245<MGU>, {user} update failed: ({counts}); failed: {at}"


async def outbox(server: RunningServer) -> list[tuple[str, DeliveryState, int]]:
    """(account, state, attempts) of what is in it, oldest first."""
    store = server.service.foundation.store
    found = []
    for delivery in await store.deliveries():
        account = await store.read_id(delivery.account)
        assert account is not None
        found.append((str(account.dn).partition(",")[0], delivery.state, delivery.attempts))
    return found


def refusal() -> PasswordPolicyViolation:
    return PasswordPolicyViolation("hpdev01: not that one")


# ---------------------------------------------------------------- to whom


@pytest_twisted.ensureDeferred
async def test_an_endpoint_with_propagation_disabled_is_never_sent_to(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    ad = await wire(provserver, "psync-ad-corp")
    await ad.sync(ADA_AD, NEW)
    assert provserver.endpoint("MVSPROD").asked.total() == 0
    # The switch is read at every exchange.
    await admin.modify(MVSPROD, replace("provDisablePasswordPropagation", "FALSE"))
    told = await ad.sync(ADA_AD, OTHER)
    assert told.text == updated("accounts updated: 3, unchanged: 0, failures: 0")
    assert holds(provserver, "MVSPROD", "OKAFOR1", OTHER)


@pytest_twisted.ensureDeferred
async def test_a_change_on_an_endpoint_that_is_never_sent_to_reaches_the_others(
    provserver: RunningServer,
) -> None:
    mainframe = await wire(provserver, "lds-mvsprod")
    told = await mainframe.sync(ADA_MVS, NEW)
    assert told.text == updated("accounts updated: 3, unchanged: 0, failures: 0")
    assert holds(provserver, "AD-Corp", "Okafor, Ada", NEW)


@pytest_twisted.ensureDeferred
async def test_what_waits_for_an_endpoint_is_not_sent_once_propagation_is_disabled_there(
    provserver: RunningServer,
) -> None:
    admin, ad = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").down()
    await ad.sync(ADA_AD, NEW)
    await admin.modify(UNIX.partition(",")[2], replace("provDisablePasswordPropagation", "TRUE"))
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert provserver.endpoint("hpdev01").received == 0
    assert [row[1] for row in await outbox(provserver)] == [DeliveryState.HELD]


@pytest_twisted.ensureDeferred
async def test_update_only_global_user_keeps_it_from_all_accounts(provserver: RunningServer) -> None:
    await provserver.set_parameter(UPDATE_ONLY_GLOBAL_USER, "Yes")
    ad = await wire(provserver, "psync-ad-corp")
    told = await ad.sync(ADA_AD, NEW)
    assert told.text == updated("accounts updated: 0, unchanged: 3, failures: 0")
    assert await provserver.has_password("aokafor", NEW)
    assert all(provserver.endpoint(name).asked.total() == 0 for name in ("hpdev01", "ldap-hq", "AD-Corp"))
    await provserver.set_parameter(UPDATE_ONLY_GLOBAL_USER, "No")
    assert (await ad.sync(ADA_AD, OTHER)).text == updated("accounts updated: 2, unchanged: 1, failures: 0")


@pytest_twisted.ensureDeferred
async def test_a_suspended_account_is_sent_the_password_without_being_unlocked(
    provserver: RunningServer,
) -> None:
    admin, ad = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    assert (await admin.modify(ADA_UNIX, replace("eTSuspended", "1"))).code == 0
    await ad.sync(ADA_AD, NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    marks = await provserver.service.foundation.store.marks(await id_of(provserver, ADA_UNIX))
    assert [mark.options for mark in marks] == [0]


@pytest_twisted.ensureDeferred
async def test_a_sync_of_the_current_password_serves_only_accounts_not_known_to_hold_it(
    provserver: RunningServer,
) -> None:
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    provserver.endpoint("ldap-hq").refuse(refusal, times=1)
    assert "failures: 1" in (await ad.sync(ADA_AD, NEW)).text
    stored = await provserver.entry(user_dn("aokafor"))
    provserver.endpoint("hpdev01").refuse(refusal)  # it holds the password, and is not asked again
    told = await ad.sync(ADA_AD, NEW)
    assert told.text == updated("accounts updated: 1, unchanged: 2, failures: 0")
    assert holds(provserver, "ldap-hq", "aokafor", NEW)
    assert await provserver.entry(user_dn("aokafor")) == stored
    assert (await unix.sync(ADA_UNIX, NEW)).code == 0


# ---------------------------------------------------------------- what the answer says


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_is_down_is_pending_and_gets_it_within_a_second_of_its_return(
    provserver: RunningServer,
) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    hpdev01 = provserver.endpoint("hpdev01")
    hpdev01.down()
    told = await ad.sync(ADA_AD, NEW)
    assert (told.code, told.text) == (
        0,
        updated("accounts updated: 1, unchanged: 1, failures: 0, pending: 1"),
    )
    assert await outbox(provserver) == [("eTETCAccountName=aokafor", DeliveryState.RETRYING, 0)]
    provserver.clock.turn(59)
    await provserver.delivered()
    hpdev01.mend()
    assert hpdev01.received == 0
    provserver.clock.turn(1)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert await outbox(provserver) == []


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_refuses_is_a_failure_and_held_and_the_result_is_success(
    provserver: RunningServer,
) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").refuse(refusal)
    told = await ad.sync(ADA_AD, NEW)
    assert (told.code, told.text) == (0, failed("accounts updated: 1, unchanged: 1, failures: 1"))
    assert await outbox(provserver) == [("eTETCAccountName=aokafor", DeliveryState.HELD, 1)]
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_a_setting_restores_the_result_that_imps_gives(start_provserver: Starter) -> None:
    """facts/imps.md 3.3: a partial failure is result 1."""
    server = await start_provserver(settings=["passwords.partial_failure_result=1"])
    ad = await wire(server, "psync-ad-corp")
    server.endpoint("hpdev01").refuse(refusal, times=1)
    told = await ad.sync(ADA_AD, NEW)
    assert (told.code, told.text) == (1, failed("accounts updated: 1, unchanged: 1, failures: 1"))
    assert await server.has_password("aokafor", NEW), "it was done all the same"
    server.endpoint("hpdev01").down()
    assert (await ad.sync(ADA_AD, OTHER)).code == 0, "pending is no failure"


async def answered(client: WireClient, number: int, server: RunningServer) -> bool:
    await server.breathe()
    return client.is_answered(number)


@pytest_twisted.ensureDeferred
async def test_the_answer_waits_for_a_slow_endpoint_up_to_propagation_wait(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").delay(3.0)
    asked = ad.begin_sync(ADA_AD, NEW)
    assert not await answered(ad, asked, provserver)
    provserver.clock.turn(1.9)
    assert not await answered(ad, asked, provserver)
    provserver.clock.turn(0.1)
    told = await ad.answer(asked)
    assert told.text == updated("accounts updated: 1, unchanged: 1, failures: 0, pending: 1")
    provserver.clock.turn(1)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_it_comes_as_soon_as_every_first_attempt_has_ended(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").delay(1.5)
    provserver.endpoint("ldap-hq").refuse(refusal, after=0.5)
    asked = ad.begin_sync(ADA_AD, NEW)
    provserver.clock.turn(0)
    assert not await answered(ad, asked, provserver)
    provserver.clock.turn(0.5)
    assert not await answered(ad, asked, provserver)
    provserver.clock.turn(1)
    assert (await ad.answer(asked)).text == failed(
        "accounts updated: 1, unchanged: 1, failures: 1", "ldap-hq"
    )


@pytest_twisted.ensureDeferred
async def test_the_wait_is_a_parameter_of_the_tree(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    await provserver.set_parameter(PROPAGATION_WAIT, "5")
    provserver.endpoint("hpdev01").delay(4.0)
    asked = ad.begin_sync(ADA_AD, NEW)
    assert not await answered(ad, asked, provserver)
    provserver.clock.turn(3.9)
    assert not await answered(ad, asked, provserver)
    provserver.clock.turn(0.1)
    assert (await ad.answer(asked)).text == updated("accounts updated: 2, unchanged: 1, failures: 0")


@pytest.mark.parametrize("by", ["parameter", "setting"])
@pytest_twisted.ensureDeferred
async def test_with_a_wait_of_zero_the_answer_comes_on_the_commit(start_provserver: Starter, by: str) -> None:
    server = await start_provserver(settings=["passwords.propagation_wait=0"] if by == "setting" else [])
    if by == "parameter":
        await server.set_parameter(PROPAGATION_WAIT, "0")
    ad = await wire(server, "psync-ad-corp")
    server.endpoint("hpdev01").delay(30.0)
    server.endpoint("ldap-hq").delay(30.0)
    told = await ad.sync(ADA_AD, NEW)
    assert told.text == updated("accounts updated: 0, unchanged: 1, failures: 0, pending: 2")
    server.clock.turn(30)
    await server.delivered()
    assert holds(server, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_it_never_waits_for_the_originating_endpoint(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("AD-Corp").delay(60.0)
    assert (await ad.sync(ADA_AD, NEW)).text == updated("accounts updated: 2, unchanged: 1, failures: 0")


@pytest_twisted.ensureDeferred
async def test_while_an_answer_waits_the_users_next_exchange_does_not(provserver: RunningServer) -> None:
    """The per-user queue is released at the commit."""
    ad, mainframe = await wire(provserver, "psync-ad-corp"), await wire(provserver, "lds-mvsprod")
    provserver.endpoint("hpdev01").delay(1.0, times=1)
    first = ad.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    second = mainframe.begin_sync(ADA_MVS, OTHER)
    await provserver.breathe()
    assert await provserver.has_password("aokafor", OTHER)
    provserver.clock.turn(1)
    assert (await ad.answer(first)).code == 0
    assert (await mainframe.answer(second)).code == 0
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


# ---------------------------------------------------------------- nobody listens any more

LEAVING: dict[str, Callable[[WireClient, int], object]] = {
    "abandons": lambda client, number: client.abandon(number),
    "hangs up": lambda client, number: client.hang_up(),
    "cuts the line": lambda client, number: client.cut(),
    "unbinds": lambda client, number: client.unbind(),
}


@pytest.mark.parametrize("how", list(LEAVING))
@pytest.mark.parametrize("stored", ["in memory", "on disk"])
@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_loses_the_answer_never_the_exchange(
    start_provserver: Starter, tmp_path: Path, how: str, stored: str
) -> None:
    server = await start_provserver(directory=tmp_path if stored == "on disk" else None)
    await server.set_parameter(PROPAGATION_WAIT, "0" if stored == "on disk" else "2")
    ad = await wire(server, "psync-ad-corp")
    server.endpoint("hpdev01").delay(1.0)
    asked = ad.begin_sync(ADA_AD, NEW)
    if how == "cuts the line":
        await server.breathe()  # else the request itself would be lost with the line
    LEAVING[how](ad, asked)
    if how == "abandons":
        assert (await ad.test(ADA_AD, OTHER)).code == 0, "the line is of use"
    else:
        await ad.closed
        await server.breathe()
    server.clock.turn(2)
    await server.exchanged()
    assert await server.has_password("aokafor", NEW)
    server.clock.turn(2)
    await server.delivered()
    assert holds(server, "hpdev01", "aokafor", NEW)
    if how == "abandons":
        assert ad.late == []
    else:
        assert not ad.is_answered(asked)


@pytest_twisted.ensureDeferred
async def test_an_exchange_that_waits_for_its_turn_happens_although_the_client_left(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(directory=tmp_path)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    first = ad.begin_sync(ADA_AD, NEW)
    unix.begin_sync(ADA_UNIX, OTHER)
    unix.hang_up()
    assert (await ad.answer(first)).code == 0
    await unix.closed
    await server.breathe()
    await server.exchanged()
    await server.delivered()
    found = [password for password in (NEW, OTHER) if await server.has_password("aokafor", password)]
    events = [event.event for event in await server.journal()]
    assert (len(found), events.count(8010)) == (1, 2)


# ---------------------------------------------------------------- the newer change wins


@pytest_twisted.ensureDeferred
async def test_a_newer_change_cancels_all_that_waits_the_originators_own_included(
    provserver: RunningServer,
) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    hpdev01, ldap_hq = provserver.endpoint("hpdev01"), provserver.endpoint("ldap-hq")
    hpdev01.down()
    ldap_hq.refuse(refusal, times=1)
    assert "failures: 1, pending: 1" in (await ad.sync(ADA_AD, NEW)).text
    states = {state for _, state, _ in await outbox(provserver)}
    assert states == {DeliveryState.RETRYING, DeliveryState.HELD}
    # The user changes it on hpdev01 itself, before ours arrives there.
    told = await unix.sync(ADA_UNIX, OTHER)
    assert told.text == updated("accounts updated: 2, unchanged: 1, failures: 0")
    assert await outbox(provserver) == []
    hpdev01.mend()
    provserver.clock.turn(3600)
    await provserver.delivered()
    assert hpdev01.received == 0
    assert holds(provserver, "ldap-hq", "aokafor", OTHER)
    assert holds(provserver, "AD-Corp", "Okafor, Ada", OTHER)
    events = [event for event in await provserver.journal() if event.event == 6919]
    assert len(events) == 2


@pytest_twisted.ensureDeferred
async def test_an_attempt_that_lasts_is_followed_by_the_newer_password(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").delay(5.0, times=1)
    await provserver.set_parameter(PROPAGATION_WAIT, "0")
    await ad.sync(ADA_AD, NEW)
    assert ", pending: 1)" in (await ad.sync(ADA_AD, OTHER)).text
    provserver.clock.turn(5)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


@pytest_twisted.ensureDeferred
async def test_other_users_deliveries_are_not_cancelled(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").down()
    await ad.sync(BORIS_AD, NEW)
    await ad.sync(ADA_AD, NEW)
    assert len(await outbox(provserver)) == 2


@pytest_twisted.ensureDeferred
async def test_what_waits_survives_a_restart(start_provserver: Starter, tmp_path: Path) -> None:
    first = await start_provserver(directory=tmp_path)
    ad = await wire(first, "psync-ad-corp")
    first.endpoint("hpdev01").down()
    assert "pending: 1" in (await ad.sync(ADA_AD, NEW)).text
    await first.stop()
    first.clock.turn(60)
    second = await start_provserver(directory=tmp_path, clock=first.clock)
    await second.delivered()
    assert holds(second, "hpdev01", "aokafor", NEW)


# ---------------------------------------------------------------- no room


MORE = "".join(
    f"dn: eTETCAccountName=extra{number},{UNIX}\nobjectClass: eTETCAccount\neTETCAccountName: extra{number}\n"
    f"provGlobalUser: {user_dn('aokafor')}\n\n"
    for number in range(7)
)


@pytest_twisted.ensureDeferred
async def test_a_full_outbox_refuses_tests_first_and_then_syncs(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["delivery.outbox_limit=10"], more=[MORE])
    ad = await wire(server, "psync-ad-corp")
    for name in ("hpdev01", "ldap-hq"):
        server.endpoint(name).down()
    assert "pending: 9" in (await ad.sync(ADA_AD, NEW)).text
    before = await snapshot(server)
    told = await ad.test(BORIS_AD, OTHER)
    assert told.code is ResultCode.BUSY
    assert told.text == ":ETA_E_9033<MGU>, too many deliveries are waiting: try again later"
    assert await snapshot(server) == before
    assert "pending: 1" in (await ad.sync(BORIS_AD, NEW)).text
    before = await snapshot(server)
    told = await ad.sync(BORIS_AD, OTHER)
    assert (told.code, PASSWORDS["bnovak"] in told.text) == (ResultCode.BUSY, False)
    assert await snapshot(server) == before
    # Room again: the same sync is taken.
    server.endpoint("hpdev01").mend()
    server.clock.turn(60)
    await server.delivered()
    assert (await ad.sync(BORIS_AD, OTHER)).code == 0


@pytest_twisted.ensureDeferred
async def test_tests_are_limited_for_each_agent_and_account(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["passwords.tests_per_minute=3"])
    ad, admin = await wire(server, "psync-ad-corp"), await administrator(server)
    for _ in range(3):
        assert (await ad.test(ADA_AD, NEW)).code == 0
    server.clock.turn(20)
    told = await ad.test(ADA_AD, NEW)
    assert told.code is ResultCode.BUSY
    assert told.text == (
        ":ETA_E_9032<MAC>, too many password checks for Active Directory Account 'Okafor, Ada' on 'AD-Corp': "
        "try again in 40 s"
    )
    assert (await ad.test(BORIS_AD, NEW)).code == 0, "another account"
    assert (await admin.test(ADA_AD, NEW)).code == 0, "another agent"
    assert (await ad.sync(ADA_AD, NEW)).code == 0, "a sync is not limited"
    server.clock.turn(40)
    assert (await ad.test(ADA_AD, OTHER)).code == 0


@pytest_twisted.ensureDeferred
async def test_a_stopping_server_tells_its_clients(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").delay(60.0)
    asked = ad.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    await provserver.stop()
    await ad.closed
    assert [notice.result.code for notice in ad.notices] == [ResultCode.UNAVAILABLE]
    with pytest.raises(Hung):
        await ad.answer(asked)


@pytest_twisted.ensureDeferred
async def test_what_waits_for_too_long_refuses_more_until_it_is_gone(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["delivery.outbox_age=3600"])
    ad = await wire(server, "psync-ad-corp")
    server.endpoint("hpdev01").down()
    assert "pending: 1" in (await ad.sync(ADA_AD, NEW)).text
    server.clock.turn(3500)
    assert (await ad.test(BORIS_AD, OTHER)).code == 0
    server.clock.turn(200)
    told = await ad.sync(BORIS_AD, OTHER)
    assert (told.code, told.text) == (
        ResultCode.BUSY,
        ":ETA_E_9035<MGU>, deliveries have been waiting for too long: see to the endpoints first",
    )
    server.endpoint("hpdev01").mend()
    server.clock.turn(1)
    await server.delivered()
    server.clock.turn(5)
    assert (await ad.sync(BORIS_AD, OTHER)).code == 0
