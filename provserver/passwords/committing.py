"""From a password that has passed to accounts that have it: plan, one commit, couriers, a truthful answer.

The commit holds everything that an acknowledgement promises: the user's new credentials, a sealed row and
an echo mark for each delivery, the end of older ones, the journal line. Source: design "The exchange" 6 and
7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from provserver.connectors.contract import Fold
from provserver.delivery.events import Outcome
from provserver.delivery.parcels import FirstAttempts, InHand
from provserver.delivery.plan import Disposition, PlannedAccount, account_for_connector, plan
from provserver.directory.entries import Entry, EntryId
from provserver.imps.endpoints import Endpoint, Endpoints, leaf_value
from provserver.imps.inclusions import Inclusions
from provserver.imps.messages import Message, counts
from provserver.imps.parameters import (
    PROPAGATION_WAIT,
    UPDATE_ONLY_GLOBAL_USER,
    Parameters,
)
from provserver.journal.requests import Requests
from provserver.ldap.results import ResultCode
from provserver.passwords.callers import Answer, Caller
from provserver.passwords.changes import ENCODED, Change
from provserver.passwords.credentials import Credentials, with_credentials
from provserver.passwords.gates import Owner, Subject
from provserver.records import record
from provserver.storage.contract import (
    ChangeId,
    Commit,
    Delivery,
    DeliveryId,
    DeliveryState,
    NewDelivery,
    Put,
    Store,
)
from provserver.vault.keyring import KeyRing
from provserver.vault.marking import Marker
from provserver.vault.sealing import Seal
from provserver.vault.secret import Secret

_CONCERNED: Final = frozenset({Disposition.DELIVER, Disposition.ORIGINATING, Disposition.HOLDS_IT})
"""Accounts that have the password after the change, or shall have it."""


class Courier(Protocol):
    """Who takes deliveries that were claimed in the exchange's own commit."""

    def hand_over(
        self,
        deliveries: Sequence[Delivery],
        cancelled: Sequence[Delivery] = (),
        *,
        newest: tuple[EntryId, ChangeId] | None = None,
        known: Mapping[DeliveryId, InHand] | None = None,
    ) -> FirstAttempts:
        """Start the deliveries right after their commit; the counts go on changing as attempts end."""

    async def first_attempts(self, attempts: FirstAttempts, wait: float) -> None:
        """Return when nothing is pending any more, or after `wait` seconds."""


@record
class ExchangeSettings:
    propagation_wait: float
    partial_failure_result: int
    echo_memory: float


