"""What a test and a sync are answered, as a table: code, message, and what has changed.

The order of the steps is design "The exchange"; the texts are in imps/messages.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    ELIF_AD,
    FRANCO_AD,
    IN_PROGRESS,
    NEW,
    NOBODY_AD,
    ORACLE,
    OTHER,
    PASSWORDS,
    holds,
    snapshot,
    wire,
)

from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer

ADA_AD_NAME = "Active Directory Account 'Okafor, Ada' on 'AD-Corp'"
ADA_UNIX_NAME = "UNIX - etc Account 'aokafor' on 'hpdev01'"
CHECK, CHANGE = (
    ":ETA_E_9010<MAC>, Password check for {} failed: {}",
    ":ETA_E_9011<MAC>, Password change for {} failed: {}",
)


async def nothing(server: RunningServer) -> None:
    """No history."""


async def changed_on_ad(server: RunningServer) -> None:
    """Ada's password became NEW on AD-Corp, and was delivered to her other accounts."""
    agent = await wire(server, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0


async def changed_on_unix(server: RunningServer) -> None:
    agent = await wire(server, "pam-hpdev01")
    assert (await agent.sync(ADA_UNIX, NEW)).code == 0


@dataclass(frozen=True)
class Row:
    name: str
    agent: str
    account: str
    password: str
    code: ResultCode
    subject: str
    """The account, as messages name it; empty: the text is `reason` and nothing else."""
    reason: str
    before: Callable[[RunningServer], Awaitable[None]] = nothing


TABLE = [
    Row(
        "an unknown account",
        "psync-ad-corp",
        NOBODY_AD,
        NEW,
        ResultCode.NO_SUCH_OBJECT,
        "",
        ":ETA_E_9001<MAC>, 'eTADSAccountName=Nobody,eTADSContainerName=Users,eTADSDirectoryName=AD-Corp,"
        "eTNamespaceName=ActiveDirectory,dc=im' does not exist",
    ),
    Row(
        "an entry that is no account",
        "psync-ad-corp",
        f"eTADSContainerName=Users,{AD_CORP}",
        NEW,
        ResultCode.OBJECT_CLASS_VIOLATION,
        "",
        ":ETA_E_9002<MAC>, 'eTADSContainerName=Users,eTADSDirectoryName=AD-Corp,"
        "eTNamespaceName=ActiveDirectory,dc=im' is not an account: it takes no password synchronisation",
    ),
    Row(
        "an account that nobody owns",
        "pam-hpdev01",
        ORACLE,
        NEW,
        ResultCode.UNWILLING_TO_PERFORM,
        "UNIX - etc Account 'oracle' on 'hpdev01'",
        "the account is not yet correlated to this global user",
    ),
    Row(
        "a user without eTPropagatePassword",
        "psync-ad-corp",
        FRANCO_AD,
        NEW,
        ResultCode.UNWILLING_TO_PERFORM,
        "Active Directory Account 'Franco Greco' on 'AD-Corp'",
        "password synchronization is not enabled for Global User 'fgreco' (eTPropagatePassword)",
    ),
    Row(
        "a suspended user",
        "psync-ad-corp",
        ELIF_AD,
        NEW,
        ResultCode.UNWILLING_TO_PERFORM,
        "Active Directory Account 'Elif Yilmaz' on 'AD-Corp'",
        "Global User 'eyilmaz' is suspended",
    ),
    Row(
        "another password inside the window (facts/imps.md 3.4.3)",
        "psync-ad-corp",
        ADA_AD,
        OTHER,
        ResultCode.UNWILLING_TO_PERFORM,
        ADA_AD_NAME,
        IN_PROGRESS,
        changed_on_unix,
    ),
    Row(
        "a weak password, with every reason",
        "psync-ad-corp",
        ADA_AD,
        "-----",
        ResultCode.CONSTRAINT_VIOLATION,
        ADA_AD_NAME,
        "at least 10 characters are needed, 5 were given; "
        "at least 1 upper-case letter is needed, none were given; "
        "at least 1 lower-case letter is needed, none were given; "
        "at least 1 digit is needed, none were given [tooShort, tooFewUpper, tooFewLower, tooFewDigits]",
    ),
    Row(
        "a password of the history",
        "psync-ad-corp",
        ADA_AD,
        PASSWORDS["aokafor"],
        ResultCode.CONSTRAINT_VIOLATION,
        ADA_AD_NAME,
        "the password was used before (among the last 5 passwords) [inHistory]",
        changed_on_ad,
    ),
]


@pytest.mark.parametrize("trigger", ["test", "sync"])
@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
@pytest_twisted.ensureDeferred
async def test_what_is_refused_is_refused_in_these_words_and_changes_nothing(
    provserver: RunningServer, row: Row, trigger: str
) -> None:
    await row.before(provserver)
    await provserver.delivered()
    agent = await wire(provserver, row.agent)
    before = await snapshot(provserver)
    told = await (agent.test if trigger == "test" else agent.sync)(row.account, row.password)
    await provserver.delivered()
    assert told.code is row.code
    form = CHECK if trigger == "test" else CHANGE
    assert told.text == (form.format(row.subject, row.reason) if row.subject else row.reason)
    assert row.password not in told.text
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("trigger", ["test", "sync"])
@pytest_twisted.ensureDeferred
async def test_an_echo_is_success_and_does_nothing(provserver: RunningServer, trigger: str) -> None:
    await changed_on_ad(provserver)
    agent = await wire(provserver, "pam-hpdev01")
    before = await snapshot(provserver)
    told = await (agent.test if trigger == "test" else agent.sync)(ADA_UNIX, NEW)
    assert told.code is ResultCode.SUCCESS
    assert told.text == f":ETA_S_9013<MAC>, Password of {ADA_UNIX_NAME} was set by this server: nothing to do"
    await provserver.delivered()
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_a_test_that_passes_writes_nothing(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    before = await snapshot(provserver)
    told = await agent.test(ADA_AD, NEW)
    assert told.code is ResultCode.SUCCESS
    assert told.text == f":ETA_S_9012<MAC>, Password check for {ADA_AD_NAME} succeeded"
    assert await snapshot(provserver) == before
    assert [event.event for event in await provserver.journal()][-1:] == [8001]


@pytest_twisted.ensureDeferred
async def test_a_sync_that_passes_changes_the_user_and_tells_the_other_accounts(
    provserver: RunningServer,
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.sync(ADA_AD, NEW)
    assert told.code is ResultCode.SUCCESS
    assert told.text == (
        ":ETA_S_0245<MGU>, Global User 'aokafor' and associated account passwords updated successfully: "
        "(accounts updated: 2, unchanged: 1, failures: 0)"
    )
    assert await provserver.has_password("aokafor", NEW)
    assert not await provserver.has_password("aokafor", PASSWORDS["aokafor"])
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert holds(provserver, "ldap-hq", "aokafor", NEW)
    assert provserver.endpoint("AD-Corp").asked.total() == 0
    assert provserver.endpoint("MVSPROD").asked.total() == 0


@pytest_twisted.ensureDeferred
async def test_the_global_user_logs_in_with_the_new_password_and_no_longer_with_the_old_one(
    provserver: RunningServer,
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    await agent.sync(ADA_AD, NEW)
    client = await provserver.wire("aokafor", NEW)
    told = await client.bind(
        "eTGlobalUserName=aokafor,eTGlobalUserContainerName=Global Users,"
        "eTNamespaceName=CommonObjects,dc=im,dc=eta",
        PASSWORDS["aokafor"],
    )
    assert told.code is ResultCode.INVALID_CREDENTIALS
