"""What a control is to the server: its value, the requests it may come with, how a bad one is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import ExtendedRequest, Request
from provserver.ldap.values import MalformedValue, WireValue


class ControlError(MalformedValue):
    """A control's value that is not as its specification has it: protocolError (2)."""


class ControlValue(WireValue):
    """The value of a control."""

    __slots__ = ()

    malformed: ClassVar[type[MalformedValue]] = ControlError


@dataclass(frozen=True, slots=True)
class ControlKind:
    """A request control that we can read.

    `operations` are the requests for which its specification defines it. With another it is as good as
    unknown: unavailableCriticalExtension (12) if critical, otherwise ignored (RFC 4511 4.1.11).
    """

    value: type[ControlValue]
    operations: frozenset[type[Request]]
    except_extended: frozenset[str] = frozenset()
    """The extended operations, by object identifier, that it may not come with."""
    always_critical: bool = False
    """A request with this control and without its criticality is a protocolError."""

    @property
    def oid(self) -> str:
        return self.value.oid

    @property
    def name(self) -> str:
        return self.value.name

    def suits(self, operation: Request) -> bool:
        """May it come with this request?"""
        if isinstance(operation, ExtendedRequest) and operation.oid in self.except_extended:
            return False
        return type(operation) in self.operations

    def decode(self, value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> ControlValue:
        """The value of a control that came; raises ControlError, and nothing else."""
        return self.value.decode(value, limits)
