"""Where a command gets a password from: a file, standard input, or the person at the terminal; never the
command line.
"""

from __future__ import annotations

import getpass
import secrets
from typing import Final

from provserver.cli.failure import CommandFailed
from provserver.vault.first_line import Unreadable, first_line, name_of
from provserver.vault.secret import Secret

_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters and digits that look alike."""


def read_password(source: str) -> Secret:
    """The first line of a file, or of standard input for `-`; UTF-8, with or without a byte order mark."""
    try:
        text = first_line(source)
    except Unreadable as unreadable:
        raise CommandFailed(str(unreadable)) from None
    if not text:
        raise CommandFailed(f"{name_of(source)} holds no password: expected it on the first line")
    return Secret.of_text(text)


def ask_password(whose: str) -> Secret:
    """Ask twice at the terminal, without showing it."""
    first = getpass.getpass(f"New password of {whose}: ")
    if not first:
        raise CommandFailed("an empty password is not allowed")
    if getpass.getpass("Again: ") != first:
        raise CommandFailed("the two are not the same; nothing was changed")
    return Secret.of_text(first)


def generated_password() -> str:
    """A password that a person can copy: 20 characters, some 116 bits, with every class that a profile may
    ask for.
    """
    while True:
        text = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
        if (
            any(c.isdigit() for c in text)
            and any(c.isupper() for c in text)
            and any(c.islower() for c in text)
        ):
            return text
