"""Modifies that touch a trigger: what a password looks like, what may come with it, over which line."""

from __future__ import annotations

import pytest
import pytest_twisted
from far_away import Line, as_administrator, asked
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    COMMON,
    NEW,
    OTHER,
    SUFFIX,
    administrator,
    snapshot,
    wire,
)

from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    Change,
    ModifyRequest,
    PartialAttribute,
    Request,
)
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import add, delete, replace
from provserver.vault.secret import Secret

CONSTRAINT = ResultCode.CONSTRAINT_VIOLATION
UNWILLING = ResultCode.UNWILLING_TO_PERFORM
BAD = [
    ("two values", (NEW, OTHER), CONSTRAINT, "expected exactly one value, 2 were given"),
    ("no value", (), CONSTRAINT, "expected exactly one value, 0 were given"),
    ("an empty value", ("",), CONSTRAINT, "an empty password is not allowed"),
    ("a NUL", (f"{NEW}\0tail",), CONSTRAINT, "a password cannot contain a NUL character"),
    ("not UTF-8", (b"\xff\xfe" + NEW.encode(),), ResultCode.INVALID_ATTRIBUTE_SYNTAX, "expected UTF-8 text"),
]


@pytest.mark.parametrize("trigger", ["eTTestPassword", "eTSyncPassword", "eTPassword"])
@pytest.mark.parametrize(("what", "values", "code", "text"), BAD, ids=[row[0] for row in BAD])
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_a_password_is_refused_and_never_repeated(
    provserver: RunningServer,
    trigger: str,
    what: str,
    values: tuple[str | bytes, ...],
    code: ResultCode,
    text: str,
) -> None:
    if trigger == "eTPassword":
        client, dn = await wire(provserver, "aokafor"), user_dn("aokafor")
    else:
        client, dn = await wire(provserver, "psync-ad-corp"), ADA_AD
    before = await snapshot(provserver)
    told = await client.modify(dn, replace(trigger, *values))
    assert (told.code, told.text) == (code, f"{trigger}: {text}")
    assert NEW not in told.text
    assert await snapshot(provserver) == before
    assert not any(NEW in str(event) for event in await provserver.journal())


@pytest.mark.parametrize(
    "changes",
    [
        (replace("eTTestPassword", NEW), replace("eTDescription", "x")),
        (replace("eTDescription", "x"), replace("eTSyncPassword", NEW)),
        (replace("eTTestPassword", NEW), replace("eTSyncPassword", NEW)),
        (replace("eTTestPassword", NEW), replace("eTPassword", NEW)),
        (replace("eTSyncPassword", NEW), replace("eTPassword", NEW)),
        (replace("eTSyncPassword", NEW), replace("eTExploreUpdateEtrust", "1")),
        (replace("eTSyncPassword", NEW), replace("eTNoSuchThing", "x")),
    ],
    ids=lambda changes: "+".join(change.attribute.description for change in changes),
)
@pytest_twisted.ensureDeferred
async def test_a_trigger_with_another_change_is_refused_as_a_whole(
    provserver: RunningServer, changes: tuple[Change, ...]
) -> None:
    admin = await administrator(provserver)
    before = await snapshot(provserver)
    told = await admin.modify(ADA_AD, *changes)
    assert told.code in (UNWILLING, ResultCode.UNDEFINED_ATTRIBUTE_TYPE), told
    assert NEW not in told.text
    assert await snapshot(provserver) == before


