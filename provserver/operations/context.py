"""What an operation works with: the caller, the connection's facts, and the rooms of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from provserver.directory.access import ANONYMOUS, Identity, may_read
from provserver.directory.entries import Entry
from provserver.imps.messages import Message
from provserver.imps.parameters import Parameters
from provserver.imps.profiles import identity_of
from provserver.imps.users import is_suspended
from provserver.journal.etatrans import Etatrans
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Rooms
from provserver.operations.lasting import Lasting
from provserver.operations.subschema import Subschema
from provserver.passwords.binding import PasswordCheck
from provserver.passwords.exchange import Exchange
from provserver.vault.secret import Secret


class Line(Protocol):
    """The connection, as operations see it (`ldap.server.Connection` is one)."""

    identity: object

    @property
    def peer(self) -> str: ...

    @property
    def tls(self) -> bool: ...

    @property
    def is_loopback(self) -> bool: ...

    def send(self, data: bytes) -> None: ...

    def drained(self) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """Limits of one search, from the settings: entries returned, seconds, entries looked at; 0 = none."""

    size: int
    time: int
    candidates: int


@dataclass(frozen=True, slots=True)
class House:
    """The rooms that operations use; made by `service`."""

    rooms: Rooms
    parameters: Parameters
    exchange: Exchange
    lasting: Lasting
    password_check: PasswordCheck
    subschema: Subschema
    etatrans: Etatrans
    bounds: SearchBounds
    protect_passwords: bool
    """A password over an unprotected connection from beyond loopback is refused."""
    monotonic: Callable[[], float]
    held: Callable[[Entry, Secret], Awaitable[bool | None]]
    """Whether an account's emulated endpoint holds a password; None where that cannot be asked."""


@dataclass(slots=True)
class BoundAs:
    """Who bound on a connection, and the version of the entry that said what it may do."""

    identity: Identity
    version: int


async def identity_on(line: Line, house: House) -> Identity:
    """The connection's identity, as the user's entry is now: rights that were taken away are gone at the
    next request.
    """
    bound = line.identity
    if not isinstance(bound, BoundAs) or bound.identity.id is None:
        return ANONYMOUS
    user = await house.rooms.store.read_id(bound.identity.id)
    if user is None or is_suspended(user):
        line.identity = None
        return ANONYMOUS
    if user.version != bound.version:
        line.identity = bound = BoundAs(identity_of(user), user.version)
    return bound.identity


async def nearest(text: str, identity: Identity, house: House) -> str:
    """The matchedDN of a name that does not exist: the nearest entry above it that the caller may see (RFC
    4511 4.1.9), empty if there is none.
    """
    try:
        dn, view = house.rooms.views.resolve(text)
    except Refusal:
        return ""
    above = dn.parent
    while above is not None and above.depth:
        if may_read(identity, above) and await house.rooms.store.read(above) is not None:
            return house.rooms.views.render(above, view)
        above = above.parent
    return ""


def demand_confidentiality(line: Line, house: House) -> None:
    """Refuse a password that came in the clear from another machine (design "The exchange")."""
    if house.protect_passwords and not line.tls and not line.is_loopback:
        raise Refusal(ResultCode.CONFIDENTIALITY_REQUIRED, Message.NOT_CONFIDENTIAL.say())
