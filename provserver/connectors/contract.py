"""What the server asks of an endpoint, whatever kind it is.

A connector keeps its connection open between passwords and closes it when told; it never opens, sets and
closes per password (the lesson of SAP at 100,000 users, see the ECMA2 documentation). It says how secure its
line is, and it fails only with the exceptions named here: each is permanent or transient, so that the courier
knows what to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import ClassVar, Final, Protocol

from provserver.directory.names import DN
from provserver.records import record
from provserver.vault.secret import Secret


class Security(Enum):
    """Whether what goes over the line can be read on the way."""

    SECURE = "secure"
    NOT_SECURE = "not secure"


class PasswordOption(Flag):
    """How a password is set (ECMA2 PasswordOptions): an agent's sync sets none of these."""

    NONE = 0
    FORCE_CHANGE_AT_LOGON = auto()
    UNLOCK_ACCOUNT = auto()
    VALIDATE_PASSWORD = auto()
    ENCODED = auto()
    """The secret is a stored form, `{SCHEME}…`, to be stored as it is. Only given to a connector that says in
    `accepts` that its endpoint takes this scheme."""


@record
class Account:
    """An account as a connector needs it: its name at the endpoint and its attributes, never a password."""

    name: str
    dn: DN
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ConnectorFailure(Exception):
    """An endpoint did not do what it was asked. The text is for the administrator, never holds a password."""

    transient: ClassVar[bool] = False
    """True: a later attempt may succeed. False: only a person, or another password, changes the outcome."""

    outcome_unknown: bool = False
    """True on an instance: the password may have been set. The connection is closed, the newest password
    sent again."""


class AccessDenied(ConnectorFailure):
    """Our credentials are right, our rights are not."""


class BadServerCredentials(ConnectorFailure):
    """The endpoint does not accept our credentials."""


class DroppedConnection(ConnectorFailure):
    """The line broke in the middle."""

    transient = True


class ServerDown(ConnectorFailure):
    """Nobody answers."""

    transient = True


class Busy(ConnectorFailure):
    """The endpoint asks for patience."""

    transient = True


class ObjectMissing(ConnectorFailure):
    """The endpoint has no such account."""


class OldPasswordIncorrect(ConnectorFailure):
    """A change (not a set) named the wrong old password."""


class PasswordIllFormed(ConnectorFailure):
    """The endpoint cannot take these characters or this length."""


class PasswordPolicyViolation(ConnectorFailure):
    """The endpoint's own policy refuses this password."""


class PasswordInHistory(PasswordPolicyViolation):
    """The endpoint's policy refuses this password because the account has or had it: a repeat is told so."""


class NotSupported(ConnectorFailure):
    """The endpoint cannot do this at all."""


class ConnectorError(ConnectorFailure):
    """Something else, which repeating will not mend."""


class SettingsError(ValueError):
    """A setting of an endpoint makes no sense: `key` names it, the text says what was expected."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"{key}: {expected}")
        self.key = key


Fold = Callable[[bytes], bytes]
"""How an endpoint alters a password before it compares: not at all, or upper case, cut at 8 (mainframe)."""


def keep_as_is(password: bytes) -> bytes:
    """The fold of an endpoint that compares passwords exactly."""
    return password


ENCODINGS: Final = ("SSHA", "SSHA256", "SSHA384", "SSHA512", "PBKDF2-SHA256", "ARGON2")
"""The schemes in which passwords may come to us encoded, and go on."""


@record
class Accepts:
    """What kinds of secret an endpoint takes: clear text, and hashes of which schemes (in capitals, as in
    `ENCODINGS`).
    """

    clear_text: bool = True
    schemes: frozenset[str] = frozenset()


Ability = bool | str
"""Whether a kind of connector can do something: True, always; False, never; a text, when its settings say so,
which names them in a few words: `operation=exop`."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of connector can do, as data: the table in `docs/reference/connectors.md` is made of it,
    and the kit (`provserver.testing.connector_contract`) tests that it is true.

    A kind declares it as a class variable:

        class MineConnector:
            capabilities: ClassVar[Capabilities] = Capabilities(explore=True, unlock="unlock_url")

    What is not named is False, and tested as such: a connector which does not declare `explore` has to raise
    NotSupported when it is asked to. A kind that declares nothing is shown with what can be told otherwise.
    """

    set: Ability = True
    """`set_password` of a clear-text password."""
    change: Ability = False
    """`change_password`, with the old one checked by the endpoint."""
    unlock: Ability = False
    """PasswordOption.UNLOCK_ACCOUNT is obeyed. Where it is False it is passed over."""
    must_change: Ability = False
    """PasswordOption.FORCE_CHANGE_AT_LOGON is obeyed. Where it is False it is passed over."""
    hashes: Ability = False
    """Some encoded passwords are taken; which, `Connector.accepts` says."""
    explore: Ability = False
    secure: Ability = True
    """Whether the line can't be read on the way: `Connector.security` is SECURE."""
    pipelining: Ability = False
    """More than one password may be on the way over one line: `Connector.pipeline` is more than 1."""
    locate: Ability = False
    """It is a `Locates`."""


