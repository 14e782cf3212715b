"""What the tree keeps of a global user's password: a hash, what is remembered, when it was set and by which
change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from provserver.directory.entries import Attribute, Entry
from provserver.imps.users import MUST_CHANGE, MUST_CHANGE_KEY
from provserver.passwords.ages import EXPIRATION, EXPIRATION_KEY, expiration_of_new
from provserver.passwords.capturing import CAPTURED, CAPTURED_KEY
from provserver.passwords.encoded import may_be_encoded, read_encoded
from provserver.passwords.hashing import Hasher
from provserver.passwords.history import History
from provserver.passwords.profile import ProfileRules
from provserver.passwords.stamps import seconds_of, stamp
from provserver.records import record
from provserver.storage.contract import ChangeId
from provserver.vault.keyring import KeyRing
from provserver.vault.schemes import Derived, UnreadableHash, parse
from provserver.vault.secret import Secret

HASH: Final = "provPasswordHash"
HISTORY: Final = "provPasswordHistory"
CHANGED: Final = "provPasswordChanged"
CHANGE: Final = "provPasswordChangeId"
HASH_KEY: Final = HASH.lower()
_HISTORY_KEY: Final = HISTORY.lower()
_CHANGED_KEY: Final = CHANGED.lower()
_CHANGE_KEY: Final = CHANGE.lower()
GRACE: Final = "provGraceUsed"
GRACE_KEY: Final = GRACE.lower()


@record
class Credentials:
    """Read from a global user's entry. `changed` is in seconds since the epoch, None when there never was a
    change.
    """

    current: Derived | None
    history: History
    changed: float | None
    change: ChangeId
    expiration: bytes
    """The day as it is written; empty: none."""
    grace_used: bool
    captured: bool
    """Whether the last change was captured (`capturing`)."""

    def is_current(self, derived: Derived) -> bool:
        """Whether it is the key of the password in force. ValueError: of another salt or recipe."""
        return self.current is not None and self.current.matches(derived)

    @classmethod
    def of(cls, user: Entry, ring: KeyRing) -> Credentials:
        try:
            current = parse(user.text(HASH_KEY)) if user.values(HASH_KEY) else None
        except UnreadableHash:
            current = None
        expiration = user.values(EXPIRATION_KEY)
        return cls(
            current,
            History.parse(user.texts(_HISTORY_KEY), ring),
            changed_at(user),
            cls.change_of(user),
            expiration[0] if expiration else b"",
            GRACE_KEY in user.attributes,
            CAPTURED_KEY in user.attributes,
        )

    @staticmethod
    def change_of(user: Entry) -> ChangeId:
        """The exchange that set the password; empty: none did."""
        return ChangeId(user.text(_CHANGE_KEY))


def changed_at(user: Entry) -> float | None:
    """When the password was set; None: never by us."""
    changed = user.text(_CHANGED_KEY)
    return seconds_of(changed) if changed else None


Attributes = Mapping[str, Attribute]
"""What changes; an attribute without values goes."""


class NewPassword(Protocol):
    """Makes the attributes of a user whose password an administrator loads: hashed unless it comes encoded,
    remembered, not judged. NotTaken."""

    def __call__(self, credentials: Credentials, secret: Secret, at: float) -> Awaitable[Attributes]: ...


def changed_attributes(
    credentials: Credentials,
    derived: Derived,
    at: float,
    change: ChangeId,
    rules: ProfileRules,
    stored: bytes = b"",
) -> Attributes:
    """The credential attributes after a change to `derived`. `stored`: its form, where it came in one."""
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
    attributes = {
        HASH_KEY: Attribute(HASH, (stored or derived.text.encode(),)),
        _HISTORY_KEY: Attribute(HISTORY, tuple(value.encode() for value in remembered)),
        _CHANGED_KEY: Attribute(CHANGED, (stamp(at).encode(),)),
        _CHANGE_KEY: Attribute(CHANGE, (change.encode(),)),
    }
    expiration = expiration_of_new(credentials.expiration, rules, at)
    if expiration != credentials.expiration:
        attributes[EXPIRATION_KEY] = Attribute(EXPIRATION, (expiration,) if expiration else ())
    if credentials.grace_used:
        attributes[GRACE_KEY] = Attribute(GRACE, ())
    if credentials.captured:
        attributes[CAPTURED_KEY] = Attribute(CAPTURED, ())
    return attributes


def with_credentials(user: Entry, changes: Attributes) -> Attributes:
    """All attributes of a user after these changes."""
    after = {**user.attributes, **changes}
    for key, attribute in changes.items():
        if not attribute.values:
            del after[key]
    return after


def loading(hasher: Hasher, rules: Callable[[], Awaitable[ProfileRules]]) -> NewPassword:
    """A `NewPassword` with these means."""

    async def new_password(credentials: Credentials, secret: Secret, at: float) -> Attributes:
        encoded = read_encoded(secret, trusted=True) if may_be_encoded(secret) else None
        if encoded is not None:
            derived, stored = encoded.derived, secret.reveal()
        else:
            derived, stored = await hasher.derive(secret, hasher.salt_for(credentials.current)), b""
        changes = changed_attributes(credentials, derived, at, ChangeId(""), await rules(), stored)
        return {**changes, MUST_CHANGE_KEY: Attribute(MUST_CHANGE, ())}

    return new_password
