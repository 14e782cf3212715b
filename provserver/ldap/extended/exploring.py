"""Ours: endpoints explored, and the tree checked (docs/explore-an-endpoint.md), answered in JSON."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.extended.explaining import Explained
from provserver.ldap.extended.kinds import ExtendedValue
from provserver.ldap.limits import Limits
from provserver.ldap.messages import CHECK_TREE, EXPLORE_ENDPOINT
from provserver.ldap.values import Parts, boolean, optional, sequence, text
from provserver.records import record

_ACTIONS: Final = 0xA0
_DRY_RUN: Final = 0x81
_FOLLOWED: Final = 0x82
_REPAIR: Final = 0x80
_MOST_ACTIONS: Final = 10


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
