"""A window on a sorted list: virtual list views, draft-ietf-ldapext-ldapv3-vlv-09."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.ber_writing import ENUMERATED, tlv
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.limits import Limits
from provserver.ldap.results import ResultCode
from provserver.ldap.values import Parts, integer, optional, sequence
from provserver.records import field, record

_BY_OFFSET: Final = 0xA0
_BY_VALUE: Final = 0x81


@record
class ByOffset:
    """The target as a ratio, offset to content count (section 5).

    An offset of 0 is not allowed, but read: the answer to it is offsetRangeError, not protocolError (6.2).
    """

    offset: int
    content_count: int = 0


@record
class ByValue:
    """The target is the first entry whose primary sort key is not below the assertion value."""

    value: bytes = field(repr=False)


@record
class ViewRequest(ControlValue):
    """The entries around a target (section 6.1); `context` is what the server sent last."""

    oid: ClassVar[str] = "2.16.840.1.113730.3.4.9"
    name: ClassVar[str] = "virtual list view control"

    before: int
    after: int
    target: ByOffset | ByValue
    context: bytes | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "VirtualListViewRequest")
        return parts.complete(
            cls(
                parts.integer("beforeCount"),
                parts.integer("afterCount"),
                _read_target(parts),
                parts.optional_octets("contextID"),
            )
        )

    def encode(self) -> bytes:
        target = self.target
        return sequence(
            integer(self.before),
            integer(self.after),
            sequence(integer(target.offset), integer(target.content_count), tag=_BY_OFFSET)
            if isinstance(target, ByOffset)
            else tlv(_BY_VALUE, target.value),
            optional(self.context),
        )


@record
class ViewResult(ControlValue):
    """Where the target was found, in how many entries (section 6.2).

    The draft gives protocolError the number 3, that of timeLimitExceeded; here it is 2 as everywhere.
    """

    oid: ClassVar[str] = "2.16.840.1.113730.3.4.10"
    name: ClassVar[str] = "virtual list view response control"

    position: int
    content_count: int
    code: ResultCode = ResultCode.SUCCESS
    context: bytes | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "VirtualListViewResponse")
        return parts.complete(
            cls(
                parts.integer("targetPosition"),
                parts.integer("contentCount"),
                parts.result_code("virtualListViewResult"),
                parts.optional_octets("contextID"),
            )
        )

    def encode(self) -> bytes:
        return sequence(
            integer(self.position),
            integer(self.content_count),
            integer(self.code, ENUMERATED),
            optional(self.context),
        )


def _read_target(parts: Parts) -> ByOffset | ByValue:
    if parts.has(_BY_OFFSET):
        offset = parts.sequence("byOffset", _BY_OFFSET)
        return offset.complete(ByOffset(offset.integer("offset"), offset.integer("contentCount")))
    if parts.has(_BY_VALUE):
        return ByValue(parts.octets("greaterThanOrEqual", _BY_VALUE))
    raise parts.wrong("target", "is neither byOffset nor greaterThanOrEqual")
