"""The password of one account set by an administrator: the account alone, neither its user nor the others.

It goes through the outbox as any other password, with a mark against its echo, and its delivery is the
account's own: a later change of the user for its accounts ends it, one that goes to nobody does not. While
an older password of the user is on its way to the account it is refused as busy ("two concurrent password
changes to the same account are not allowed", CA docs 2173056): which of the two came last would depend on
luck. Its characters are judged where *Check Account Passwords* says so (CA docs 236752: never its history,
for nobody here knows that). With *Enforce Synchronized Account Passwords* it must be the user's own. Ours,
where no source is named.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container

from provserver.delivery.events import Outcome, sentence
from provserver.delivery.parcels import FirstAttempts
from provserver.delivery.plan import account_for_connector
from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint, leaf_value
from provserver.imps.inclusions import Inclusions
from provserver.imps.messages import Message, Reason, counts
from provserver.imps.parameters import (
    CHECK_ACCOUNT_PASSWORDS,
    ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS,
    Parameters,
)
from provserver.journal.events import Event, event
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.callers import Answer, Caller, fields_of
from provserver.passwords.changes import DEMANDED, ENCODED
from provserver.passwords.committing import Commits
from provserver.passwords.encoded import Encoded
from provserver.passwords.gates import Closed, Gates, Subject
from provserver.passwords.judging import Weak, current_policy
from provserver.passwords.managers import Managers
from provserver.passwords.policy import Policy
from provserver.passwords.queues import UserQueues, retried
from provserver.passwords.room import Room
from provserver.storage.contract import (
    ChangeId,
    Commit,
    Delivery,
    DeliveryState,
    MarkFate,
    Settlement,
    Store,
)
from provserver.vault.secret import Secret


class AccountResets:
    """Shares the users' queues with the exchange: the passwords of a user and of its accounts change one at a
    time. `is_current`: whether a password is a global user's now. `schemes_of`: in which schemes an endpoint
    takes encoded ones.
    """

    def __init__(
        self,
        *,
        store: Store,
        gates: Gates,
        inclusions: Inclusions,
        parameters: Parameters,
        policy: Policy,
        is_current: Callable[[Entry, Secret, Encoded | None], Awaitable[bool]],
        schemes_of: Callable[[Endpoint], Container[str]],
        managers: Managers,
        commits: Commits,
        room: Room,
        queues: UserQueues,
        new_id: Callable[[], str],
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._gates = gates
        self._inclusions = inclusions
        self._parameters = parameters
        self._policy = policy
        self._is_current = is_current
        self._schemes_of = schemes_of
        self._managers = managers
        self._commits = commits
        self._room = room
        self._queues = queues
        self._new_id = new_id
        self._wall = wall

    async def reset(self, caller: Caller, dn: DN, secret: Secret) -> Answer:
        """Durable when this returns; UNWILLING_TO_PERFORM when the endpoint did not take it. Refusal
        NO_SUCH_OBJECT, OBJECT_CLASS_VIOLATION, CONSTRAINT_VIOLATION, UNWILLING_TO_PERFORM, BUSY.
        """
        subject = await self._gates.subject(dn)
        await self._room.demand(1.0)
        owner = await self._inclusions.owner(subject.account)
        try:
            async with self._queues.turn(owner.id if owner is not None else subject.account.id):
                attempts = await retried(lambda again: self._once(caller, dn, secret, owner))
        except Closed as closed:
            text = Message.ACCOUNT_REFUSED.say(account=subject.name, reason=str(closed))
            fields = fields_of(caller, subject, owner)
            self._store.note(event(self._wall(), Event.ACCOUNT_RESET_REFUSED, text, fields))
            raise Refusal(closed.code, text, policy_error=closed.policy_error) from None
        await self._commits.tried(attempts)
        summary = counts(attempts.updated, 0, attempts.failed, attempts.pending)
        if attempts.failed:
            text = Message.ACCOUNT_NOT_SET.say(account=subject.name, counts=summary)
            return Answer(ResultCode.UNWILLING_TO_PERFORM, text)
        return Answer(ResultCode.SUCCESS, Message.ACCOUNT_SET.say(account=subject.name, counts=summary))

    async def _once(self, caller: Caller, dn: DN, secret: Secret, owner: Entry | None) -> FirstAttempts:
        subject = await self._gates.subject(dn)
        account, endpoint = subject.account, subject.endpoint
        if endpoint.propagation_disabled:
            raise Closed(Reason.PROPAGATION_DISABLED.value)
        encoded = await self._managers.encoded(caller, secret)
        if encoded is None:
            await self._demand_quality(subject, owner, secret)
        elif encoded.scheme not in self._schemes_of(endpoint):
            raise Closed(Reason.NEEDS_CLEAR_TEXT.value.format(scheme=encoded.scheme))
        reads = [(account.id, account.version), (endpoint.id, endpoint.version)]
        user = await self._store.read_id(owner.id) if owner is not None else None
        if user is not None and await self._parameters.get(ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS):
            if not await self._is_current(user, secret, encoded):
                raise Closed(Reason.NOT_THE_USERS.value.format(user=leaf_value(user.dn)))
            reads.append((user.id, user.version))
        held = await self._held(subject)
        change = ChangeId(self._new_id())
        options = DEMANDED if await self._managers.demand_change(caller, owner) else 0
        if encoded is not None:
            options |= ENCODED
        delivery = self._commits.delivery(account.id, account, endpoint, secret, change, options)
        at = self._wall()
        fields = fields_of(caller, subject, owner) | {"change": change}
        text = f"Password of {subject.name} reset"
        if options & DEMANDED:
            fields["must change"] = "yes"
        if encoded is not None:
            fields["encoded"] = encoded.scheme
            text += f"; {encoded.remark}"
        commit = Commit(
            at=at,
            by=str(caller.identity.dn),
            reads=tuple(reads),
            deliveries=(delivery,),
            cancel_for=(account.id,),
            journal=(event(at, Event.ACCOUNT_RESET, text, fields),),
        )
        committed = await self._store.commit(commit)
        known = {delivery.id: (endpoint, account_for_connector(account), secret)}
        ended = (*committed.cancelled, *held)
        attempts = self._commits.hand_over(commit, ended, (account.id, change), known)
        for older in held:
            await self._store.settle(_cancelled(older, at))
        return attempts

    async def _demand_quality(self, subject: Subject, owner: Entry | None, secret: Secret) -> None:
        """Weak: the accounts of this endpoint are checked, and it does not pass."""
        checks = await self._parameters.get(CHECK_ACCOUNT_PASSWORDS)
        if checks.cover(subject.endpoint.namespace, subject.endpoint.name):
            about = (subject.account,) if owner is None else (owner, subject.account)
            rules = (await current_policy(self._policy)).rules
            found = self._policy.quality(rules, secret, about)
            if found:
                raise Weak(found)

    async def _held(self, subject: Subject) -> list[Delivery]:
        """Older passwords of the user that only a person would send to the account now. Refusal BUSY: one is
        on its way.
        """
        account = subject.account.id
        older = [row for row in await self._store.deliveries(account=account) if row.user != account]
        if any(row.state is not DeliveryState.HELD for row in older):
            raise Refusal(ResultCode.BUSY, Message.ON_ITS_WAY.say(account=subject.name))
        return older


def _cancelled(delivery: Delivery, at: float) -> Settlement:
    return Settlement(
        delivery=delivery.id,
        account=delivery.account,
        change=delivery.change,
        state=DeliveryState.CANCELLED,
        mark=MarkFate.ENDED,
        at=at,
        event=int(Outcome.OUT_OF_DATE),
        text=sentence(Outcome.OUT_OF_DATE),
    )
