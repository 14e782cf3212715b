"""What every request passes through: identity → controls → the operation → its log line → the answer.

One coroutine a request, which does not suspend unless it waits for the disk or an endpoint.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from provserver.directory.access import Identity, Role
from provserver.directory.schema import Schema
from provserver.imps.parameters import TRANSACTION_LOG_LEVEL
from provserver.journal.etatrans import EVERYTHING, FAILURES, MASK, WRITES, Etatrans, leaf
from provserver.ldap.codec import encode_message, encode_result
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    ProxiedAuthorization,
)
from provserver.ldap.messages import (
    PASSWORD_MODIFY,
    AddRequest,
    BindRequest,
    Change,
    CompareRequest,
    DeleteRequest,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    Request,
    SearchRequest,
)
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.accesses import Accesses, target_of
from provserver.operations.asked import NOTHING_ASKED, Asked, read_controls
from provserver.operations.bind import bind
from provserver.operations.compare import compare
from provserver.operations.context import BoundAs, House, Line, identity_on, nearest, not_stored
from provserver.operations.extended import extended
from provserver.operations.limits_reached import note_limit
from provserver.operations.principals import acting_as
from provserver.operations.referrals import demand_held_here
from provserver.operations.restricted import demand_change_of_password
from provserver.operations.search import Searches
from provserver.operations.triggers import exchange, triggers_of
from provserver.operations.writes import add, delete, modify, rename
from provserver.passwords.expiry import Warned
from provserver.passwords.hashing import HashingBusy
from provserver.storage.contract import StoreFailed

_ANSWERS: Final[dict[type, int]] = {
    BindRequest: 0x61,
    SearchRequest: 0x65,
    ModifyRequest: 0x67,
    AddRequest: 0x69,
    DeleteRequest: 0x6B,
    ModifyDNRequest: 0x6D,
    CompareRequest: 0x6F,
    ExtendedRequest: 0x78,
}
"""Which protocolOp answers which (RFC 4511 4.2-4.12); what is not here is never answered."""

_LOGGED_FROM: Final[dict[type, tuple[str, int]]] = {
    BindRequest: ("Bind", EVERYTHING),
    SearchRequest: ("Search", EVERYTHING),
    ModifyRequest: ("Modify", WRITES),
    AddRequest: ("Add", WRITES),
    DeleteRequest: ("Delete", WRITES),
    ModifyDNRequest: ("ModifyDN", WRITES),
    CompareRequest: ("Compare", EVERYTHING),
    ExtendedRequest: ("Extended", EVERYTHING),
}
_PASSWORD_MODIFY: Final = "PasswdMod", WRITES
_NO_FAILURE: Final = frozenset({ResultCode.SUCCESS, ResultCode.COMPARE_FALSE, ResultCode.COMPARE_TRUE})


class Chain:
    """Handles the requests of all connections."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._searches = Searches(house)
        self._accesses = None if house.access is None else Accesses(house.access)

    def connected(self, connection: Line) -> None:
        """A connection is anonymous until it binds."""
        if self._accesses is not None:
            self._accesses.connected(connection)

    def secured(self, connection: Line) -> None:
        """TLS is established."""
        if self._accesses is not None:
            self._accesses.secured(connection)

    def disconnected(self, connection: Line) -> None:
        """What it had begun was cancelled, or is `Lasting`; what it could have gone on with is closed."""
        self._searches.forget(connection)
        if self._accesses is not None:
            self._accesses.disconnected(connection)

    async def handle(self, connection: Line, message: Message) -> bytes:
        """The final answer to one request. Only bugs raise: the wire turns them into `other` with an
        incident id.
        """
        line = connection
        operation = message.operation
        answer = _ANSWERS.get(type(operation))
        if answer is None:
            return b""
        accesses = self._accesses
        began = 0.0 if accesses is None else accesses.now()
        identity = await identity_on(line, self._house)
        asked = NOTHING_ASKED
        answered: Result | ExtendedResponse
        policy_error: int | None = None
        try:
            if message.controls or self._house.requests.wanted:
                asked = self._asked(message, line)
                proxy = asked.get(ProxiedAuthorization)
                if proxy is not None:
                    identity = await acting_as(proxy.authorization_id, identity, self._house)
            answered = await self._perform(message, identity, line, asked)
        except Refusal as refusal:
            answered, policy_error = refusal.result, refusal.policy_error
            if answered.code is ResultCode.NO_SUCH_OBJECT:
                matched = await nearest(target_of(operation), identity, self._house)
                answered = replace(answered, matched_dn=matched)
            self._note_limit(answered, operation, line)
        except (HashingBusy, StoreFailed) as unable:
            answered = _unable(unable)
            self._note_limit(answered, operation, line)
        except Exception as unanswered:
            if accesses is not None:
                accesses.operation(began, message, identity, line, unanswered)
            raise
        if asked.get(PasswordPolicyRequest) is not None:
            error = _bound_by(operation, line) if policy_error is None else PolicyError(policy_error)
            asked.answer(PasswordPolicyResponse(_warned(operation, line), error))
        result = answered.result if isinstance(answered, ExtendedResponse) else answered
        await self._log(message, identity, result, asked.cause)
        if accesses is not None:
            accesses.operation(began, message, identity, line, result)
        if isinstance(answered, ExtendedResponse):
            return encode_message(Message(message.id, answered, tuple(asked.answers)))
        return encode_result(message.id, answer, answered, asked.answers)

    def _note_limit(self, result: Result, operation: object, line: Line) -> None:
        note_limit(result, operation, line, self._house.bounds, self._house.offences)

    def _asked(self, message: Message, line: Line) -> Asked:
        """The controls of a request, and its name for what follows from it. Refusals of `read_controls`."""
        if isinstance(message.operation, BindRequest):
            line.identity = None  # from now on, whatever becomes of its controls (RFC 4513 4)
        asked = read_controls(message.controls, cast(Request, message.operation), self._house.limits)
        return asked.because_of(self._house.etatrans.reserve("E")) if self._house.requests.wanted else asked

    async def _perform(
        self, message: Message, identity: Identity, line: Line, asked: Asked
    ) -> Result | ExtendedResponse:
        house, operation = self._house, message.operation
        if identity.role is Role.MUST_CHANGE:
            demand_change_of_password(operation, identity, house.rooms.schema)
        if isinstance(operation, SearchRequest):
            return await self._searches.search(message.id, operation, identity, line, asked)
        if not isinstance(operation, BindRequest | ExtendedRequest):
            await demand_held_here(operation, identity, asked, house)
        if isinstance(operation, ModifyRequest):
            triggers = triggers_of(operation.changes, house.rooms.schema)
            if triggers:
                return await exchange(operation, triggers, identity, line, house, asked)
            return await modify(operation, identity, line, house, asked)
        if isinstance(operation, BindRequest):
            self._searches.forget(line)
            return await bind(operation, line, house)
        if isinstance(operation, CompareRequest):
            return await compare(operation, identity, line, house, asked)
        if isinstance(operation, AddRequest):
            return await add(operation, identity, line, house, asked)
        if isinstance(operation, DeleteRequest):
            return await delete(operation, identity, house, asked)
        if isinstance(operation, ExtendedRequest):
            return await extended(operation, message.id, identity, line, house, asked)
        if isinstance(operation, ModifyDNRequest):
            return await rename(operation, identity, house, asked)
        raise AssertionError(f"{type(operation).__name__} has an answer but no handler")

    async def _log(self, message: Message, identity: Identity, result: Result, own: str) -> None:
        log: Etatrans = self._house.etatrans
        if not log.enabled:
            return
        name, level = _LOGGED_FROM[type(message.operation)]
        if isinstance(message.operation, ExtendedRequest) and message.operation.oid == PASSWORD_MODIFY:
            name, level = _PASSWORD_MODIFY
        failed = result.code not in _NO_FAILURE
        log.level = await self._house.parameters.get(TRANSACTION_LOG_LEVEL)
        if log.level < (FAILURES if failed else level):
            return
        operation = message.operation
        dn = target_of(operation)
        transaction = log.begin("E", name, own=own)
        transaction.start(f"External {name} ({leaf(dn)}) Requested by User {identity.name()}")
        if isinstance(operation, ModifyRequest):
            schema = self._house.rooms.schema
            transaction.parameters(dn, [_shown(change, schema) for change in operation.changes])
        if failed:
            what = f"External {name} ({leaf(dn)})"
            transaction.failure(what, int(result.code), result.code.name, result.diagnostic)
        else:
            transaction.success(result.diagnostic or f"External {name}")


def _unable(error: HashingBusy | StoreFailed) -> Result:
    """What is said where it is nobody's fault."""
    return not_stored(error) if isinstance(error, StoreFailed) else Result(ResultCode.BUSY, str(error))


def _shown(change: Change, schema: Schema) -> tuple[str, str]:
    """A change as the log has it: `eTTitle` and `New_Title [REPLACE]`, secrets masked."""
    description, values = change.attribute.description, change.attribute.values
    hidden = schema.hides(description)
    text = MASK if hidden else ", ".join(value.decode(errors="replace") for value in values)
    return description, f"{text} [{change.kind.name}]"


def _warned(operation: object, line: Line) -> Warned:
    """What a bind is told of its password."""
    bound = line.identity
    return bound.warned if isinstance(operation, BindRequest) and isinstance(bound, BoundAs) else None


def _bound_by(operation: object, line: Line) -> PolicyError | None:
    """What a bind is told of what it may do: nothing, but change its password."""
    bound = line.identity if isinstance(operation, BindRequest) else None
    if isinstance(bound, BoundAs) and bound.identity.role is Role.MUST_CHANGE:
        return PolicyError.CHANGE_AFTER_RESET
    return None
