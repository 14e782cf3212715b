"""What the value of an extended operation is."""

from __future__ import annotations

from typing import ClassVar

from provserver.ldap.values import MalformedValue, WireValue


class ExtendedError(MalformedValue):
    """The value of an extended operation that is not as its specification has it: protocolError (2)."""


class ExtendedValue(WireValue):
    """The value of an extended operation, request or response."""

    __slots__ = ()

    malformed: ClassVar[type[MalformedValue]] = ExtendedError
