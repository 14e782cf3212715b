"""The values of extended operations (RFC 4511 4.12): Password Modify, Cancel, Who am I, and some of our own.

Passwords are `Secret` from the moment they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Self

from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import (
    CANCEL,
    CHECK_ENDPOINT,
    CHECK_TREE,
    CLEAR_GUARD,
    DROP_DELIVERIES,
    EXPLAIN,
    EXPLORE_ENDPOINT,
    PASSWORD_MODIFY,
    RETRY_DELIVERIES,
    WHO_AM_I,
    ExtendedRequest,
    ExtendedResponse,
)
from provserver.ldap.results import SUCCESS, Result
from provserver.ldap.values import (
    MalformedValue,
    NoValue,
    Parts,
    WireValue,
    boolean,
    integer,
    optional,
    read_text,
    sequence,
    text,
    utf8,
)
from provserver.records import record
from provserver.vault.secret import Secret

_USER_IDENTITY: Final = 0x80
_OLD_PASSWORD: Final = 0x81
_NEW_PASSWORD: Final = 0x82
_GENERATED_PASSWORD: Final = 0x80
_IDS: Final = 0xA0
_OF_USER: Final = 0x81
_OF_ACCOUNT: Final = 0x82
_OF_ENDPOINT: Final = 0x83
_IN_STATE: Final = 0x84
_ALL: Final = 0x85
_WITH_ACCOUNT: Final = 0x80
_ACTIONS: Final = 0xA0
_DRY_RUN: Final = 0x81
_FOLLOWED: Final = 0x82
_REPAIR: Final = 0x80
_MOST_ACTIONS: Final = 10
_MOST_IDS: Final = 1_000


class ExtendedError(MalformedValue):
    """The value of an extended operation that is not as its specification has it: protocolError (2)."""


class ExtendedValue(WireValue):
    """The value of an extended operation, request or response."""

    __slots__ = ()

    malformed: ClassVar[type[MalformedValue]] = ExtendedError


@record
class PasswordModify(ExtendedValue):
    """Whose password to change from what to what (RFC 3062 2.1).

    Without a user it is the one who is bound; without a new password the server makes one. RFC 3062 leaves
    the form of the user's name open; it is text here.
    """

    oid: ClassVar[str] = PASSWORD_MODIFY
    name: ClassVar[str] = "Password Modify request"

    user: str | None = None
    old_password: Secret | None = None
    new_password: Secret | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        if value is None:
            return cls()
        parts = Parts.of_sequence(value, "PasswdModifyRequestValue")
        return parts.complete(
            cls(
                parts.optional_text("userIdentity", _USER_IDENTITY),
                _read_secret(parts, "oldPasswd", _OLD_PASSWORD),
                _read_secret(parts, "newPasswd", _NEW_PASSWORD),
            )
        )

    def encode(self) -> bytes | None:
        """A value with nothing in it is not sent (RFC 3062 2.1)."""
        content = (
            optional(self.user, _USER_IDENTITY)
            + _write_secret(self.old_password, _OLD_PASSWORD)
            + _write_secret(self.new_password, _NEW_PASSWORD)
        )
        return sequence(content) if content else None


@record
class PasswordModified(ExtendedValue):
    """The password that the server made, if it did (RFC 3062 2.2)."""

    oid: ClassVar[str] = PASSWORD_MODIFY
    name: ClassVar[str] = "Password Modify response"

    generated: Secret | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        if value is None:
            return cls()
        parts = Parts.of_sequence(value, "PasswdModifyResponseValue")
        return parts.complete(cls(_read_secret(parts, "genPasswd", _GENERATED_PASSWORD)))

    def encode(self) -> bytes | None:
        content = _write_secret(self.generated, _GENERATED_PASSWORD)
        return sequence(content) if content else None


@record
class Cancel(ExtendedValue):
    """The message id of the operation to cancel (RFC 3909 2.1)."""

    oid: ClassVar[str] = CANCEL
    name: ClassVar[str] = "Cancel request"

    message_id: int

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "cancelRequestValue")
        return parts.complete(cls(parts.integer("cancelID")))

    def encode(self) -> bytes:
        return sequence(integer(self.message_id))


@record
class Cancelled(NoValue, ExtendedValue):
    """The answer to a Cancel, a result code and no value (RFC 3909 2.2)."""

    oid: ClassVar[str] = CANCEL
    name: ClassVar[str] = "Cancel response"


@record
class WhoAmI(NoValue, ExtendedValue):
    """Who am I? (RFC 4532 2.1)"""

    oid: ClassVar[str] = WHO_AM_I
    name: ClassVar[str] = "Who am I request"


@record
class YouAre(ExtendedValue):
    """The authorization identity, `dn:...` or `u:...`, empty for anonymous (RFC 4532 2.2).

    None is what comes with any result but success.
    """

    oid: ClassVar[str] = WHO_AM_I
    name: ClassVar[str] = "Who am I response"

    authorization_id: str | None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        return cls(None if value is None else read_text(value, "authzId"))

    def encode(self) -> bytes | None:
        return None if self.authorization_id is None else utf8(self.authorization_id)


@record
class Explain(ExtendedValue):
    """Why a password is taken or refused on an account, and where it goes: SEQUENCE { account LDAPString }.
    (Ours; answered to administrators.)
    """

    oid: ClassVar[str] = EXPLAIN
    name: ClassVar[str] = "Explain request"

    account: str
    """A DN, or `Namespace:Directory:name`."""

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "explainRequestValue")
        return parts.complete(cls(parts.text("account")))

    def encode(self) -> bytes:
        return sequence(text(self.account))


@record
class Explained(ExtendedValue):
    """The explanation, a JSON object (docs/why-no-password.md); None is what comes with any result but
    success.
    """

    oid: ClassVar[str] = EXPLAIN
    name: ClassVar[str] = "Explain response"

    explanation: str | None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        return cls(None if value is None else read_text(value, "explanation"))

    def encode(self) -> bytes | None:
        return None if self.explanation is None else utf8(self.explanation)


@record
class ClearGuard(Explain):
    """Clear the echo guard of an account. (Ours.)"""

    oid: ClassVar[str] = CLEAR_GUARD
    name: ClassVar[str] = "Clear Guard request"


@record
class GuardCleared(Explained):
    """The explanation as it is now, with `cleared`: whether there was anything to clear."""

    oid: ClassVar[str] = CLEAR_GUARD
    name: ClassVar[str] = "Clear Guard response"


@record
class RetryDeliveries(ExtendedValue):
    """Try deliveries again, now (ours): those of all these conditions. SEQUENCE { ids [0] SEQUENCE OF
    LDAPString OPTIONAL, user [1], account [2], endpoint [3], state [4] LDAPString OPTIONAL, all [5] BOOLEAN
    DEFAULT FALSE }. `all` stands for no condition, which has to be said.
    """

    oid: ClassVar[str] = RETRY_DELIVERIES
    name: ClassVar[str] = "Retry Deliveries request"

    ids: tuple[str, ...] = ()
    user: str | None = None
    """A DN, or a global user's name."""
    account: str | None = None
    """A DN, or `Namespace:Directory:name`."""
    endpoint: str | None = None
    """A DN, `Namespace:Name`, or a name."""
    state: str | None = None
    all: bool = False

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "deliveriesRequestValue")
        ids: tuple[str, ...] = ()
        if parts.has(_IDS):
            listed = parts.sequence("ids", _IDS)
            ids = listed.every(lambda: listed.text("id"), _MOST_IDS)
        return parts.complete(
            cls(
                ids,
                parts.optional_text("user", _OF_USER),
                parts.optional_text("account", _OF_ACCOUNT),
                parts.optional_text("endpoint", _OF_ENDPOINT),
                parts.optional_text("state", _IN_STATE),
                parts.optional_boolean("all", False, _ALL),
            )
        )

    def encode(self) -> bytes:
        return sequence(
            sequence(*[text(one) for one in self.ids], tag=_IDS) if self.ids else b"",
            optional(self.user, _OF_USER),
            optional(self.account, _OF_ACCOUNT),
            optional(self.endpoint, _OF_ENDPOINT),
            optional(self.state, _IN_STATE),
            boolean(self.all, False, _ALL),
        )


