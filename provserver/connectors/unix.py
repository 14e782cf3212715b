"""UNIX hosts as endpoints: a command gets the password on its standard input, here or over SSH."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import Enum
from typing import ClassVar, Final

from provserver.connectors import unixcommand
from provserver.connectors.contract import (
    Accepts,
    Account,
    Capabilities,
    ConnectorError,
    ConnectorFailure,
    Fold,
    NotSupported,
    ObjectMissing,
    PasswordIllFormed,
    PasswordOption,
    Security,
    SettingsError,
    keep_as_is,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.connectors.unixcommand import MOST_SAID, Command, Ended, Runner, Words, checked_name
from provserver.connectors.unixlocal import LocalRunner
from provserver.directory.names import DN
from provserver.vault.secret import Secret

MOST_LISTED: Final = 64 * 2**20
"""Octets of a listing of accounts: half a million of them."""

_SSH_ONLY: Final = ("port", "user", "known_hosts", "host_key", "key_file", "agent")
_NOTHING: Final = Secret(b"")


class Input(Enum):
    """What a command reads."""

    PAIR = "pair"
    PASSWORD = "password"
    TWICE = "twice"


class UnixConnector:
    """A command on a UNIX host, on this machine or over SSH; chpasswd when nothing else is said."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "host": "the host, over SSH; this machine when not given",
        "port": "its SSH port; 22 when not given",
        "user": "who logs in there",
        "known_hosts": "file with the host's key, as ssh keeps it; or host_key",
        "host_key": "the host's public key itself, ssh-ed25519 AAAA…; several with commas between them",
        "key_file": "file with our private key, ed25519 or ecdsa; or agent",
        "agent": "socket of the SSH agent that has our key",
        "command": "what sets a password, split into words as a shell does, run without one; {name} and "
        "{attribute} of the account are parts of a word; /usr/sbin/chpasswd when not given",
        "input": "what it reads: pair, name:password (the default); password; or twice, the same again",
        "must_change_command": "run after a reset that must be changed, e.g. chage -d 0 {name}",
        "unlock_command": "run after a reset that unlocks, e.g. faillock --user {name} --reset",
        "lookup_command": "says by exit code 2 that there is no such account; getent passwd {name} when not "
        "given",
        "accounts_command": "lists accounts as passwd(5) does; getent passwd when not given",
        "least_uid": "accounts with a smaller number are the system's, and not explored; 1000 when not given",
        **unixcommand.SETTING_NAMES,
        "timeout": "seconds for connecting, and for each command; 20 when not given",
    }
    secret_names: ClassVar[Mapping[str, str]] = {"passphrase": "of key_file, when it is encrypted"}
    capabilities: ClassVar[Capabilities] = Capabilities(
        unlock="unlock_command", must_change="must_change_command", explore=True
    )
    pipeline: ClassVar[int] = 1
    security: Security = Security.SECURE
    accepts: Accepts = Accepts()
    fold: Fold = staticmethod(keep_as_is)

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        self._input = given.choice("input", Input.PAIR)
        self._command = Command(given, "command", "/usr/sbin/chpasswd")
        if self._input is not Input.PAIR and not self._command.has_places:
            raise SettingsError("command", "expected a place for the account, e.g. passwd --stdin {name}")
        self._lookup = Command(given, "lookup_command", "getent passwd {name}")
        self._accounts = Command(given, "accounts_command", "getent passwd")
        self._wishes = {
            PasswordOption.UNLOCK_ACCOUNT: _optional(given, "unlock_command"),
            PasswordOption.FORCE_CHANGE_AT_LOGON: _optional(given, "must_change_command"),
        }
        self._least_uid = given.count("least_uid", 1000, most=2**32)
        self._words = Words(given)
        patience = given.number("timeout", 20.0, least=0.1, most=600.0)
        self._runner = self._runner_of(given, secrets.get("passphrase"), reactor, patience)

    async def open(self, partition: str = "") -> None:
        await self._runner.open()

    async def close(self) -> None:
        await self._runner.close()

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        words = self._command.words(account)
        ended = await self._runner.run(words, self._fed(account, secret), MOST_SAID)
        if ended.code != 0:
            raise await self._failure(account, ended, secret)
        for option, command in self._wishes.items():
            if option in options and command is not None:
                await self._wish(command.words(account))

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        raise NotSupported("a command that sets a password does not ask for the old one")

    async def explore(self) -> AsyncIterator[Account]:
        """Every account that is a person's. Their DN is empty: a host knows none of ours."""
        words = self._accounts.words()
        ended = await self._runner.run(words, _NOTHING, MOST_LISTED)
        if ended.code != 0:
            raise self._placed(self._words.failure(ended, ()))
        if len(ended.output) >= MOST_LISTED:
            raise ConnectorError(f"{self._runner.where}: {words[0]} lists more than {MOST_LISTED} octets")
        nowhere = DN.parse("")
        for line in ended.output.decode(errors="replace").splitlines():
            fields = line.split(":")
            if len(fields) == 7 and fields[2].isdigit() and int(fields[2]) >= self._least_uid:
                attributes = zip(_PASSWD, [fields[0], *fields[2:]], strict=True)
                yield Account(fields[0], nowhere, {name: (value,) for name, value in attributes if value})

    # -- the steps

    def _fed(self, account: Account, secret: Secret) -> Secret:
        """What the command reads. PasswordIllFormed, ObjectMissing."""
        if not secret or any(octet in secret.reveal() for octet in b"\0\r\n"):
            raise PasswordIllFormed("expected at least one octet, and no line end or NUL")
        if self._input is Input.PAIR:
            return Secret(b"%b:%b\n" % (checked_name(account).encode(), secret.reveal()))
        times = 2 if self._input is Input.TWICE else 1
        return Secret(b"%b\n" % secret.reveal() * times)

    async def _failure(self, account: Account, ended: Ended, secret: Secret) -> ConnectorFailure:
        """PAM tells an unknown user as it tells any other trouble: then we look."""
        failure = self._words.failure(ended, (secret,))
        if type(failure) is ConnectorError:
            looked = await self._runner.run(self._lookup.words(account), _NOTHING, MOST_SAID)
            if looked.code == 2:  # getent(1)
                failure = ObjectMissing(f"there is no account {account.name!r}")
        return self._placed(failure)

    async def _wish(self, words: list[str]) -> None:
        """After the password was set: a failure here leaves it set."""
        ended = await self._runner.run(words, _NOTHING, MOST_SAID)
        if ended.code != 0:
            said = self._words.failure(ended, ())
            failure = ConnectorError(f"{self._runner.where}: the password was set, then {words[0]}: {said}")
            failure.outcome_unknown = True
            raise failure

    def _placed(self, failure: ConnectorFailure) -> ConnectorFailure:
        return type(failure)(f"{self._runner.where}: {failure}")

    def _runner_of(
        self, given: Settings, passphrase: Secret | None, reactor: object, patience: float
    ) -> Runner:
        if "host" in given:
            return _ssh_runner(given, passphrase, reactor, patience)
        for key in _SSH_ONLY:
            if key in given:
                raise SettingsError(key, "expected only with a host")
        if passphrase is not None:
            raise SettingsError("passphrase", "expected only with a key_file")
        return LocalRunner(reactor, patience, [self._command.program])


