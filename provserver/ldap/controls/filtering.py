"""Controls made of filters: assertions (RFC 4528) and matched values (RFC 3876)."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.errors import LocalProtocolError
from provserver.ldap.filter_encoding import encode_filter
from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
)
from provserver.ldap.limits import Limits
from provserver.ldap.values import Parts, sequence
from provserver.records import record

SimpleFilterItem = Equality | Substrings | GreaterOrEqual | LessOrEqual | Present | Approximate | Extensible
"""A filter without and, or, not; an `Extensible` among them has no `dn_attributes` (RFC 3876 2)."""


@record
class Assertion(ControlValue):
    """What must be true of the target for the operation to take place (RFC 4528 3)."""

    oid: ClassVar[str] = "1.3.6.1.1.12"
    name: ClassVar[str] = "assertion control"

    filter: Filter

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of(value, "controlValue")
        return parts.only(cls(parts.filter("filter", limits.ber_depth, [limits.filter_nodes])))

    def encode(self) -> bytes:
        return encode_filter(self.filter)


@record
class MatchedValues(ControlValue):
    """Of the attributes asked for, only the values that match an item are returned (RFC 3876 2).

    Nothing forbids to send no item; then no value is returned.
    """

    oid: ClassVar[str] = "1.2.826.0.1.3344810.2.3"
    name: ClassVar[str] = "matched values control"

    items: tuple[SimpleFilterItem, ...]

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "ValuesReturnFilter")
        nodes = [limits.filter_nodes]
        return cls(parts.every(lambda: _read_item(parts, nodes), limits.filter_nodes))

    def encode(self) -> bytes:
        if any(isinstance(item, Extensible) and item.dn_attributes for item in self.items):
            raise LocalProtocolError("an item of a matched values control does not match parts of names")
        return sequence(*[encode_filter(item) for item in self.items])


_NESTED: Final = (0xA0, 0xA1, 0xA2)


def _read_item(parts: Parts, nodes: list[int]) -> SimpleFilterItem:
    if any(parts.has(tag) for tag in _NESTED):
        raise parts.wrong("item", "is an and, or, not; simple filter items are expected")
    found = parts.filter("item", 0, nodes)
    assert not isinstance(found, And | Or | Not)  # noqa: S101  their tags were refused
    if isinstance(found, Extensible) and found.dn_attributes:
        raise parts.wrong("item", "has dnAttributes, which no simple filter item has")
    return found
