"""Where a program is given a password: the first line of a file, or of its standard input."""

from __future__ import annotations

import sys


class Unreadable(ValueError):
    """It cannot be read: says where and why, never what stands there."""


def first_line(source: str) -> str:
    """The first line of a file, or of standard input for `-`; UTF-8, with or without a byte order mark. Empty
    where there is none. Unreadable.
    """
    name = name_of(source)
    try:
        if source == "-":
            line = sys.stdin.buffer.readline()
        else:
            with open(source, "rb") as file:
                line = file.readline()
    except OSError as error:
        raise Unreadable(f"the password cannot be read from {name}: {error.strerror}") from None
    try:
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        # Not the error's own text: it shows an octet of the password.
        raise Unreadable(f"the password cannot be read from {name}: expected UTF-8 text") from None


def name_of(source: str) -> str:
    """What people call it."""
    return "standard input" if source == "-" else source
