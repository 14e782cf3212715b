"""A copy of the content, kept up to date: the controls of RFC 4533. Its message is in `sync_info`."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Self
from uuid import UUID

from provserver.ldap.ber_writing import ENUMERATED, octets
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.limits import Limits
from provserver.ldap.values import Parts, boolean, integer, optional, sequence
from provserver.records import record


class SyncMode(IntEnum):
    REFRESH_ONLY = 1
    REFRESH_AND_PERSIST = 3


class EntryState(IntEnum):
    PRESENT = 0
    ADD = 1
    MODIFY = 2
    DELETE = 3


@record
class SyncRequest(ControlValue):
    """With a search (RFC 4533 2.2); no cookie asks for the initial content."""

    oid: ClassVar[str] = "1.3.6.1.4.1.4203.1.9.1.1"
    name: ClassVar[str] = "sync request control"

    mode: SyncMode
    cookie: bytes | None = None
    reload_hint: bool = False

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "syncRequestValue")
        return parts.complete(
            cls(
                parts.enumerated("mode", SyncMode),
                parts.optional_octets("cookie"),
                parts.optional_boolean("reloadHint", False),
            )
        )

    def encode(self) -> bytes:
        return sequence(
            integer(self.mode, ENUMERATED), optional(self.cookie), boolean(self.reload_hint, False)
        )


@record
class SyncState(ControlValue):
    """With an entry or a reference that is sent (RFC 4533 2.3)."""

    oid: ClassVar[str] = "1.3.6.1.4.1.4203.1.9.1.2"
    name: ClassVar[str] = "sync state control"

    state: EntryState
    entry: UUID
    cookie: bytes | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "syncStateValue")
        return parts.complete(
            cls(
                parts.enumerated("state", EntryState),
                read_uuid(parts, "entryUUID"),
                parts.optional_octets("cookie"),
            )
        )

    def encode(self) -> bytes:
        return sequence(integer(self.state, ENUMERATED), octets(self.entry.bytes), optional(self.cookie))


@record
class SyncDone(ControlValue):
    """With the end of the search (RFC 4533 2.4)."""

    oid: ClassVar[str] = "1.3.6.1.4.1.4203.1.9.1.3"
    name: ClassVar[str] = "sync done control"

    cookie: bytes | None = None
    refresh_deletes: bool = False

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "syncDoneValue")
        return parts.complete(
            cls(parts.optional_octets("cookie"), parts.optional_boolean("refreshDeletes", False))
        )

    def encode(self) -> bytes:
        return sequence(optional(self.cookie), boolean(self.refresh_deletes, False))


def read_uuid(parts: Parts, name: str) -> UUID:
    """A syncUUID (RFC 4533 2.1.1)."""
    found = parts.octets(name)
    if len(found) != 16:
        raise parts.wrong(name, "is not a UUID of 16 octets")
    return UUID(bytes=found)
