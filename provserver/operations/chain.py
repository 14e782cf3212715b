"""What every request passes through: controls → identity → the operation → its log line → the answer.

One coroutine a request, which does not suspend unless it waits for the disk or an endpoint.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from provserver.directory.access import Identity
from provserver.directory.schema import Schema
from provserver.imps.parameters import TRANSACTION_LOG_LEVEL
from provserver.journal.etatrans import MASK, Etatrans
from provserver.ldap.codec import encode_result
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    Change,
    CompareRequest,
    DeleteRequest,
    ExtendedRequest,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    SearchRequest,
)
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.bind import bind
from provserver.operations.compare import compare
from provserver.operations.context import House, Line, identity_on, nearest
from provserver.operations.search import Searches
from provserver.operations.triggers import exchange, triggers_of
from provserver.operations.writes import add, delete, modify, rename
from provserver.passwords.hashing import HashingBusy

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
    BindRequest: ("Bind", 7),
    SearchRequest: ("Search", 7),
    ModifyRequest: ("Modify", 3),
    AddRequest: ("Add", 3),
    DeleteRequest: ("Delete", 3),
    ModifyDNRequest: ("ModifyDN", 3),
    CompareRequest: ("Compare", 7),
    ExtendedRequest: ("Extended", 7),
}
_FAILURES: Final = 1
_LEAF: Final = re.compile(r"(?:[^,\\]|\\.)*", re.DOTALL)
_NO_FAILURE: Final = frozenset({ResultCode.SUCCESS, ResultCode.COMPARE_FALSE, ResultCode.COMPARE_TRUE})


class Chain:
    """Handles the requests of all connections."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._searches = Searches(house)

    def connected(self, connection: Line) -> None:
        """Nothing to do: a connection is anonymous until it binds."""

    def disconnected(self, connection: Line) -> None:
        """Nothing to do: what it had begun was cancelled, or is `Lasting`."""

    async def handle(self, connection: Line, message: Message) -> bytes:
        """The final answer to one request. Only bugs raise: the wire turns them into `other` with an
        incident id.
        """
        line = connection
        operation = message.operation
        answer = _ANSWERS.get(type(operation))
        if answer is None:
            return b""
        identity = await identity_on(line, self._house)
        try:
            for control in message.controls:
                if control.critical:
                    raise Refusal(
                        ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, f"control {control.oid} is not supported"
                    )
            result = await self._perform(message, identity, line)
        except Refusal as refusal:
            result = refusal.result
            if result.code is ResultCode.NO_SUCH_OBJECT:
                matched = await nearest(_target(operation), identity, self._house)
                result = replace(result, matched_dn=matched)
        except HashingBusy as busy:
            result = Result(ResultCode.BUSY, str(busy))
        await self._log(message, identity, result)
        return encode_result(message.id, answer, result)

    async def _perform(self, message: Message, identity: Identity, line: Line) -> Result:
        house, operation = self._house, message.operation
        if isinstance(operation, SearchRequest):
            return await self._searches.search(message.id, operation, identity, line)
        if isinstance(operation, ModifyRequest):
            triggers = triggers_of(operation.changes, house.rooms.schema)
            if triggers:
                return await exchange(operation, triggers, identity, line, house)
            return await modify(operation, identity, line, house)
        if isinstance(operation, BindRequest):
            return await bind(operation, line, house)
        if isinstance(operation, CompareRequest):
            return await compare(operation, identity, line, house)
        if isinstance(operation, AddRequest):
            return await add(operation, identity, line, house)
        if isinstance(operation, DeleteRequest):
            return await delete(operation, identity, house)
        if isinstance(operation, ExtendedRequest):
            # RFC 4511 4.12: an unrecognised requestName is a protocol error.
            raise Refusal(ResultCode.PROTOCOL_ERROR, f"extended operation {operation.oid} is not supported")
        if isinstance(operation, ModifyDNRequest):
            return await rename(operation, identity, house)
        raise AssertionError(f"{type(operation).__name__} has an answer but no handler")

    async def _log(self, message: Message, identity: Identity, result: Result) -> None:
        log: Etatrans = self._house.etatrans
        if not log.enabled:
            return
        name, level = _LOGGED_FROM[type(message.operation)]
        failed = result.code not in _NO_FAILURE
        asked = await self._house.parameters.get(TRANSACTION_LOG_LEVEL)
        if asked < (_FAILURES if failed else level):
            return
        operation = message.operation
        dn = _target(operation)
        transaction = log.begin("E", name)
        transaction.start(f"External {name} ({_leaf(dn)}) Requested by User {identity.name()}")
        if isinstance(operation, ModifyRequest):
            schema = self._house.rooms.schema
            transaction.parameters(dn, [_shown(change, schema) for change in operation.changes])
        if failed:
            what = f"External {name} ({_leaf(dn)})"
            transaction.failure(what, int(result.code), result.code.name, result.diagnostic)
        else:
            transaction.success(result.diagnostic or f"External {name}")


def _leaf(dn: str) -> str:
    """The first part of a name as it was sent; a comma inside a CN is escaped (facts/imps.md 1.3)."""
    found = _LEAF.match(dn)
    return found[0] if found is not None else dn


def _shown(change: Change, schema: Schema) -> tuple[str, str]:
    """A change as the log has it: `eTTitle` and `New_Title [REPLACE]`, secrets masked."""
    description, values = change.attribute.description, change.attribute.values
    hidden = schema.hides(description)
    text = MASK if hidden else ", ".join(value.decode(errors="replace") for value in values)
    return description, f"{text} [{change.kind.name}]"


def _target(operation: object) -> str:
    """The name that an operation is about."""
    if isinstance(operation, SearchRequest):
        return operation.base
    if isinstance(operation, BindRequest):
        return operation.name
    return str(getattr(operation, "dn", ""))
