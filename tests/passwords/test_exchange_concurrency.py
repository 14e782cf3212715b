"""Many at once: one exchange per user at a time, nothing acknowledged is lost, the later commit wins."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    BORIS_AD,
    NEW,
    OTHER,
    UNIX,
    administrator,
    holds,
    wire,
)
from twisted.internet.defer import ensureDeferred, gatherResults

from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, AUTOMATIC_CORRELATION
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, replace

COUNT = 30
EXTRA = "".join(
    f"dn: eTETCAccountName=berth{number},{UNIX}\nobjectClass: eTETCAccount\neTETCAccountName: berth{number}\n"
    f"provGlobalUser: {user_dn('aokafor')}\n\n"
    for number in range(COUNT)
)


def berth(number: int) -> str:
    return f"eTETCAccountName=berth{number},{UNIX}"


def password(number: int) -> str:
    return f"Tide-Table-{number:03d}"


@pytest.mark.parametrize("stored", ["in memory", "on disk"])
@pytest_twisted.ensureDeferred
async def test_thirty_syncs_of_one_user_from_thirty_accounts_at_once(
    start_provserver: Starter, tmp_path: Path, stored: str
) -> None:
    server: RunningServer = await start_provserver(
        more=[EXTRA], directory=tmp_path if stored == "on disk" else None
    )
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    clients = [await wire(server, "pam-hpdev01") for _ in range(6)]
    asked = [
        (client := clients[number % 6], client.begin_sync(berth(number), password(number)))
        for number in range(COUNT)
    ]
    told = [await client.answer(number) for client, number in asked]
    assert [answer.code for answer in told] == [ResultCode.SUCCESS] * COUNT
    await server.exchanged()
    await server.delivered()

    accepted = [event for event in await server.journal() if event.event == 8010]
    assert len(accepted) == COUNT
    last = int(accepted[-1].fields["account"].partition(",")[0].removeprefix("eTETCAccountName=berth"))
    winner = password(last)
    assert [n for n in range(COUNT) if await server.has_password("aokafor", password(n))] == [last]
    for endpoint, account in [
        ("AD-Corp", "Okafor, Ada"),
        ("ldap-hq", "aokafor"),
        ("hpdev01", "aokafor"),
        *(("hpdev01", f"berth{number}") for number in range(COUNT) if number != last),
    ]:
        assert holds(server, endpoint, account, winner), account
    assert await server.service.foundation.store.deliveries() == []


@pytest_twisted.ensureDeferred
async def test_syncs_of_many_users_at_once(start_provserver: Starter, tmp_path: Path) -> None:
    more = "".join(
        f"dn: {user_dn(f'pilot{n}')}\nobjectClass: eTGlobalUser\neTPropagatePassword: 1\n\n"
        f"dn: {berth(n)}\nobjectClass: eTETCAccount\nprovGlobalUser: {user_dn(f'pilot{n}')}\n\n"
        for n in range(COUNT)
    )
    server = await start_provserver(more=[more], directory=tmp_path)
    client = await wire(server, "pam-hpdev01")
    asked = [client.begin_sync(berth(n), password(n)) for n in range(COUNT)]
    assert [(await client.answer(number)).code for number in asked] == [ResultCode.SUCCESS] * COUNT
    for n in range(COUNT):
        assert await server.has_password(f"pilot{n}", password(n))


@pytest_twisted.ensureDeferred
async def test_a_sync_and_changes_of_the_users_entry_both_happen(
    start_provserver: Starter, tmp_path: Path
) -> None:
    """A conflict of versions goes back to the gates; neither change is lost."""
    server = await start_provserver(directory=tmp_path)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    admin, ad = await administrator(server), await wire(server, "psync-ad-corp")
    told: list[Told] = []
    for number in range(10):
        answers = [
            admin.ask(ModifyRequest(user_dn("aokafor"), (replace("eTTitle", f"Title {number}"),))),
            ad.sync(ADA_AD, password(number)),
            admin.ask(ModifyRequest(user_dn("aokafor"), (replace("eTOffice", f"Office {number}"),))),
        ]
        told += await gatherResults([ensureDeferred(answer) for answer in answers])
    assert {answer.code for answer in told} == {ResultCode.SUCCESS}
    entry = await server.entry(user_dn("aokafor"))
    assert entry is not None
    assert (entry.text("ettitle"), entry.text("etoffice")) == ("Title 9", "Office 9")
    assert await server.has_password("aokafor", password(9))
    assert holds(server, "hpdev01", "aokafor", password(9))


@pytest_twisted.ensureDeferred
async def test_a_user_who_is_suspended_meanwhile_is_not_changed(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(directory=tmp_path)
    admin, ad = await administrator(server), await wire(server, "psync-ad-corp")
    suspend = admin.begin(ModifyRequest(user_dn("aokafor"), (replace("eTSuspended", "1"),)))
    synced = await ad.sync(ADA_AD, NEW)
    assert (await admin.answer(suspend)).code == 0
    changed = await server.has_password("aokafor", NEW)
    assert changed is (synced.code == 0), "what is acknowledged is done, what is refused is not"
    assert (await ad.sync(ADA_AD, OTHER)).code is ResultCode.UNWILLING_TO_PERFORM


@pytest_twisted.ensureDeferred
async def test_two_first_syncs_of_one_account_correlate_it_once(
    start_provserver: Starter, tmp_path: Path
) -> None:
    account = f"dn: eTETCAccountName=cmercier,{UNIX}\nobjectClass: eTETCAccount\neTETCAccountName: cmercier\n"
    server = await start_provserver(directory=tmp_path, more=[account])
    await server.set_parameter(AUTOMATIC_CORRELATION, "yes")
    agents = [await wire(server, "pam-hpdev01") for _ in range(2)]
    asked = [
        agent.begin_sync(f"eTETCAccountName=cmercier,{UNIX}", secret)
        for agent, secret in zip(agents, (NEW, OTHER), strict=True)
    ]
    codes = [(await agent.answer(number)).code for agent, number in zip(agents, asked, strict=True)]
    assert codes == [ResultCode.SUCCESS] * 2
    entry = await server.entry(f"eTETCAccountName=cmercier,{UNIX}")
    assert entry is not None
    assert len(await server.service.foundation.store.find("etcid", entry.id.encode())) == 1


@pytest_twisted.ensureDeferred
async def test_pipelined_requests_of_an_agent_are_carried_out_in_order(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    asked = [ad.begin_sync(ADA_AD, secret) for secret in (NEW, OTHER)]
    asked.append(ad.begin_sync(BORIS_AD, NEW))
    assert [(await ad.answer(number)).code for number in asked] == [ResultCode.SUCCESS] * 3
    assert await provserver.has_password("aokafor", OTHER)
    unix = await wire(provserver, "pam-hpdev01")
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
