"""LDAP directories as endpoints: OpenLDAP and its like, by RFC 3062 or by replacing `userPassword`.

The line is protected by LDAPS or StartTLS and the server verified, or nothing is said on it. It stays open
between passwords. What the server answers becomes one of the contract's failures by the tables at the end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from enum import Enum
from typing import ClassVar, Final

from provserver.connectors.contract import (
    Accepts,
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    Fold,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
    keep_as_is,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.directory.names import DN, RDN, InvalidName
from provserver.ldap.client import Address, LdapClient, LineError, LineLost, Trust
from provserver.ldap.filters import (
    Filter,
    FilterSyntaxError,
    Present,
    Scope,
    escape_value,
    parse_filter,
)
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret


class SettingBy(Enum):
    """How a password is set."""

    EXOP = "exop"
    REPLACE = "replace"


_PLACE: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9-]*)\}")


class LdapConnector:
    """A line to one directory. Kept open; `open` makes a new one when the old one is lost."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "url": "ldaps://host[:port], or ldap://host[:port] raised to TLS by StartTLS",
        "starttls": "yes (the default), or no: an ldap:// line stays in clear, and says so (not secure)",
        "ca_file": "PEM file of the authorities that may vouch for the server; the system's when not given",
        "server_name": "the name in the server's certificate, when it is not the host of the url",
        "bind_dn": "who we are at the directory",
        "dn": "an account's DN, e.g. uid={name},ou=people,dc=example,dc=com; {name} is the account's name, "
        "{attribute} any attribute of the account; instead of base and filter",
        "base": "where accounts are looked up, when their DN cannot be told from their name",
        "filter": "how an account is looked up below base, e.g. (uid={name}); must find exactly one entry",
        "operation": "exop (the default): RFC 3062 Password Modify; replace: a modify of the attribute",
        "attribute": "what operation=replace replaces; userPassword when not given",
        "schemes": "hash schemes in which the directory takes passwords that came encoded, e.g. SSHA,ARGON2: "
        "they replace the attribute as they are; none (the default): clear text only",
        "ppolicy": "yes: a reset that must be changed at next logon sets pwdReset, one that unlocks removes "
        "pwdAccountLockedTime; no (the default): these wishes are passed over",
        "pipeline": "how many passwords may be on the way over one line before the first is confirmed; 32 by"
        " default; 1: one after the other",
        "timeout": "seconds for connecting, and for each answer; 10 when not given",
    }
    secret_names: ClassVar[Mapping[str, str]] = {"bind_password": "the password that belongs to bind_dn"}

    fold: Fold = staticmethod(keep_as_is)

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        self._reactor = reactor
        self._url = given.text("url")
        try:
            ldaps = Address.parse(self._url).ldaps
        except ValueError as error:
            raise SettingsError("url", str(error)) from None
        protected = given.flag("starttls", True) or ldaps
        if ldaps and "starttls" in given:
            raise SettingsError("starttls", "expected only with an ldap:// url")
        self._trust = Trust(given.text("ca_file", "") or None, given.text("server_name", "") or None)
        self._protected = protected
        self.security = Security.SECURE if protected else Security.NOT_SECURE
        self._bind_dn = given.text("bind_dn")
        password = secrets.get("bind_password")
        if not password:
            # RFC 4513 5.1.2: an empty one would be an unauthenticated bind, which succeeds and proves
            # nothing.
            raise SettingsError("bind_password", "must be given, and not be empty")
        self._bind_password = password
        self._by = given.choice("operation", SettingBy.EXOP)
        self.accepts: Accepts = given.accepts("schemes")
        self._attribute = given.text("attribute", "userPassword")
        self._ppolicy = given.flag("ppolicy", False)
        self.pipeline = given.count("pipeline", 32, least=1, most=1000)
        self._patience = given.number("timeout", 10.0, least=0.1, most=600.0)
        self._locate = _Locator(given)
        self._client: LdapClient | None = None

    async def open(self, partition: str = "") -> None:
        if self._client is not None:
            if self._client.connected:
                return
            self._client = None
        trust = self._trust if self._protected else None
        try:
            client = await LdapClient.connect(
                self._url, reactor=self._reactor, trust=trust, patience=self._patience
            )
        except LineError as error:
            raise ServerDown(f"{self._url}: {error}") from None
        except Refusal as refusal:
            raise ConnectorError(f"{self._url}: StartTLS was refused: {refusal}") from None
        except ValueError as error:
            raise ConnectorError(f"{self._url}: {error}") from None
        try:
            await client.bind(self._bind_dn, self._bind_password)
        except LineError as error:
            raise ServerDown(f"{self._url}: {error}") from None
        except Refusal as refusal:
            await client.close()
            raise _bind_failure(refusal, self._bind_dn) from None
        self._client = client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        client = self._line()
        dn = await self._dn(client, account)
        try:
            # RFC 3062 is for clear text: a server would hash the hash.
            if self._by is SettingBy.EXOP and PasswordOption.ENCODED not in options:
                await client.password_modify(dn, new=secret)
            else:
                await client.set_attribute(dn, self._attribute, secret)
        except LineError as error:
            raise _lost(error) from None
        except Refusal as refusal:
            raise _set_failure(refusal, dn) from None
        extra = self._extra(options)
        if extra:
            await self._wish(client, dn, extra)

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        if self._by is not SettingBy.EXOP:
            raise NotSupported("changing a password with the old one needs operation=exop")
        await self.open()
        client = self._line()
        dn = await self._dn(client, account)
        try:
            await client.password_modify(dn, old=old, new=new)
        except LineError as error:
            raise _lost(error) from None
        except Refusal as refusal:
            raise _change_failure(refusal, dn) from None

    def explore(self) -> AsyncIterator[Account]:
        raise NotSupported("an LDAP endpoint cannot be explored yet")

    async def locate(self, account: Account) -> str:
        """What the account is called at the directory, where it must be. ConnectorFailure."""
        await self.open()
        client = self._line()
        dn = await self._dn(client, account)
        if self._locate.dn:
            try:
                await client.search(dn, Scope.BASE, Present("objectClass"), ["1.1"])
            except LineError as error:
                raise DroppedConnection(str(error)) from None
            except Refusal as refusal:
                raise _set_failure(refusal, dn) from None
        return dn

    def _line(self) -> LdapClient:
        """The line as it is: a lost one is not made anew while others find out that it is lost.
        DroppedConnection.
        """
        if self._client is None or not self._client.connected:
            raise DroppedConnection("the line is closed")
        return self._client

    async def _dn(self, client: LdapClient, account: Account) -> str:
        """The account's DN at the endpoint. ConnectorFailure; no password was sent when it fails."""
        if self._locate.dn:
            return self._locate.dn_of(account)
        wanted = self._locate.filter_of(account)
        try:
            found = await client.search(self._locate.base, Scope.SUBTREE, wanted, ["1.1"], size_limit=2)
        except LineError as error:
            raise DroppedConnection(str(error)) from None
        except Refusal as refusal:
            if refusal.code is ResultCode.SIZE_LIMIT_EXCEEDED:
                raise ConnectorError(f"more than one entry is {account.name!r}") from None
            raise _set_failure(refusal, self._locate.base) from None
        if not found:
            raise ObjectMissing(f"no entry below {self._locate.base!r} is {account.name!r}")
        if len(found) > 1:
            raise ConnectorError(f"more than one entry is {account.name!r}")
        return found[0].dn

    def _extra(self, options: PasswordOption) -> list[Change]:
        if not (self._ppolicy and options):
            return []
        changes = []
        if PasswordOption.FORCE_CHANGE_AT_LOGON in options:
            changes.append(Change(ChangeKind.REPLACE, PartialAttribute("pwdReset", (b"TRUE",))))
        if PasswordOption.UNLOCK_ACCOUNT in options:
            # Replace by nothing, so that an account that is not locked is no error.
            changes.append(Change(ChangeKind.REPLACE, PartialAttribute("pwdAccountLockedTime")))
        return changes

    async def _wish(self, client: LdapClient, dn: str, changes: list[Change]) -> None:
        """After the password was set: a failure here leaves it set."""
        try:
            await client.modify(dn, changes)
        except LineError as error:
            raise _lost(error) from None
        except Refusal as refusal:
            failure = ConnectorError(f"{dn}: the password was set, its policy state was not: {refusal}")
            failure.outcome_unknown = True
            raise failure from None


