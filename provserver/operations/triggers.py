"""A modify that touches a trigger attribute: the password exchange instead of a tree operation.

Which attributes are triggers, and what each triggers, is said in the schema (`X-PROV-TRIGGER`), not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.directory.access import Identity, may_change_password, may_synchronise
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.imps.messages import Message
from provserver.ldap.messages import Change, ChangeKind, ModifyRequest
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.context import House, Line, demand_confidentiality
from provserver.passwords.exchange import Answer, Caller
from provserver.vault.secret import Secret

TEST: Final = "test"
SYNC: Final = "sync"
PASSWORD: Final = "password"  # noqa: S105 -- a trigger's name
SYNC_ACCOUNTS: Final = "sync-accounts"
OPERATION_ID: Final = "operation-id"


def triggers_of(changes: Sequence[Change], schema: Schema) -> dict[str, Change]:
    """The changes that are triggers, by what they trigger; empty for an ordinary modify.

    Refusal CONSTRAINT_VIOLATION when one trigger is set twice in one request (except the delete and add of
    an own change).
    """
    found: dict[str, Change] = {}
    for change in changes:
        trigger = schema.trigger_of(change.attribute.description)
        if trigger is None:
            continue
        if trigger in found and found[trigger].kind is not ChangeKind.DELETE:
            raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{change.attribute.description}: given twice")
        found[trigger] = change
    return found


async def exchange(
    request: ModifyRequest, triggers: dict[str, Change], identity: Identity, line: Line, house: House
) -> Result:
    """Judge the caller's right on the name alone, then hand over to the exchange."""
    demand_confidentiality(line, house)
    dn, _ = house.rooms.views.resolve(request.dn)
    caller = Caller(identity, line.peer)
    if TEST in triggers or SYNC in triggers:
        return await _agent(request, triggers, dn, caller, house)
    if PASSWORD in triggers:
        return await _own_or_reset(request, triggers, dn, caller, house)
    first = next(iter(triggers.values())).attribute.description
    raise Refusal(
        ResultCode.UNWILLING_TO_PERFORM, f"{first} is understood, but does nothing yet without eTPassword"
    )


async def _agent(
    request: ModifyRequest, triggers: dict[str, Change], dn: DN, caller: Caller, house: House
) -> Result:
    if not may_synchronise(caller.identity, dn):
        raise _not_allowed(caller, "synchronise passwords of", dn)
    kind = SYNC if SYNC in triggers else TEST
    if TEST in triggers and SYNC in triggers:
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM, "eTTestPassword and eTSyncPassword cannot come together"
        )
    _alone(request, triggers, house.rooms.schema)
    secret = one_password(triggers[kind])
    if kind == TEST:
        return _result(await house.exchange.test(caller, dn, secret))
    return _result(await house.lasting.finish(house.exchange.sync(caller, dn, secret)))


async def _own_or_reset(
    request: ModifyRequest, triggers: dict[str, Change], dn: DN, caller: Caller, house: House
) -> Result:
    if not may_change_password(caller.identity, dn):
        raise _not_allowed(caller, "change the password of", dn)
    _alone(request, triggers, house.rooms.schema)
    old = next(
        (
            one_password(change)
            for change in request.changes
            if change.kind is ChangeKind.DELETE
            and change.attribute.values
            and house.rooms.schema.trigger_of(change.attribute.description) == PASSWORD
        ),
        None,
    )
    propagate = SYNC_ACCOUNTS in triggers and triggers[SYNC_ACCOUNTS].attribute.values == (b"1",)
    new = one_password(triggers[PASSWORD])
    change = house.exchange.change_user(caller, dn, new, old=old, propagate=propagate)
    return _result(await house.lasting.finish(change))


def one_password(change: Change) -> Secret:
    """The one value of a password trigger; a Refusal never says what it was."""
    name, values = change.attribute.description, change.attribute.values
    if len(values) != 1:
        raise Refusal(
            ResultCode.CONSTRAINT_VIOLATION, f"{name}: expected exactly one value, {len(values)} were given"
        )
    value = values[0]
    if not value:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{name}: an empty password is not allowed")
    if b"\0" in value:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{name}: a password cannot contain a NUL character")
    try:
        value.decode()
    except UnicodeDecodeError:
        raise Refusal(ResultCode.INVALID_ATTRIBUTE_SYNTAX, f"{name}: expected UTF-8 text") from None
    return Secret(value)


def _alone(request: ModifyRequest, triggers: dict[str, Change], schema: Schema) -> None:
    """Triggers do not mix with other changes: a half-done request would be a lie. The other triggers may
    come along.
    """
    for change in request.changes:
        if schema.trigger_of(change.attribute.description) is None:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM,
                f"{change.attribute.description} cannot be changed in one request with a password trigger",
            )


def _not_allowed(caller: Caller, what: str, dn: DN) -> Refusal:
    text = Message.NOT_ALLOWED.say(who=caller.identity.name(), what=what, dn=str(dn))
    return Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, text)


def _result(answer: Answer) -> Result:
    return Result(answer.code, answer.text)
