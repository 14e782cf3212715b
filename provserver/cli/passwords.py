"""Where a command gets a password from: a file, standard input, or the person at the terminal; never the
command line.
"""

from __future__ import annotations

import getpass
import secrets
import sys
from pathlib import Path
from typing import Final

from provserver.cli.failure import CommandFailed
from provserver.vault.secret import Secret

_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters and digits that look alike."""


def read_password(source: str) -> Secret:
    """The first line of a file, or of standard input for `-`; UTF-8, with or without a byte order mark."""
    name = "standard input" if source == "-" else source
    try:
        if source == "-":
            line = sys.stdin.buffer.readline()
        else:
            with Path(source).open("rb") as file:
                line = file.readline()
    except OSError as error:
        raise CommandFailed(f"the password cannot be read from {name}: {error.strerror}") from None
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        # Not the error's own text: it shows an octet of the password.
        raise CommandFailed(f"the password cannot be read from {name}: expected UTF-8 text") from None
    if not text:
        raise CommandFailed(f"{name} holds no password: expected it on the first line")
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
