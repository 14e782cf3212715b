"""Characters in an order that everybody knows: of the alphabet, of numbers, of a row of keys. Ours."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    # Keyboards: United States, Germany, France
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "!@#$%^&*()",
    "qwertzuiop",
    "yxcvbnm",
    '!"§$%&/()=',
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
)
"""What is next to each other; letters in lower case."""


def runs_on(text: str, most: int) -> bool:
    """Whether more than `most` characters of a folded text follow each other as in one of the rows, forwards
    or backwards.
    """
    size = most + 1
    return not _stretches(size).isdisjoint([text[at : at + size] for at in range(len(text) - most)])


@lru_cache(32)
def _stretches(size: int) -> frozenset[str]:
    """Everything of this size in a row, both ways."""
    both = [way for row in ROWS for way in (row, row[::-1])]
    return frozenset([row[at : at + size] for row in both for at in range(len(row) - size + 1)])
