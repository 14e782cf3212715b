"""How all directories but Active Directory take a password: RFC 3062 Password Modify, or one attribute
replaced; and the wishes that go with an administrator's reset, as changes of attributes of the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar, Final

from provserver.connectors.contract import (
    Accepts,
    Capabilities,
    Misfit,
    NotSupported,
    PasswordOption,
    SettingsError,
)
from provserver.connectors.directories.base import COMMON_SETTINGS, DirectoryConnector
from provserver.connectors.directories.line import LINE_SETTINGS
from provserver.connectors.directories.servers import Family, Server, writable_attributes
from provserver.connectors.registry import Settings
from provserver.ldap.client import LdapClient
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute
from provserver.vault.secret import Secret


class SettingBy(Enum):
    """How a password is set."""

    EXOP = "exop"
    REPLACE = "replace"


STANDARD_SETTINGS: Final[Mapping[str, str]] = {
    **LINE_SETTINGS,
    **{name: COMMON_SETTINGS[name] for name in ("dn", "base", "filter")},
    "operation": "exop (the default): RFC 3062 Password Modify; replace: a modify of the attribute",
    "attribute": "what operation=replace replaces; userPassword when not given",
    "schemes": "hash schemes in which the directory takes passwords that came encoded, e.g. SSHA,ARGON2: "
    "they replace the attribute as they are; none (the default): clear text only",
    **COMMON_SETTINGS,
}


class StandardDirectory(DirectoryConnector):
    """A family says in `_wishes_of` what its wishes are, and in `connector` and `families` who it is."""

    setting_names: ClassVar[Mapping[str, str]] = STANDARD_SETTINGS
    connector: ClassVar[str]
    """The name of its entry point."""
    families: ClassVar[frozenset[Family]]
    """The servers that it is for, of those that have a connector of their own."""

    def _read_settings(self, given: Settings) -> None:
        self._by = given.choice("operation", SettingBy.EXOP)
        self.accepts: Accepts = given.accepts("schemes")
        self._attribute = given.text("attribute", "userPassword")
        self._wished = self._wishes_of(given)

    def _wishes_of(self, given: Settings) -> Mapping[PasswordOption, Sequence[Change]]:
        """What is modified for each option; under NONE, for a password that need not be changed.
        SettingsError."""
        raise NotImplementedError

    async def _set(self, client: LdapClient, dn: str, secret: Secret, options: PasswordOption) -> None:
        # RFC 3062 is for clear text: a server would hash the hash.
        if self._by is SettingBy.EXOP and PasswordOption.ENCODED not in options:
            await client.password_modify(dn, new=secret)
        else:
            await client.set_attribute(dn, self._attribute, secret)

    async def _change(self, client: LdapClient, dn: str, old: Secret, new: Secret) -> None:
        if self._by is not SettingBy.EXOP:
            raise NotSupported("changing a password with the old one needs operation=exop")
        await client.password_modify(dn, old=old, new=new)

    def _wishes(self, options: PasswordOption) -> Sequence[Change]:
        plain = self._wished.get(PasswordOption.NONE, ())
        if not options:
            return plain
        wished = [
            change for option, changes in self._wished.items() if option & options for change in changes
        ]
        return wished if PasswordOption.FORCE_CHANGE_AT_LOGON in options else [*wished, *plain]

    async def _misfits(self, client: LdapClient, server: Server) -> Sequence[Misfit]:
        found = list(self._family_misfits(server))
        if self._by is SettingBy.EXOP and server.tells_extensions and not server.modifies_passwords:
            found.append(
                Misfit(
                    f"operation=exop, but {server.name} does not have RFC 3062 Password Modify",
                    "set operation=replace and, if it is not userPassword, the attribute",
                )
            )
        if not self._protected and server.offers_tls:
            found.append(
                Misfit(
                    f"starttls=no, but {server.name} offers StartTLS",
                    "take starttls=no away: passwords cross this line in clear",
                    grave=False,
                )
            )
        found += await self._unwritable_attributes(client, server)
        return found

    def _family_misfits(self, server: Server) -> Sequence[Misfit]:
        family = server.family
        better = _CONNECTOR_OF.get(family)
        if better is None or better == self.connector or family in self.families:
            return ()
        return [
            Misfit(
                f"the server is {family.value} ({server.name})",
                f"set provConnector to {better}",
                # Elsewhere passwords arrive all the same; this one keeps them in another attribute.
                grave=family is Family.ACTIVE_DIRECTORY,
            )
        ]

    async def _unwritable_attributes(self, client: LdapClient, server: Server) -> Sequence[Misfit]:
        wanted = [change.attribute.description for changes in self._wished.values() for change in changes]
        if self._by is SettingBy.REPLACE or self.accepts.schemes:
            wanted.append(self._attribute)
        known = await writable_attributes(client, server) if wanted else frozenset()
        return [
            Misfit(f"{server.name} has no attribute {name} that can be written", self._advice(name))
            for name in dict.fromkeys(wanted)
            if known and name.lower() not in known
        ]

    def _advice(self, name: str) -> str:
        """What to do about an attribute that the server does not know."""
        return "name one that the server has"


_CONNECTOR_OF: Final[Mapping[Family, str]] = {
    Family.OPENLDAP: "openldap",
    Family.DS389: "389ds",
    Family.ACTIVE_DIRECTORY: "ad",
}

WISH_SETTINGS: Final[Mapping[str, str]] = {
    "unlock": "what a reset that unlocks the account modifies: attribute=value, or attribute alone when "
    "it is removed; several with commas between them",
    "must_change": "what a reset that must be changed at next logon modifies, in the same form",
}


def wishes_of(given: Settings, unlock: str = "", must_change: str = "") -> dict[PasswordOption, list[Change]]:
    """The wishes that are told by `WISH_SETTINGS`; the texts are what holds when they are not given; `none`
    is nothing. SettingsError."""
    return {
        PasswordOption.FORCE_CHANGE_AT_LOGON: changes_of(given, "must_change", must_change),
        PasswordOption.UNLOCK_ACCOUNT: changes_of(given, "unlock", unlock),
    }


def changes_of(given: Settings, key: str, default: str = "") -> list[Change]:
    """One setting of the form that `WISH_SETTINGS` describe. SettingsError."""
    text = given.text(key, default)
    if text.strip().lower() in ("", "none"):
        return []
    return [_change(key, one) for one in text.split(",")]


def _change(key: str, text: str) -> Change:
    name, separator, value = (part.strip() for part in text.partition("="))
    if not (name and name.isascii() and name.replace("-", "").replace(".", "").replace(";", "").isalnum()):
        raise SettingsError(key, f"expected attribute, or attribute=value, got {text.strip()!r}")
    if separator and not value:
        raise SettingsError(key, f"expected a value after {name}=")
    # Replaced by nothing, not deleted: an account that has none is no error (RFC 4511 4.6).
    return Change(ChangeKind.REPLACE, PartialAttribute(name, (value.encode(),) if value else ()))


STANDARD_CAPABILITIES: Final = Capabilities(
    change="operation=exop",
    hashes="schemes",
    explore=True,
    secure="not with starttls=no",
    pipelining="pipeline",
    locate=True,
)