_LONGEST_SCHEME: Final = 24


def scheme_of(secret: Secret) -> str:
    """`SSHA256` of `{ssha256}…`; empty when it does not begin like that."""
    name, closed, rest = secret.reveal()[:_LONGEST_SCHEME].partition(b"}")
    if not (name.startswith(b"{") and closed and rest and name.isascii()):
        return ""
    return name[1:].decode().upper()


class Connector(Protocol):
    """One endpoint's line. Owned by one courier at a time, who may have more than one password on the way."""

    security: Security
    accepts: Accepts
    fold: Fold
    pipeline: int
    """How many calls of `set_password` it takes at once on its one line; 1: one after the other. They are for
    different accounts, and each ends by itself; when the line is lost, all that were on the way fail with
    their outcome unknown.
    """

    async def open(self, partition: str = "") -> None:
        """Make ready: connect, check the certificate, log in. Harmless when open. Raises ConnectorFailure."""

    async def close(self) -> None:
        """Let go of the line; never fails, harmless when closed already."""

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        """Set the password as an administrator would; returns when it is confirmed. ConnectorFailure.

        With the option ENCODED the secret is a hash in one of the `accepts.schemes`: set as it is, never
        hashed again. Who gives up waiting cancels: nobody knows then how it ended, and after `close` nothing
        of it may arrive any more.
        """

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        """Change the password knowing the old one. Raises ConnectorFailure."""

    def explore(self) -> AsyncIterator[Account]:
        """Every account at the endpoint, page by page. ConnectorFailure; NotSupported when it can't."""


class Locates(Protocol):
    """A connector that can look an account up without touching it: `provserver endpoints test` asks it."""

    async def locate(self, account: Account) -> str:
        """What the account is called at the endpoint, where it must be. Opens the line when it is closed.
        ObjectMissing, another ConnectorFailure."""


@record
class Misfit:
    """Something that does not go together: the settings, and the server that was found there."""

    what: str
    """What is wrong, in a sentence."""
    advice: str
    """What to set, or to do at the endpoint."""
    grave: bool = True
    """True: passwords, or the wishes that go with them, will not arrive. False: a warning."""


class Fits(Protocol):
    """A connector that can ask the server at the other end whether its settings fit: `provserver endpoints
    test` does, once, and never a courier."""

    async def misfits(self) -> Sequence[Misfit]:
        """What does not fit; empty when all is well. Opens the line when it is closed. ConnectorFailure."""


class ConnectorKind(Protocol):
    """What an entry point of `provserver.connectors` names: makes connectors from an endpoint's settings."""

    setting_names: ClassVar[Mapping[str, str]]
    """Every setting with one line of help; `docs/reference/connectors.md` is made of them. A kind may also
    have `secret_names`, the same for its secrets, and `capabilities`."""

    def __call__(
        self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object
    ) -> Connector:
        """A closed connector. Raises SettingsError naming the key; does no I/O."""
