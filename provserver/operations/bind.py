"""Bind: who is there? (RFC 4511 4.2, RFC 4513 5)"""

from __future__ import annotations

from provserver.ldap.messages import BindRequest, SaslCredentials
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.context import BoundAs, House, Line, demand_confidentiality
from provserver.operations.principals import by_password
from provserver.operations.sasl import authenticate
from provserver.vault.secret import Secret


async def bind(request: BindRequest, line: Line, house: House) -> Result:
    """Authenticate a connection; whatever goes wrong, it is anonymous afterwards (RFC 4511 4.2.1)."""
    line.identity = None
    if request.version != 3:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "LDAP version 3 is spoken here")
    authentication = request.authentication
    if isinstance(authentication, SaslCredentials):
        line.identity = await authenticate(authentication, line, house)
    elif request.name or authentication:
        line.identity = await _simple(request.name, authentication, line, house)
    return SUCCESS


async def _simple(name: str, secret: Secret, line: Line, house: House) -> BoundAs:
    if not secret:
        # RFC 4513 5.1.2: a client that forgot the password must not believe that it is somebody.
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM, "unauthenticated bind (a name without a password) is not allowed"
        )
    demand_confidentiality(line, house)
    return await by_password(name, secret, line, house)