@pytest.mark.parametrize(
    "changes",
    [
        (delete("eTSyncPassword", NEW),),
        (delete("eTSyncPassword"),),
        (delete("eTTestPassword", NEW),),
        (delete("eTSyncPassword", OTHER), add("eTSyncPassword", NEW)),
        (add("eTSyncPassword", NEW), add("eTSyncPassword", OTHER)),
        (add("eTTestPassword", NEW), delete("eTTestPassword", NEW)),
    ],
    ids=lambda changes: "+".join(change.kind.name for change in changes),
)
@pytest_twisted.ensureDeferred
async def test_an_agents_trigger_is_set_once_and_never_deleted(
    provserver: RunningServer, changes: tuple[Change, ...]
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    before = await snapshot(provserver)
    told = await agent.modify(ADA_AD, *changes)
    assert told.code in (UNWILLING, CONSTRAINT), told
    assert NEW not in told.text
    assert OTHER not in told.text
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("change", [replace, add])
@pytest_twisted.ensureDeferred
async def test_a_trigger_may_be_added_or_replaced_in_any_spelling(
    provserver: RunningServer, change: type[Change]
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.modify(ADA_AD, change("ETSYNCPASSWORD", NEW))  # type: ignore[call-arg,arg-type]
    assert told.code == 0, told
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_an_operation_id_may_come_with_a_trigger(provserver: RunningServer) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    told = await agent.modify(ADA_AD, replace("eTUseOperationID", "IM-1"), replace("eTSyncPassword", NEW))
    assert told.code == 0, told


@pytest.mark.parametrize(
    "dn",
    [
        f"eTNamespaceName=ActiveDirectory,{SUFFIX}",
        AD_CORP,
        f"eTADSContainerName=Users,{AD_CORP}",
        user_dn("aokafor"),
        COMMON,
        SUFFIX,
    ],
)
@pytest.mark.parametrize("trigger", ["eTTestPassword", "eTSyncPassword"])
@pytest_twisted.ensureDeferred
async def test_a_trigger_on_what_is_no_account_is_an_object_class_violation(
    provserver: RunningServer, trigger: str, dn: str
) -> None:
    admin = await administrator(provserver)
    before = await snapshot(provserver)
    told = await admin.modify(dn, replace(trigger, NEW))
    assert told.code is ResultCode.OBJECT_CLASS_VIOLATION
    assert "is not an account" in told.text
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("dn", [ADA_AD, AD_CORP, COMMON])
@pytest_twisted.ensureDeferred
async def test_the_password_of_what_is_no_global_user_cannot_be_set(
    provserver: RunningServer, dn: str
) -> None:
    admin = await administrator(provserver)
    before = await snapshot(provserver)
    assert (await admin.modify(dn, replace("eTPassword", NEW))).code is UNWILLING
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("trigger", ["eTSyncAccounts", "eTSyncUsers"])
@pytest_twisted.ensureDeferred
async def test_triggers_that_do_nothing_yet_say_so(provserver: RunningServer, trigger: str) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(user_dn("aokafor"), replace(trigger, "1"))
    assert (told.code, trigger in told.text) == (UNWILLING, True)


# ---------------------------------------------------------------- over which line


PASSWORD_ATTRIBUTE = PartialAttribute("eTPassword", (NEW.encode(),))
WITH_PASSWORDS: list[Request] = [
    BindRequest(3, user_dn("etaadmin"), Secret(b"Harbour-Master-99")),
    ModifyRequest(ADA_AD, (replace("eTTestPassword", NEW),)),
    ModifyRequest(ADA_AD, (replace("eTSyncPassword", NEW),)),
    ModifyRequest(user_dn("aokafor"), (replace("eTPassword", NEW),)),
    ModifyRequest(AD_CORP, (replace("provConnector"), replace("provSecret", f"password={NEW}"))),
    AddRequest(user_dn("new"), (PartialAttribute("objectClass", (b"eTGlobalUser",)), PASSWORD_ATTRIBUTE)),
]


def says(operation: Request) -> str:
    changes = getattr(operation, "changes", ())
    return type(operation).__name__ + "".join(f" {change.attribute.description}" for change in changes)


@pytest.mark.parametrize("operation", WITH_PASSWORDS, ids=says)
@pytest_twisted.ensureDeferred
async def test_a_password_in_clear_from_another_machine_is_refused(
    provserver: RunningServer, operation: Request
) -> None:
    """RFC 4513 6.3.2 and 4511 A.2: confidentialityRequired."""
    line = Line()
    await as_administrator(provserver, line)
    before = await snapshot(provserver)
    result = await asked(provserver, line, operation)
    assert result.code is ResultCode.CONFIDENTIALITY_REQUIRED
    assert await snapshot(provserver) == before
    assert await provserver.entry(user_dn("new")) is None


@pytest.mark.parametrize("line", [Line(tls=True), Line(is_loopback=True)], ids=["TLS", "loopback"])
@pytest.mark.parametrize("operation", WITH_PASSWORDS, ids=says)
@pytest_twisted.ensureDeferred
async def test_over_tls_or_from_this_machine_it_is_taken(
    provserver: RunningServer, operation: Request, line: Line
) -> None:
    await as_administrator(provserver, line)
    assert (await asked(provserver, line, operation)).code == 0


@pytest_twisted.ensureDeferred
async def test_a_setting_takes_passwords_over_any_line(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["passwords.require_protected_connection=false"])
    assert (await asked(server, Line(), WITH_PASSWORDS[0])).code == 0


@pytest_twisted.ensureDeferred
async def test_what_is_no_password_may_be_asked_in_clear(provserver: RunningServer) -> None:
    line = Line()
    await as_administrator(provserver, line)
    harmless = ModifyRequest(user_dn("aokafor"), (replace("eTTitle", "Admiral"),))
    assert (await asked(provserver, line, harmless)).code == 0


# ---------------------------------------------------------------- what the tree's own operations say


@pytest_twisted.ensureDeferred
async def test_a_trigger_cannot_be_added_with_an_entry(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.add(
        f"eTETCAccountName=fresh,{ADA_UNIX.partition(',')[2]}",
        {"objectClass": ["eTETCAccount"], "eTSyncPassword": [NEW]},
    )
    assert told.code is UNWILLING
    assert NEW not in told.text
