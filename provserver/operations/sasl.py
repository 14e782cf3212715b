"""SASL binds (RFC 4513 5.2): EXTERNAL and PLAIN, both under TLS, both of one message.

An authorization identity other than one's own is for those who may act as others (`proxying`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from provserver.imps.messages import Message
from provserver.ldap.messages import SaslCredentials
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.certified import certified_user
from provserver.operations.context import BoundAs, House, Line
from provserver.operations.principals import admitted, authorized_name, by_password, stand_in_for
from provserver.vault.secret import Secret

PLAIN: Final = "PLAIN"
EXTERNAL: Final = "EXTERNAL"

Mechanism = Callable[[Secret | None, Line, House], Awaitable[tuple[BoundAs, str]]]
"""Gives who has authenticated, and the authorization identity that was asked for. Refusal."""


def mechanisms_on(line: Line) -> tuple[str, ...]:
    """What can be used on this connection: supportedSASLMechanisms of its root DSE."""
    if not line.tls:
        return ()
    return (PLAIN,) if line.peer_certificate is None else (EXTERNAL, PLAIN)


async def authenticate(credentials: SaslCredentials, line: Line, house: House) -> BoundAs | None:
    """Who a SASL bind makes of a connection; None: nobody, as it asked. Refusal."""
    mechanism = _MECHANISMS.get(credentials.mechanism)
    if mechanism is None:
        offered = " or ".join(_MECHANISMS)
        raise Refusal(ResultCode.AUTH_METHOD_NOT_SUPPORTED, f"SASL: expected {offered}, under TLS")
    bound, authorization_id = await mechanism(credentials.credentials, line, house)
    if not authorization_id:
        return bound
    wanted = authorized_name(authorization_id, house.rooms.views)
    if wanted is not None and wanted == bound.identity.dn:
        return bound
    user = await stand_in_for(wanted, bound.identity, house)
    if user is None:
        return None
    return BoundAs(house.identities.of(user), user.version, bound, bound.warned)


async def _external(credentials: Secret | None, line: Line, house: House) -> tuple[BoundAs, str]:
    """RFC 4513 5.2.3: by the client's certificate; the credentials are an authorization identity."""
    certificate = line.peer_certificate if line.tls else None
    if certificate is None:
        raise Refusal(
            ResultCode.INAPPROPRIATE_AUTHENTICATION, "SASL EXTERNAL: expected a client certificate, under TLS"
        )
    user = await certified_user(certificate, house.rooms)
    if user is None:
        raise Refusal(ResultCode.INVALID_CREDENTIALS, Message.NOBODYS_CERTIFICATE.say())
    return admitted(user, house), _text(credentials.reveal() if credentials is not None else b"")


async def _plain(credentials: Secret | None, line: Line, house: House) -> tuple[BoundAs, str]:
    """RFC 4616 2: `[authzid] NUL authcid NUL passwd`."""
    if not line.tls:
        raise Refusal(ResultCode.CONFIDENTIALITY_REQUIRED, "SASL PLAIN: expected a connection under TLS")
    parts = credentials.reveal().split(b"\0") if credentials is not None else []
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "SASL PLAIN: expected [authzid] NUL authcid NUL passwd")
    authorization_id, name, password = parts
    return await by_password(_text(name), Secret(password), line, house), _text(authorization_id)


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "SASL: expected names in UTF-8") from None


_MECHANISMS: Final[dict[str, Mechanism]] = {EXTERNAL: _external, PLAIN: _plain}