@record
class DeliveriesRetried(Explained):
    """How many, and which: a JSON object (docs/operate-it.md)."""

    oid: ClassVar[str] = RETRY_DELIVERIES
    name: ClassVar[str] = "Retry Deliveries response"


@record
class DropDeliveries(RetryDeliveries):
    """Give deliveries up: their passwords are destroyed. (Ours.)"""

    oid: ClassVar[str] = DROP_DELIVERIES
    name: ClassVar[str] = "Drop Deliveries request"


@record
class DeliveriesDropped(Explained):
    """As of `DeliveriesRetried`."""

    oid: ClassVar[str] = DROP_DELIVERIES
    name: ClassVar[str] = "Drop Deliveries response"


@record
class CheckEndpoint(ExtendedValue):
    """Find out whether an endpoint is set up right, without setting a password (ours): SEQUENCE { endpoint
    LDAPString, account [0] LDAPString OPTIONAL }.
    """

    oid: ClassVar[str] = CHECK_ENDPOINT
    name: ClassVar[str] = "Check Endpoint request"

    endpoint: str
    """A DN, `Namespace:Name`, or a name."""
    account: str | None = None
    """An account of it to look up there: a DN, or `Namespace:Directory:name`."""

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "checkRequestValue")
        return parts.complete(cls(parts.text("endpoint"), parts.optional_text("account", _WITH_ACCOUNT)))

    def encode(self) -> bytes:
        return sequence(text(self.endpoint), optional(self.account, _WITH_ACCOUNT))


