"""Extended operations (RFC 4511 4.12), by their object identifiers; what is not here is a protocol error."""

from __future__ import annotations

from provserver.directory.access import Identity
from provserver.imps.views import View, Views
from provserver.ldap.extended import (
    Cancel,
    Cancelled,
    CheckEndpoint,
    CheckTree,
    ClearGuard,
    Explain,
    ExploreEndpoint,
    ExtendedError,
    PasswordModify,
    RetryDeliveries,
    WhoAmI,
    YouAre,
    decode_request,
    encode_response,
)
from provserver.ldap.messages import START_TLS, ExtendedRequest, ExtendedResponse
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.cancel import cancel
from provserver.operations.context import House, Line
from provserver.operations.explaining import clear_guard, explain
from provserver.operations.explore_requests import explore_or_check
from provserver.operations.operating import operate
from provserver.operations.password_modify import password_modify
from provserver.operations.start_tls import start_tls


async def extended(
    request: ExtendedRequest, message_id: int, identity: Identity, line: Line, house: House, asked: Asked
) -> ExtendedResponse:
    """Refusal PROTOCOL_ERROR: nobody knows it, or its value is malformed; those of the operation."""
    if request.oid == START_TLS:
        return ExtendedResponse(start_tls(request, line), START_TLS)
    try:
        value = decode_request(request, house.limits)
    except ExtendedError as error:
        raise Refusal(ResultCode.PROTOCOL_ERROR, str(error)) from None
    except KeyError:
        value = None
    if isinstance(value, PasswordModify):
        return await password_modify(value, identity, line, house, asked)
    if isinstance(value, WhoAmI):
        return encode_response(YouAre(authorization_id(identity)))
    if isinstance(value, Cancel):
        return encode_response(Cancelled(), await cancel(value, message_id, line))
    if isinstance(value, ClearGuard):
        return await clear_guard(value, identity, line, house, asked)
    if isinstance(value, Explain):
        return await explain(value, identity, house)
    if isinstance(value, ExploreEndpoint | CheckTree):
        return await explore_or_check(value, identity, line, house, asked)
    if isinstance(value, RetryDeliveries | CheckEndpoint):
        return await operate(value, identity, line, house, asked)
    raise Refusal(ResultCode.PROTOCOL_ERROR, f"extended operation {request.oid} is not supported")


def authorization_id(identity: Identity) -> str:
    """Who operations are performed as, by its name in the server's view; empty for nobody (RFC 4532 2.2)."""
    return "" if identity.dn is None else f"dn:{Views.render(identity.dn, View.SERVER)}"
