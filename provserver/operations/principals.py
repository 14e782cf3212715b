"""Global users as clients name them: who binds, whom somebody acts as, whose password is changed.

A name is a DN under any suffix, or a global user's bare name. An
authorization identity is `dn:` and a DN, `u:` and a bare name, or empty for nobody (RFC 4513 5.2.1.8).
"""

from __future__ import annotations

from typing import Final

from provserver.directory.access import ANONYMOUS, Identity
from provserver.directory.entries import Entry
from provserver.directory.names import DN, InvalidName
from provserver.imps.messages import Message
from provserver.imps.users import global_user_dn, is_global_user, is_suspended
from provserver.imps.views import Views
from provserver.ldap.controls import PolicyError
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.context import BoundAs, House, Line
from provserver.operations.proxying import StandIn, authorization_denied, may_stand_in
from provserver.vault.secret import Secret

_BY_DN: Final = "dn:"
_BY_NAME: Final = "u:"


def bare_name(name: str, views: Views) -> DN:
    """The DN of the global user of that name. Refusal INVALID_DN_SYNTAX."""
    try:
        return global_user_dn(name, views.domain)
    except InvalidName as error:
        raise Refusal(ResultCode.INVALID_DN_SYNTAX, f"not the name of a global user: {error}") from None


def named(text: str, views: Views) -> DN:
    """The DN that a name means. Refusal INVALID_DN_SYNTAX, NO_SUCH_OBJECT."""
    if text and "=" not in text:
        return bare_name(text, views)
    return views.resolve(text)[0]


def named_or_authorized(text: str, views: Views) -> DN:
    """The DN that a name or an authorization identity means. Refusal INVALID_DN_SYNTAX, NO_SUCH_OBJECT."""
    if text.startswith(_BY_DN):
        return views.resolve(text.removeprefix(_BY_DN))[0]
    if text.startswith(_BY_NAME):
        return bare_name(text.removeprefix(_BY_NAME), views)
    return named(text, views)


def authorized_name(authorization_id: str, views: Views) -> DN | None:
    """The DN that an authorization identity means; None: nobody. Refusal AUTHORIZATION_DENIED."""
    if authorization_id in ("", _BY_DN):
        return None
    if not authorization_id.startswith((_BY_DN, _BY_NAME)):
        raise authorization_denied("authorization identity: expected dn: and a name, or u: and a user's name")
    try:
        return named_or_authorized(authorization_id, views)
    except Refusal as refusal:
        raise authorization_denied(f"authorization identity: {refusal.result.diagnostic}") from None


async def stand_in_for(dn: DN | None, asker: Identity, house: House) -> Entry | None:
    """The global user whom the asker is to act as; None: nobody. Refusal AUTHORIZATION_DENIED: it may not, or
    there is no such user, or it is suspended.
    """
    if not may_stand_in(asker):
        raise authorization_denied(f"'{asker.name()}' may not act as others")
    if dn is None:
        return None
    user = await house.rooms.store.read(dn)
    if user is None or not is_global_user(user):
        raise authorization_denied("authorization identity: there is no such global user")
    if is_suspended(user):
        raise authorization_denied("authorization identity: the global user is suspended")
    return user


async def acting_as(authorization_id: str, asker: Identity, house: House) -> Identity:
    """Whom a request with the proxied authorization control is performed as. Refusal AUTHORIZATION_DENIED."""
    user = await stand_in_for(authorized_name(authorization_id, house.rooms.views), asker, house)
    return StandIn.of(house.identities.of(user) if user is not None else ANONYMOUS, asker)


async def by_password(name: str, secret: Secret, line: Line, house: House) -> BoundAs:
    """Who has this name and this password. Refusal INVALID_CREDENTIALS whichever is wrong, or when the
    password has expired; those of `admitted`; INVALID_DN_SYNTAX.
    """
    dn: DN | None = None
    try:
        dn = named(name, house.rooms.views)
    except Refusal as refusal:
        if refusal.code is ResultCode.INVALID_DN_SYNTAX:
            raise

    async def found() -> Entry | None:
        user = await house.rooms.store.read(dn) if dn is not None else None
        return user if await house.password_check.verify(user, secret) else None

    user = await house.bind_guard.admitted(dn, line.peer, found)
    if user is None:
        raise Refusal(ResultCode.INVALID_CREDENTIALS, Message.BAD_CREDENTIALS.say())
    bound = admitted(user, house)
    bound.warned = await house.expiry.admit(user)
    return bound


def admitted(user: Entry, house: House) -> BoundAs:
    """A user who has proved who it is. Refusal UNWILLING_TO_PERFORM: it is suspended."""
    identity = house.identities.of(user)
    if is_suspended(user):
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM,
            Message.SUSPENDED.say(user=identity.name()),
            policy_error=PolicyError.ACCOUNT_LOCKED,
        )
    return BoundAs(identity, user.version)
