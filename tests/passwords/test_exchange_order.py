"""An older password never overwrites a newer one: whatever of it still waits, is held, is released by hand or
is reported late, at the account where the newer one began as at the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_LDAP,
    ADA_UNIX,
    NEW,
    OTHER,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.connectors.emulated import Operation
from provserver.delivery.events import Outcome
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, PROPAGATION_WAIT, UPDATE_ONLY_GLOBAL_USER
from provserver.ldap.results import ResultCode
from provserver.storage.contract import Delivery, DeliveryState, MarkFate, Settlement
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, replace
from provserver.vault.secret import Secret

THIRD = "Reef-Signal-64"
WEEK = 7 * 86_400


def refusal() -> PasswordPolicyViolation:
    return PasswordPolicyViolation("not that one")


async def waiting(server: RunningServer, account: str) -> Sequence[Delivery]:
    """What the outbox has for an account."""
    return await server.service.foundation.store.deliveries(account=await id_of(server, account))


async def release(server: RunningServer, row: Delivery) -> None:
    """A held row sent once more because somebody says so: there is no command for it yet, so it is said to
    the store. Couriers look into it once a minute at least.
    """
    at = server.clock.wall()
    again = Settlement(
        row.id, row.account, row.change, DeliveryState.RETRYING, MarkFate.REMOVED, at, 0, "by hand", at
    )
    await server.service.foundation.store.settle(again)
    server.clock.turn(60)
    await server.breathe()


async def held_at_hpdev01(server: RunningServer) -> Delivery:
    """NEW is Ada's password, and hpdev01 has refused it."""
    server.endpoint("hpdev01").refuse(refusal, times=1)
    ad = await wire(server, "psync-ad-corp")
    assert "failures: 1" in (await ad.sync(ADA_AD, NEW)).text
    await server.delivered()
    (row,) = await waiting(server, ADA_UNIX)
    assert row.state is DeliveryState.HELD
    return row


# ---------------------------------------------------------------- where the newer one began


@pytest.mark.parametrize("stored", ["in memory", "on disk"])
@pytest_twisted.ensureDeferred
async def test_what_is_held_for_the_account_where_the_newer_one_began_ends(
    start_provserver: Starter, tmp_path: Path, stored: str
) -> None:
    server = await start_provserver(directory=tmp_path if stored == "on disk" else None)
    row = await held_at_hpdev01(server)
    unix = await wire(server, "pam-hpdev01")
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
    assert await waiting(server, ADA_UNIX) == []
    if stored == "on disk":
        await server.stop()
        server = await start_provserver(directory=tmp_path, clock=server.clock)
    out_of_date = [line for line in await server.journal() if line.event == Outcome.OUT_OF_DATE]
    assert [line.fields["delivery"] for line in out_of_date] == [row.id]
    server.clock.turn(WEEK)
    await server.delivered()
    assert server.endpoint("hpdev01").received == 0
    assert await server.has_password("aokafor", OTHER)


@pytest_twisted.ensureDeferred
async def test_what_waits_for_a_line_to_that_account_is_not_sent_any_more(start_provserver: Starter) -> None:
    """It is claimed, and marked; only the line is busy with somebody else's. Nobody can know for certain that
    it was not sent: so the account is sent its own password behind it.
    """
    server = await start_provserver(settings=["delivery.concurrency=1"])
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    await server.set_parameter(PROPAGATION_WAIT, "0")
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    hpdev01 = server.endpoint("hpdev01")
    hpdev01.delay(30.0, times=1)
    admin = await administrator(server)
    told = await admin.modify(user_dn("bnovak"), replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert told.code == 0
    await ad.sync(ADA_AD, NEW)
    assert [row.state for row in await waiting(server, ADA_UNIX)] == [DeliveryState.CLAIMED]
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
    server.clock.turn(30)
    await server.delivered()
    assert hpdev01.received == 2, "Boris's, and the newer one"
    assert holds(server, "hpdev01", "aokafor", OTHER)
    assert await waiting(server, ADA_UNIX) == []
    assert holds(server, "AD-Corp", "Okafor, Ada", OTHER)


@pytest_twisted.ensureDeferred
async def test_while_one_is_being_sent_there_the_guard_takes_no_other_from_there(
    provserver: RunningServer,
) -> None:
    """Else the one on its way could arrive after it."""
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    provserver.endpoint("hpdev01").delay(3600.0, times=1)
    sent = ad.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    provserver.clock.turn(3000)
    assert (await ad.answer(sent)).code == 0
    before = await snapshot(provserver)
    assert (await unix.sync(ADA_UNIX, OTHER)).code is ResultCode.UNWILLING_TO_PERFORM
    assert await snapshot(provserver) == before


@pytest.mark.parametrize(
    ("threshold", "account", "agent", "endpoint"),
    [("0", ADA_UNIX, "pam-hpdev01", "hpdev01"), ("600", ADA_LDAP, "agent-ldap-hq", "ldap-hq")],
    ids=["without a threshold", "where no agent is said to be installed"],
)
@pytest_twisted.ensureDeferred
async def test_one_that_is_being_sent_there_does_not_stay(
    provserver: RunningServer, threshold: str, account: str, agent: str, endpoint: str
) -> None:
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, threshold)
    await provserver.set_parameter(PROPAGATION_WAIT, "0")
    ad, reporter = await wire(provserver, "psync-ad-corp"), await wire(provserver, agent)
    provserver.endpoint(endpoint).delay(30.0, times=1)
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert (await reporter.sync(account, OTHER)).code == 0
    provserver.endpoint(endpoint).take("aokafor", Secret.of_text(OTHER), 0)  # as the user sets it there
    provserver.clock.turn(30)
    await provserver.delivered()
    assert holds(provserver, endpoint, "aokafor", OTHER)


