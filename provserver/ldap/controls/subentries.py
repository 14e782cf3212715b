"""Subentries instead of entries: RFC 3672 3."""

from __future__ import annotations

from typing import ClassVar, Self

from provserver.ldap.ber_writing import BOOLEAN, boolean
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.limits import Limits
from provserver.ldap.values import Parts
from provserver.records import record


@record
class Subentries(ControlValue):
    """Visible are subentries only, or, if not `visible`, entries only (RFC 3672 3)."""

    oid: ClassVar[str] = "1.3.6.1.4.1.4203.1.10.1"
    name: ClassVar[str] = "subentries control"

    visible: bool

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of(value, "controlValue")
        return parts.only(cls(parts.boolean("visibility")))

    def encode(self) -> bytes:
        return boolean(BOOLEAN, self.visible)