class _Locator:
    """Where an endpoint has its accounts: a DN template, or a base and a filter template."""

    def __init__(self, given: Settings) -> None:
        self.dn = given.text("dn", "")
        self.base = given.text("base", "")
        self._filter = given.text("filter", "")
        if bool(self.dn) == bool(self.base or self._filter):
            raise SettingsError("dn", "expected either dn, or base and filter")
        if self.dn:
            self._check_dn("dn", self.dn)
            return
        if not (self.base and self._filter):
            raise SettingsError("filter" if self.base else "base", "expected both base and filter")
        self._check_dn("base", self.base)
        if not _PLACE.search(self._filter):
            raise SettingsError("filter", "expected a place for the account, e.g. (uid={name})")
        try:
            parse_filter(_PLACE.sub("x", self._filter))
        except FilterSyntaxError as error:
            raise SettingsError("filter", str(error)) from None

    def _check_dn(self, key: str, text: str) -> None:
        if key == "dn" and not _PLACE.search(text):
            raise SettingsError(key, "expected a place for the account, e.g. uid={name},ou=people,dc=example")
        try:
            DN.parse(_PLACE.sub("x", text))
        except InvalidName as error:
            raise SettingsError(key, str(error)) from None

    def dn_of(self, account: Account) -> str:
        """RDN.of writes each value with RFC 4514's escapes. ObjectMissing: no name can be made."""
        try:
            return _PLACE.sub(lambda found: RDN.of("x", _value(account, found[1])).text[2:], self.dn)
        except InvalidName as error:
            raise ObjectMissing(f"{account.name!r} can be no name in a directory: {error}") from None

    def filter_of(self, account: Account) -> Filter:
        return parse_filter(
            _PLACE.sub(lambda found: escape_value(_value(account, found[1]).encode()), self._filter)
        )


