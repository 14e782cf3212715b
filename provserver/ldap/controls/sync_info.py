"""What a server says about a synchronisation between entries: the sync info message, RFC 4533 2.5.

No control, but an IntermediateResponse whose name is `SyncInfo.oid` and whose value `SyncInfo` is.
"""

from __future__ import annotations

from typing import ClassVar, Final, Self, assert_never
from uuid import UUID

from provserver.ldap.ber_writing import SET, octets, tlv
from provserver.ldap.controls.synchronisation import read_uuid
from provserver.ldap.limits import Limits
from provserver.ldap.values import Parts, WireValue, boolean, optional, sequence
from provserver.records import record

_NEW_COOKIE: Final = 0x80
_REFRESH_DELETE: Final = 0xA1
_REFRESH_PRESENT: Final = 0xA2
_ID_SET: Final = 0xA3


@record
class NewCookie:
    """Nothing but a new cookie."""

    cookie: bytes


@record
class RefreshDelete:
    """The delete phase ends; if `done`, the refresh stage with it."""

    cookie: bytes | None = None
    done: bool = True


@record
class RefreshPresent:
    """The present phase ends; if `done`, the refresh stage with it."""

    cookie: bytes | None = None
    done: bool = True


@record
class SyncIdSet:
    """The entries named are still there, or, with `deletes`, are gone."""

    entries: tuple[UUID, ...]
    cookie: bytes | None = None
    deletes: bool = False


@record
class SyncInfo(WireValue):
    """A syncInfoValue (RFC 4533 2.5)."""

    oid: ClassVar[str] = "1.3.6.1.4.1.4203.1.9.1.4"
    name: ClassVar[str] = "sync info message"

    choice: NewCookie | RefreshDelete | RefreshPresent | SyncIdSet

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of(value, "syncInfoValue")
        if parts.has(_NEW_COOKIE):
            return parts.only(cls(NewCookie(parts.octets("newcookie", _NEW_COOKIE))))
        if parts.has(_REFRESH_DELETE):
            phase = parts.sequence("refreshDelete", _REFRESH_DELETE)
            return parts.only(cls(RefreshDelete(*_read_phase(phase))))
        if parts.has(_REFRESH_PRESENT):
            phase = parts.sequence("refreshPresent", _REFRESH_PRESENT)
            return parts.only(cls(RefreshPresent(*_read_phase(phase))))
        return parts.only(cls(_read_id_set(parts.sequence("syncIdSet", _ID_SET), limits)))

    def encode(self) -> bytes:
        match self.choice:
            case NewCookie(cookie):
                return tlv(_NEW_COOKIE, cookie)
            case RefreshDelete(cookie, done):
                return sequence(optional(cookie), boolean(done, True), tag=_REFRESH_DELETE)
            case RefreshPresent(cookie, done):
                return sequence(optional(cookie), boolean(done, True), tag=_REFRESH_PRESENT)
            case SyncIdSet(entries, cookie, deletes):
                ids = sequence(*[octets(entry.bytes) for entry in entries], tag=SET)
                return sequence(optional(cookie), boolean(deletes, False), ids, tag=_ID_SET)
            case _:
                assert_never(self.choice)


def _read_phase(parts: Parts) -> tuple[bytes | None, bool]:
    return parts.complete((parts.optional_octets("cookie"), parts.optional_boolean("refreshDone", True)))


def _read_id_set(parts: Parts, limits: Limits) -> SyncIdSet:
    cookie = parts.optional_octets("cookie")
    deletes = parts.optional_boolean("refreshDeletes", False)
    ids = parts.sequence("syncUUIDs", SET)
    return parts.complete(
        SyncIdSet(ids.every(lambda: read_uuid(ids, "syncUUID"), limits.values), cookie, deletes)
    )
