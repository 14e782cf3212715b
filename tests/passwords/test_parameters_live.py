"""What each config parameter changes, told from outside: before, with another value, and back again, without
a restart, whichever view it is written in.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    NEW,
    ORACLE,
    OTHER,
    PASSWORDS,
    administrator,
    wire,
)

from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    AUTOMATIC_CORRELATION,
    CHECK_ACCOUNT_PASSWORDS,
    ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS,
    PROPAGATION_WAIT,
    UPDATE_ONLY_GLOBAL_USER,
    Parameter,
)
from provserver.ldap.extended import PasswordModify, encode_request
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
VIEWS = [",dc=eta", ",dc=etadb", ""]
ORACLE_USER = user_dn("oracle")
WEAK = "weak"

Ask = Callable[[RunningServer], Awaitable[str]]
"""What somebody is told, in short."""


def in_short(told: Told) -> str:
    """The code, and the reason or the counts."""
    return f"{told.code.name}: {re.split('(?:failed|succeeded|successfully|reset)(?:: )?', told.text)[-1]}"


async def reset(server: RunningServer, account: str, password: str) -> Told:
    request = PasswordModify(account, None, Secret.of_text(password))
    return await (await administrator(server)).ask(encode_request(request))


async def another_password(server: RunningServer) -> str:
    """A test on an account to which one was sent 100 seconds ago."""
    agent = await wire(server, "pam-hpdev01")
    store = server.service.foundation.store
    entry = await server.entry(ADA_UNIX)
    assert entry is not None
    if not await store.marks(entry.id):
        await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
        server.clock.turn(100)
    return in_short(await agent.test(ADA_UNIX, OTHER))


async def a_sync(server: RunningServer) -> str:
    """A new password each time."""
    server.clock.turn(1)
    agent = await wire(server, "psync-ad-corp")
    return in_short(await agent.sync(ADA_AD, f"Kelp-Compass-{int(server.clock.seconds())}"))


async def a_sync_to_who_is_slow(server: RunningServer) -> str:
    endpoint = server.endpoint("hpdev01")
    endpoint.delay(5.0, times=1)
    agent = await wire(server, "psync-ad-corp")
    begun = agent.begin_sync(ADA_AD, f"Kelp-Compass-{int(server.clock.seconds())}")
    await server.breathe()
    server.clock.turn(3)
    await server.breathe()
    server.clock.turn(700)
    told = await agent.answer(begun)
    await server.delivered()
    return in_short(told)


async def a_test_of_who_is_nobodys(server: RunningServer) -> str:
    """The global user of its name is there."""
    if await server.entry(ORACLE_USER) is None:
        await server.load(f"dn: {ORACLE_USER}\nobjectClass: eTGlobalUser\neTPropagatePassword: 1\n")
    return in_short(await (await wire(server, "pam-hpdev01")).test(ORACLE, NEW))


async def a_weak_reset_on_ad(server: RunningServer) -> str:
    return in_short(await reset(server, ADA_AD, WEAK)).partition(" charac")[0]


async def a_reset_to_another(server: RunningServer) -> str:
    return in_short(await reset(server, ADA_UNIX, OTHER))


async def a_reset_to_the_users_own(server: RunningServer) -> str:
    return in_short(await reset(server, ADA_UNIX, PASSWORDS["aokafor"]))


PASSES = "SUCCESS: "
IN_PROGRESS = "UNWILLING_TO_PERFORM: Another password change is in progress."
SET = "SUCCESS: (accounts updated: 1, unchanged: 0, failures: 0)"
ENFORCED = (
    "UNWILLING_TO_PERFORM: it must be the current password of Global User 'aokafor'"
    " (Enforce Synchronized Account Passwords)"
)
TOO_SHORT = "CONSTRAINT_VIOLATION: at least 10"


@dataclass(frozen=True)
class Row:
    parameter: Parameter[Any]
    values: tuple[str, ...]
    ask: Ask
    by_default: str
    changed: str


TABLE = [
    Row(AGENT_RESPONSE_THRESHOLD, ("99",), another_password, IN_PROGRESS, PASSES),
    Row(AGENT_RESPONSE_THRESHOLD, ("0",), another_password, IN_PROGRESS, PASSES),
    Row(AGENT_RESPONSE_THRESHOLD, ("101",), another_password, IN_PROGRESS, IN_PROGRESS),
    Row(
        UPDATE_ONLY_GLOBAL_USER,
        ("Yes",),
        a_sync,
        "SUCCESS: (accounts updated: 2, unchanged: 1, failures: 0)",
        "SUCCESS: (accounts updated: 0, unchanged: 3, failures: 0)",
    ),
    Row(
        AUTOMATIC_CORRELATION,
        ("yes",),
        a_test_of_who_is_nobodys,
        "UNWILLING_TO_PERFORM: the account is not yet correlated to this global user",
        PASSES,
    ),
    Row(
        PROPAGATION_WAIT,
        ("60",),
        a_sync_to_who_is_slow,
        "SUCCESS: (accounts updated: 1, unchanged: 1, failures: 0, pending: 1)",
        "SUCCESS: (accounts updated: 2, unchanged: 1, failures: 0)",
    ),
    Row(CHECK_ACCOUNT_PASSWORDS, ("ALL",), a_weak_reset_on_ad, SET, TOO_SHORT),
    Row(CHECK_ACCOUNT_PASSWORDS, ("ActiveDirectory",), a_weak_reset_on_ad, SET, TOO_SHORT),
    Row(CHECK_ACCOUNT_PASSWORDS, ("ActiveDirectory:AD-Corp",), a_weak_reset_on_ad, SET, TOO_SHORT),
    Row(CHECK_ACCOUNT_PASSWORDS, ("UNIX - etc",), a_weak_reset_on_ad, SET, SET),
    Row(CHECK_ACCOUNT_PASSWORDS, ("ALL", "-ActiveDirectory"), a_weak_reset_on_ad, SET, SET),
    Row(
        CHECK_ACCOUNT_PASSWORDS,
        ("ALL", "-ActiveDirectory", "ActiveDirectory:AD-Corp"),
        a_weak_reset_on_ad,
        SET,
        TOO_SHORT,
    ),
    Row(CHECK_ACCOUNT_PASSWORDS, ("ActiveDirectory:AD-Corp", "-ALL"), a_weak_reset_on_ad, SET, SET),
    Row(ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS, ("Yes",), a_reset_to_another, SET, ENFORCED),
    Row(ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS, ("Yes",), a_reset_to_the_users_own, SET, SET),
]


@pytest.mark.parametrize("tail", VIEWS)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.parameter.name}={','.join(row.values)}")
@test
async def test_it_acts_at_once_and_back_again(provserver: RunningServer, row: Row, tail: str) -> None:
    admin = await administrator(provserver)
    domain = provserver.service.foundation.views.domain
    dn = f"{row.parameter.dn(domain)}{tail}"
    before = await read(admin, dn)
    assert await row.ask(provserver) == row.by_default
    told = await admin.modify(dn, replace("eTConfigParamValue", *row.values))
    assert told.code is ResultCode.SUCCESS, told
    for view in VIEWS:
        assert await read(admin, f"{row.parameter.dn(domain)}{view}") == list(row.values)
    assert await row.ask(provserver) == row.changed
    await admin.modify(dn, replace("eTConfigParamValue", *before))
    assert await row.ask(provserver) == row.by_default


async def read(client: WireClient, dn: str) -> list[str]:
    told = await client.search(dn, "(objectClass=eTConfigParam)", "eTConfigParamValue")
    return told.values("eTConfigParamValue")
