"""The echo guard of one account cleared, for the administrator who must help somebody now (ours).

What was sent to the account until then refuses nothing any more. It is still known as an echo: if it were
not, the agent's late report of it would take the user back to an older password. What is sent afterwards is
guarded as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from provserver.directory.entries import Attribute, Entry
from provserver.directory.names import DN
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, Parameters
from provserver.journal.events import Event, event
from provserver.passwords.gates import Gates
from provserver.passwords.guard import CLEARED, cleared_at, refuses_until
from provserver.passwords.queues import retried
from provserver.passwords.stamps import stamp
from provserver.storage.contract import Commit, Put, Store

_RESOLUTION: Final = 0.001
"""Seconds. A stamp holds no less, and what was sent in its very instant is to be cleared too."""


class GuardClearing:
    def __init__(self, store: Store, gates: Gates, parameters: Parameters, wall: Callable[[], float]) -> None:
        self._store = store
        self._gates = gates
        self._parameters = parameters
        self._wall = wall

    async def clear(self, dn: DN, who: Mapping[str, str]) -> bool:
        """Whether there was anything to clear; then it is durable, and in the journal with `who` did it (`by`
        and what else is known). Refusal NO_SUCH_OBJECT, OBJECT_CLASS_VIOLATION, BUSY.
        """
        return await retried(lambda again: self._once(dn, who))

    async def _once(self, dn: DN, who: Mapping[str, str]) -> bool:
        subject = await self._gates.subject(dn)
        account, at = subject.account, self._wall()
        threshold = await self._parameters.get(AGENT_RESPONSE_THRESHOLD)
        marks = await self._store.marks(account.id)
        if at >= refuses_until(marks, threshold, cleared_at(account)):
            return False
        value = stamp(at + _RESOLUTION).encode()
        attributes = {**account.attributes, CLEARED.lower(): Attribute(CLEARED, (value,))}
        owner = await self._gates.correlated(subject)
        about = {"account": str(account.dn)} | ({"user": str(owner.user.dn)} if owner is not None else {})
        text = f"Echo guard of {subject.name} cleared"
        commit = Commit(
            at=at,
            by=who["by"],
            writes=(Put(Entry(account.id, account.dn, attributes, account.version), account.version),),
            journal=(event(at, Event.GUARD_CLEARED, text, {**who, **about}),),
        )
        await self._store.commit(commit)
        return True
