"""A modify that touches a trigger attribute: the password exchange instead of a tree operation.

Which attributes are triggers, and what each triggers, is said in the schema (`X-PROV-TRIGGER`), not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.directory.access import Identity, may_change_password, may_synchronise, may_write
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.imps.messages import Message
from provserver.imps.users import MUST_CHANGE, MUST_CHANGE_KEY
from provserver.ldap.controls import Captured, PolicyError
from provserver.ldap.messages import Change, ChangeKind, ModifyRequest
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.asked import NOTHING_ASKED, Asked
from provserver.operations.conditions import demand_no_conditions
from provserver.operations.context import House, Line, demand_confidentiality
from provserver.operations.proxying import asker_of
from provserver.passwords.callers import Answer, Caller
from provserver.passwords.capturing import Capture
from provserver.vault.secret import Secret

TEST: Final = "test"
SYNC: Final = "sync"
PASSWORD: Final = "password"
SYNC_ACCOUNTS: Final = "sync-accounts"
OPERATION_ID: Final = "operation-id"
LONGEST: Final = 1024
"""Bytes of a password, whatever the profile says (ours): each is sealed once for every account."""
_BOOLEANS: Final = {b"TRUE": True, b"FALSE": False}
_COMPANIONS: Final = frozenset({OPERATION_ID, SYNC_ACCOUNTS})
"""Triggers that may come with a password: all others would be left undone, and the answer a lie."""


def triggers_of(changes: Sequence[Change], schema: Schema) -> dict[str, Change]:
    """The changes that are triggers, by what they trigger, the last of each; empty for an ordinary modify."""
    found: dict[str, Change] = {}
    for change in changes:
        trigger = schema.trigger_of(change.attribute.description)
        if trigger is not None:
            found[trigger] = change
    return found


async def exchange(
    request: ModifyRequest,
    triggers: dict[str, Change],
    identity: Identity,
    line: Line,
    house: House,
    asked: Asked = NOTHING_ASKED,
) -> Result:
    """Judge the caller's right on the name alone, then hand over to the exchange."""
    demand_confidentiality(line, house)
    dn, _ = house.rooms.views.resolve(request.dn)
    demand_no_conditions(asked, "a password trigger goes without it")
    caller = caller_on(line, identity, asked)
    if TEST in triggers or SYNC in triggers:
        return await _agent(request, triggers, dn, caller, house, asked.get(Captured))
    if PASSWORD in triggers:
        return await _own_or_reset(request, triggers, dn, caller, house)
    if not may_write(identity, dn):
        raise password_not_allowed(caller, "modify", dn)
    first = next(iter(triggers.values())).attribute.description
    raise Refusal(
        ResultCode.UNWILLING_TO_PERFORM, f"{first} is understood, but does nothing yet without eTPassword"
    )


async def _agent(
    request: ModifyRequest,
    triggers: dict[str, Change],
    dn: DN,
    caller: Caller,
    house: House,
    captured: Captured | None,
) -> Result:
    if not may_synchronise(caller.identity, dn):
        raise password_not_allowed(caller, "synchronise passwords of", dn)
    kind = SYNC if SYNC in triggers else TEST
    *others, asked = _alone(request, kind, house.rooms.schema)
    if others:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{asked.attribute.description}: given twice")
    secret = one_password(asked)
    if kind == TEST:
        return _result(await house.exchange.test(caller, dn, secret))
    capture = Capture.of(captured, caller, house.wall())
    return _result(await house.lasting.finish(house.exchange.sync(caller, dn, secret, capture)))


async def _own_or_reset(
    request: ModifyRequest, triggers: dict[str, Change], dn: DN, caller: Caller, house: House
) -> Result:
    if not may_change_password(caller.identity, dn):
        raise password_not_allowed(caller, "change the password of", dn)
    *others, asked = _alone(request, PASSWORD, house.rooms.schema, beside=MUST_CHANGE_KEY)
    if len(others) > 1 or (others and others[0].kind is not ChangeKind.DELETE):
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{asked.attribute.description}: given twice")
    # The old password deleted and the new one added: a change by who knows the old one.
    old = one_password(others[0]) if others and others[0].attribute.values else None
    propagate = SYNC_ACCOUNTS in triggers and triggers[SYNC_ACCOUNTS].attribute.values == (b"1",)
    change = house.user_changes.change(
        caller,
        dn,
        one_password(asked),
        old=old,
        propagate=propagate,
        demand=_demand(request, dn, caller, house.rooms.schema),
    )
    return _result(await house.lasting.finish(change))


