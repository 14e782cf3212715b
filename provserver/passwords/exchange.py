"""The password exchange: what agents ask and report about accounts.

Right (judged before, on the name) → gates → echo guard → policy → plan → one commit → couriers → a truthful
answer. What is acknowledged is durable; a test writes nothing but a journal line. Source: seed 000,
facts/imps.md, design "The exchange". Global users' passwords that are changed by themselves or by an
administrator: `user_changes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from provserver.connectors.contract import Fold
from provserver.delivery.events import Outcome, sentence
from provserver.delivery.parcels import FirstAttempts
from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint
from provserver.imps.messages import Message, Reason
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, Parameters
from provserver.journal.events import Event, event
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.callers import Answer, Caller, fields_of
from provserver.passwords.capturing import Age, Capture
from provserver.passwords.committing import Commits, ExchangeSettings
from provserver.passwords.credentials import changed_at
from provserver.passwords.encoded import Encoded
from provserver.passwords.gates import Closed, Gates, Owner, Subject
from provserver.passwords.guard import Verdict, cleared_at, judge
from provserver.passwords.managers import Managers
from provserver.passwords.opinions import Kind, Opinion, Unasked
from provserver.passwords.passing import Passing
from provserver.passwords.queues import UserQueues, retried
from provserver.passwords.rate import TestRate
from provserver.passwords.room import Room
from provserver.storage.contract import JournalEvent, Store
from provserver.vault.keyring import KeyRing
from provserver.vault.marking import Marker
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
        rate: TestRate,
        ring: KeyRing,
        fold_of: Callable[[Endpoint], Fold],
        wall: Callable[[], float],
        settings: ExchangeSettings,
        passing: Passing,
        commits: Commits,
        room: Room,
        queues: UserQueues,
        managers: Managers,
    ) -> None:
        self._store = store
        self._gates = gates
        self._parameters = parameters
        self._rate = rate
        self._marker = Marker(ring)
        self._fold_of = fold_of
        self._wall = wall
        self._settings = settings
        self._passing = passing
        self._commits = commits
        self._room = room
        self._queues = queues
        self._managers = managers

    async def test(self, caller: Caller, dn: DN, secret: Secret, opinion: Opinion | None = None) -> Answer:
        """`eTTestPassword`: would a sync of this password be accepted? Refusal says why not. `opinion`: the
        external policy's, if it was asked already; also below.
        """
        subject = await self._gates.subject(dn)
        await self._room.demand(_TESTS_LEAVE)
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
                await self._passing.reported(caller, subject, owner.user, secret, opinion, test=True)
        except Unasked as unasked:
            opinion = await unasked.opinion(Kind.TEST, caller, secret, subject)
            return await self.test(caller, dn, secret, opinion)
        except Closed as closed:
            raise self._refused(Message.CHECK_REFUSED, Event.TEST_REFUSED, caller, subject, closed) from None
        text = f"Password check for {subject.name} succeeded"
        remark = "" if encoded is None else f"; {encoded.remark}"
        self._note(Event.TEST_PASSED, text + remark, caller, subject)
        return Answer(ResultCode.SUCCESS, Message.CHECK_PASSED.say(account=subject.name))

    async def sync(
        self,
        caller: Caller,
        dn: DN,
        secret: Secret,
        capture: Capture | None = None,
        opinion: Opinion | None = None,
    ) -> Answer:
        """`eTSyncPassword`: the password was changed on this account; tell the others. Durable when this
        returns. `capture`: the change has waited at its agent.
        """
        subject = await self._gates.subject(dn)
        await self._room.demand(1.0)
        try:
            owner = await self._gates.owner(subject)
            async with self._queues.turn(owner.user.id) as waited:
                done = await retried(
                    lambda again: self._sync_once(
                        caller, subject, secret, capture, None if again or waited else owner, opinion
                    )
                )
        except Unasked as unasked:
            opinion = await unasked.opinion(Kind.SYNC, caller, secret, subject)
            return await self.sync(caller, dn, secret, capture, opinion)
        except Closed as closed:
            raise self._refused(Message.SYNC_REFUSED, Event.SYNC_REFUSED, caller, subject, closed) from None
        if isinstance(done, Answer):
            return done
        return await self._commits.told(owner.user, done)

    async def _sync_once(
        self,
        caller: Caller,
        subject: Subject,
        secret: Secret,
        capture: Capture | None,
        known: Owner | None,
        opinion: Opinion | None,
    ) -> tuple[FirstAttempts, int] | Answer:
        """`known`: the owner as it was read just now; None: look again, somebody may have changed it."""
        owner = known if known is not None else await self._gates.owner(subject)
        if capture is not None:
            age = capture.age(owner.user, changed_at(owner.user))
            if age is Age.REPEATED:
                return await self._commits.standing(owner.user, subject)
            if age is Age.OUT_OF_DATE:
                return self._out_of_date(caller, subject, owner.user)
        encoded = await self._managers.encoded(caller, secret)
        if await self._guard(subject, secret, encoded) is Verdict.ECHO:
            self._note(Event.ECHO, f"Echo of {subject.name} recognised", caller, subject)
            return Answer(ResultCode.SUCCESS, Message.ECHO_RECOGNISED.say(account=subject.name))
        if encoded is not None:
            change = await self._passing.as_it_came(owner.user, secret, encoded)
        else:
            change = await self._passing.reported(caller, subject, owner.user, secret, opinion, test=False)
        if capture is not None:
            change = replace(change, capture=capture)
        return await self._commits.committed(caller, change, subject, owner, propagate=True)

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
        digests = self._marker.possible(account, folded)
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

    # -- what is said about it

    def _out_of_date(self, caller: Caller, subject: Subject, user: Entry) -> Answer:
        outcome = Outcome.OUT_OF_DATE
        fields = fields_of(caller, subject, user)
        self._store.note(JournalEvent(self._wall(), int(outcome), sentence(outcome), fields))
        return Answer(ResultCode.SUCCESS, Message.OUT_OF_DATE.say(account=subject.name))

    def _refused(
        self, message: Message, kind: Event, caller: Caller, subject: Subject, closed: Closed
    ) -> Refusal:
        text = message.say(account=subject.name, reason=str(closed))
        self._note(kind, text, caller, subject)
        return Refusal(closed.code, text, policy_error=closed.policy_error)

    def _note(self, kind: Event, text: str, caller: Caller, subject: Subject) -> None:
        self._store.note(event(self._wall(), kind, text, fields_of(caller, subject, None)))
