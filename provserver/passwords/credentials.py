"""What the tree keeps of a global user's password: a hash, what is remembered, when it was set and by which
change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from provserver.directory.entries import Attribute, Entry
from provserver.passwords.hashing import Hasher
from provserver.passwords.history import History
from provserver.passwords.profile import ProfileRules
from provserver.passwords.schemes import Derived, UnreadableHash, parse
from provserver.records import record
from provserver.storage.contract import ChangeId
from provserver.vault.keyring import KeyRing
from provserver.vault.secret import Secret

HASH: Final = "provPasswordHash"
HISTORY: Final = "provPasswordHistory"
CHANGED: Final = "provPasswordChanged"
CHANGE: Final = "provPasswordChangeId"


@record
class Credentials:
    """Read from a global user's entry. `changed` is in seconds since the epoch, None when there never was a
    change.
    """

    current: Derived | None
    remembered: tuple[str, ...]
    changed: float | None
    change: ChangeId

    @classmethod
    def of(cls, user: Entry) -> Credentials:
        try:
            current = parse(user.text(HASH.lower())) if user.values(HASH.lower()) else None
        except UnreadableHash:
            current = None
        changed = user.text(CHANGED.lower())
        return cls(
            current,
            user.texts(HISTORY.lower()),
            float(changed) if changed else None,
            ChangeId(user.text(CHANGE.lower())),
        )


Attributes = Mapping[str, Attribute]


class NewPassword(Protocol):
    """Makes the attributes of a user whose password an administrator loads: hashed, remembered, not judged."""

    def __call__(self, credentials: Credentials, secret: Secret, at: float) -> Awaitable[Attributes]: ...


def changed_attributes(
    credentials: Credentials,
    derived: Derived,
    at: float,
    change: ChangeId,
    rules: ProfileRules,
    ring: KeyRing,
) -> Attributes:
    """The credential attributes after a change to `derived`."""
    history = History.parse(credentials.remembered, ring)
    if rules.history_count or rules.history_days:
        # A password that an exchange set is the newest remembered one; others (loaded, set while there was no history)
        # are remembered as they go.
        newest = history.remembered[0].at if history.remembered else None
        known = credentials.changed is not None and newest == int(credentials.changed)
        outgoing = None if known else credentials.current
        remembered = history.with_new(
            derived, at, rules.history_count, rules.history_days, outgoing=outgoing
        ).values
    else:
        remembered = ()
    return {
        HASH.lower(): Attribute(HASH, (derived.text.encode(),)),
        HISTORY.lower(): Attribute(HISTORY, tuple(value.encode() for value in remembered)),
        CHANGED.lower(): Attribute(CHANGED, (f"{at:.3f}".encode(),)),
        CHANGE.lower(): Attribute(CHANGE, (change.encode(),)),
    }


def loading(hasher: Hasher, ring: KeyRing, rules: Callable[[], Awaitable[ProfileRules]]) -> NewPassword:
    """A `NewPassword` with these means."""

    async def new_password(credentials: Credentials, secret: Secret, at: float) -> Attributes:
        derived = await hasher.derive(secret, hasher.salt_for(credentials.current))
        return changed_attributes(credentials, derived, at, ChangeId(""), await rules(), ring)

    return new_password