@pytest_twisted.ensureDeferred
async def test_an_attempt_of_unknown_outcome_is_not_repeated_after_a_newer_change(
    provserver: RunningServer,
) -> None:
    hpdev01 = provserver.endpoint("hpdev01")
    ad = await wire(provserver, "psync-ad-corp")
    hpdev01.drop(times=2, after_taking_it=True)
    assert "pending: 1" in (await ad.sync(ADA_AD, NEW)).text
    assert [row.state for row in await waiting(provserver, ADA_UNIX)] == [DeliveryState.RETRYING]
    received = hpdev01.received
    hpdev01.mend()
    assert (await ad.sync(ADA_AD, OTHER)).code == 0
    provserver.clock.turn(WEEK)
    await provserver.delivered()
    assert hpdev01.received == received + 1
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


# ---------------------------------------------------------------- released by hand


@dataclass(frozen=True)
class Newer:
    """A change after the one that is held, and whether hpdev01 is told of it."""

    reaches_hpdev01: bool

    async def happen(self, server: RunningServer) -> Told:
        raise NotImplementedError


class Elsewhere(Newer):
    async def happen(self, server: RunningServer) -> Told:
        return await (await wire(server, "psync-ad-corp")).sync(ADA_AD, OTHER)


class There(Newer):
    async def happen(self, server: RunningServer) -> Told:
        return await (await wire(server, "pam-hpdev01")).sync(ADA_UNIX, OTHER)


class OfTheUserOnly(Newer):
    async def happen(self, server: RunningServer) -> Told:
        await server.set_parameter(UPDATE_ONLY_GLOBAL_USER, "Yes")
        return await (await wire(server, "psync-ad-corp")).sync(ADA_AD, OTHER)


class OfItsOwn(Newer):
    async def happen(self, server: RunningServer) -> Told:
        ada = await server.wire("aokafor", NEW)
        return await ada.modify(user_dn("aokafor"), replace("eTPassword", OTHER))


NEWER = [Elsewhere(True), There(False), OfTheUserOnly(False), OfItsOwn(False)]
NEWER_THAN_CLAIMED = [Elsewhere(True), There(True), OfTheUserOnly(False), OfItsOwn(False)]
"""What is claimed may be sent already: the account where the newer one began is sent its own behind it."""


def kind(newer: Newer) -> str:
    return type(newer).__name__


@pytest_twisted.ensureDeferred
async def test_a_held_row_that_is_released_is_sent_if_it_is_the_users_password_still(
    provserver: RunningServer,
) -> None:
    await release(provserver, await held_at_hpdev01(provserver))
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert await waiting(provserver, ADA_UNIX) == []


@pytest.mark.parametrize("newer", NEWER, ids=kind)
@pytest_twisted.ensureDeferred
async def test_one_that_is_released_after_a_newer_change_is_gone(
    provserver: RunningServer, newer: Newer
) -> None:
    """Whoever releases it has read the list a while ago."""
    row = await held_at_hpdev01(provserver)
    assert (await newer.happen(provserver)).code == 0
    await release(provserver, row)
    provserver.clock.turn(WEEK)
    await provserver.delivered()
    hpdev01 = provserver.endpoint("hpdev01")
    assert hpdev01.received == newer.reaches_hpdev01
    assert holds(provserver, "hpdev01", "aokafor", OTHER) is newer.reaches_hpdev01
    assert await waiting(provserver, ADA_UNIX) == []


