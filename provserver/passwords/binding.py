"""Whether a bind's password is the user's; an unknown user costs as much as a wrong password."""

from __future__ import annotations

from provserver.directory.entries import Entry
from provserver.passwords.credentials import HASH
from provserver.passwords.hashing import Hasher
from provserver.vault.secret import Secret


class PasswordCheck:
    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    async def verify(self, user: Entry | None, secret: Secret) -> bool:
        """True: it is. HashingBusy when too many wait."""
        stored = user.text(HASH.lower()) if user is not None else ""
        return await self._hasher.verify(stored or None, secret)
