"""Whatever an agent sends in the place of a password: a documented code, nothing changed, and no trace of the
value in anything that the server writes; and what may come with a password.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    NEW,
    NOBODY_AD,
    administrator,
    holds,
    snapshot,
    wire,
)
from twisted.logger import formatEvent, globalLogPublisher

from provserver.imps.parameters import TRANSACTION_LOG_LEVEL
from provserver.ldap.controls import PasswordPolicyResponse, PolicyError
from provserver.ldap.messages import Change, Control
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import add, delete, replace

CODE = ResultCode
POLICY_ASKED: Final = Control(PasswordPolicyResponse.oid)
LONG: Final = "Long-Ledger-77-" + "x" * (10_000 - 15)
SECRET: Final = "Ledger-77"
"""In each of the values below, so that it may be in nothing that is written."""
TRIGGERS: Final = ("eTTestPassword", "eTSyncPassword")

BAD_VALUES: Final[dict[str, tuple[tuple[str | bytes, ...], CODE]]] = {
    "two values": ((f"A-{SECRET}", f"B-{SECRET}"), CODE.CONSTRAINT_VIOLATION),
    "the same value twice": ((f"A-{SECRET}", f"A-{SECRET}"), CODE.CONSTRAINT_VIOLATION),
    "none": ((), CODE.CONSTRAINT_VIOLATION),
    "empty": (("",), CODE.CONSTRAINT_VIOLATION),
    "NUL": ((f"A-{SECRET}\0",), CODE.CONSTRAINT_VIOLATION),
    "NUL alone": (("\0",), CODE.CONSTRAINT_VIOLATION),
    "10,000 characters": ((LONG,), CODE.CONSTRAINT_VIOLATION),
    "10,000 letters of two octets": (("é" * (10_000 - len(SECRET)) + SECRET,), CODE.CONSTRAINT_VIOLATION),
    "not UTF-8": ((f"A-{SECRET}".encode() + b"\xff",), CODE.INVALID_ATTRIBUTE_SYNTAX),
    "UTF-16": ((f"A-{SECRET}".encode("utf-16"),), CODE.CONSTRAINT_VIOLATION),
    "half a letter": ((f"A-{SECRET}".encode() + "é".encode()[:1],), CODE.INVALID_ATTRIBUTE_SYNTAX),
    "a surrogate": ((f"A-{SECRET}".encode() + b"\xed\xa0\x80",), CODE.INVALID_ATTRIBUTE_SYNTAX),
}
"""UTF-16 is no UTF-8, and has NULs: it could be either code, and is always this one."""

BAD_REQUESTS: Final[dict[str, tuple[str, tuple[Change, ...], CODE]]] = {
    "on an endpoint": (
        AD_CORP,
        (replace("eTSyncPassword", f"A-{SECRET}"),),
        CODE.OBJECT_CLASS_VIOLATION,
    ),
    "on nothing": (
        f"eTADSAccountName=Ghost,{AD_CORP}",
        (replace("eTSyncPassword", f"A-{SECRET}"),),
        CODE.NO_SUCH_OBJECT,
    ),
    "on nobody's account": (
        NOBODY_AD,
        (replace("eTSyncPassword", f"A-{SECRET}"),),
        CODE.NO_SUCH_OBJECT,
    ),
    "on an account of another endpoint": (
        ADA_UNIX,
        (replace("eTSyncPassword", f"A-{SECRET}"),),
        CODE.INSUFFICIENT_ACCESS_RIGHTS,
    ),
    "with another change": (
        ADA_AD,
        (replace("eTSyncPassword", f"A-{SECRET}"), replace("eTDescription", "x")),
        CODE.UNWILLING_TO_PERFORM,
    ),
    "a test and a sync": (
        ADA_AD,
        (replace("eTTestPassword", f"A-{SECRET}"), replace("eTSyncPassword", f"A-{SECRET}")),
        CODE.UNWILLING_TO_PERFORM,
    ),
    "deleted": (ADA_AD, (delete("eTSyncPassword", f"A-{SECRET}"),), CODE.UNWILLING_TO_PERFORM),
    "twice": (
        ADA_AD,
        (add("eTSyncPassword", f"A-{SECRET}"), add("eTSyncPassword", f"B-{SECRET}")),
        CODE.CONSTRAINT_VIOLATION,
    ),
    "a slip in the name": (
        ADA_AD,
        (replace("eTSyncPasword", f"A-{SECRET}"),),
        CODE.INSUFFICIENT_ACCESS_RIGHTS,
    ),
    "an option that it has not": (
        ADA_AD,
        (replace("eTSyncPassword;lang-en", f"A-{SECRET}"),),
        CODE.INSUFFICIENT_ACCESS_RIGHTS,
    ),
}


@pytest.fixture
def program_log() -> Iterator[list[str]]:
    """What the server tells the log of its process."""
    said: list[str] = []

    def observe(event: dict[str, object]) -> None:
        said.append(formatEvent(event))  # type: ignore[arg-type]
        said.append(str(event.get("log_failure", "")))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    yield said
    globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]


async def refused(
    start_provserver: Starter,
    folder: Path,
    program_log: list[str],
    dn: str,
    changes: tuple[Change, ...],
) -> ResultCode:
    """The code of a request that is refused, after it was seen that nothing changed and nothing was said."""
    server = await start_provserver(
        directory=folder, logs=folder / "logs", settings=["logging.etatrans=true", "logging.access=true"]
    )
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "7")
    agent = await wire(server, "psync-ad-corp")
    before = await snapshot(server)
    told = await agent.modify(dn, *changes, controls=[POLICY_ASKED])
    assert await snapshot(server) == before
    assert SECRET not in told.text
    assert SECRET not in str(told)
    assert SECRET not in str(await server.journal())
    await server.stop()
    assert SECRET not in "".join(program_log)
    assert traces(folder) == []
    return told.code


def traces(folder: Path) -> list[str]:
    """Files in which the secret stands: of logs, store, and whatever else was written."""
    written = [file for file in folder.rglob("*") if file.is_file()]
    assert {file.name.partition("20")[0] for file in written} >= {"access.log", "etatrans", "store.db"}
    forms = [SECRET.encode(), SECRET.encode("utf-16-le"), b64encode(SECRET.encode())]
    return [file.name for file in written if any(form in file.read_bytes() for form in forms)]


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("what", BAD_VALUES)
@pytest_twisted.ensureDeferred
async def test_a_value_that_cannot_be_a_password_leaves_no_trace(
    start_provserver: Starter, tmp_path: Path, program_log: list[str], trigger: str, what: str
) -> None:
    values, code = BAD_VALUES[what]
    changes = (replace(trigger, *values),)
    assert await refused(start_provserver, tmp_path, program_log, ADA_AD, changes) is code


@pytest.mark.parametrize("what", BAD_REQUESTS)
@pytest_twisted.ensureDeferred
async def test_a_request_that_cannot_be_carried_out_leaves_no_trace(
    start_provserver: Starter, tmp_path: Path, program_log: list[str], what: str
) -> None:
    dn, changes, code = BAD_REQUESTS[what]
    assert await refused(start_provserver, tmp_path, program_log, dn, changes) is code


@pytest.mark.parametrize("trigger", [*TRIGGERS, "eTPassword"])
@pytest_twisted.ensureDeferred
async def test_a_password_that_is_too_long_for_anybody_says_how_long_one_may_be(
    provserver: RunningServer, trigger: str
) -> None:
    own = trigger == "eTPassword"
    client = await wire(provserver, "aokafor" if own else "psync-ad-corp")
    dn = user_dn("aokafor") if own else ADA_AD
    told = await client.modify(dn, replace(trigger, LONG), controls=[POLICY_ASKED])
    assert told.code is CODE.CONSTRAINT_VIOLATION
    assert told.text == f"{trigger}: a password has at most 1024 bytes"
    policy = told.control(PasswordPolicyResponse)
    assert policy is not None
    assert policy.error is PolicyError.INSUFFICIENT_PASSWORD_QUALITY


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest_twisted.ensureDeferred
async def test_a_password_of_1024_bytes_is_one(provserver: RunningServer, trigger: str) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.modify(ADA_AD, replace(trigger, LONG[:1024]))
    assert told.code is CODE.SUCCESS, told.text


COMPANIONS: Final = {
    "operation id": (replace("eTUseOperationID", "IM-7f1c"),),
    "accounts": (replace("eTSyncAccounts", "1"),),
    "both": (replace("eTUseOperationID", "IM-7f1c"), replace("eTSyncAccounts", "1")),
}


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("what", COMPANIONS)
@pytest.mark.parametrize("trigger", [*TRIGGERS, "eTPassword"])
@pytest_twisted.ensureDeferred
async def test_other_triggers_may_come_with_a_password_as_in_requests_of_imps(
    provserver: RunningServer, trigger: str, what: str, first: bool
) -> None:
    """facts/imps.md 2: eTSyncAccounts in the same modify, eTUseOperationID in any."""
    own = trigger == "eTPassword"
    client = await (administrator(provserver) if own else wire(provserver, "psync-ad-corp"))
    dn = user_dn("aokafor") if own else ADA_AD
    password = (replace(trigger, NEW),)
    changes = (*COMPANIONS[what], *password) if first else (*password, *COMPANIONS[what])
    told = await client.modify(dn, *changes)
    assert told.code is CODE.SUCCESS, told.text
    is_set = trigger != "eTTestPassword"
    assert await provserver.has_password("aokafor", NEW) is is_set
    propagated = trigger == "eTSyncPassword" or (own and what != "operation id")
    assert holds(provserver, "hpdev01", "aokafor", NEW) is propagated
