"""Ours: why an account is as it is (docs/why-no-password.md), answered in JSON."""

from __future__ import annotations

from typing import ClassVar, Self

from provserver.ldap.extended.kinds import ExtendedValue
from provserver.ldap.limits import Limits
from provserver.ldap.messages import CLEAR_GUARD, EXPLAIN
from provserver.ldap.values import Parts, read_text, sequence, text, utf8
from provserver.records import record


@record
class Explain(ExtendedValue):
    """Why a password is taken or refused on an account, and where it goes: SEQUENCE { account LDAPString }.
    (Ours; answered to administrators.)
    """

    oid: ClassVar[str] = EXPLAIN
    name: ClassVar[str] = "Explain request"

    account: str
    """A DN, or `Namespace:Directory:name`."""

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "explainRequestValue")
        return parts.complete(cls(parts.text("account")))

    def encode(self) -> bytes:
        return sequence(text(self.account))


@record
class Explained(ExtendedValue):
    """The explanation, a JSON object (docs/why-no-password.md); None is what comes with any result but
    success.
    """

    oid: ClassVar[str] = EXPLAIN
    name: ClassVar[str] = "Explain response"

    explanation: str | None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        return cls(None if value is None else read_text(value, "explanation"))

    def encode(self) -> bytes | None:
        return None if self.explanation is None else utf8(self.explanation)


@record
class ClearGuard(Explain):
    """Clear the echo guard of an account. (Ours.)"""

    oid: ClassVar[str] = CLEAR_GUARD
    name: ClassVar[str] = "Clear Guard request"


@record
class GuardCleared(Explained):
    """The explanation as it is now, with `cleared`: whether there was anything to clear."""

    oid: ClassVar[str] = CLEAR_GUARD
    name: ClassVar[str] = "Clear Guard response"
