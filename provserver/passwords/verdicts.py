"""The short memory of passwords that passed: the sync that follows a test pays no derivation, and is not
refused for what was just accepted.

Kept for `passwords.verdict_memory` (30 s), bounded in number, under (caller, account, user and version,
policy version, digest under a random key of this process). Ours (design "Cost of the derivation").
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from provserver.directory.entries import Entry, EntryId
from provserver.passwords.credentials import Credentials
from provserver.vault.schemes import Derived
from provserver.vault.secret import Secret

KEPT_AT_MOST: Final = 10_000


class VerdictKey(NamedTuple):
    caller: str
    account: EntryId
    user: EntryId
    """The account's owner, who may be another one by the time of the sync."""
    user_version: int
    policy_version: int
    digest: bytes


class Passed(NamedTuple):
    """What a test found out about a password that it let pass."""

    derived: Derived
    credentials: Credentials
    """The user's, as its entry of that version has them."""
    repeated: bool
    """It is the user's current password."""


class Verdicts:
    """Positive verdicts only: a refusal is judged anew each time."""

    def __init__(self, monotonic: Callable[[], float], key: bytes, kept_seconds: float) -> None:
        self._monotonic = monotonic
        self._kept_seconds = kept_seconds
        self._key = key
        self._kept: OrderedDict[VerdictKey, tuple[float, Passed]] = OrderedDict()

    def key(
        self, caller: str, account: EntryId, user: Entry, policy_version: int, secret: Secret
    ) -> VerdictKey:
        digest = blake2b(secret.reveal(), key=self._key, digest_size=32).digest()
        return VerdictKey(caller, account, user.id, user.version, policy_version, digest)

    def remember(self, key: VerdictKey, passed: Passed) -> None:
        if not self._kept_seconds:
            return
        self._kept[key] = (self._monotonic() + self._kept_seconds, passed)
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)

    def take(self, key: VerdictKey) -> Passed | None:
        """What was found at the test, once: the sync that uses it ends the memory."""
        kept = self._kept.pop(key, None)
        if kept is None or kept[0] < self._monotonic():
            return None
        return kept[1]
