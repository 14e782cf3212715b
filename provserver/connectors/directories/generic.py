"""Any other LDAP directory: eDirectory, IBM, Sun, Oracle and their like, by settings.

What they have in common is a modify of `userPassword`, and most have RFC 3062. Which attributes lock an
account and make a password one to be changed is theirs alone: the settings name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from provserver.connectors.contract import Capabilities, PasswordOption
from provserver.connectors.directories.openldap import PPOLICY_SETTINGS, PPOLICY_WISHES
from provserver.connectors.directories.servers import Family
from provserver.connectors.directories.standard import (
    STANDARD_CAPABILITIES,
    STANDARD_SETTINGS,
    WISH_SETTINGS,
    StandardDirectory,
    wishes_of,
)
from provserver.connectors.registry import Settings
from provserver.ldap.messages import Change


class LdapConnector(StandardDirectory):
    """A directory of no family that we know."""

    connector = "ldap"
    families = frozenset({Family.OPENLDAP, Family.DS389})
    setting_names: ClassVar[Mapping[str, str]] = {**STANDARD_SETTINGS, **PPOLICY_SETTINGS, **WISH_SETTINGS}
    capabilities: ClassVar[Capabilities] = replace(
        STANDARD_CAPABILITIES, unlock="unlock, or ppolicy=yes", must_change="must_change, or ppolicy=yes"
    )

    def _wishes_of(self, given: Settings) -> Mapping[PasswordOption, list[Change]]:
        return wishes_of(given, **(PPOLICY_WISHES if given.flag("ppolicy", False) else {}))
