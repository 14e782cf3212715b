"""Sealing: what a password looks like in the outbox.

    0x01 | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag          (the form is ours)

The header and the identity of the row are authenticated with it, so a sealed value that is moved to another
row does not open there. The password is padded to a multiple of 32 bytes first: a stolen store does not
even tell its length. Nonces are random; SP 800-38D 8.3 allows 2**32 of them under one key: rotate the key
before that (at 3 million deliveries a day, after almost four years).
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from provserver.vault.keyring import KEY_ID_SIZE, KeyId, KeyRing, Purpose, Randomness
from provserver.vault.secret import Secret

_FORMAT = b"\x01"
_NONCE_SIZE = 12
_TAG_SIZE = 16
_HEADER_SIZE = 1 + KEY_ID_SIZE
_TEXT_START = _HEADER_SIZE + _NONCE_SIZE
_BLOCK = 32
_PADDING = tuple(b"\x80".ljust(_BLOCK - length, b"\0") for length in range(_BLOCK))
"""By length modulo the block: one bit and zeros (ISO/IEC 7816-4); comes off without a length field."""


class SealBroken(Exception):
    """A sealed value that does not open: altered, of another row, or its key is not in the ring."""


def key_of(sealed: bytes) -> KeyId | None:
    """The id of the key that a sealed value needs; None: it is none."""
    if len(sealed) < _TEXT_START + _BLOCK + _TAG_SIZE or sealed[:1] != _FORMAT:
        return None
    return KeyId(sealed[1:_HEADER_SIZE].hex())


class Seal:
    """Seals and opens under one key ring, as it is at the time. Safe in any thread, and after a fork.

    `random` is asked 12 bytes a time. A block of them kept in reserve would save 0.4 of 2 µs, and would
    make two forked processes or two threads use the same nonce, which is the end of GCM.
    """

    __slots__ = ("_cipher", "_ciphers", "_header", "_random", "_ring", "_taken")

    def __init__(self, ring: KeyRing, random: Randomness = os.urandom) -> None:
        self._ring = ring
        self._random = random
        self._renew()

    def _renew(self) -> None:
        ring = self._ring
        self._taken = ring.taken
        self._header = _FORMAT + bytes.fromhex(ring.current)
        self._cipher = AESGCM(ring.key(Purpose.SEAL))
        self._ciphers: dict[bytes, AESGCM] = {self._header: self._cipher}

    def seal(self, secret: Secret, row: bytes) -> bytes:
        """The secret, to be opened only with the same `row` (an identity that no other row has)."""
        if self._taken != self._ring.taken:
            self._renew()
        value = secret.reveal()
        nonce = self._random(_NONCE_SIZE)
        header = self._header
        padded = value + _PADDING[len(value) % _BLOCK]
        return header + nonce + self._cipher.encrypt(nonce, padded, header + row)

    def open(self, sealed: bytes, row: bytes) -> Secret:
        """The secret again. SealBroken."""
        if self._taken != self._ring.taken:
            self._renew()
        header = sealed[:_HEADER_SIZE]
        cipher = self._ciphers.get(header)
        if cipher is None:
            cipher = self._cipher_for(header)
        if len(sealed) < _TEXT_START + _BLOCK + _TAG_SIZE:
            raise SealBroken("the sealed value is cut off")
        try:
            padded = cipher.decrypt(sealed[_HEADER_SIZE:_TEXT_START], sealed[_TEXT_START:], header + row)
        except InvalidTag:
            raise SealBroken("the sealed value was altered, or belongs to another row") from None
        return Secret(padded.rstrip(b"\0")[:-1])

    def needs_renewal(self, sealed: bytes) -> bool:
        """Whether a value is sealed under another key than the current one."""
        if self._taken != self._ring.taken:
            self._renew()
        return sealed[:_HEADER_SIZE] != self._header

    def _cipher_for(self, header: bytes) -> AESGCM:
        if len(header) < _HEADER_SIZE:
            raise SealBroken("the sealed value is cut off")
        if header[:1] != _FORMAT:
            raise SealBroken(f"the sealed value has format {header[0]}, {_FORMAT[0]} was expected")
        key_id = KeyId(header[1:].hex())
        if key_id not in self._ring:
            raise SealBroken(f"the sealed value needs key {key_id}, which the key ring does not have")
        cipher = self._ciphers[header] = AESGCM(self._ring.key(Purpose.SEAL, key_id))
        return cipher

    def renewed(self, sealed: bytes, row: bytes) -> bytes:
        """The same secret under the current key. SealBroken."""
        return self.seal(self.open(sealed, row), row)

    def __repr__(self) -> str:
        return f"Seal({self._ring!r})"
