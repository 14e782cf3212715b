"""Cancel: an operation is called off and ends with `canceled` (RFC 3909).

Reading can be called off at any time. Changing cannot: an exchange that was begun is finished whoever waits
for its answer, and `canceled` after a commit would be a lie.
"""

from __future__ import annotations

from typing import Final

from provserver.ldap.extended import Cancel
from provserver.ldap.messages import (
    CANCEL,
    START_TLS,
    BindRequest,
    CompareRequest,
    ExtendedRequest,
    Request,
    SearchRequest,
)
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.context import Line

_READS: Final = (SearchRequest, CompareRequest)
_NEVER: Final = (CANCEL, START_TLS)


async def cancel(asked: Cancel, message_id: int, line: Line) -> Result:
    """Call off another operation of this connection. Refusal NO_SUCH_OPERATION, CANNOT_CANCEL, TOO_LATE."""
    wanted = line.in_progress(asked.message_id)
    if asked.message_id == message_id or _is_never_cancelled(wanted):
        raise Refusal(ResultCode.CANNOT_CANCEL, "this kind of operation cannot be cancelled")
    if wanted is None:
        raise Refusal(ResultCode.NO_SUCH_OPERATION, f"message {asked.message_id} is not in progress")
    if not isinstance(wanted, _READS):
        raise Refusal(ResultCode.TOO_LATE, "a change that has begun is finished")
    if not await line.recall(asked.message_id):
        raise Refusal(ResultCode.TOO_LATE, "it ended at the same moment")
    return SUCCESS


def _is_never_cancelled(request: Request | None) -> bool:
    """RFC 3909 2."""
    return isinstance(request, BindRequest) or (
        isinstance(request, ExtendedRequest) and request.oid in _NEVER
    )
