"""Echo marks: what a password that we sent to an account is recognised by, and shows to nobody else.

    key id (4) | HMAC(mark key, account id, zero, folded password) (32)        (the form is ours)

The key id says which key a mark still needs. Marks of earlier versions are the HMAC alone.
"""

from __future__ import annotations

from provserver.vault.keyring import KEY_ID_SIZE, KeyId, KeyRing, Purpose

_MAC_SIZE = 32


def key_of(mark: bytes) -> KeyId | None:
    """The id of the key that a mark was made under; None: it does not say."""
    return KeyId(mark[:KEY_ID_SIZE].hex()) if len(mark) == KEY_ID_SIZE + _MAC_SIZE else None


class Marker:
    """Makes marks under the ring's current key, and what they would be under any of its keys."""

    __slots__ = ("_id", "_mac", "_ring", "_taken")

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._renew()

    def _renew(self) -> None:
        ring = self._ring
        self._taken = ring.taken
        self._id = bytes.fromhex(ring.current)
        self._mac = ring.mac(Purpose.MARK)

    def mark(self, account: str, folded: bytes) -> bytes:
        """The mark of a password, folded as the account's endpoint does."""
        if self._taken != self._ring.taken:
            self._renew()
        return self._id + self._mac(account.encode(), b"\0", folded)

    def possible(self, account: str, folded: bytes) -> list[bytes]:
        """Every mark that this password may have left, whichever key was current then."""
        marks = []
        for key_id in self._ring.ids:
            mac = self._ring.mac(Purpose.MARK, key_id)(account.encode(), b"\0", folded)
            marks += [bytes.fromhex(key_id) + mac, mac]
        return marks
