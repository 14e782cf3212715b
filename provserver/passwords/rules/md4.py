"""MD4 (RFC 1320), for lists of NTLM hashes: OpenSSL 3 has put it away. Good for nothing else."""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SHIFTS: Final = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_ORDERS: Final = (
    tuple(range(16)),
    (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
    (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
)
_ADDED: Final = (0, 0x5A827999, 0x6ED9EBA1)


def md4(octets: bytes) -> bytes:
    """The digest, 16 octets."""
    padding = b"\x80" + b"\0" * ((55 - len(octets)) % 64)
    padded = octets + padding + struct.pack("<Q", len(octets) * 8)
    state = _START
    for at in range(0, len(padded), 64):
        state = _compressed(state, struct.unpack_from("<16I", padded, at))
    return struct.pack("<4I", *state)


def _compressed(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for turn in range(3):
        shifts, added = _SHIFTS[turn], _ADDED[turn]
        for step, place in enumerate(_ORDERS[turn]):
            if turn == 0:
                mixed = (b & c) | (~b & d)
            elif turn == 1:
                mixed = (b & c) | (b & d) | (c & d)
            else:
                mixed = b ^ c ^ d
            total = (a + mixed + words[place] + added) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, ((total << shift) | (total >> (32 - shift))) & _MASK, b, c
    before = state
    return (
        (before[0] + a) & _MASK,
        (before[1] + b) & _MASK,
        (before[2] + c) & _MASK,
        (before[3] + d) & _MASK,
    )
