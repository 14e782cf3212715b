"""StartTLS: the same connection, protected from here on, and nobody's (RFC 4511 4.14, RFC 4513 3).

What has to happen between the answer and the handshake is the connection's (`Connection.start_tls`).
"""

from __future__ import annotations

from provserver.ldap.messages import ExtendedRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.context import Line


def start_tls(request: ExtendedRequest, line: Line) -> Result:
    """Refusal PROTOCOL_ERROR, OPERATIONS_ERROR, UNAVAILABLE."""
    if request.value is not None:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "StartTLS: expected no value")
    line.start_tls()
    return SUCCESS
