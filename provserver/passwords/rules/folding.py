"""Texts as rules compare them, so that "Zoë" is found in "ZOE-1999", and "password" in "P4$$w0rd".

Ours: letters in one case, without accents; for words of the dictionary also the digits and signs that stand
for letters. `1`, `!`, `|` and `l` are all read as an `i`, because the signs stand for either letter.
"""

from __future__ import annotations

import unicodedata
from typing import Final

LOOKED_AT: Final = 1024
"""Characters of a password that rules look into: what is behind them has no weakness to add, but a price."""

_LETTERS: Final = str.maketrans(
    {
        **dict.fromkeys("@4", "a"),
        "8": "b",
        "3": "e",
        **dict.fromkeys("69", "g"),
        **dict.fromkeys("1!|l", "i"),
        "0": "o",
        **dict.fromkeys("$5", "s"),
        **dict.fromkeys("+7", "t"),
        "2": "z",
    }
)


def folded(text: str) -> str:
    """Letters in lower case and without accents (NFKD without marks); other characters as they are."""
    if text.isascii():
        return text.lower()
    # Apart before and after: the plain form of a fancy letter may be a capital, a small letter may be two.
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join([character for character in apart if not unicodedata.combining(character)])


def read_as_letters(text: str) -> str:
    """A folded text with the letters that its digits and signs stand for; as long as before."""
    return text.translate(_LETTERS)
