"""A command on a UNIX host: how it is made of a template, how it ended, and what its words mean."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    Busy,
    ConnectorError,
    ConnectorFailure,
    ObjectMissing,
    PasswordInHistory,
    PasswordPolicyViolation,
    SettingsError,
)
from provserver.connectors.registry import Settings
from provserver.records import field, record
from provserver.vault.secret import Secret

MOST_SAID: Final = 64 * 1024
"""Octets of standard error that are kept, and of standard output where nothing else is said."""

_PLACE: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9-]*)\}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+-]{0,254}\$?")
"""What hosts take for a name, no command for an option, and no shell for anything else."""


@record
class Ended:
    """`code` is None when a signal ended it."""

    code: int | None
    output: bytes = field(repr=False)
    errors: bytes = field(repr=False)


class Runner(Protocol):
    """Where commands run."""

    where: str

    async def open(self) -> None:
        """ConnectorFailure."""

    async def close(self) -> None: ...

    async def run(self, words: Sequence[str], given: Secret, most: int) -> Ended:
        """Run it with `given` on its standard input; keep at most so much output. ConnectorFailure."""


class Command:
    """A template of words. `{name}` and `{attribute}` stand for a word or a part of one, never for more."""

    def __init__(self, given: Settings, key: str, default: str | None = None) -> None:
        text = given.text(key, default)
        try:
            self._words = shlex.split(text)
        except ValueError as error:
            raise SettingsError(key, f"cannot be split into words: {error}") from None
        if not self._words or _PLACE.search(self._words[0]):
            raise SettingsError(key, "expected a command, e.g. /usr/sbin/chpasswd")
        if "{password}" in text:
            raise SettingsError(key, "expected no {password}: others see the words of a command")

    @property
    def program(self) -> str:
        return self._words[0]

    @property
    def has_places(self) -> bool:
        return any(_PLACE.search(word) for word in self._words)

    def words(self, account: Account | None = None) -> list[str]:
        """ObjectMissing: the account cannot be named there."""
        if account is None:
            return list(self._words)
        return [_PLACE.sub(lambda found: _value(account, found[1]), word) for word in self._words]


def checked_name(account: Account) -> str:
    """ObjectMissing: no host has such a user."""
    if _NAME.fullmatch(account.name) is None:
        raise ObjectMissing(f"{account.name!r} can be no name on a UNIX host")
    return account.name


def _value(account: Account, place: str) -> str:
    if place == "name":
        return checked_name(account)
    for name, values in account.attributes.items():
        if name.casefold() == place.casefold() and values:
            if values[0].startswith("-") or not values[0].isprintable():
                raise ObjectMissing(f"the {place} of account {account.name!r} can be no word of a command")
            return values[0]
    raise ObjectMissing(f"account {account.name!r} has no attribute {place}, which the command names")


SETTING_NAMES: Final[Mapping[str, str]] = {
    "policy_words": "what the command says when the host's own policy refuses, with | between them; in "
    "addition to what PAM says",
    "missing_words": "what it says when there is no such account, with | between them; in addition",
}


class Words:
    """What a command that failed means, by its exit code and by what it said in the C locale."""

    def __init__(self, given: Settings) -> None:
        self._own = [
            (_alternatives(given, "missing_words"), ObjectMissing),
            (_alternatives(given, "policy_words"), PasswordPolicyViolation),
        ]

    def failure(self, ended: Ended, hidden: Sequence[Secret]) -> ConnectorFailure:
        said = ended.errors or ended.output
        text = " ".join(said.decode(errors="replace").split())
        shown = "" if any(_is_in(secret, text) for secret in hidden) else f": {text[:400]}" if text else ""
        for words, kind in self._own:
            if words is not None and words.search(text):
                return kind(f"the command refuses it{shown}")
        if ended.code == 127:
            return ConnectorError(f"there is no such command{shown}")
        if ended.code == 126:
            return AccessDenied(f"the command may not be run{shown}")
        for words, kind in _MEANINGS:
            if words.search(text):
                return kind(f"the command refuses it{shown}")
        how = "a signal ended the command" if ended.code is None else f"the command ended with {ended.code}"
        return ConnectorError(f"{how}{shown}")


def _alternatives(given: Settings, key: str) -> re.Pattern[str] | None:
    words = [part.strip() for part in given.text(key, "").split("|") if part.strip()]
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None


def _is_in(secret: Secret, text: str) -> bool:
    password = secret.reveal().decode(errors="replace")
    return bool(password) and " ".join(password.split()).casefold() in text.casefold()


_MEANINGS: Final[Sequence[tuple[re.Pattern[str], type[ConnectorFailure]]]] = tuple(
    (re.compile(words, re.IGNORECASE), kind)
    for words, kind in (
        # pam_pwhistory, pam_unix remember=
        ("already used|have not used before|in (the )?history", PasswordInHistory),
        # pam_pwquality, pam_cracklib, passwdqc
        ("BAD PASSWORD|Weak password|too (short|simple|similar)|dictionary", PasswordPolicyViolation),
        ("does not exist|unknown user|user not known|no such user", ObjectMissing),
        ("token lock busy|cannot lock|try again|resource temporarily|no space left", Busy),
        ("permission denied|must be root|only root|not permitted|not allowed|sudo:", AccessDenied),
    )
)
