"""Which names were met, in a few bytes for each: how an exploration of millions knows who is gone."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Final

_FIRST_SIZE: Final = 1_024
_KEY_SIZE: Final = 16


class Seen:
    """A set of texts that keeps 64 bits of each, under a key of its own: 12 to 24 bytes a text.

    Two texts may pass for one, once in 10^8 explorations of 100,000 accounts; an account that is gone then
    stays until the next exploration.
    """

    def __init__(self, key: bytes) -> None:
        """`key`: 16 random bytes, so that nobody can choose names that meet."""
        self._key = key[:_KEY_SIZE]
        self._slots = _empty(_FIRST_SIZE)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: str) -> bool:
        digest = self._digest(text)
        return self._slots[self._slot(digest)] == digest

    def add(self, text: str) -> bool:
        """Whether it was new."""
        digest = self._digest(text)
        slot = self._slot(digest)
        if self._slots[slot] == digest:
            return False
        self._slots[slot] = digest
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            self._grow()
        return True

    def _digest(self, text: str) -> int:
        octets = blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=self._key).digest()
        return int.from_bytes(octets, "big") or 1  # 0 is an empty slot

    def _slot(self, digest: int) -> int:
        """Where it is, or would be."""
        slots, last = self._slots, len(self._slots) - 1
        slot = digest & last
        while slots[slot] not in (0, digest):
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        old = self._slots
        self._slots = _empty(2 * len(old))
        for digest in old:
            if digest:
                self._slots[self._slot(digest)] = digest


def _empty(size: int) -> array[int]:
    return array("Q", bytes(8 * size))