_PASSWD: Final = ("uid", "uidNumber", "gidNumber", "gecos", "homeDirectory", "loginShell")
"""The fields of passwd(5) without the password, by their names in RFC 2307."""


def _optional(given: Settings, key: str) -> Command | None:
    return Command(given, key) if key in given else None


def _ssh_runner(given: Settings, passphrase: Secret | None, reactor: object, patience: float) -> Runner:
    try:
        from provserver.connectors.unixkeys import SshPlace, check_host_key
        from provserver.connectors.unixssh import SshRunner
    except ImportError:
        raise SettingsError("host", "needs Conch: pip install 'provserver[ssh]'") from None
    place = SshPlace(
        host=given.text("host"),
        port=given.count("port", 22, least=1, most=65535),
        user=given.text("user"),
        known_hosts=given.text("known_hosts", ""),
        host_key=given.text("host_key", ""),
        key_file=given.text("key_file", ""),
        agent=given.text("agent", ""),
    )
    if bool(place.known_hosts) == bool(place.host_key):
        raise SettingsError("host_key", "expected either host_key or known_hosts: no host is trusted unseen")
    if bool(place.key_file) == bool(place.agent):
        raise SettingsError("key_file", "expected either key_file or agent")
    if passphrase is not None and not place.key_file:
        raise SettingsError("passphrase", "expected only with a key_file")
    for key in ("known_hosts", "key_file", "agent"):
        if given.text(key, "") and not given.text(key).startswith("/"):
            raise SettingsError(key, "expected an absolute path")
    if place.host_key:
        try:
            check_host_key(place.host_key)
        except ValueError as error:
            raise SettingsError("host_key", str(error)) from None
    return SshRunner(reactor, place, passphrase, patience)
