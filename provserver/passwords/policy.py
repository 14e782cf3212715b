"""Is this password good enough? The Password Profile, read live, and what is remembered of the user.

The profile is disabled by default, as documented (seed 000). Its history and its minimum interval apply to
what users choose themselves: an agent's test and sync (history), a user's own change (both); never to an
administrator's reset. A room for the external policy is kept: it comes with a later release, and until then
there is no URL to set, which means the profile alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.passwords.credentials import Credentials
from provserver.passwords.hashing import Hasher
from provserver.passwords.profile import (
    PolicyRefusal,
    ProfileRules,
    history_refusal,
    interval_refusal,
    refusals,
)
from provserver.passwords.schemes import Derived
from provserver.storage.contract import Store
from provserver.vault.secret import Secret


def profile_dn(domain: DN) -> DN:
    """The one profile's documented place (facts/imps.md 1.2)."""
    return DN.parse(
        "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
        f"eTNamespaceName=CommonObjects,{domain}"
    )


@dataclass(frozen=True, slots=True)
class CurrentPolicy:
    """The rules, and the version that a remembered verdict depends on."""

    rules: ProfileRules
    version: int
    """Counts what this process has read: an entry that was deleted and made again begins at 1 again."""


class Policy:
    def __init__(self, store: Store, domain: DN, hasher: Hasher) -> None:
        self._store = store
        self._profile = profile_dn(domain)
        self._hasher = hasher
        self._known = CurrentPolicy(ProfileRules(), 0)
        self._read: tuple[EntryId, int] | None = None

    async def current(self) -> CurrentPolicy:
        """The policy now. ProfileError when the profile's entry makes no sense: nobody's password is changed
        by guess.
        """
        entry = await self._store.read(self._profile)
        read = (entry.id, entry.version) if entry is not None else None
        if read != self._read:
            self._known = CurrentPolicy(ProfileRules.of(entry), self._known.version + 1)
            self._read = read
        return self._known

    async def judge(
        self,
        rules: ProfileRules,
        credentials: Credentials,
        secret: Secret,
        derived: Derived,
        *,
        at: float,
        history: bool,
        interval: bool,
    ) -> tuple[PolicyRefusal, ...]:
        """All reasons against this password, none when it is good. `history`, `interval`: whether these
        rules apply.
        """
        if not rules.enabled:
            return ()
        found = list(refusals(rules, secret))
        if history and await self._remembers(rules, credentials, secret, derived, at):
            found.append(history_refusal(rules))
        if interval:
            too_young = interval_refusal(rules, credentials.changed, at)
            if too_young is not None:
                found.append(too_young)
        return tuple(found)

    async def _remembers(
        self, rules: ProfileRules, credentials: Credentials, secret: Secret, derived: Derived, at: float
    ) -> bool:
        history = credentials.history
        if not rules.remembers or not history.remembered:
            return False
        # What the profile remembers now: a reduced count takes effect at once.
        history = history.within(at, rules.history_count, rules.history_days)
        if history.contains(derived):
            return True
        for recipe, salt in history.foreign(derived):
            if history.contains(await self._hasher.derive(secret, salt, recipe)):
                return True
        return False