class Commits:
    """Makes a passed password durable and hands it to the couriers."""

    def __init__(
        self,
        *,
        store: Store,
        inclusions: Inclusions,
        endpoints: Endpoints,
        parameters: Parameters,
        ring: KeyRing,
        seal: Seal,
        courier: Courier,
        fold_of: Callable[[Endpoint], Fold],
        new_id: Callable[[], str],
        wall: Callable[[], float],
        settings: ExchangeSettings,
        include: Callable[[Entry, Entry], Put],
        requests: Requests,
    ) -> None:
        self._store = store
        self._inclusions = inclusions
        self._endpoints = endpoints
        self._parameters = parameters
        self._marker = Marker(ring)
        self._seal = seal
        self._courier = courier
        self._fold_of = fold_of
        self._new_id = new_id
        self._wall = wall
        self._settings = settings
        self._include = include
        self._requests = requests

    async def committed(
        self, caller: Caller, change: Change, subject: Subject | None, owner: Owner, *, propagate: bool
    ) -> tuple[FirstAttempts, int]:
        """Steps 6 and 7: plan, one commit, couriers. Returns the attempts and how many accounts are left
        unchanged.
        """
        at = self._wall()
        user = change.user
        known_change = change.credentials.change if change.repeated else ""
        change_id = ChangeId(known_change or self._new_id())
        planned = await self._planned(change, subject) if propagate else []
        # An account that was reset alone has deliveries of its own (`resetting`), which are older now.
        concerned = [line.account.id for line in planned if line.disposition in _CONCERNED]
        if owner.correlate and subject is not None:
            concerned.append(subject.account.id)
        deliveries: list[NewDelivery] = []
        known: dict[DeliveryId, InHand] = {}
        for line in planned:
            if line.disposition is Disposition.DELIVER and line.endpoint is not None:
                delivery = self.delivery(
                    user.id, line.account, line.endpoint, change.secret, change_id, change.options
                )
                deliveries.append(delivery)
                known[delivery.id] = line.endpoint, account_for_connector(line.account), change.secret
        behind = None if subject is None else await self._behind(user, subject, change, change_id)
        if behind is not None:
            deliveries.append(behind)
        writes: list[Put] = []
        attributes = change.attributes(change_id, at)
        if attributes:
            written = with_credentials(user, attributes)
            writes.append(Put(Entry(user.id, user.dn, written, user.version), user.version))
        if owner.correlate and subject is not None:
            writes.append(self._include(user, subject.account))
        left_out = sum(
            line.disposition not in (Disposition.DELIVER, Disposition.ORIGINATING) for line in planned
        )
        commit = Commit(
            at=at,
            by=str(caller.identity.dn),
            writes=tuple(writes),
            reads=() if attributes else ((user.id, user.version),),
            deliveries=tuple(deliveries),
            # What waits of this very password would be lost by a repeat that goes to nobody.
            cancel_for=(user.id, *concerned) if propagate or not change.repeated else (),
            quiet=subject.account.id if subject is not None and behind is None else None,
            journal=(change.told(caller, subject, change_id, len(deliveries), at),),
        )
        committed = await self._store.commit(commit)
        for account in concerned:
            self._courier.hand_over((), newest=(account, change_id))
        self._requests.committed(commit, caller.cause)
        self._requests.propagates(str(user.dn), change_id, len(deliveries), caller.cause)
        attempts = self.hand_over(commit, committed.cancelled, (user.id, change_id), known)
        return attempts, left_out

    def hand_over(
        self,
        commit: Commit,
        cancelled: Sequence[Delivery],
        newest: tuple[EntryId, ChangeId],
        known: Mapping[DeliveryId, InHand],
    ) -> FirstAttempts:
        """Have the deliveries of a commit started; to be called right after it."""
        rows = [_in_flight(delivery, commit.at) for delivery in commit.deliveries]
        return self._courier.hand_over(rows, cancelled, newest=newest, known=known)

    async def _planned(self, change: Change, subject: Subject | None) -> list[PlannedAccount]:
        async def holds(account: Entry) -> bool:
            return await self.holds(account, change.credentials)

        return await plan(
            await self._inclusions.accounts(change.user),
            self._endpoints,
            originating=subject.account.id if subject is not None else None,
            # It is about what agents report (seed 000), not about resets.
            only_global_user=subject is not None and await self._parameters.get(UPDATE_ONLY_GLOBAL_USER),
            holds=holds if change.repeated else None,
        )

    async def _behind(
        self, user: Entry, subject: Subject, change: Change, change_id: ChangeId
    ) -> NewDelivery | None:
        """The originating account is sent nothing, but for one case: an older password may be on its way
        there, and would stay. The new one goes behind it; an endpoint that says it has that already is
        believed.
        """
        account, endpoint = subject.account, subject.endpoint
        if endpoint.propagation_disabled or not await self._store.on_its_way(account.id):
            return None
        delivery = self.delivery(user.id, account, endpoint, change.secret, change_id, change.options)
        return replace(delivery, claimed=False, event=int(Outcome.OUTCOME_UNKNOWN))

    def delivery(
        self,
        user: EntryId,
        account: Entry,
        endpoint: Endpoint,
        secret: Secret,
        change: ChangeId,
        options: int,
    ) -> NewDelivery:
        """A sealed password for an account, and the mark of its echo. `user`: whose later changes end it."""
        delivery = DeliveryId(self._new_id())
        password = secret.reveal()
        folded = password if options & ENCODED else self._fold_of(endpoint)(password)
        return NewDelivery(
            id=delivery,
            change=change,
            user=user,
            account=account.id,
            endpoint=endpoint.id,
            sealed=self._seal.seal(secret, row_of(delivery, account.id)),
            mark=self._marker.mark(account.id, folded),
            options=options,
            claimed=True,
        )

    async def told(self, user: Entry, outcome: tuple[FirstAttempts, int] | None) -> Answer:
        """The answer after the first attempts, or after Propagation Wait."""
        attempts, left_out = outcome if outcome is not None else (FirstAttempts(), 0)
        await self.tried(attempts)
        failed_at = [await self._name_of(endpoint) for endpoint in attempts.failed_at]
        summary = counts(attempts.updated, left_out, attempts.failed, attempts.pending, failed_at)
        name = leaf_value(user.dn)
        if not attempts.failed:
            return Answer(ResultCode.SUCCESS, Message.PASSWORDS_UPDATED.say(user=name, counts=summary))
        # After the commit a refusal would make the agent veto locally what all others already have: so 0,
        # unless the setting asks for IMPS's answer.
        code = ResultCode(self._settings.partial_failure_result)
        return Answer(code, Message.PASSWORDS_UPDATE_FAILED.say(user=name, counts=summary))

    async def _name_of(self, endpoint: EntryId) -> str:
        known = await self._endpoints.get(endpoint)
        return known.name if known is not None else "an endpoint that is gone"

    async def standing(self, user: Entry, subject: Subject) -> tuple[FirstAttempts, int]:
        """How the user's last change, which this account reported, stands now: as `committed`."""
        change = Credentials.change_of(user)
        attempts, left_out = FirstAttempts(), 0
        for account in await self._inclusions.accounts(user):
            if account.id == subject.account.id:
                continue
            status = await self._store.status(account.id)
            rows = await self._store.deliveries(account=account.id)
            waiting = [row for row in rows if row.change == change]
            if waiting and waiting[-1].state is not DeliveryState.HELD:
                attempts.pending += 1
            elif waiting or (status is not None and status.change == change and not status.good):
                attempts.failed += 1
                endpoint = await self._endpoints.of_account(account.dn)
                attempts.failed_at += (endpoint.id,) if endpoint is not None else ()
            elif status is not None and status.change == change:
                attempts.updated += 1
            else:
                left_out += 1
        return attempts, left_out

    async def tried(self, attempts: FirstAttempts) -> None:
        """Wait until each was tried once, or for Propagation Wait."""
        if attempts.pending:
            wait = await self._parameters.get(PROPAGATION_WAIT)
            if wait is None:
                wait = self._settings.propagation_wait
            if wait:
                await self._courier.first_attempts(attempts, wait)

    async def holds(self, account: Entry, credentials: Credentials) -> bool:
        """Whether an account is known to have the user's current password, because we delivered it."""
        status = await self._store.status(account.id)
        return (
            status is not None
            and bool(credentials.change)
            and status.change == credentials.change
            and status.good
        )


def row_of(delivery: DeliveryId, account: EntryId) -> bytes:
    """What a sealed password is bound to: it opens in no other row and for no other account."""
    return f"{delivery} {account}".encode()


def _in_flight(new: NewDelivery, at: float) -> Delivery:
    """The row as the commit wrote it."""
    return Delivery(
        id=new.id,
        change=new.change,
        user=new.user,
        account=new.account,
        endpoint=new.endpoint,
        sealed=new.sealed,
        mark=new.mark,
        options=new.options,
        state=DeliveryState.CLAIMED if new.claimed else DeliveryState.PENDING,
        attempts=0,
        created=at,
        due=at,
        event=new.event,
        text="",
    )
