"""The short memory of passwords that passed: the sync that follows a test pays no derivation, and is not
refused for what was just accepted.

Kept for `passwords.verdict_memory` (30 s), bounded in number, under (caller, account, user version, policy
version, digest under a random key of this process). Ours (design "Cost of the derivation").
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from provserver.directory.entries import EntryId
from provserver.passwords.schemes import Derived
from provserver.vault.secret import Secret

KEPT_AT_MOST: Final = 10_000


class VerdictKey(NamedTuple):
    caller: str
    account: EntryId
    user_version: int
    policy_version: int
    digest: bytes


class Verdicts:
    """Positive verdicts only: a refusal is judged anew each time."""

    def __init__(self, monotonic: Callable[[], float], key: bytes, kept_seconds: float) -> None:
        self._monotonic = monotonic
        self._kept_seconds = kept_seconds
        self._key = key
        self._kept: OrderedDict[VerdictKey, tuple[float, Derived]] = OrderedDict()

    def key(
        self, caller: str, account: EntryId, user_version: int, policy_version: int, secret: Secret
    ) -> VerdictKey:
        digest = hmac.digest(self._key, secret.reveal(), "sha256")
        return VerdictKey(caller, account, user_version, policy_version, digest)

    def remember(self, key: VerdictKey, derived: Derived) -> None:
        if not self._kept_seconds:
            return
        self._kept[key] = (self._monotonic() + self._kept_seconds, derived)
        if len(self._kept) > KEPT_AT_MOST:
            self._kept.popitem(last=False)

    def take(self, key: VerdictKey) -> Derived | None:
        """The key derived at the test, once: the sync that uses it ends the memory."""
        kept = self._kept.pop(key, None)
        if kept is None or kept[0] < self._monotonic():
            return None
        return kept[1]
