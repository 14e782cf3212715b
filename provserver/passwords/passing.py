"""Step 4 of the exchange: a password derived and judged, for whoever wants it changed.

What has passed is a `Change`, which `committing` makes durable. Source: design "The exchange" 4, "Cost of the
derivation".
"""

from __future__ import annotations

from collections.abc import Callable

from provserver.directory.entries import Entry
from provserver.imps.users import must_change
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.callers import Caller
from provserver.passwords.changes import Change
from provserver.passwords.committing import Commits
from provserver.passwords.credentials import Credentials
from provserver.passwords.encoded import Encoded
from provserver.passwords.gates import Subject
from provserver.passwords.hashing import Hasher, HashingBusy
from provserver.passwords.judging import Weak, current_policy
from provserver.passwords.opinions import Opinion
from provserver.passwords.policy import CurrentPolicy, Policy
from provserver.passwords.verdicts import Passed, Verdicts
from provserver.vault.keyring import KeyRing
from provserver.vault.schemes import Derived
from provserver.vault.secret import Secret


class Passing:
    def __init__(
        self,
        *,
        policy: Policy,
        hasher: Hasher,
        verdicts: Verdicts,
        ring: KeyRing,
        wall: Callable[[], float],
        commits: Commits,
    ) -> None:
        self._policy = policy
        self._hasher = hasher
        self._verdicts = verdicts
        self._ring = ring
        self._wall = wall
        self._commits = commits

    async def reported(
        self,
        caller: Caller,
        subject: Subject,
        user: Entry,
        secret: Secret,
        opinion: Opinion | None,
        *,
        test: bool,
    ) -> Change:
        """A password that an agent reports: derived and judged, or remembered from the test just before.
        Closed.
        """
        policy = await current_policy(self._policy)
        key = self._verdicts.key(caller.key, subject.account.id, user, policy.version, secret)
        passed = None if test else self._verdicts.take(key)
        if passed is None:
            passed = await self._judged(policy, subject, user, secret, opinion, test=test)
            if test:
                self._verdicts.remember(key, passed)
        return Change(user, passed.credentials, secret, passed.derived, policy, passed.repeated)

    async def chosen(
        self,
        user: Entry,
        credentials: Credentials,
        secret: Secret,
        opinion: Opinion | None,
        *,
        own: bool,
    ) -> Change:
        """A user's own change, or a reset. Closed."""
        policy = await current_policy(self._policy)
        derived = await self._derived(user, secret, credentials, opinion)
        compared = await self._compared(credentials, secret, derived)
        repeated = credentials.is_current(compared)
        found = await self._policy.judge(
            policy,
            credentials,
            secret,
            (derived, compared),
            about=(user,),
            at=self._wall(),
            history=own,
            interval=own and not must_change(user),
            opinion=opinion,
        )
        if found:
            raise Weak(found)
        return Change(user, credentials, secret, derived, policy, repeated)

    async def as_it_came(self, user: Entry, secret: Secret, encoded: Encoded) -> Change:
        """One that came encoded: nobody can judge it."""
        policy = await current_policy(self._policy)
        return Change.as_it_came(user, Credentials.of(user, self._ring), secret, encoded, policy)

    async def is_current(self, user: Entry, secret: Secret, encoded: Encoded | None) -> bool:
        """Whether this is the global user's password now."""
        credentials = Credentials.of(user, self._ring)
        if encoded is not None:
            return encoded.is_same_as(credentials.current)
        return await self.is_password_of(credentials, secret)

    async def is_password_of(self, credentials: Credentials, secret: Secret) -> bool:
        """Whether this is the user's password now."""
        current = credentials.current
        if current is None:
            return False
        return current.matches(await self._hasher.derive(secret, current.salt, current.recipe))

    async def _judged(
        self,
        policy: CurrentPolicy,
        subject: Subject,
        user: Entry,
        secret: Secret,
        opinion: Opinion | None,
        *,
        test: bool,
    ) -> Passed:
        credentials = Credentials.of(user, self._ring)
        derived = await self._derived(user, secret, credentials, opinion)
        compared = await self._compared(credentials, secret, derived)
        repeated = credentials.is_current(compared)
        # A sync of the current password is success. A test of it is judged by history, except on an account
        # that we sent it to.
        if not repeated or (test and not await self._commits.holds(subject.account, credentials)):
            found = await self._policy.judge(
                policy,
                credentials,
                secret,
                (derived, compared),
                about=(user, subject.account),
                at=self._wall(),
                history=True,
                interval=False,
                opinion=opinion,
            )
            if found:
                raise Weak(found)
        return Passed(derived, credentials, repeated)

    async def _derived(
        self, user: Entry, secret: Secret, credentials: Credentials, opinion: Opinion | None
    ) -> Derived:
        if opinion is not None and opinion.user == user.id:
            known, current = opinion.derived, credentials.current
            if current is None or self._hasher.needs_upgrade(current) or current.same_source(known):
                return known
        try:
            return await self._hasher.derive(secret, self._hasher.salt_for(credentials.current))
        except HashingBusy as busy:
            raise Refusal(ResultCode.BUSY, str(busy)) from None

    async def _compared(self, credentials: Credentials, secret: Secret, derived: Derived) -> Derived:
        """The key that can be compared with the password in force: `derived`, where salt and recipe are the
        same.
        """
        current = credentials.current
        if current is None or current.same_source(derived):
            return derived
        return await self._hasher.derive(secret, current.salt, current.recipe)
