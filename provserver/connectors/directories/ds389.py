"""389-ds, Red Hat Directory Server and FreeIPA.

They take RFC 3062 over a protected line only, and mostly refuse it with "Failed to update password", whatever
the reason. A replaced `userPassword` is refused in the words of the rule; but it is answered before the
account's history and state are written, so that what is sent next may be overtaken. So RFC 3062 is the
default, and a refusal without words is asked for once more by a replace, which the same rule refuses.

An account's state is in attributes of their own: `accountUnlockTime` and `passwordRetryCount` of a lock-out,
`passwordExpirationTime` of 1970 for a password that must be changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from provserver.connectors.contract import (
    AccessDenied,
    Capabilities,
    ConnectorError,
    Misfit,
    NotSupported,
    PasswordInHistory,
    PasswordOption,
    SettingsError,
)
from provserver.connectors.directories.meanings import Meanings, Words
from provserver.connectors.directories.servers import Family, Server
from provserver.connectors.directories.standard import (
    STANDARD_CAPABILITIES,
    STANDARD_SETTINGS,
    WISH_SETTINGS,
    SettingBy,
    StandardDirectory,
    changes_of,
    wishes_of,
)
from provserver.connectors.registry import Settings
from provserver.directory.names import DN, InvalidName
from provserver.ldap.client import LdapClient
from provserver.ldap.controls.password_policy import PasswordPolicyRequest
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import Change, Control
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret

_UNLOCK: Final = "accountUnlockTime,passwordRetryCount=0"
_MUST_CHANGE: Final = "passwordExpirationTime=19700101000000Z"
_WORDLESS: Final = re.compile("failed to update password", re.IGNORECASE)
_CONTROLS: Final = (Control(PasswordPolicyRequest.oid),)
"""Has a refused change explained, which no replace can be asked about."""
_CONFIG: Final = "cn=config"
_MUST: Final = "passwordMustChange"
_HASHED: Final = "nsslapd-allow-hashed-passwords"
_MANAGER: Final = "nsslapd-rootdn"

WORDS: Final = (
    # FreeIPA (ipa-pwd-extop); 389-ds says "password in history", as others do.
    Words(ResultCode.CONSTRAINT_VIOLATION, "reuse not permitted", PasswordInHistory),
    # 389-ds: only its managers may; FreeIPA: nobody may.
    Words(ResultCode.CONSTRAINT_VIOLATION, "passwords with storage scheme are not allowed", AccessDenied),
    Words(ResultCode.CONSTRAINT_VIOLATION, "pre-(encoded|hashed) passwords are not valid", NotSupported),
    # It is the account that is refused, whatever the password.
    Words(ResultCode.CONSTRAINT_VIOLATION, "account expired|exceed password retry limit", ConnectorError),
)


class Ds389Connector(StandardDirectory):
    """A server of this family."""

    connector = "389ds"
    families = frozenset({Family.DS389})
    meanings = Meanings(WORDS)
    setting_names: ClassVar[Mapping[str, str]] = {
        **STANDARD_SETTINGS,
        "operation": "exop (the default): RFC 3062 Password Modify, over a protected line only; replace: a "
        "modify of the attribute",
        "unlock": f"{WISH_SETTINGS['unlock']}; {_UNLOCK} when not given; none: passed over",
        "must_change": f"{WISH_SETTINGS['must_change']}; {_MUST_CHANGE} when not given; none: passed over",
        "no_must_change": "what every other password modifies, in the same form: passwordExpirationTime "
        "where passwordMustChange is on, which would have each of them changed; nothing when not given",
    }
    capabilities: ClassVar[Capabilities] = replace(
        STANDARD_CAPABILITIES, change=True, unlock=True, must_change=True
    )

    def _read_settings(self, given: Settings) -> None:
        super()._read_settings(given)
        if "ARGON2" in self.accepts.schemes:
            raise SettingsError("schemes", "expected none of ARGON2: 389-ds stores it and cannot verify it")

    def _wishes_of(self, given: Settings) -> Mapping[PasswordOption, list[Change]]:
        plain = changes_of(given, "no_must_change")
        self._clears = bool(plain)
        return {**wishes_of(given, _UNLOCK, _MUST_CHANGE), PasswordOption.NONE: plain}

    async def _set(self, client: LdapClient, dn: str, secret: Secret, options: PasswordOption) -> None:
        try:
            await super()._set(client, dn, secret, options)
        except Refusal as refusal:
            if not _WORDLESS.match(refusal.result.diagnostic):
                raise
            await client.set_attribute(dn, self._attribute, secret)

    async def _change(self, client: LdapClient, dn: str, old: Secret, new: Secret) -> None:
        # Whatever the setting: a replaced attribute proves no old password.
        await client.password_modify(dn, old=old, new=new, controls=_CONTROLS)

    async def _misfits(self, client: LdapClient, server: Server) -> Sequence[Misfit]:
        found = list(await super()._misfits(client, server))
        if server.family is Family.DS389 and self._by is SettingBy.EXOP and not self._protected:
            found.append(
                Misfit(
                    "operation=exop over a line in clear, on which this server takes no Password Modify",
                    "take starttls=no away, or set operation=replace",
                )
            )
        return [*found, *await self._configured(client)]

    async def _configured(self, client: LdapClient) -> Sequence[Misfit]:
        """What its configuration says, which few logins may read."""
        try:
            entries = await client.search(
                _CONFIG, Scope.BASE, Present("objectClass"), [_MUST, _HASHED, _MANAGER]
            )
        except Refusal:
            return ()
        if not entries:
            return ()
        entry, found = entries[0], []
        if entry.values(_MUST) == [b"on"] and not self._clears:
            found.append(
                Misfit(
                    f"{_MUST} is on there: every password that we set has to be changed at the next logon",
                    "set no_must_change=passwordExpirationTime",
                    grave=False,
                )
            )
        is_manager = any(_same(value.decode(), self._bind_dn) for value in entry.values(_MANAGER))
        if self.accepts.schemes and entry.values(_HASHED) == [b"off"] and not is_manager:
            found.append(
                Misfit(
                    "schemes are given, but the server takes hashed passwords from its managers only",
                    f"turn {_HASHED} on there, or take schemes away",
                )
            )
        return found


def _same(one: str, other: str) -> bool:
    try:
        return DN.parse(one) == DN.parse(other)
    except InvalidName:
        return False
