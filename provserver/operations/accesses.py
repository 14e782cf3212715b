"""What the chain tells the access log (`journal.access`): who asked what, and never with which values."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import CancelledError

from provserver.directory.access import Identity
from provserver.journal.access import NO_ANSWER, AccessLog
from provserver.ldap.messages import (
    AbandonRequest,
    AddRequest,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    ExtendedRequest,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    Request,
    Response,
    SearchRequest,
    UnbindRequest,
)
from provserver.ldap.results import Result, ResultCode
from provserver.ldap.running import Recalled
from provserver.operations.context import BoundAs, Line
from provserver.operations.proxying import asker_of

_KINDS: Final[dict[type[Request | Response], str]] = {
    BindRequest: "bind",
    SearchRequest: "search",
    ModifyRequest: "modify",
    AddRequest: "add",
    DeleteRequest: "delete",
    ModifyDNRequest: "rename",
    CompareRequest: "compare",
    ExtendedRequest: "extended",
    AbandonRequest: "abandon",
    UnbindRequest: "unbind",
}


class Accesses:
    """The access log of all connections."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self.now = log.monotonic
        """When an operation begins; for `operation`."""

    def connected(self, line: Line) -> None:
        line.count_entries()
        self._log.opened(line.number, line.peer, line.port, tls=line.tls)

    def secured(self, line: Line) -> None:
        self._log.secured(line.number, line.tls_version)

    def disconnected(self, line: Line) -> None:
        self._log.closed(line.number, line.ending, line.received, line.sent)

    def operation(
        self, began: float, message: Message, identity: Identity, line: Line, result: Result | Exception
    ) -> None:
        """An operation is over, with its result or without one."""
        operation = message.operation
        kind = type(operation)
        user = identity.dn
        if kind is BindRequest:
            bound = line.identity
            user = bound.identity.dn if isinstance(bound, BoundAs) else None
        asker = asker_of(identity)
        self._log.operation(
            line.number,
            message.id,
            kind_of(kind),
            user.text if user is not None else "",
            line.peer,
            target_of(operation),
            int(result.code) if isinstance(result, Result) else _code_of(result),
            began,
            line.entries_of(message.id) if kind is SearchRequest else -1,
            [control.oid for control in message.controls] if message.controls else (),
            asker.text if asker is not None else "",
        )


def kind_of(request: type[Request | Response]) -> str:
    """What a kind of request is called wherever it is counted or logged. KeyError: it is a response."""
    return _KINDS[request]


def _code_of(error: Exception) -> int:
    """What the wire makes of it (`ldap.connection`)."""
    if isinstance(error, Recalled):
        return int(ResultCode.CANCELED)
    return NO_ANSWER if isinstance(error, CancelledError) else int(ResultCode.OTHER)


def target_of(operation: object) -> str:
    """The name that an operation is about; of an extended one, its object identifier."""
    if isinstance(operation, SearchRequest):
        return operation.base
    if isinstance(operation, BindRequest):
        return operation.name
    if isinstance(operation, ExtendedRequest):
        return operation.oid
    return str(getattr(operation, "dn", ""))
