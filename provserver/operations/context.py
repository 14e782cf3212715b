"""What an operation works with: the caller, the connection's facts, and the rooms of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.x509 import Certificate

from provserver.directory.access import ANONYMOUS, Identity, may_read
from provserver.directory.entries import Entry
from provserver.imps.messages import Message
from provserver.imps.parameters import Parameters
from provserver.imps.profiles import Identities
from provserver.imps.users import is_suspended
from provserver.journal.access import AccessLog
from provserver.journal.etatrans import Etatrans
from provserver.journal.requests import Requests
from provserver.ldap.counters import Counters
from provserver.ldap.limits import Limits
from provserver.ldap.messages import Request
from provserver.ldap.offences import Offences
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.bind_guard import BindGuard
from provserver.operations.edits import Rooms
from provserver.operations.endpoint_checks import EndpointChecks
from provserver.operations.exploring import Exploring
from provserver.operations.lasting import Lasting
from provserver.operations.monitoring.endpoints import Standings
from provserver.operations.outbox_acts import OutboxActs
from provserver.operations.proxying import StandIn, may_stand_in
from provserver.operations.signposts import Signposts
from provserver.operations.subschema import Subschema
from provserver.passwords.binding import PasswordCheck
from provserver.passwords.clearing import GuardClearing
from provserver.passwords.exchange import Exchange
from provserver.passwords.expiry import Expiry, Warned
from provserver.passwords.explaining import Explainer
from provserver.passwords.generating import Generator
from provserver.passwords.resetting import AccountResets
from provserver.passwords.user_changes import UserChanges
from provserver.storage.contract import StoreFailed
from provserver.vault.secret import Secret


class Line(Protocol):
    """The connection, as operations see it (`ldap.connection.Connection` is one)."""

    identity: object

    @property
    def number(self) -> int:
        """Of the connection, since the server was started."""

    @property
    def peer(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def tls(self) -> bool: ...

    @property
    def tls_version(self) -> str: ...

    @property
    def is_loopback(self) -> bool: ...

    @property
    def peer_certificate(self) -> Certificate | None:
        """What the client showed and TLS has verified."""

    def send(self, data: bytes) -> None: ...

    def drained(self) -> Awaitable[None]: ...

    @property
    def received(self) -> int: ...

    @property
    def sent(self) -> int: ...

    @property
    def ending(self) -> str:
        """Why it was closed."""

    def count_entries(self) -> None: ...

    def entries_of(self, message_id: int) -> int: ...

    def start_tls(self) -> None: ...

    def in_progress(self, message_id: int) -> Request | None: ...

    def recall(self, message_id: int) -> Awaitable[bool]: ...


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """Limits of one search, from the settings: entries returned, seconds, entries looked at, entries sorted;
    0 = none. And how many searches of a connection may wait for their next page to be asked for.
    """

    size: int
    time: int
    candidates: int
    sorted: int
    paged: int


@dataclass(frozen=True, slots=True)
class House:
    """The rooms that operations use; made by `service`."""

    rooms: Rooms
    parameters: Parameters
    identities: Identities
    exchange: Exchange
    user_changes: UserChanges
    resets: AccountResets
    explainer: Explainer
    clearing: GuardClearing
    outbox_acts: OutboxActs
    endpoint_checks: EndpointChecks
    exploring: Exploring
    generator: Generator
    lasting: Lasting
    password_check: PasswordCheck
    expiry: Expiry
    bind_guard: BindGuard
    subschema: Subschema
    signposts: Signposts
    etatrans: Etatrans
    requests: Requests
    access: AccessLog | None
    counters: Counters
    offences: Offences
    bounds: SearchBounds
    limits: Limits
    """Of the wire; a control's value is under them too."""
    protect_passwords: bool
    """A password over an unprotected connection from beyond loopback is refused."""
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    standing: Standings
    held: Callable[[Entry, Secret], Awaitable[bool | None]]
    """Whether an account's emulated endpoint holds a password; None where that cannot be asked."""


@dataclass(slots=True)
class BoundAs:
    """Who bound on a connection, and the version of the entry that said what it may do."""

    identity: Identity
    version: int
    asker: BoundAs | None = None
    """Who has authenticated, when it asked to be somebody else (a SASL authzid)."""
    warned: Warned = None
    """What the bind is told of its password, if it asks."""


async def identity_on(line: Line, house: House) -> Identity:
    """The connection's identity, as the user's entry is now: rights that were taken away are gone at the
    next request.
    """
    bound = line.identity
    if not isinstance(bound, BoundAs):
        return ANONYMOUS
    now = await _as_now(bound, house)
    if now is not bound:
        line.identity = now
    if now is None:
        return ANONYMOUS
    return now.identity if now.asker is None else StandIn.of(now.identity, now.asker.identity)


async def _as_now(bound: BoundAs, house: House) -> BoundAs | None:
    """None: the user is gone or suspended, or who acts as it is, or may no longer."""
    if bound.identity.id is None:
        return None
    user = await house.rooms.store.read_id(bound.identity.id)
    if user is None or is_suspended(user):
        return None
    asker = bound.asker
    if asker is not None:
        asker = await _as_now(asker, house)
        if asker is None or not may_stand_in(asker.identity):
            return None
    if user.version == bound.version and asker is bound.asker:
        return bound
    return BoundAs(house.identities.of(user), user.version, asker)


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


def is_protected(line: Line) -> bool:
    """Whether nobody on the way can read what travels."""
    return line.tls or line.is_loopback


def demand_confidentiality(line: Line, house: House) -> None:
    """Refuse a password that came in the clear from another machine (design "The exchange")."""
    if house.protect_passwords and not is_protected(line):
        raise Refusal(ResultCode.CONFIDENTIALITY_REQUIRED, Message.NOT_CONFIDENTIAL.say())


def not_stored(failed: StoreFailed) -> Result:
    """The answer to what the store could not write."""
    return Result(ResultCode.UNAVAILABLE, Message.NOT_STORED.say(why=str(failed)))
