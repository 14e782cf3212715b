"""What a password policy has to say about an operation: draft-behera-ldap-password-policy, section 6."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final, Self

from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.limits import Limits
from provserver.ldap.values import NoValue, Parts, integer, sequence
from provserver.records import record

_OID: Final = "1.3.6.1.4.1.42.2.27.8.5.1"
_WARNING: Final = 0xA0
_TIME_BEFORE_EXPIRATION: Final = 0x80
_GRACE_AUTHENTICATIONS: Final = 0x81
_ERROR: Final = 0x81


class PolicyError(IntEnum):
    """Why the policy refused (section 6.2)."""

    PASSWORD_EXPIRED = 0
    ACCOUNT_LOCKED = 1
    CHANGE_AFTER_RESET = 2
    PASSWORD_MOD_NOT_ALLOWED = 3
    MUST_SUPPLY_OLD_PASSWORD = 4
    INSUFFICIENT_PASSWORD_QUALITY = 5
    PASSWORD_TOO_SHORT = 6
    PASSWORD_TOO_YOUNG = 7
    PASSWORD_IN_HISTORY = 8
    PASSWORD_TOO_LONG = 9


@record
class TimeBeforeExpiration:
    """The password expires in so many seconds."""

    seconds: int


@record
class GraceAuthentications:
    """The password has expired; so many more binds are allowed with it."""

    remaining: int


@record
class PasswordPolicyRequest(NoValue, ControlValue):
    """The client understands the response (section 6.1)."""

    oid: ClassVar[str] = _OID
    name: ClassVar[str] = "password policy control"


@record
class PasswordPolicyResponse(ControlValue):
    """A warning, an error, both or neither (section 6.2)."""

    oid: ClassVar[str] = _OID
    name: ClassVar[str] = "password policy response control"

    warning: TimeBeforeExpiration | GraceAuthentications | None = None
    error: PolicyError | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "PasswordPolicyResponseValue")
        warning = _read_warning(parts) if parts.has(_WARNING) else None
        error = parts.enumerated("error", PolicyError, _ERROR) if parts.has(_ERROR) else None
        return parts.complete(cls(warning, error))

    def encode(self) -> bytes:
        error = b"" if self.error is None else integer(self.error, _ERROR)
        return sequence(_write_warning(self.warning), error)


def _read_warning(parts: Parts) -> TimeBeforeExpiration | GraceAuthentications:
    choice = parts.sequence("warning", _WARNING)
    if choice.has(_TIME_BEFORE_EXPIRATION):
        seconds = choice.integer("timeBeforeExpiration", _TIME_BEFORE_EXPIRATION)
        return choice.only(TimeBeforeExpiration(seconds))
    if choice.has(_GRACE_AUTHENTICATIONS):
        remaining = choice.integer("graceAuthNsRemaining", _GRACE_AUTHENTICATIONS)
        return choice.only(GraceAuthentications(remaining))
    raise parts.wrong("warning", "is neither timeBeforeExpiration nor graceAuthNsRemaining")


def _write_warning(warning: TimeBeforeExpiration | GraceAuthentications | None) -> bytes:
    if warning is None:
        return b""
    if isinstance(warning, TimeBeforeExpiration):
        return sequence(integer(warning.seconds, _TIME_BEFORE_EXPIRATION), tag=_WARNING)
    return sequence(integer(warning.remaining, _GRACE_AUTHENTICATIONS), tag=_WARNING)
