"""Hashes of another recipe (loaded, encoded by somebody else, or older than the settings), made anew when
their user has logged in, because only then the password is known.

It is no change of the password: history, dates and the id of its change stay. Whoever changes the user at the
same moment is right; the next bind tries again.
"""

from __future__ import annotations

from collections.abc import Callable

from provserver.directory.entries import Attribute, Entry
from provserver.imps.endpoints import leaf_value
from provserver.journal.events import Event, event
from provserver.passwords.credentials import HASH, HASH_KEY
from provserver.passwords.hashing import Hasher, HashingBusy
from provserver.storage.contract import Commit, Conflict, Put, Store
from provserver.vault.secret import Secret


class Upgrades:
    """To be called with a user and its right password."""

    def __init__(self, store: Store, hasher: Hasher, wall: Callable[[], float]) -> None:
        self._store = store
        self._hasher = hasher
        self._wall = wall

    async def __call__(self, user: Entry, secret: Secret) -> None:
        """Hash it as the settings have it now. Never fails: a bind is not refused for this."""
        try:
            derived = await self._hasher.derive(secret, self._hasher.fresh_salt())
        except HashingBusy:
            return
        attributes = {**user.attributes, HASH_KEY: Attribute(HASH, (derived.text.encode(),))}
        at, by = self._wall(), str(user.dn)
        text = f"Password of Global User '{leaf_value(user.dn)}' hashed anew, as {derived.recipe.name.value}"
        commit = Commit(
            at=at,
            by=by,
            writes=(Put(Entry(user.id, user.dn, attributes, user.version), user.version),),
            journal=(event(at, Event.HASHED_ANEW, text, {"by": by, "user": by}),),
        )
        try:
            await self._store.commit(commit)
        except Conflict:
            return
