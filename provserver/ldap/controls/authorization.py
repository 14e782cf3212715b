"""To act as somebody else: RFC 4370."""

from __future__ import annotations

from typing import ClassVar, Self

from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.errors import RemoteProtocolError
from provserver.ldap.limits import Limits
from provserver.ldap.values import present, read_text, utf8
from provserver.records import record


@record
class ProxiedAuthorization(ControlValue):
    """The identity to perform the operation as: `dn:...`, `u:...`, or empty for anonymous (RFC 4370 3).

    The two forms are RFC 4513 5.2.1.8's; whether there is such a name is not known here. Always critical.
    """

    oid: ClassVar[str] = "2.16.840.1.113730.3.4.18"
    name: ClassVar[str] = "proxied authorization control"

    authorization_id: str

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        octets = present(value, "authzId")
        if octets and not octets.startswith((b"dn:", b"u:")):
            raise RemoteProtocolError("authzId", "is not empty, and starts neither with dn: nor with u:")
        return cls(read_text(octets, "authzId"))

    def encode(self) -> bytes:
        return utf8(self.authorization_id)
