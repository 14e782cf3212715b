"""Changes that waited at their agent: the one that was made last is the last one, whenever it arrives, and
what is sent again is answered again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import ADA_AD, ADA_UNIX, NEW, OTHER, holds, snapshot, wire

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.delivery.events import Outcome
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.journal.events import Event
from provserver.ldap.controls import Captured, encode_request
from provserver.ldap.messages import Control
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

HOUR = 3600.0
THIRD = "Reef-Signal-64"


async def told(
    server: RunningServer,
    agent: WireClient,
    account: str,
    password: str,
    *,
    change: bytes = b"1",
    waited: float = 0.0,
    ahead: float = 0.0,
) -> Told:
    """A change that the agent caught `waited` seconds ago; its clock is that far `ahead` of ours."""
    now = server.clock.wall() + ahead
    control = encode_request(Captured(change, now - waited, now))
    return await agent.modify(account, replace("eTSyncPassword", password), controls=[control])


async def without_guard(start: Starter, directory: Path | None = None) -> RunningServer:
    """What the guard refuses for ten minutes is another matter. The users' first passwords are a day old."""
    server = await start(directory=directory)
    server.clock.turn(24 * HOUR)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    return server


async def has(server: RunningServer, password: str) -> bool:
    return await server.has_password("aokafor", password)


@pytest.mark.parametrize("ahead", [0.0, -2 * HOUR, 2 * HOUR], ids=["right", "slow", "fast"])
@pytest_twisted.ensureDeferred
async def test_mondays_change_does_not_undo_tuesdays(start_provserver: Starter, ahead: float) -> None:
    """Whatever the agent's clock says: how long the change has waited counts."""
    server = await without_guard(start_provserver)
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    await server.delivered()
    server.clock.turn(HOUR)
    before = await snapshot(server)
    late = await told(server, unix, ADA_UNIX, OTHER, waited=2 * HOUR, ahead=ahead)
    assert (late.code, "is out of date" in late.text) == (ResultCode.SUCCESS, True)
    assert await snapshot(server) == before
    (line,) = [line for line in await server.journal() if line.event == Outcome.OUT_OF_DATE]
    assert "pam-hpdev01" in line.fields["by"]
    assert await has(server, NEW)
    news = await told(server, unix, ADA_UNIX, THIRD, change=b"2", waited=HOUR / 2, ahead=ahead)
    assert (news.code, "updated: " in news.text) == (ResultCode.SUCCESS, True)
    assert await has(server, THIRD)


@pytest_twisted.ensureDeferred
async def test_of_two_changes_that_waited_the_later_one_counts_in_either_order(
    start_provserver: Starter,
) -> None:
    for first, second in ((2 * HOUR, HOUR), (HOUR, 2 * HOUR)):
        server = await without_guard(start_provserver)
        ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
        passwords = {first: NEW, second: OTHER}
        assert (await told(server, ad, ADA_AD, NEW, waited=first)).code == 0
        assert (await told(server, unix, ADA_UNIX, OTHER, waited=second)).code == 0
        assert await has(server, passwords[HOUR])
        await server.delivered()
        assert holds(server, "ldap-hq", "aokafor", passwords[HOUR])


@pytest.mark.parametrize("stored", ["in memory", "after a restart"])
@pytest_twisted.ensureDeferred
async def test_what_is_sent_again_is_answered_again_and_done_once(
    start_provserver: Starter, tmp_path: Path, stored: str
) -> None:
    server = await without_guard(start_provserver, tmp_path if stored == "after a restart" else None)
    server.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("not that one"), times=1)
    ad = await wire(server, "psync-ad-corp")
    first = await told(server, ad, ADA_AD, NEW, waited=HOUR)
    assert "failures: 1" in first.text
    await server.delivered()
    if stored == "after a restart":
        await server.stop()
        server = await start_provserver(directory=tmp_path, clock=server.clock)
        ad = await wire(server, "psync-ad-corp")
    before = await snapshot(server)
    server.clock.turn(60)
    again = await told(server, ad, ADA_AD, NEW, waited=HOUR + 60)
    assert again.result == first.result
    assert await snapshot(server) == before
    assert len([line for line in await server.journal() if line.event == Event.SYNC_ACCEPTED]) == 1


@pytest_twisted.ensureDeferred
async def test_another_agents_change_of_the_same_name_is_another_change(start_provserver: Starter) -> None:
    server = await without_guard(start_provserver)
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    assert (await told(server, ad, ADA_AD, NEW)).code == 0
    server.clock.turn(1)
    assert (await told(server, unix, ADA_UNIX, OTHER)).code == 0
    assert await has(server, OTHER)


@pytest_twisted.ensureDeferred
async def test_a_change_from_the_future_was_made_now(start_provserver: Starter) -> None:
    """The agent's clock was set back while it waited; later changes are not locked out by it."""
    server = await without_guard(start_provserver)
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    assert (await told(server, ad, ADA_AD, NEW, waited=-24 * HOUR)).code == 0
    server.clock.turn(1)
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
    assert await has(server, OTHER)


@pytest_twisted.ensureDeferred
async def test_a_change_that_did_not_wait_forgets_what_the_one_before_it_said(
    start_provserver: Starter,
) -> None:
    server = await without_guard(start_provserver)
    ad = await wire(server, "psync-ad-corp")
    assert (await told(server, ad, ADA_AD, NEW, waited=HOUR)).code == 0
    entry = await server.entry(user_dn("aokafor"))
    assert entry is not None
    assert "provcapturedchange" in entry.attributes
    assert (await ad.sync(ADA_AD, OTHER)).code == 0
    entry = await server.entry(user_dn("aokafor"))
    assert entry is not None
    assert "provcapturedchange" not in entry.attributes


@pytest_twisted.ensureDeferred
async def test_it_is_still_the_policy_that_says_what_is_taken(start_provserver: Starter) -> None:
    server = await without_guard(start_provserver)
    ad = await wire(server, "psync-ad-corp")
    assert (await told(server, ad, ADA_AD, "short")).code == ResultCode.CONSTRAINT_VIOLATION
    assert (await told(server, ad, ADA_AD, NEW)).code == 0


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\x30\x00",
        b"\x30\x24\x04\x00\x04\x0f20261121120000Z\x04\x0f20261121120000Z",
        b"\x30\x15\x04\x01a\x04\x0f20261121120000Z\x04\x00",
        b"\x30\x24\x04\x01a\x04\x0f20261321120000Z\x04\x0e2026112112000",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_control_that_cannot_be_read_is_a_protocol_error(
    start_provserver: Starter, value: bytes | None
) -> None:
    server = await without_guard(start_provserver)
    ad = await wire(server, "psync-ad-corp")
    control = Control(Captured.oid, False, value)
    answer = await ad.modify(ADA_AD, replace("eTSyncPassword", NEW), controls=[control])
    assert (answer.code, Captured.name in answer.text) == (ResultCode.PROTOCOL_ERROR, True)
    assert not await has(server, NEW)
