"""Ours: what is done about deliveries and endpoints (docs/operate-it.md), answered in JSON."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.extended.explaining import Explained
from provserver.ldap.extended.kinds import ExtendedValue
from provserver.ldap.limits import Limits
from provserver.ldap.messages import CHECK_ENDPOINT, DROP_DELIVERIES, RETRY_DELIVERIES
from provserver.ldap.values import Parts, boolean, optional, sequence, text
from provserver.records import record

_IDS: Final = 0xA0
_OF_USER: Final = 0x81
_OF_ACCOUNT: Final = 0x82
_OF_ENDPOINT: Final = 0x83
_IN_STATE: Final = 0x84
_ALL: Final = 0x85
_WITH_ACCOUNT: Final = 0x80
_MOST_IDS: Final = 1_000


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
