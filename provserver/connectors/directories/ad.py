"""Active Directory, AD LDS and Samba's domain controllers.

They take a password in one attribute, `unicodePwd`, over TLS only (MS-ADTS 3.1.1.3.1.5.1): one replace by
whoever may reset it, or the old one deleted and the new one added in one modify by whoever knows it. What is
not told by the settings, the domain itself for instance, is read from the server's root DSE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

from provserver.connectors.contract import (
    Account,
    Capabilities,
    ConnectorError,
    Misfit,
    NotSupported,
    PasswordIllFormed,
    PasswordOption,
    ServerDown,
    SettingsError,
)
from provserver.connectors.directories import addresses
from provserver.connectors.directories.addresses import Resting
from provserver.connectors.directories.adwords import ActiveDirectoryMeanings
from provserver.connectors.directories.base import COMMON_SETTINGS, DirectoryConnector
from provserver.connectors.directories.exploring import Exploring
from provserver.connectors.directories.line import LINE_SETTINGS
from provserver.connectors.directories.locating import Locator
from provserver.connectors.directories.servers import Family, Server, read_server
from provserver.connectors.registry import Settings
from provserver.ldap.client import Address, LdapClient, LineError
from provserver.ldap.messages import Change, ChangeKind, Control, PartialAttribute
from provserver.ldap.results import Refusal
from provserver.ldap.values import integer, sequence
from provserver.vault.secret import Secret

PASSWORD: Final = "unicodePwd"

POLICY_HINTS: Final = ("1.2.840.113556.1.4.2239", "1.2.840.113556.1.4.2066")
"""LDAP_SERVER_POLICY_HINTS_OID and its deprecated twin, which older servers know (MS-ADTS 3.1.1.3.4.1)."""

_AD_LDS: Final = "1.2.840.113556.1.4.1851"
_READ_ONLY: Final = "1.2.840.113556.1.4.1920"
"""LDAP_CAP_ACTIVE_DIRECTORY_ADAM_OID, LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID (MS-ADTS 3.1.1.3.4.3)."""
_GLOBAL_CATALOG: Final = (3268, 3269)

_NAME: Final = "sAMAccountName"
_LOGON_NAME: Final = "etadssamaccountname"
_PEOPLE: Final = "(objectCategory=person)(objectClass=user)"
_TOLD_BY_THE_SERVER: Final = "DC=domain"
"""Stands for the domain until the server has said which it is."""
_ATTRIBUTES: Final = (
    "sAMAccountName userPrincipalName cn sn givenName displayName initials mail employeeID employeeNumber "
    "employeeType title company department telephoneNumber mobile description userAccountControl"
)
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class Hinted(Enum):
    """Which passwords are set with the policy hints control."""

    OWN = "own"
    ALWAYS = "always"
    NEVER = "never"


class AdConnector(DirectoryConnector):
    """A line to one domain, or to one instance of AD LDS."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **{name: text for name, text in LINE_SETTINGS.items() if name != "starttls"},
        "bind_dn": "who we are there: a DN, or user@domain",
        "account": f"the attribute that is an account's name: {_NAME} (the default; what an account says in "
        "eTADSsAMAccountName goes before its name), userPrincipalName, cn",
        "base": "below which entry accounts are looked up; the whole domain, which the server tells, when "
        "not given",
        "filter": f"how an account is looked up below base; (&{_PEOPLE}({_NAME}={{name}})), with what "
        "account says, when not given; must find exactly one entry",
        "policy_hints": "whether the domain's history and minimum age bind a reset: own (the default), where "
        "the user chose the password, and the server can; always; never",
        **{name: text for name, text in COMMON_SETTINGS.items() if name not in ("base", "filter")},
    }
    capabilities: ClassVar[Capabilities] = Capabilities(
        change=True,
        unlock=True,
        must_change=True,
        explore=True,
        pipelining="pipeline",
        locate=True,
    )
    meanings = ActiveDirectoryMeanings()

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Mapping[str, Secret],
        reactor: object,
        *,
        resting: Resting = addresses.SHARED,
    ) -> None:
        self._given = settings
        self._asks_for_domain = not settings.keys() & {"dn", "base"}
        self._hints: WeakKeyDictionary[LdapClient, str] = WeakKeyDictionary()
        super().__init__(self._completed(_TOLD_BY_THE_SERVER), secrets, reactor, resting=resting)

    def _completed(self, domain: str) -> dict[str, str]:
        """The settings, with what they are when nothing is said. SettingsError."""
        account = self._given.get("account", _NAME)
        if not _ATTRIBUTE.fullmatch(account):
            raise SettingsError(
                "account", f"expected the name of an attribute, e.g. {_NAME}, got {account!r}"
            )
        usual = {
            "explore_filter": f"(&{_PEOPLE})",
            "explore_name": account,
            "explore_attributes": _ATTRIBUTES,
        }
        if "dn" not in self._given:
            usual |= {"base": domain, "filter": f"(&{_PEOPLE}({account}={{name}}))"}
        return {**usual, **self._given}

    def _read_settings(self, given: Settings) -> None:
        self._hinted = given.choice("policy_hints", Hinted.OWN)
        for url in self._addresses.in_order():
            if Address.parse(url).port in _GLOBAL_CATALOG:
                raise SettingsError(
                    "url", f"expected a server's own port; the global catalog ({url}) is read only"
                )

    # -- the line

    async def _let_in(self, url: str, patience: float) -> LdapClient:
        client = await super()._let_in(url, patience)
        try:
            self._learn(await read_server(client), client)
        except LineError as error:
            raise ServerDown(f"{url}: {error}") from None
        except Refusal as refusal:
            await client.close()
            raise self.meanings.of_set(refusal, f"{url}: its root DSE") from None
        except ConnectorError as error:
            await client.close()
            raise ConnectorError(f"{url}: {error}") from None
        return client

    def _learn(self, server: Server, client: LdapClient) -> None:
        """What only the server knows. ConnectorError."""
        controls = server.values("supportedControl")
        self._hints[client] = next((oid for oid in POLICY_HINTS if oid in controls), "")
        if self._asks_for_domain:
            domain = next(iter(server.values("defaultNamingContext")), "")
            if not domain:
                raise ConnectorError("the server does not name a domain; base must be given")
            completed = Settings(self._completed(domain), self.setting_names)
            self._locate = Locator(completed)
            self._exploring = Exploring(completed, self._locate)

    # -- passwords

    async def _set(self, client: LdapClient, dn: str, secret: Secret, options: PasswordOption) -> None:
        controls = self._policy(client, options)
        await client.set_attribute(dn, PASSWORD, quoted(secret), controls=controls)

    async def _change(self, client: LdapClient, dn: str, old: Secret, new: Secret) -> None:
        await client.change_attribute(dn, PASSWORD, quoted(old), quoted(new))

    def _policy(self, client: LdapClient, options: PasswordOption) -> Sequence[Control]:
        """The control by which a reset obeys what binds a user's own change. NotSupported."""
        own = PasswordOption.VALIDATE_PASSWORD in options
        if self._hinted is Hinted.NEVER or (self._hinted is Hinted.OWN and not own):
            return ()
        oid = self._hints.get(client, "")
        if not oid:
            if self._hinted is Hinted.OWN:
                return ()
            raise NotSupported(
                "policy_hints=always, but the server does not know policy hints; set it to own"
            )
        return (Control(oid, True, sequence(integer(1))),)

    def _wishes(self, options: PasswordOption) -> Sequence[Change]:
        return [
            Change(ChangeKind.REPLACE, PartialAttribute(attribute, (b"0",)))
            for option, attribute in _STATE.items()
            if option in options
        ]

    async def _dn(self, client: LdapClient, account: Account) -> str:
        return await super()._dn(client, self._by_logon_name(account))

    def _by_logon_name(self, account: Account) -> Account:
        """Entries of the class eTADSAccount are called by their CN and say their logon name apart from it."""
        if self._given.keys() & {"dn", "filter", "account"}:
            return account
        names = next((values for key, values in account.attributes.items() if key.lower() == _LOGON_NAME), ())
        return Account(names[0], account.dn, account.attributes) if names else account

    # -- whether the settings fit

    async def _misfits(self, client: LdapClient, server: Server) -> Sequence[Misfit]:
        if server.family is not Family.ACTIVE_DIRECTORY:
            what = f"the server is {server.name}, which has no {PASSWORD}"
            return [Misfit(what, "set provConnector to openldap, 389ds or ldap")]
        found, abilities = [], server.values("supportedCapabilities")
        if _READ_ONLY in abilities:
            found.append(
                Misfit(
                    "the server is a read-only domain controller, where no password can be set",
                    "give a writable one as url",
                )
            )
        if _AD_LDS in abilities and _NAME.lower() in self._completed("").get("filter", "").lower():
            found.append(
                Misfit(
                    f"the server is AD LDS, whose accounts have no {_NAME}",
                    "set account to userPrincipalName, or to cn",
                )
            )
        if self._hinted is Hinted.ALWAYS and not self._hints.get(client):
            found.append(
                Misfit(
                    "policy_hints=always, but the server does not know policy hints",
                    "set policy_hints to own: its length and complexity rules go for resets all the same",
                )
            )
        return found


_STATE: Final[Mapping[PasswordOption, str]] = {
    PasswordOption.FORCE_CHANGE_AT_LOGON: "pwdLastSet",
    PasswordOption.UNLOCK_ACCOUNT: "lockoutTime",
}
"""What becomes 0 (MS-ADA1, MS-ADA3)."""


def quoted(secret: Secret) -> Secret:
    """The value of `unicodePwd`: between quotation marks, in UTF-16, little end first, unmarked.
    PasswordIllFormed: no text.
    """
    # Raised outside of any `except`: the error of a codec keeps what it could not read.
    with suppress(ValueError):
        return Secret(f'"{secret.reveal_text()}"'.encode("utf-16-le"))
    raise PasswordIllFormed("the password is no text (UTF-8), and Active Directory takes nothing else")
