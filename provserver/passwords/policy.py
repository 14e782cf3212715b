"""Is this password good enough? The Password Profile, read live, and what is remembered of the user.

The profile is disabled by default, as documented (seed 000). Its history and its minimum interval apply to
what users choose themselves: an agent's test and sync (history), a user's own change (both); never to an
administrator's reset. Where the external policy is in force, it is asked in their place (`opinions`), and the
profile's other rules still hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.ages import interval_refusal
from provserver.passwords.credentials import Credentials
from provserver.passwords.hashing import Hasher
from provserver.passwords.lists import NO_LISTS, Lists
from provserver.passwords.opinions import Advice, Opinion, PolicyUnreachable, Standing, Unasked
from provserver.passwords.profile import ProfileRules, profile_dn
from provserver.passwords.quality import refusals
from provserver.passwords.reasons import PolicyRefusal, in_history
from provserver.passwords.rules.listing import ListError
from provserver.storage.contract import Store
from provserver.vault.schemes import Derived
from provserver.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class CurrentPolicy:
    """The rules, and the version that a remembered verdict depends on."""

    rules: ProfileRules
    version: int
    """Counts what this process has read: an entry that was deleted and made again begins at 1 again."""
    advice: Advice | None = None
    """The external policy, where it is in force."""


class Policy:
    def __init__(
        self,
        store: Store,
        domain: DN,
        hasher: Hasher,
        lists: Lists = NO_LISTS,
        advice: Advice | None = None,
    ) -> None:
        """Without `advice` there is no external policy to ask, whatever the config parameter says."""
        self._store = store
        self._profile = profile_dn(domain)
        self._hasher = hasher
        self._lists = lists
        self._advice = advice
        self._known = CurrentPolicy(ProfileRules(), 0)
        self._read: tuple[EntryId | None, int, int] | None = None

    async def current(self) -> CurrentPolicy:
        """The policy now. ProfileError when the profile's entry makes no sense: nobody's password is changed
        by guess.
        """
        entry = await self._store.read(self._profile)
        version = self._lists.version
        read = (entry.id, entry.version, version) if entry is not None else (None, 0, version)
        advice = self._advice
        if advice is not None and not await advice.in_force():
            advice = None
        if read != self._read or advice is not self._known.advice:
            rules = ProfileRules.of(entry, self._lists)
            self._known = CurrentPolicy(rules, self._known.version + 1, advice)
            self._read = read
        return self._known

    async def judge(
        self,
        policy: CurrentPolicy,
        credentials: Credentials,
        secret: Secret,
        derived: Sequence[Derived],
        *,
        about: Sequence[Entry],
        at: float,
        history: bool,
        interval: bool,
        opinion: Opinion | None = None,
    ) -> tuple[PolicyRefusal, ...]:
        """All reasons against this password, none when it is good. `derived`: the keys that there are of it,
        first the one that it would be stored as; `about` as for `quality`; `history`,
        `interval`: whether these rules apply; `opinion`: the external policy's, if it was asked. Unasked: it
        has to be. PolicyUnreachable, Refusal UNAVAILABLE.
        """
        rules = policy.rules
        heard: tuple[PolicyRefusal, ...] = ()
        unreachable = False
        if policy.advice is not None:
            user = about[0]
            if opinion is None or opinion.user != user.id:
                raise Unasked(policy.advice, user, derived[0])
            heard = opinion.objections
            unreachable = opinion.standing is Standing.REFUSED
            # The profile's own are no longer consulted then (seed 000).
            alone = opinion.standing is Standing.LEFT_TO_PROFILE
            history, interval = history and alone, interval and alone
        found: list[PolicyRefusal] = []
        if rules.enabled:
            found.extend(self.quality(rules, secret, about))
            if history and await self._remembers(rules, credentials, secret, derived, at):
                found.append(in_history(rules.history_count, rules.history_days))
            too_young = interval_refusal(rules, credentials.changed, at) if interval else None
            if too_young is not None:
                found.append(too_young)
        # What is certain is told rather than that somebody could not be asked.
        if unreachable and not found:
            raise PolicyUnreachable()
        return (*found, *heard)

    def quality(
        self, rules: ProfileRules, secret: Secret, about: Sequence[Entry]
    ) -> tuple[PolicyRefusal, ...]:
        """What is against the password itself, whoever sets it. `about`: the user, and the account under
        change. Refusal UNAVAILABLE: a list that the rules look into cannot be asked any more.
        """
        try:
            return refusals(rules, secret, about, self._lists)
        except ListError as error:
            text = f"the Password Profile cannot be applied: {error}"
            raise Refusal(ResultCode.UNAVAILABLE, text) from None

    async def _remembers(
        self,
        rules: ProfileRules,
        credentials: Credentials,
        secret: Secret,
        derived: Sequence[Derived],
        at: float,
    ) -> bool:
        history = credentials.history
        if not rules.remembers or not history.remembered:
            return False
        # What the profile remembers now: a reduced count takes effect at once.
        history = history.within(at, rules.history_count, rules.history_days)
        first = derived[0]
        if history.contains(first):
            return True
        known = [one for one in derived if not one.same_source(first)]
        for recipe, salt in history.foreign(first):
            key = next((one for one in known if one.recipe == recipe and one.salt == salt), None)
            if key is None:
                key = await self._hasher.derive(secret, salt, recipe)
            if history.contains(key):
                return True
        return False