def _value(account: Account, place: str) -> str:
    """What stands in a place of a template. ObjectMissing: the account does not say it."""
    if place == "name":
        return account.name
    wanted = place.lower()
    for description, values in account.attributes.items():
        if description.lower() == wanted and values:
            return values[0]
    raise ObjectMissing(f"account {account.name!r} has no attribute {place}, which its DN is made of")


# -- what the server's words mean (facts/agents-and-peers.md 5.3)

_BY_CODE: Final[Mapping[ResultCode, type[ConnectorFailure]]] = {
    ResultCode.OPERATIONS_ERROR: ConnectorError,
    ResultCode.PROTOCOL_ERROR: NotSupported,  # an extended operation that the server does not know (OpenLDAP)
    ResultCode.TIME_LIMIT_EXCEEDED: Busy,
    ResultCode.ADMIN_LIMIT_EXCEEDED: Busy,
    ResultCode.AUTH_METHOD_NOT_SUPPORTED: NotSupported,
    ResultCode.STRONGER_AUTH_REQUIRED: AccessDenied,
    ResultCode.UNAVAILABLE_CRITICAL_EXTENSION: NotSupported,
    ResultCode.CONFIDENTIALITY_REQUIRED: AccessDenied,
    ResultCode.CONSTRAINT_VIOLATION: PasswordPolicyViolation,
    ResultCode.INVALID_ATTRIBUTE_SYNTAX: PasswordIllFormed,
    ResultCode.NO_SUCH_OBJECT: ObjectMissing,
    ResultCode.INAPPROPRIATE_AUTHENTICATION: BadServerCredentials,
    ResultCode.INVALID_CREDENTIALS: BadServerCredentials,
    ResultCode.INSUFFICIENT_ACCESS_RIGHTS: AccessDenied,
    ResultCode.BUSY: Busy,
    ResultCode.UNAVAILABLE: ServerDown,
    ResultCode.UNWILLING_TO_PERFORM: ConnectorError,
}

_BY_WORDS: Final[tuple[tuple[ResultCode, re.Pattern[str], type[ConnectorFailure]], ...]] = (
    # AD: a bind must be completed on this connection. It lost its bind: connect again.
    (ResultCode.OPERATIONS_ERROR, re.compile("000004DC"), DroppedConnection),
    # OpenLDAP ppolicy; 389 DS "password in history".
    (
        ResultCode.CONSTRAINT_VIOLATION,
        re.compile("in history|not being changed from existing", re.IGNORECASE),
        PasswordInHistory,
    ),
    # AD: reset (replace) refused by policy; Samba says it in words.
    (
        ResultCode.UNWILLING_TO_PERFORM,
        re.compile("0000052D|too short|complexity|quality|polic(y|ies)", re.IGNORECASE),
        PasswordPolicyViolation,
    ),
    (ResultCode.UNWILLING_TO_PERFORM, re.compile("not allowed to", re.IGNORECASE), AccessDenied),
    # AD: not encrypted, or badly encoded.
    (ResultCode.UNWILLING_TO_PERFORM, re.compile("0000001F"), PasswordIllFormed),
)

_OLD_WRONG: Final = re.compile(
    "00000056|0000056A|old password|unable to verify|current password", re.IGNORECASE
)


def _set_failure(refusal: Refusal, dn: str) -> ConnectorFailure:
    text = f"{dn}: {refusal}"
    diagnostic = refusal.result.diagnostic
    for code, words, kind in _BY_WORDS:
        if refusal.code is code and words.search(diagnostic):
            return kind(text)
    return _BY_CODE.get(refusal.code, ConnectorError)(text)


def _change_failure(refusal: Refusal, dn: str) -> ConnectorFailure:
    """As for setting, and: OpenLDAP answers a wrong old password with 53, AD with 19, others with 49."""
    wrong = refusal.code is ResultCode.INVALID_CREDENTIALS or (
        refusal.code in (ResultCode.UNWILLING_TO_PERFORM, ResultCode.CONSTRAINT_VIOLATION)
        and _OLD_WRONG.search(refusal.result.diagnostic)
    )
    return OldPasswordIncorrect(f"{dn}: {refusal}") if wrong else _set_failure(refusal, dn)


def _bind_failure(refusal: Refusal, bind_dn: str) -> ConnectorFailure:
    text = f"{bind_dn} cannot bind: {refusal}"
    if refusal.code in (ResultCode.BUSY, ResultCode.UNAVAILABLE):
        return _BY_CODE[refusal.code](text)
    if refusal.code in (ResultCode.CONFIDENTIALITY_REQUIRED, ResultCode.STRONGER_AUTH_REQUIRED):
        return AccessDenied(text)
    # Locked, expired, wrong, unknown: whatever the words, a person must look at our credentials there.
    return BadServerCredentials(text)


def _lost(error: LineError) -> DroppedConnection:
    failure = DroppedConnection(str(error))
    failure.outcome_unknown = isinstance(error, LineLost)
    return failure