@pytest.mark.parametrize("newer", NEWER_THAN_CLAIMED, ids=kind)
@pytest_twisted.ensureDeferred
async def test_one_that_was_released_and_claimed_is_not_sent_after_a_newer_change(
    provserver: RunningServer, newer: Newer
) -> None:
    """The courier is at the door of the endpoint when the newer one is committed."""
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    row = await held_at_hpdev01(provserver)
    hpdev01 = provserver.endpoint("hpdev01")
    provserver.clock.turn(3600)
    await provserver.breathe()
    assert hpdev01.open_lines == 0, "nobody needed it for long"
    hpdev01.delay(20.0, times=1, operation=Operation.OPEN)
    await release(provserver, row)
    assert [one.state for one in await waiting(provserver, ADA_UNIX)] == [DeliveryState.CLAIMED]
    await provserver.set_parameter(PROPAGATION_WAIT, "0")
    assert (await newer.happen(provserver)).code == 0
    provserver.clock.turn(20)
    await provserver.delivered()
    assert hpdev01.received == newer.reaches_hpdev01
    assert holds(provserver, "hpdev01", "aokafor", OTHER) is newer.reaches_hpdev01
    assert await waiting(provserver, ADA_UNIX) == []


# ---------------------------------------------------------------- reported late


@pytest.mark.parametrize("again", ["the same server", "after a restart"])
@pytest_twisted.ensureDeferred
async def test_an_echo_that_comes_after_two_newer_changes_reverts_nobody(
    start_provserver: Starter, tmp_path: Path, again: str
) -> None:
    """P1 was long on its way: P2 was taken meanwhile, P3 after it, and P1's report is the last to come."""
    server = await start_provserver(directory=tmp_path)
    await server.set_parameter(PROPAGATION_WAIT, "0")
    ad = await wire(server, "psync-ad-corp")
    server.endpoint("hpdev01").delay(90.0, times=1)
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    server.clock.turn(2)
    assert (await ad.sync(ADA_AD, OTHER)).code == 0
    server.clock.turn(88)
    await server.delivered()
    assert (await ad.sync(ADA_AD, THIRD)).code == 0
    await server.delivered()
    assert server.endpoint("hpdev01").received == 3
    server.clock.turn(700)
    if again == "after a restart":
        await server.stop()
        server = await start_provserver(directory=tmp_path, clock=server.clock)
    unix = await wire(server, "pam-hpdev01")
    before = await snapshot(server)
    assert (await unix.sync(ADA_UNIX, NEW)).code == 0
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
    await server.delivered()
    assert await snapshot(server) == before
    assert await server.has_password("aokafor", THIRD)


@pytest_twisted.ensureDeferred
async def test_what_an_agent_sends_once_more_after_a_newer_change_is_in_the_history(
    provserver: RunningServer,
) -> None:
    """It was never told that its change had been accepted, and repeats it the next day; its account was not
    sent anything. (An agent that says when it captured the change will be told success: design, Concurrency.)
    """
    unix, ldap = await wire(provserver, "pam-hpdev01"), await wire(provserver, "agent-ldap-hq")
    await ldap.sync(ADA_LDAP, NEW)
    provserver.clock.turn(86_401)
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
    provserver.clock.turn(86_401)
    before = await snapshot(provserver)
    told = await ldap.sync(ADA_LDAP, NEW)
    assert (told.code, "used before" in told.text) == (ResultCode.CONSTRAINT_VIOLATION, True)
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_an_old_password_that_the_endpoint_kept_is_not_taken_back_from_it(
    provserver: RunningServer,
) -> None:
    """The endpoint took P1, and the line broke before it said so. P3 was taken elsewhere, and waits until the
    endpoint is there again; what its agent reports of P1 in the meantime is known, and P3 arrives.
    """
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    hpdev01 = provserver.endpoint("hpdev01")
    hpdev01.drop(times=1, after_taking_it=True)
    await ad.sync(ADA_AD, NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    hpdev01.down()
    assert "pending: 1" in (await ad.sync(ADA_AD, OTHER)).text
    assert (await unix.sync(ADA_UNIX, NEW)).code == 0
    assert await provserver.has_password("aokafor", OTHER)
    hpdev01.mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)
    assert provserver.endpoint("AD-Corp").received == 0
