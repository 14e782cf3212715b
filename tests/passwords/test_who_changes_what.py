"""Every kind of change of a password, with the rules and the audit that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    NEW,
    OTHER,
    PASSWORDS,
    SUFFIX,
    administrator,
    holds,
    wire,
)

from provserver.connectors.contract import PasswordOption
from provserver.imps.parameters import CHECK_ACCOUNT_PASSWORDS
from provserver.journal.events import Event
from provserver.ldap.controls import ProxiedAuthorization, encode_request
from provserver.ldap.extended import PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.messages import ModifyRequest, Request
from provserver.ldap.results import ResultCode
from provserver.storage.contract import JournalEvent
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import add, delete, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA: Final = user_dn("aokafor")
OLD: Final = PASSWORDS["aokafor"]
PROFILE: Final = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    f"eTNamespaceName=CommonObjects,{SUFFIX}"
)
SYNCED: Final = replace("eTSyncAccounts", "1")
PROPAGATED: Final = {"AD-Corp", "hpdev01", "ldap-hq"}
OWN: Final = PasswordOption.UNLOCK_ACCOUNT | PasswordOption.VALIDATE_PASSWORD
RESET: Final = PasswordOption.FORCE_CHANGE_AT_LOGON
NAMES: Final = {"AD-Corp": "Okafor, Ada", "hpdev01": "aokafor", "ldap-hq": "aokafor", "MVSPROD": "OKAFOR1"}


def inside(dn: str) -> str:
    return dn.removesuffix(",dc=eta")


def in_repository(dn: str) -> str:
    return f"{inside(dn)},dc=etadb"


@dataclass(frozen=True)
class Kind:
    """A way to change a password."""

    who: str
    request: Request
    event: Event
    refused: Event
    updated: frozenset[str] = frozenset()
    """The endpoints that have it afterwards."""
    options: PasswordOption | None = None
    """What they were told; None: it goes nowhere."""
    user: bool = True
    """Whether it is the global user's password afterwards."""
    account: str = ""
    history: bool = True
    """Whether the user's old passwords are refused."""
    interval: bool = False
    """Whether it must not be changed too soon after another one."""
    must_change: bool = False


def modified(dn: str, *changes: object) -> ModifyRequest:
    return ModifyRequest(dn, changes)  # type: ignore[arg-type]  # they are changes


def kinds(password: str) -> dict[str, Kind]:
    secret = Secret.of_text(password)
    every = frozenset(PROPAGATED)
    reported = frozenset(PROPAGATED - {"AD-Corp"})
    sync = Event.SYNC_ACCEPTED, Event.SYNC_REFUSED
    own = Event.USER_CHANGED, Event.USER_CHANGE_REFUSED
    reset = Event.USER_RESET, Event.USER_RESET_REFUSED
    alone = Event.ACCOUNT_RESET, Event.ACCOUNT_RESET_REFUSED
    mine = {"options": OWN, "updated": every, "interval": True}
    its = {"history": False, "must_change": True}
    return {
        "an agent's sync": Kind(
            "psync-ad-corp",
            modified(ADA_AD, replace("eTSyncPassword", password)),
            *sync,
            updated=reported,
            options=PasswordOption.NONE,
            account=ADA_AD,
        ),
        "an agent's sync in the repository's view": Kind(
            "psync-ad-corp",
            modified(in_repository(ADA_AD), replace("eTSyncPassword", password)),
            *sync,
            updated=reported,
            options=PasswordOption.NONE,
            account=ADA_AD,
        ),
        "one's own, replaced": Kind(
            "aokafor", modified(ADA, replace("eTPassword", password)), *own, interval=True
        ),
        "one's own, deleted and added": Kind(
            "aokafor",
            modified(in_repository(ADA), delete("eTPassword", OLD), add("eTPassword", password), SYNCED),
            *own,
            **mine,  # type: ignore[arg-type]  # of these types
        ),
        "one's own, by Password Modify": Kind(
            "aokafor",
            extended(PasswordModify(None, Secret.of_text(OLD), secret)),
            *own,
            **mine,  # type: ignore[arg-type]  # of these types
        ),
        "a reset": Kind("etaadmin", modified(ADA, replace("eTPassword", password)), *reset, **its),
        "a reset with eTSyncAccounts": Kind(
            "etaadmin",
            modified(ADA, replace("eTPassword", password), SYNCED),
            *reset,
            updated=every,
            options=RESET,
            **its,
        ),
        "a reset in the repository's view": Kind(
            "etaadmin",
            modified(in_repository(ADA), replace("eTPassword", password), SYNCED),
            *reset,
            updated=every,
            options=RESET,
            **its,
        ),
        "a reset by Password Modify": Kind(
            "etaadmin",
            extended(PasswordModify("u:aokafor", None, secret)),
            *reset,
            updated=every,
            options=RESET,
            **its,
        ),
        "a reset of one account": Kind(
            "etaadmin",
            extended(PasswordModify(ADA_UNIX, None, secret)),
            *alone,
            updated=frozenset({"hpdev01"}),
            options=RESET,
            user=False,
            account=ADA_UNIX,
            history=False,
        ),
    }


