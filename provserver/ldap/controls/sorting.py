"""Results in an order that the client chooses: RFC 2891."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.ber_writing import ENUMERATED
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.limits import Limits
from provserver.ldap.results import ResultCode
from provserver.ldap.values import Parts, boolean, integer, optional, sequence, text
from provserver.records import record

_RULE: Final = 0x80
_REVERSE: Final = 0x81
_ATTRIBUTE: Final = 0x80


@record
class SortKey:
    """An attribute to sort by; without a rule, by the ordering rule of the attribute itself."""

    attribute: str
    rule: str | None = None
    reverse: bool = False


@record
class SortRequest(ControlValue):
    """The sort keys, the weightiest first; at least one (RFC 2891 1.1, 2)."""

    oid: ClassVar[str] = "1.2.840.113556.1.4.473"
    name: ClassVar[str] = "server side sorting control"

    keys: tuple[SortKey, ...]

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "SortKeyList")
        keys = parts.every(lambda: _read_key(parts), limits.values)
        if not keys:
            raise parts.wrong("key", "is missing")
        return cls(keys)

    def encode(self) -> bytes:
        return sequence(*[_write_key(key) for key in self.keys])


@record
class SortResult(ControlValue):
    """How the sorting went, and the first attribute that was at fault (RFC 2891 1.2)."""

    oid: ClassVar[str] = "1.2.840.113556.1.4.474"
    name: ClassVar[str] = "server side sorting response control"

    code: ResultCode = ResultCode.SUCCESS
    attribute: str | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "SortResult")
        code = parts.result_code("sortResult")
        return parts.complete(cls(code, parts.optional_text("attributeType", _ATTRIBUTE)))

    def encode(self) -> bytes:
        return sequence(integer(self.code, ENUMERATED), optional(self.attribute, _ATTRIBUTE))


def _read_key(parts: Parts) -> SortKey:
    key = parts.sequence("key")
    return key.complete(
        SortKey(
            key.text("attributeType"),
            key.optional_text("orderingRule", _RULE),
            key.optional_boolean("reverseOrder", False, _REVERSE),
        )
    )


def _write_key(key: SortKey) -> bytes:
    return sequence(text(key.attribute), optional(key.rule, _RULE), boolean(key.reverse, False, _REVERSE))
