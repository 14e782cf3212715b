"""The same character again and again: in a row, or anywhere in the password. Case counts. Ours."""

from __future__ import annotations

from operator import eq


def repeats_in_a_row(text: str, most: int) -> bool:
    """Whether a character comes more than `most` times in a row."""
    return b"\1" * most in bytes(map(eq, text, text[1:]))


def occurs_too_often(text: str, most: int) -> bool:
    """Whether a character comes more than `most` times, wherever."""
    ordered = sorted(text)
    return any(map(eq, ordered, ordered[most:]))