def _demand(request: ModifyRequest, dn: DN, caller: Caller, schema: Schema) -> bool | None:
    """Whether a reset says itself that its user must change the password again, or need not; None: it says
    nothing. Refusal.
    """
    found = [c for c in request.changes if schema.known_key(c.attribute.description) == MUST_CHANGE_KEY]
    if not found:
        return None
    if not may_write(caller.identity, dn) or caller.identity.dn == dn:
        raise password_not_allowed(caller, f"set {MUST_CHANGE} of", dn)
    values = [change.attribute.values for change in found if change.kind is not ChangeKind.DELETE]
    word = _BOOLEANS.get(values[0][0].upper()) if len(found) == 1 and values and len(values[0]) == 1 else None
    if word is None:
        raise Refusal(
            ResultCode.INVALID_ATTRIBUTE_SYNTAX,
            f"{MUST_CHANGE}: expected to be replaced once, by TRUE or FALSE, beside a password",
        )
    return word


def one_password(change: Change) -> Secret:
    """The one value of a password trigger; a Refusal never says what it was."""
    name, values = change.attribute.description, change.attribute.values
    if len(values) != 1:
        raise Refusal(
            ResultCode.CONSTRAINT_VIOLATION, f"{name}: expected exactly one value, {len(values)} were given"
        )
    return usable(Secret(values[0]), name)


def usable(secret: Secret, name: str) -> Secret:
    """What can be a password at all; a Refusal names the field that it came in."""
    octets = secret.reveal()
    if not octets:
        raise _unusable(name, "an empty password is not allowed", PolicyError.PASSWORD_TOO_SHORT)
    if len(octets) > LONGEST:
        raise _unusable(name, f"a password has at most {LONGEST} bytes")
    if b"\0" in octets:
        raise _unusable(name, "a password cannot contain a NUL character")
    try:
        octets.decode()
    except UnicodeDecodeError:
        raise _unusable(name, "expected UTF-8 text", code=ResultCode.INVALID_ATTRIBUTE_SYNTAX) from None
    return secret


def _unusable(
    name: str,
    why: str,
    policy_error: PolicyError = PolicyError.INSUFFICIENT_PASSWORD_QUALITY,
    code: ResultCode = ResultCode.CONSTRAINT_VIOLATION,
) -> Refusal:
    return Refusal(code, f"{name}: {why}", policy_error=policy_error)


def _alone(request: ModifyRequest, kind: str, schema: Schema, beside: str = "") -> list[Change]:
    """The changes of one trigger, of which the last sets it, in a request that does nothing else (but to the
    attribute of the key `beside`): half done would be a lie. Refusal UNWILLING_TO_PERFORM.
    """
    found = []
    for change in request.changes:
        trigger = schema.trigger_of(change.attribute.description)
        if trigger == kind:
            found.append(change)
        elif trigger not in _COMPANIONS and schema.known_key(change.attribute.description) != beside:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM,
                f"{change.attribute.description} cannot be changed in one request with a password trigger",
            )
    if found[-1].kind not in (ChangeKind.ADD, ChangeKind.REPLACE):
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM,
            f"{found[-1].attribute.description} can be added or replaced, nothing else",
        )
    return found


def caller_on(line: Line, identity: Identity, asked: Asked) -> Caller:
    return Caller(identity, line.peer, asker_of(identity), asked.cause)


def password_not_allowed(caller: Caller, what: str, dn: DN) -> Refusal:
    return Refusal(
        ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
        Message.NOT_ALLOWED.say(who=caller.identity.name(), what=what, dn=str(dn)),
        policy_error=PolicyError.PASSWORD_MOD_NOT_ALLOWED,
    )


def _result(answer: Answer) -> Result:
    return Result(answer.code, answer.text)
