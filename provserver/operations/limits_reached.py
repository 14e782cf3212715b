"""Which of the server's limits an operation met, by how it ended: a limit that the client set itself, or the
stricter one of both if it is the client's, is no offence.
"""

from __future__ import annotations

from provserver.ldap.messages import BindRequest, SearchRequest
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.results import Result, ResultCode
from provserver.operations.context import Line, SearchBounds


def note_limit(
    result: Result, operation: object, line: Line, bounds: SearchBounds, offences: Offences
) -> None:
    """Have it counted, and told of once in a while."""
    offence = _reached(result.code, operation, bounds)
    if offence is not None:
        offences.note(offence, line.peer, f"{type(operation).__name__} ended with {result.code.name.lower()}")


def _reached(code: ResultCode, operation: object, bounds: SearchBounds) -> Offence | None:
    if code is ResultCode.BUSY:
        return None if isinstance(operation, BindRequest) else Offence.BUSY  # the bind guard counts binds
    if code is ResultCode.ADMIN_LIMIT_EXCEEDED:
        return Offence.ADMIN_LIMIT
    if not isinstance(operation, SearchRequest):
        return None
    if code is ResultCode.SIZE_LIMIT_EXCEEDED and _is_ours(operation.size_limit, bounds.size):
        return Offence.SEARCH_SIZE
    if code is ResultCode.TIME_LIMIT_EXCEEDED and _is_ours(operation.time_limit, bounds.time):
        return Offence.SEARCH_TIME
    return None


def _is_ours(asked: int, ours: int) -> bool:
    return bool(ours) and (not asked or ours < asked)
