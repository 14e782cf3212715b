"""OpenLDAP: RFC 3062 or a replaced attribute, and the state of its ppolicy overlay (slapo-ppolicy(5))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from provserver.connectors.contract import Capabilities, PasswordOption
from provserver.connectors.directories.servers import Family
from provserver.connectors.directories.standard import (
    STANDARD_CAPABILITIES,
    STANDARD_SETTINGS,
    StandardDirectory,
    wishes_of,
)
from provserver.connectors.registry import Settings
from provserver.ldap.messages import Change

PPOLICY_SETTINGS: Final[Mapping[str, str]] = {
    "ppolicy": "yes: a reset that must be changed at next logon sets pwdReset, one that unlocks removes "
    "pwdAccountLockedTime; no (the default): these wishes are passed over",
}
PPOLICY_WISHES: Final[Mapping[str, str]] = {"unlock": "pwdAccountLockedTime", "must_change": "pwdReset=TRUE"}


class OpenLdapConnector(StandardDirectory):
    """An OpenLDAP server."""

    connector = "openldap"
    families = frozenset({Family.OPENLDAP})
    setting_names: ClassVar[Mapping[str, str]] = {**STANDARD_SETTINGS, **PPOLICY_SETTINGS}
    capabilities: ClassVar[Capabilities] = replace(
        STANDARD_CAPABILITIES, unlock="ppolicy=yes", must_change="ppolicy=yes"
    )

    def _wishes_of(self, given: Settings) -> Mapping[PasswordOption, list[Change]]:
        return wishes_of(given, **PPOLICY_WISHES) if given.flag("ppolicy", False) else {}

    def _advice(self, name: str) -> str:
        if name.lower().startswith("pwd"):
            return "load the ppolicy overlay there, or take ppolicy=yes away"
        return super()._advice(name)
