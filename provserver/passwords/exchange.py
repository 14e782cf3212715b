"""The password exchange: a test, a sync, a user's own change, an administrator's reset.

Right (judged before, on the name) → gates → echo guard → policy → plan → one commit → couriers → a truthful
answer. What is acknowledged is durable; a test writes nothing but a journal line. Source: seed 000,
facts/imps.md, design "The exchange".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from provserver.connectors.contract import Fold
from provserver.delivery.parcels import FirstAttempts
from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint, leaf_value
from provserver.imps.messages import Message, Reason
from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    Parameters,
)
from provserver.imps.users import is_global_user, must_change
from provserver.journal.events import Event, event
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.callers import Answer, Caller, fields_of
from provserver.passwords.changes import Change
from provserver.passwords.committing import Commits, ExchangeSettings
from provserver.passwords.credentials import Credentials
from provserver.passwords.encoded import Encoded
from provserver.passwords.gates import Closed, Gates, Owner, Subject
from provserver.passwords.guard import Verdict, cleared_at, judge
from provserver.passwords.hashing import Hasher, HashingBusy
from provserver.passwords.judging import Weak, WrongOldPassword, current_policy
from provserver.passwords.managers import Managers
from provserver.passwords.opinions import Kind, Opinion, Unasked
from provserver.passwords.policy import CurrentPolicy, Policy
from provserver.passwords.queues import UserQueues, retried
from provserver.passwords.rate import TestRate
from provserver.passwords.schemes import Derived
from provserver.passwords.verdicts import Passed, Verdicts
from provserver.storage.contract import Store
from provserver.vault.keyring import KeyRing, Purpose
from provserver.vault.secret import Secret

_TESTS_LEAVE: Final = 0.9
"""The part of a full outbox at which tests are refused already: syncs come first."""


class Exchange:
    def __init__(
        self,
        *,
        store: Store,
        gates: Gates,
        parameters: Parameters,
        policy: Policy,
        hasher: Hasher,
        verdicts: Verdicts,
        rate: TestRate,
        ring: KeyRing,
        fold_of: Callable[[Endpoint], Fold],
        wall: Callable[[], float],
        settings: ExchangeSettings,
        commits: Commits,
        queues: UserQueues,
        managers: Managers,
    ) -> None:
        self._store = store
        self._gates = gates
        self._parameters = parameters
        self._policy = policy
        self._hasher = hasher
        self._verdicts = verdicts
        self._rate = rate
        self._ring = ring
        self._fold_of = fold_of
        self._wall = wall
        self._settings = settings
        self._commits = commits
        self._queues = queues
        self._managers = managers

    # -- an agent asks

    async def test(self, caller: Caller, dn: DN, secret: Secret, opinion: Opinion | None = None) -> Answer:
        """`eTTestPassword`: would a sync of this password be accepted? Refusal says why not. `opinion`: the
        external policy's, if it was asked already; also below.
        """
        subject = await self._gates.subject(dn)
        await self._commits.demand_room(_TESTS_LEAVE)
        seconds = self._rate.admit(caller.key, subject.account.id) if opinion is None else 0.0
        if seconds:
            text = Message.TOO_MANY_TESTS.say(account=subject.name, seconds=f"{seconds:.0f}")
            raise Refusal(ResultCode.BUSY, text)
        try:
            owner = await self._gates.owner(subject)
            encoded = await self._managers.encoded(caller, secret)
            if await self._guard(subject, secret, encoded) is Verdict.ECHO:
                return Answer(ResultCode.SUCCESS, Message.ECHO_RECOGNISED.say(account=subject.name))
            if encoded is None:
                await self._passed(caller, subject, owner.user, secret, opinion, test=True)
        except Unasked as unasked:
            opinion = await unasked.opinion(Kind.TEST, caller, secret, subject)
            return await self.test(caller, dn, secret, opinion)
        except Closed as closed:
            raise self._refused(Message.CHECK_REFUSED, Event.TEST_REFUSED, caller, subject, closed) from None
        text = f"Password check for {subject.name} succeeded"
        remark = "" if encoded is None else f"; {encoded.remark}"
        self._note(Event.TEST_PASSED, text + remark, caller, subject)
        return Answer(ResultCode.SUCCESS, Message.CHECK_PASSED.say(account=subject.name))

    async def sync(self, caller: Caller, dn: DN, secret: Secret, opinion: Opinion | None = None) -> Answer:
        """`eTSyncPassword`: the password was changed on this account; tell the others. Durable when this
        returns.
        """
        subject = await self._gates.subject(dn)
        await self._commits.demand_room(1.0)
        try:
            owner = await self._gates.owner(subject)
            async with self._queues.turn(owner.user.id) as waited:
                attempts = await retried(
                    lambda again: self._sync_once(
                        caller, subject, secret, None if again or waited else owner, opinion
                    )
                )
        except Unasked as unasked:
            opinion = await unasked.opinion(Kind.SYNC, caller, secret, subject)
            return await self.sync(caller, dn, secret, opinion)
        except Closed as closed:
            raise self._refused(Message.SYNC_REFUSED, Event.SYNC_REFUSED, caller, subject, closed) from None
        if attempts is None:
            return Answer(ResultCode.SUCCESS, Message.ECHO_RECOGNISED.say(account=subject.name))
        return await self._commits.told(owner.user, attempts)

    async def _sync_once(
        self,
        caller: Caller,
        subject: Subject,
        secret: Secret,
        known: Owner | None,
        opinion: Opinion | None,
    ) -> tuple[FirstAttempts, int] | None:
        """`known`: the owner as it was read just now; None: look again, somebody may have changed it."""
        owner = known if known is not None else await self._gates.owner(subject)
        encoded = await self._managers.encoded(caller, secret)
        if await self._guard(subject, secret, encoded) is Verdict.ECHO:
            self._note(Event.ECHO, f"Echo of {subject.name} recognised", caller, subject)
            return None
        if encoded is not None:
            change = await self._as_it_came(owner.user, secret, encoded)
        else:
            change = await self._passed(caller, subject, owner.user, secret, opinion, test=False)
        return await self._commits.committed(caller, change, subject, owner, propagate=True)

    # -- a user, or an administrator

    async def change_user(
        self,
        caller: Caller,
        dn: DN,
        secret: Secret,
        *,
        old: Secret | None,
        propagate: bool,
        demand: bool | None = None,
        opinion: Opinion | None = None,
    ) -> Answer:
        """`eTPassword` on a global user: its own change, or an administrator's reset; to its accounts when
        `propagate`. `demand`: whether a reset must be followed by a change, where it says so itself.
        """
        user = await self._store.read(dn)
        if user is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, Message.OBJECT_NOT_FOUND.say(dn=str(dn)))
        if not is_global_user(user):
            text = f"'{dn}' is not a global user: the password of an account alone is set by Password Modify"
            raise Refusal(ResultCode.UNWILLING_TO_PERFORM, text)
        own = caller.identity.dn == dn
        if propagate:
            await self._commits.demand_room(1.0)
        try:
            async with self._queues.turn(user.id):
                attempts = await retried(
                    lambda again: self._change_once(
                        caller, dn, secret, opinion, old=old, own=own, propagate=propagate, demand=demand
                    )
                )
        except Unasked as unasked:
            opinion = await unasked.opinion(Kind.SELF if own else Kind.RESET, caller, secret)
            return await self.change_user(
                caller, dn, secret, old=old, propagate=propagate, demand=demand, opinion=opinion
            )
        except Closed as closed:
            text = Message.USER_REFUSED.say(user=leaf_value(dn), reason=str(closed))
            kind = Event.USER_CHANGE_REFUSED if own else Event.USER_RESET_REFUSED
            self._note(kind, text, caller, user=user)
            raise Refusal(closed.code, text, policy_error=closed.policy_error) from None
        if not propagate:
            return Answer(ResultCode.SUCCESS, Message.USER_UPDATED.say(user=leaf_value(dn)))
        return await self._commits.told(user, attempts)

    async def _change_once(
        self,
        caller: Caller,
        dn: DN,
        secret: Secret,
        opinion: Opinion | None,
        *,
        old: Secret | None,
        own: bool,
        propagate: bool,
        demand: bool | None,
    ) -> tuple[FirstAttempts, int]:
        user = await self._store.read(dn)
        if user is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, Message.OBJECT_NOT_FOUND.say(dn=str(dn)))
        credentials = Credentials.of(user, self._ring)
        if old is not None and not await self._is_current(credentials, old):
            raise WrongOldPassword()
        encoded = await self._managers.encoded(caller, secret)
        if encoded is not None:
            change = await self._as_it_came(user, secret, encoded)
        else:
            change = await self._chosen(user, credentials, secret, opinion, own=own)
        change = await self._managers.on_terms(caller, change, demand)
        return await self._commits.committed(caller, change, None, Owner(user), propagate=propagate)

    async def is_current(self, user: Entry, secret: Secret, encoded: Encoded | None) -> bool:
        """Whether this is the global user's password now."""
        credentials = Credentials.of(user, self._ring)
        if encoded is not None:
            return encoded.is_same_as(credentials.current)
        return await self._is_current(credentials, secret)

    # -- the steps

    async def _guard(self, subject: Subject, secret: Secret, encoded: Encoded | None) -> Verdict:
        """Step 3; a different password inside the window is Closed. One that came encoded is the same only as
        one that went encoded.
        """
        account = subject.account.id
        threshold = await self._parameters.get(AGENT_RESPONSE_THRESHOLD)
        marks = await self._store.marks(account) if threshold > 0 else ()
        if not marks:
            return Verdict.CLEAR
        password = secret.reveal()
        folded = password if encoded is not None else self._fold_of(subject.endpoint)(password)
        digests = [mac(account.encode(), b"\0", folded) for mac in self._ring.macs(Purpose.MARK)]
        verdict = judge(
            marks,
            digests,
            self._wall(),
            threshold=threshold,
            memory=self._settings.echo_memory,
            agent_installed=subject.endpoint.agent_installed,
            cleared=cleared_at(subject.account),
        )
        if verdict is Verdict.IN_PROGRESS:
            raise Closed(Reason.IN_PROGRESS.value)
        return verdict

    async def _chosen(
        self,
        user: Entry,
        credentials: Credentials,
        secret: Secret,
        opinion: Opinion | None,
        *,
        own: bool,
    ) -> Change:
        """Step 4 for a user's own change and a reset. Closed."""
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

    async def _as_it_came(self, user: Entry, secret: Secret, encoded: Encoded) -> Change:
        """In the place of step 4: nobody can judge it."""
        policy = await current_policy(self._policy)
        return Change.as_it_came(user, Credentials.of(user, self._ring), secret, encoded, policy)

    async def _passed(
        self,
        caller: Caller,
        subject: Subject,
        user: Entry,
        secret: Secret,
        opinion: Opinion | None,
        *,
        test: bool,
    ) -> Change:
        """Step 4: the password derived and judged, or remembered from the test just before. Closed."""
        policy = await current_policy(self._policy)
        key = self._verdicts.key(caller.key, subject.account.id, user, policy.version, secret)
        passed = None if test else self._verdicts.take(key)
        if passed is None:
            passed = await self._judged(policy, subject, user, secret, opinion, test=test)
            if test:
                self._verdicts.remember(key, passed)
        return Change(user, passed.credentials, secret, passed.derived, policy, passed.repeated)

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

    async def _is_current(self, credentials: Credentials, secret: Secret) -> bool:
        """Whether this is the user's password now."""
        current = credentials.current
        if current is None:
            return False
        return current.matches(await self._hasher.derive(secret, current.salt, current.recipe))

    async def _compared(self, credentials: Credentials, secret: Secret, derived: Derived) -> Derived:
        """The key that can be compared with the password in force: `derived`, where salt and recipe are the
        same.
        """
        current = credentials.current
        if current is None or current.same_source(derived):
            return derived
        return await self._hasher.derive(secret, current.salt, current.recipe)

    # -- what is said about it

    def _refused(
        self, message: Message, kind: Event, caller: Caller, subject: Subject, closed: Closed
    ) -> Refusal:
        text = message.say(account=subject.name, reason=str(closed))
        self._note(kind, text, caller, subject)
        return Refusal(closed.code, text, policy_error=closed.policy_error)

    def _note(
        self,
        kind: Event,
        text: str,
        caller: Caller,
        subject: Subject | None = None,
        user: Entry | None = None,
    ) -> None:
        self._store.note(event(self._wall(), kind, text, fields_of(caller, subject, user)))
