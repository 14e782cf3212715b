"""Where the password of who binds comes from: `-p`, a file, the environment, or the person at the
terminal.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final, TextIO

from provserver.vault.first_line import Unreadable, first_line
from provserver.vault.secret import Secret

VARIABLE: Final = "ETAUTIL_PASSWORD"


class NoPassword(Exception):
    """There is none, or it cannot be read: what to do."""


def password_of(
    given: str | None,
    file: str | None,
    whose: str,
    *,
    environment: Mapping[str, str] = os.environ,
    terminal: TextIO = sys.stdin,
    ask: Callable[[str], str] = getpass.getpass,
) -> Secret:
    """The password, from the first of these places that is named. NoPassword."""
    if given is not None:
        text = given
    elif file is not None:
        try:
            text = first_line(file)
        except Unreadable as unreadable:
            raise NoPassword(str(unreadable)) from None
    elif VARIABLE in environment:
        text = environment[VARIABLE]
    elif terminal.isatty():
        text = ask(f"Password of {whose}: ")
    else:
        raise NoPassword(f"no password: give -P FILE, or set {VARIABLE}, or run it at a terminal to be asked")
    if not text:
        # RFC 4513 5.1.2: a bind without a password is anonymous, and many a server says that it succeeded.
        raise NoPassword("the password is empty")
    return Secret(text.encode("utf-8", "surrogateescape"))
