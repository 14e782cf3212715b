"""Whether a bind with the right password is let in although, or because, the password has an end.

An expired password is refused as IMPS does it (facts/imps.md 3.4); result 49 is the draft's
(draft-behera-ldap-password-policy 9.1), as are the warning in the days before, and the grace of so many binds
after it, each of which is counted in the user's entry before it is let in. Both are the Password Profile's,
and off by default. Ours: only binds with a password ask here, so that a certificate still opens the door.
"""

from __future__ import annotations

from collections.abc import Callable

from provserver.directory.entries import Attribute, Entry
from provserver.imps.endpoints import leaf_value
from provserver.imps.messages import Message
from provserver.ldap.controls import GraceAuthentications, PolicyError, TimeBeforeExpiration
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.ages import expires_at
from provserver.passwords.credentials import GRACE, GRACE_KEY
from provserver.passwords.policy import Policy
from provserver.passwords.profile import ProfileError, ProfileRules
from provserver.passwords.queues import retried
from provserver.storage.contract import Commit, Put, Store

Warned = TimeBeforeExpiration | GraceAuthentications | None
"""What a bind is told, if it asks."""

_DAY = 86_400


class Expiry:
    def __init__(self, store: Store, policy: Policy, wall: Callable[[], float]) -> None:
        self._store = store
        self._policy = policy
        self._wall = wall

    async def admit(self, user: Entry) -> Warned:
        """Let in a global user who gave the right password. Refusal INVALID_CREDENTIALS: it has expired;
        BUSY.
        """
        ends = expires_at(user)
        if ends is None:
            return None
        rules = await self._rules()
        left = ends - self._wall()
        if left > 0:
            return TimeBeforeExpiration(int(left)) if left <= rules.warning_days * _DAY else None
        if not rules.grace_binds:
            raise _expired(user)
        return await retried(lambda again: self._by_grace(user, rules.grace_binds))

    async def _rules(self) -> ProfileRules:
        try:
            rules = (await self._policy.current()).rules
        except ProfileError:
            return ProfileRules()  # who is to repair the profile has to bind
        return rules if rules.enabled else ProfileRules()

    async def _by_grace(self, known: Entry, granted: int) -> Warned:
        user = await self._store.read_id(known.id)
        used = int(user.text(GRACE_KEY, "0")) if user is not None else granted
        if user is None or used >= granted:
            raise _expired(known)
        counted = {**user.attributes, GRACE_KEY: Attribute(GRACE, (str(used + 1).encode(),))}
        put = Put(Entry(user.id, user.dn, counted, user.version), user.version)
        await self._store.commit(Commit(at=self._wall(), by=str(user.dn), writes=(put,)))
        return GraceAuthentications(granted - used - 1)


def _expired(user: Entry) -> Refusal:
    return Refusal(
        ResultCode.INVALID_CREDENTIALS,
        Message.PASSWORD_EXPIRED.say(user=leaf_value(user.dn)),
        policy_error=PolicyError.PASSWORD_EXPIRED,
    )
