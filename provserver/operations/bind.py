"""Bind: who is there? (RFC 4511 4.2, RFC 4513 5.1)"""

from __future__ import annotations

from provserver.directory.entries import Entry
from provserver.imps.messages import Message
from provserver.imps.profiles import identity_of
from provserver.imps.users import global_user_dn, is_suspended
from provserver.ldap.messages import BindRequest, SaslCredentials
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.context import BoundAs, House, Line, demand_confidentiality


async def bind(request: BindRequest, line: Line, house: House) -> Result:
    """Authenticate a connection; whatever goes wrong, it is anonymous afterwards (RFC 4511 4.2.1)."""
    line.identity = None
    if request.version != 3:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "LDAP version 3 is spoken here")
    secret = request.authentication
    if isinstance(secret, SaslCredentials):
        raise Refusal(ResultCode.AUTH_METHOD_NOT_SUPPORTED, "only simple bind is offered")
    if not request.name and not secret:
        return SUCCESS
    if not secret:
        # RFC 4513 5.1.2: a client that forgot the password must not believe that it is somebody.
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM, "unauthenticated bind (a name without a password) is not allowed"
        )
    demand_confidentiality(line, house)
    user = await _user(request.name, house)
    if not await house.password_check.verify(user, secret) or user is None:
        raise Refusal(ResultCode.INVALID_CREDENTIALS, Message.BAD_CREDENTIALS.say())
    identity = identity_of(user)
    if is_suspended(user):
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, Message.SUSPENDED.say(user=identity.name()))
    line.identity = BoundAs(identity, user.version)
    return SUCCESS


async def _user(name: str, house: House) -> Entry | None:
    """The global user that a bind name means; a bare name is one in `Global Users`."""
    views = house.rooms.views
    if name and "=" not in name:
        return await house.rooms.store.read(global_user_dn(name, views.domain))
    try:
        dn, _ = views.resolve(name)
    except Refusal as refusal:
        if refusal.code is ResultCode.INVALID_DN_SYNTAX:
            raise
        return None
    return await house.rooms.store.read(dn)
