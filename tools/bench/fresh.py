"""The passwords of the cycle: 16 characters each, no two alike, and good by every rule of rules.py.

Four times a capital, a small letter, a digit and a sign. No vowels, and nothing that can be read as one: no
word of any language is in them, and no name of a user. Neighbours are of different kinds, so nothing is in
an order, or a row of keys.
"""

from __future__ import annotations

import random
from typing import Final

from prepared import PASSWORD_LENGTH

KINDS: Final = (b"BCDFGHJKMNPQRSTVWXZ", b"bcdfghjkmnpqrstvwxz", b"256789", b"-.,:;=?_*%")
ROUNDS: Final = 4
ALL: Final = 21_660**ROUNDS
"""How many there are."""
_SCATTER: Final = 0x9E3779B97F4A7C13
"""Prime to `ALL`, so that each number has a place of its own, far from its neighbour's."""
_FORMER: Final = 2**40
"""Numbers below are for former passwords."""
_AGES: Final = 8


def password(number: int) -> bytes:
    """The password of a number below `ALL`."""
    place = number * _SCATTER % ALL
    characters = bytearray()
    for _ in range(ROUNDS):
        for kind in KINDS:
            place, which = divmod(place, len(kind))
            characters.append(kind[which])
    assert len(characters) == PASSWORD_LENGTH  # noqa: S101  the templates' lengths depend on it
    return bytes(characters)


def former_password(user: int, age: int) -> bytes:
    """What the user's password was before the run: 0 the current one, 1 to 5 those that the history holds."""
    return password(user * _AGES + age)


class Passwords:
    """Passwords that were never used before in the whole benchmark."""

    def __init__(self, randomness: random.Random) -> None:
        self._next = _FORMER + randomness.randrange(2**48)

    def fresh(self) -> bytes:
        self._next += 1
        return password(self._next)
