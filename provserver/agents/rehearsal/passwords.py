"""New passwords, one for each change: nobody ever sees them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from provserver.vault.secret import Secret

# No vowels, and nothing that can be read as one: no word and no name is in a password, by chance or not.
_KINDS: Final = {
    "u": "BCDFGHJKMNPQRSTVWXZ",
    "l": "bcdfghjkmnpqrstvwxz",
    "d": "256789",
    "s": "-.,:;=?_*%",
    "a": "BCDFGHJKMNPQRSTVWXZbcdfghjkmnpqrstvwxz256789",
}
MEANINGS: Final = "u a capital, l a small letter, d a digit, s a sign, a any letter or digit"
DEFAULT: Final = "ulds" * 4
LEAST_BITS: Final = 40
"""They become real passwords of real accounts, so nobody may guess them."""


class Pattern:
    """What a password looks like: one letter for each of its characters. ValueError: it is no pattern."""

    def __init__(self, text: str) -> None:
        if not set(text) <= set(_KINDS):
            raise ValueError(f"expected only {MEANINGS}")
        self._kinds = [_KINDS[letter] for letter in text]
        bits = sum(math.log2(len(kind)) for kind in self._kinds)
        if bits < LEAST_BITS:
            raise ValueError(
                f"expected a longer one: it makes passwords that can be guessed ({bits:.0f} of at least "
                f"{LEAST_BITS} bits)"
            )

    def draw(self, below: Callable[[int], int]) -> Secret:
        """A password; `below` draws a number from 0 to one less than it is given."""
        return Secret.of_text("".join(kind[below(len(kind))] for kind in self._kinds))
