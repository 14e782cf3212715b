"""Those of the RFCs: Password Modify (RFC 3062), Cancel (RFC 3909), Who am I (RFC 4532).

Passwords are `Secret` from the moment they are read.
"""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.extended.kinds import ExtendedValue
from provserver.ldap.limits import Limits
from provserver.ldap.messages import CANCEL, PASSWORD_MODIFY, WHO_AM_I
from provserver.ldap.values import NoValue, Parts, integer, optional, read_text, sequence, utf8
from provserver.records import record
from provserver.vault.secret import Secret

_USER_IDENTITY: Final = 0x80
_OLD_PASSWORD: Final = 0x81
_NEW_PASSWORD: Final = 0x82
_GENERATED_PASSWORD: Final = 0x80


@record
class PasswordModify(ExtendedValue):
    """Whose password to change from what to what (RFC 3062 2.1).

    Without a user it is the one who is bound; without a new password the server makes one. RFC 3062 leaves
    the form of the user's name open; it is text here.
    """

    oid: ClassVar[str] = PASSWORD_MODIFY
    name: ClassVar[str] = "Password Modify request"

    user: str | None = None
    old_password: Secret | None = None
    new_password: Secret | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        if value is None:
            return cls()
        parts = Parts.of_sequence(value, "PasswdModifyRequestValue")
        return parts.complete(
            cls(
                parts.optional_text("userIdentity", _USER_IDENTITY),
                _read_secret(parts, "oldPasswd", _OLD_PASSWORD),
                _read_secret(parts, "newPasswd", _NEW_PASSWORD),
            )
        )

    def encode(self) -> bytes | None:
        """A value with nothing in it is not sent (RFC 3062 2.1)."""
        content = (
            optional(self.user, _USER_IDENTITY)
            + _write_secret(self.old_password, _OLD_PASSWORD)
            + _write_secret(self.new_password, _NEW_PASSWORD)
        )
        return sequence(content) if content else None


@record
class PasswordModified(ExtendedValue):
    """The password that the server made, if it did (RFC 3062 2.2)."""

    oid: ClassVar[str] = PASSWORD_MODIFY
    name: ClassVar[str] = "Password Modify response"

    generated: Secret | None = None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        if value is None:
            return cls()
        parts = Parts.of_sequence(value, "PasswdModifyResponseValue")
        return parts.complete(cls(_read_secret(parts, "genPasswd", _GENERATED_PASSWORD)))

    def encode(self) -> bytes | None:
        content = _write_secret(self.generated, _GENERATED_PASSWORD)
        return sequence(content) if content else None


@record
class Cancel(ExtendedValue):
    """The message id of the operation to cancel (RFC 3909 2.1)."""

    oid: ClassVar[str] = CANCEL
    name: ClassVar[str] = "Cancel request"

    message_id: int

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "cancelRequestValue")
        return parts.complete(cls(parts.integer("cancelID")))

    def encode(self) -> bytes:
        return sequence(integer(self.message_id))


@record
class Cancelled(NoValue, ExtendedValue):
    """The answer to a Cancel, a result code and no value (RFC 3909 2.2)."""

    oid: ClassVar[str] = CANCEL
    name: ClassVar[str] = "Cancel response"


@record
class WhoAmI(NoValue, ExtendedValue):
    """Who am I? (RFC 4532 2.1)"""

    oid: ClassVar[str] = WHO_AM_I
    name: ClassVar[str] = "Who am I request"


@record
class YouAre(ExtendedValue):
    """The authorization identity, `dn:...` or `u:...`, empty for anonymous (RFC 4532 2.2).

    None is what comes with any result but success.
    """

    oid: ClassVar[str] = WHO_AM_I
    name: ClassVar[str] = "Who am I response"

    authorization_id: str | None

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        return cls(None if value is None else read_text(value, "authzId"))

    def encode(self) -> bytes | None:
        return None if self.authorization_id is None else utf8(self.authorization_id)


def _read_secret(parts: Parts, name: str, tag: int) -> Secret | None:
    found = parts.optional_octets(name, tag)
    return None if found is None else Secret(found)


def _write_secret(secret: Secret | None, tag: int) -> bytes:
    return optional(None if secret is None else secret.reveal(), tag)
