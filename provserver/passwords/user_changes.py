"""The password of a global user changed by itself, or set by an administrator; to its accounts when that is
asked for. Agents report theirs to `exchange`, with the same turns, policy and commit.
"""

from __future__ import annotations

from collections.abc import Callable

from provserver.delivery.parcels import FirstAttempts
from provserver.directory.names import DN
from provserver.imps.endpoints import leaf_value
from provserver.imps.messages import Message
from provserver.imps.users import is_global_user
from provserver.journal.events import Event, event
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.callers import Answer, Caller, fields_of
from provserver.passwords.committing import Commits
from provserver.passwords.credentials import Credentials
from provserver.passwords.gates import Closed, Owner
from provserver.passwords.judging import WrongOldPassword
from provserver.passwords.managers import Managers
from provserver.passwords.opinions import Kind, Opinion, Unasked
from provserver.passwords.passing import Passing
from provserver.passwords.queues import UserQueues, retried
from provserver.passwords.room import Room
from provserver.storage.contract import Store
from provserver.vault.keyring import KeyRing
from provserver.vault.secret import Secret


class UserChanges:
    def __init__(
        self,
        *,
        store: Store,
        passing: Passing,
        commits: Commits,
        room: Room,
        queues: UserQueues,
        managers: Managers,
        ring: KeyRing,
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._passing = passing
        self._commits = commits
        self._room = room
        self._queues = queues
        self._managers = managers
        self._ring = ring
        self._wall = wall

    async def change(
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
            await self._room.demand(1.0)
        try:
            async with self._queues.turn(user.id):
                attempts = await retried(
                    lambda again: self._once(
                        caller, dn, secret, opinion, old=old, own=own, propagate=propagate, demand=demand
                    )
                )
        except Unasked as unasked:
            opinion = await unasked.opinion(Kind.SELF if own else Kind.RESET, caller, secret)
            return await self.change(
                caller, dn, secret, old=old, propagate=propagate, demand=demand, opinion=opinion
            )
        except Closed as closed:
            text = Message.USER_REFUSED.say(user=leaf_value(dn), reason=str(closed))
            kind = Event.USER_CHANGE_REFUSED if own else Event.USER_RESET_REFUSED
            self._store.note(event(self._wall(), kind, text, fields_of(caller, None, user)))
            raise Refusal(closed.code, text, policy_error=closed.policy_error) from None
        if not propagate:
            return Answer(ResultCode.SUCCESS, Message.USER_UPDATED.say(user=leaf_value(dn)))
        return await self._commits.told(user, attempts)

    async def _once(
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
        if old is not None and not await self._passing.is_password_of(credentials, old):
            raise WrongOldPassword()
        encoded = await self._managers.encoded(caller, secret)
        if encoded is not None:
            change = await self._passing.as_it_came(user, secret, encoded)
        else:
            change = await self._passing.chosen(user, credentials, secret, opinion, own=own)
        change = await self._managers.on_terms(caller, change, demand)
        return await self._commits.committed(caller, change, None, Owner(user), propagate=propagate)
