"""The echo guard of one account cleared by an administrator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    BORIS_AD,
    BORIS_UNIX,
    IN_PROGRESS,
    NEW,
    NOBODY_AD,
    OTHER,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.journal.events import Event
from provserver.ldap.extended import ClearGuard, encode_request
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

test = pytest_twisted.ensureDeferred
THIRD = "Reef-Signal-64"


async def clear(client: WireClient, account: str) -> dict[str, Any]:
    told = await client.ask(encode_request(ClearGuard(account)))
    assert told.code is ResultCode.SUCCESS, told
    found: dict[str, Any] = json.loads(told.value or b"")
    return found


def refused(told: Told) -> bool:
    return told.code is ResultCode.UNWILLING_TO_PERFORM and told.text.endswith(IN_PROGRESS)


def is_echo(told: Told) -> bool:
    return told.code is ResultCode.SUCCESS and "nothing to do" in told.text


@pytest.mark.parametrize("account", [ADA_UNIX, f"{ADA_UNIX}db", "UNIX - etc:hpdev01:aokafor"])
@test
async def test_another_password_is_taken_at_once_and_echoes_are_still_echoes(
    provserver: RunningServer, account: str
) -> None:
    admin = await administrator(provserver)
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    assert refused(await unix.sync(ADA_UNIX, OTHER))
    explanation = await clear(admin, account)
    assert (explanation["cleared"], explanation["guard"]["refuses"]) == (True, False)
    assert is_echo(await unix.sync(ADA_UNIX, NEW))
    told = await unix.sync(ADA_UNIX, OTHER)
    assert (told.code, is_echo(told)) == (ResultCode.SUCCESS, False)
    assert holds(provserver, "AD-Corp", "Okafor, Ada", OTHER)
    # A late report of what was sent before reverts nobody.
    assert is_echo(await unix.sync(ADA_UNIX, NEW))
    assert await provserver.has_password("aokafor", OTHER)


@test
async def test_it_is_of_one_account_and_of_what_was_sent_until_then(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    await ad.sync(BORIS_AD, NEW)
    await clear(admin, ADA_UNIX)
    assert refused(await unix.sync(BORIS_UNIX, OTHER))
    provserver.clock.turn(1)
    await ad.sync(ADA_AD, OTHER)
    assert refused(await unix.sync(ADA_UNIX, THIRD)), "guarded as ever"


@test
async def test_also_while_an_attempt_lasts(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    provserver.endpoint("hpdev01").delay(90.0, times=1)
    asked = ad.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    assert refused(await unix.test(ADA_UNIX, OTHER))
    await clear(admin, ADA_UNIX)
    assert (await unix.test(ADA_UNIX, OTHER)).code is ResultCode.SUCCESS
    provserver.clock.turn(90)
    await ad.answer(asked)
    assert (await unix.test(ADA_UNIX, OTHER)).code is ResultCode.SUCCESS, "it was sent before"


@test
async def test_the_journal_says_who_did_it_and_from_where(provserver: RunningServer) -> None:
    admin, ad = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    await ad.sync(ADA_AD, NEW)
    await clear(admin, ADA_UNIX)
    events = [event for event in await provserver.journal() if event.event == Event.GUARD_CLEARED]
    assert [(event.text, event.fields) for event in events] == [
        (
            "Echo guard of UNIX - etc Account 'aokafor' on 'hpdev01' cleared",
            {
                "by": user_dn("etaadmin").removesuffix(",dc=eta"),
                "peer": "127.0.0.1",
                "account": ADA_UNIX.removesuffix(",dc=eta"),
                "user": user_dn("aokafor").removesuffix(",dc=eta"),
            },
        )
    ]


@test
async def test_where_nothing_refuses_nothing_is_written(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    before = await snapshot(provserver)
    assert (await clear(admin, ADA_UNIX))["cleared"] is False
    assert await snapshot(provserver) == before
    assert not [event for event in await provserver.journal() if event.event == Event.GUARD_CLEARED]


@pytest.mark.parametrize("who", ["", "cmercier", "pam-hpdev01"])
@pytest.mark.parametrize("account", [ADA_UNIX, NOBODY_AD, "UNIX - etc:hpdev01:ghost"])
@test
async def test_it_is_for_administrators_whether_or_not_there_is_such_an_account(
    provserver: RunningServer, who: str, account: str
) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    await ad.sync(ADA_AD, NEW)
    client = await (wire(provserver, who) if who else provserver.wire())
    before = await snapshot(provserver)
    told = await client.ask(encode_request(ClearGuard(account)))
    assert (told.code, told.value) == (ResultCode.INSUFFICIENT_ACCESS_RIGHTS, None)
    assert await snapshot(provserver) == before


@test
async def test_nobody_writes_the_time_of_a_clearing(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(ADA_UNIX, replace("provGuardCleared", "20300101000000Z"))
    assert told.code is ResultCode.CONSTRAINT_VIOLATION


@test
async def test_it_survives_a_restart(start_provserver: Starter, tmp_path: Path) -> None:
    first = await start_provserver(directory=tmp_path)
    await (await wire(first, "psync-ad-corp")).sync(ADA_AD, NEW)
    await clear(await administrator(first), ADA_UNIX)
    await first.stop()
    second = await start_provserver(directory=tmp_path, clock=first.clock)
    unix = await wire(second, "pam-hpdev01")
    assert is_echo(await unix.sync(ADA_UNIX, NEW))
    assert not refused(await unix.sync(ADA_UNIX, OTHER))
    assert await second.has_password("aokafor", OTHER)


@test
async def test_others_who_change_the_account_at_the_same_time_lose_nothing(
    provserver: RunningServer,
) -> None:
    admin, ad = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    await ad.sync(ADA_AD, NEW)
    asked = [admin.begin(encode_request(ClearGuard(ADA_UNIX)))]
    asked += [admin.begin(ModifyRequest(ADA_UNIX, (replace("description", str(n)),))) for n in range(5)]
    asked.append(admin.begin(encode_request(ClearGuard(ADA_UNIX))))
    told = [await admin.answer(number) for number in asked]
    assert {one.code for one in told} == {ResultCode.SUCCESS}
    entry = await provserver.entry(ADA_UNIX)
    assert entry is not None
    assert entry.text("description") == "4"
    assert entry.text("provguardcleared")
    assert await id_of(provserver, ADA_UNIX) == entry.id