@record
class EndpointChecked(Explained):
    """Each step, and how it went: a JSON object (docs/operate-it.md)."""

    oid: ClassVar[str] = CHECK_ENDPOINT
    name: ClassVar[str] = "Check Endpoint response"


@record
class ExploreEndpoint(ExtendedValue):
    """Explore an endpoint, and correlate its accounts (ours): SEQUENCE { endpoint LDAPString, actions [0]
    SEQUENCE OF LDAPString OPTIONAL, dryRun [1] BOOLEAN DEFAULT FALSE, follow [2] LDAPString OPTIONAL }.

    The answer comes when it has ended, or after a second with what was done by then: whoever wants to know
    more asks again, with the exploration to `follow`.
    """

    oid: ClassVar[str] = EXPLORE_ENDPOINT
    name: ClassVar[str] = "Explore Endpoint request"

    endpoint: str
    """A DN, `Namespace:Name`, or a name."""
    actions: tuple[str, ...] = ()
    """explore, correlate, create-users, update-users."""
    dry_run: bool = False
    follow: str | None = None
    """The `exploration` of an answer: begin none."""

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "exploreRequestValue")
        endpoint = parts.text("endpoint")
        actions: tuple[str, ...] = ()
        if parts.has(_ACTIONS):
            listed = parts.sequence("actions", _ACTIONS)
            actions = listed.every(lambda: listed.text("action"), _MOST_ACTIONS)
        return parts.complete(
            cls(
                endpoint,
                actions,
                parts.optional_boolean("dryRun", False, _DRY_RUN),
                parts.optional_text("follow", _FOLLOWED),
            )
        )

    def encode(self) -> bytes:
        return sequence(
            text(self.endpoint),
            sequence(*[text(one) for one in self.actions], tag=_ACTIONS) if self.actions else b"",
            boolean(self.dry_run, False, _DRY_RUN),
            optional(self.follow, _FOLLOWED),
        )


@record
class EndpointExplored(Explained):
    """What was done so far, and whether it is still `running`: JSON (docs/explore-an-endpoint.md)."""

    oid: ClassVar[str] = EXPLORE_ENDPOINT
    name: ClassVar[str] = "Explore Endpoint response"


@record
class CheckTree(ExtendedValue):
    """Find inclusions that join nothing any more, and repair them (ours): SEQUENCE { repair [0] BOOLEAN
    DEFAULT FALSE }.
    """

    oid: ClassVar[str] = CHECK_TREE
    name: ClassVar[str] = "Check Tree request"

    repair: bool = False

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "checkTreeRequestValue")
        return parts.complete(cls(parts.optional_boolean("repair", False, _REPAIR)))

    def encode(self) -> bytes:
        return sequence(boolean(self.repair, False, _REPAIR))


@record
class TreeChecked(Explained):
    """What was found: a JSON object (docs/explore-an-endpoint.md)."""

    oid: ClassVar[str] = CHECK_TREE
    name: ClassVar[str] = "Check Tree response"


EXTENDED_REQUESTS: Final[Mapping[str, type[ExtendedValue]]] = MappingProxyType(
    {
        kind.oid: kind
        for kind in (
            PasswordModify,
            Cancel,
            WhoAmI,
            Explain,
            ClearGuard,
            RetryDeliveries,
            DropDeliveries,
            CheckEndpoint,
            ExploreEndpoint,
            CheckTree,
        )
    }
)
"""What a client may ask, by object identifier."""

EXTENDED_RESPONSES: Final[Mapping[str, type[ExtendedValue]]] = MappingProxyType(
    {
        kind.oid: kind
        for kind in (
            PasswordModified,
            Cancelled,
            YouAre,
            Explained,
            GuardCleared,
            DeliveriesRetried,
            DeliveriesDropped,
            EndpointChecked,
            EndpointExplored,
            TreeChecked,
        )
    }
)
"""What is answered, by the object identifier of the request: these responses have no name of their own."""


def decode_request(request: ExtendedRequest, limits: Limits = DEFAULT_LIMITS) -> ExtendedValue:
    """What is asked by one of EXTENDED_REQUESTS (else KeyError); ExtendedError if its value is malformed."""
    return EXTENDED_REQUESTS[request.oid].decode(request.value, limits)


def encode_request(value: ExtendedValue) -> ExtendedRequest:
    return ExtendedRequest(value.oid, value.encode())


def decode_response(oid: str, value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> ExtendedValue:
    """The answer to one of EXTENDED_REQUESTS (else KeyError); ExtendedError if it is malformed."""
    return EXTENDED_RESPONSES[oid].decode(value, limits)


def encode_response(value: ExtendedValue, result: Result = SUCCESS) -> ExtendedResponse:
    return ExtendedResponse(result, value=value.encode())


def _read_secret(parts: Parts, name: str, tag: int) -> Secret | None:
    found = parts.optional_octets(name, tag)
    return None if found is None else Secret(found)


def _write_secret(secret: Secret | None, tag: int) -> bytes:
    return optional(None if secret is None else secret.reveal(), tag)
