"""What the tree keeps of a global user's password: a hash, what is remembered, when it was set and by which
change.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
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
_HASH_KEY: Final = HASH.lower()
_HISTORY_KEY: Final = HISTORY.lower()
_CHANGED_KEY: Final = CHANGED.lower()
_CHANGE_KEY: Final = CHANGE.lower()


@record
class Credentials:
    """Read from a global user's entry. `changed` is in seconds since the epoch, None when there never was a
    change.
    """

    current: Derived | None
    history: History
    changed: float | None
    change: ChangeId

    @classmethod
    def of(cls, user: Entry, ring: KeyRing) -> Credentials:
        try:
            current = parse(user.text(_HASH_KEY)) if user.values(_HASH_KEY) else None
        except UnreadableHash:
            current = None
        changed = user.text(_CHANGED_KEY)
        return cls(
            current,
            History.parse(user.texts(_HISTORY_KEY), ring),
            _seconds(changed) if changed else None,
            ChangeId(user.text(_CHANGE_KEY)),
        )


def _stamp(at: float) -> str:
    """Wall-clock seconds as generalized time with milliseconds (RFC 4517 3.3.13)."""
    return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"


def _seconds(stamp: str) -> float | None:
    """What `_stamp` made, read again; None: it was made by somebody else."""
    try:
        return datetime.fromisoformat(f"{stamp[:8]}T{stamp[8:]}").timestamp()
    except ValueError:
        return None


Attributes = Mapping[str, Attribute]


class NewPassword(Protocol):
    """Makes the attributes of a user whose password an administrator loads: hashed, remembered, not
    judged."""

    def __call__(self, credentials: Credentials, secret: Secret, at: float) -> Awaitable[Attributes]: ...


def changed_attributes(
    credentials: Credentials,
    derived: Derived,
    at: float,
    change: ChangeId,
    rules: ProfileRules,
) -> Attributes:
    """The credential attributes after a change to `derived`."""
    history = credentials.history
    if rules.history_count or rules.history_days:
        # A password that an exchange set while there was a history is remembered already; others (loaded, or
        # set while there was none) are remembered as they go.
        known = credentials.change and history.remembered
        outgoing = None if known else credentials.current
        remembered = history.with_new(
            derived, at, rules.history_count, rules.history_days, outgoing=outgoing
        ).values
    else:
        remembered = ()
    return {
        _HASH_KEY: Attribute(HASH, (derived.text.encode(),)),
        _HISTORY_KEY: Attribute(HISTORY, tuple(value.encode() for value in remembered)),
        _CHANGED_KEY: Attribute(CHANGED, (_stamp(at).encode(),)),
        _CHANGE_KEY: Attribute(CHANGE, (change.encode(),)),
    }


def loading(hasher: Hasher, rules: Callable[[], Awaitable[ProfileRules]]) -> NewPassword:
    """A `NewPassword` with these means."""

    async def new_password(credentials: Credentials, secret: Secret, at: float) -> Attributes:
        derived = await hasher.derive(secret, hasher.salt_for(credentials.current))
        return changed_attributes(credentials, derived, at, ChangeId(""), await rules())

    return new_password
