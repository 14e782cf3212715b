"""Names for very many new entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from provserver.directory.entries import EntryId

_AT_ONCE = 256


def identities(random: Callable[[int], bytes]) -> Iterator[EntryId]:
    """UUIDs of version 4 (RFC 9562 5.4) without end; the randomness is asked for in blocks."""
    while True:
        digits = random(16 * _AT_ONCE).hex()
        for start in range(0, 32 * _AT_ONCE, 32):
            low, mid, high, clock, node = (
                digits[start : start + 8],
                digits[start + 8 : start + 12],
                digits[start + 13 : start + 16],
                digits[start + 16 : start + 20],
                digits[start + 20 : start + 32],
            )
            variant = "89ab"[int(clock[0], 16) & 3]
            yield EntryId(f"{low}-{mid}-4{high}-{variant}{clock[1:]}-{node}")
