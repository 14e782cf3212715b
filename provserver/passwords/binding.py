"""Whether a bind's password is the user's; an unknown user costs as much as a wrong password.

A password that was right is remembered for a short while (`binds.memory`), so that clients who bind for every
request pay for one derivation: under the user, the version of its entry and a digest under a random key of
this process. Whatever changes the entry, a new password above all, makes the memory worthless at once. Ours
(design "Cost of the derivation"). A right password whose hash is of another recipe is hashed anew first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.passwords.credentials import HASH_KEY
from provserver.passwords.hashing import Hasher
from provserver.recent import Recent
from provserver.vault.secret import Secret

_REMEMBERED: Final = 10_000


class PasswordCheck:
    """`upgrade` hashes a right password anew; `key` is random; `kept_seconds` 0 remembers nothing."""

    def __init__(
        self,
        hasher: Hasher,
        upgrade: Callable[[Entry, Secret], Awaitable[None]],
        monotonic: Callable[[], float],
        key: bytes,
        kept_seconds: float = 0.0,
    ) -> None:
        self._hasher = hasher
        self._upgrade = upgrade
        self._monotonic = monotonic
        self._key = key
        self._kept_seconds = kept_seconds
        self._right: Recent[tuple[EntryId, int, bytes], float] = Recent(_REMEMBERED)
        """When it was found out."""

    async def verify(self, user: Entry | None, secret: Secret) -> bool:
        """True: it is. HashingBusy when too many wait."""
        if user is None:
            return await self._hasher.verify(None, secret)
        digest = blake2b(secret.reveal(), key=self._key, digest_size=32).digest()
        known = (user.id, user.version, digest)
        found = self._right.get(known)
        if found is not None and self._monotonic() < found + self._kept_seconds:
            return True
        stored = await self._hasher.verified(user.text(HASH_KEY) or None, secret)
        if stored is None:
            return False
        if self._hasher.needs_upgrade(stored):
            await self._upgrade(user, secret)
        elif self._kept_seconds:
            self._right.put(known, self._monotonic())
        return True
