"""Controls that say all they say by being there."""

from __future__ import annotations

from typing import ClassVar

from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.values import NoValue
from provserver.records import record


@record
class ManageDsaIT(NoValue, ControlValue):
    """Treat referral objects as entries like others (RFC 3296 3)."""

    oid: ClassVar[str] = "2.16.840.1.113730.3.4.2"
    name: ClassVar[str] = "ManageDsaIT control"


@record
class TreeDelete(NoValue, ControlValue):
    """Delete the entry with all below it (draft-armijo-ldap-treedelete-02)."""

    oid: ClassVar[str] = "1.2.840.113556.1.4.805"
    name: ClassVar[str] = "tree delete control"