KINDS: Final = tuple(kinds(NEW))


async def options_of(server: RunningServer, endpoint: str) -> PasswordOption | None:
    """What the last password that went there was to be set with."""
    store = server.service.foundation.store
    owner = await server.entry(ADA)
    assert owner is not None
    for account in await server.service.foundation.inclusions.accounts(owner):
        if f"={endpoint}," in str(account.dn):
            marks = await store.marks(account.id)
            return PasswordOption(marks[-1].options) if marks else None
    raise LookupError(endpoint)


async def lines(server: RunningServer, event: Event) -> list[JournalEvent]:
    return [line for line in await server.journal() if line.event == event]


@pytest.mark.parametrize("name", KINDS)
@test
async def test_what_it_changes_and_what_the_journal_says(provserver: RunningServer, name: str) -> None:
    kind = kinds(NEW)[name]
    client = await wire(provserver, kind.who)
    told = await client.ask(kind.request)
    assert told.code == 0, told
    assert await provserver.has_password("aokafor", NEW if kind.user else OLD)
    got = {endpoint for endpoint, account in NAMES.items() if holds(provserver, endpoint, account, NEW)}
    assert got == kind.updated
    for endpoint in kind.updated:
        assert await options_of(provserver, endpoint) == kind.options
    entry = await provserver.entry(ADA)
    assert entry is not None
    assert (entry.text("provmustchangepassword") == "TRUE") is (kind.must_change and kind.user)
    (line,) = await lines(provserver, kind.event)
    assert line.fields["by"] == inside(user_dn(kind.who))
    assert line.fields["peer"].startswith("127.0.0.1")
    assert line.fields["user"] == inside(ADA)
    assert line.fields["change"]
    assert line.fields.get("account", "") == inside(kind.account)
    assert ("must change" in line.fields) is (kind.options == RESET or kind.must_change)
    assert "asked by" not in line.fields
    if kind.user:
        assert line.fields["deliveries"] == str(len(kind.updated))
    assert NEW not in str(await provserver.journal())


@pytest.mark.parametrize("name", KINDS)
@test
async def test_a_weak_one_is_refused_and_the_journal_says_so(provserver: RunningServer, name: str) -> None:
    await provserver.set_parameter(CHECK_ACCOUNT_PASSWORDS, "ALL")
    kind = kinds("weak")[name]
    client = await wire(provserver, kind.who)
    assert (await client.ask(kind.request)).code is ResultCode.CONSTRAINT_VIOLATION
    (line,) = await lines(provserver, kind.refused)
    assert line.fields["by"] == inside(user_dn(kind.who))
    assert line.fields["peer"].startswith("127.0.0.1")
    assert line.fields["user" if kind.event is not Event.SYNC_ACCEPTED else "account"]
    assert await lines(provserver, kind.event) == []


@pytest.mark.parametrize("name", KINDS)
@test
async def test_history_is_for_what_users_choose(provserver: RunningServer, name: str) -> None:
    kind = kinds(OLD)[name]
    client = await wire(provserver, kind.who)
    agent_repeats = kind.event is Event.SYNC_ACCEPTED  # of the present password: success
    refused = kind.history and not agent_repeats
    told = await client.ask(kind.request)
    assert told.code is (ResultCode.CONSTRAINT_VIOLATION if refused else ResultCode.SUCCESS)


@pytest.mark.parametrize("name", KINDS)
@test
async def test_the_minimum_interval_is_for_ones_own_changes(provserver: RunningServer, name: str) -> None:
    admin = await administrator(provserver)
    kind = kinds(NEW)[name]
    client = await wire(provserver, kind.who)
    assert (await admin.modify(PROFILE, replace("provMinInterval", "3600"))).code == 0
    told = await client.ask(kind.request)
    assert told.code is (ResultCode.CONSTRAINT_VIOLATION if kind.interval else ResultCode.SUCCESS)


@test
async def test_two_agents_are_told_apart(provserver: RunningServer) -> None:
    """Seed 000: a different administrator per domain controller."""
    first, second = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    assert (await first.sync(ADA_AD, NEW)).code == 0
    provserver.clock.turn(90_000)
    assert (await second.sync(ADA_UNIX, OTHER)).code == 0
    one, other = await lines(provserver, Event.SYNC_ACCEPTED)
    assert [one.fields["by"], other.fields["by"]] == [
        inside(user_dn("psync-ad-corp")),
        inside(user_dn("pam-hpdev01")),
    ]


@test
async def test_who_acts_for_a_user_is_named_beside_it(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    request = ModifyRequest(ADA, (replace("eTPassword", NEW),))
    acting = [encode_request(ProxiedAuthorization("u:aokafor"), critical=True)]
    assert (await admin.ask(request, acting)).code == 0
    (line,) = await lines(provserver, Event.USER_CHANGED)
    assert (line.fields["by"], line.fields["asked by"]) == (inside(ADA), inside(user_dn("etaadmin")))
