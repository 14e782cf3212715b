"""One exchange per global user at a time: later ones wait their turn, in the order they came. Writers outside
of the queue (an administrator's modify) may still be faster; then it is done again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, TypeVar

from twisted.internet.defer import Deferred

from provserver.directory.entries import EntryId
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Conflict

T = TypeVar("T")

_TRIES: Final = 50
"""Conflicts that one exchange may lose to writers outside its user's queue, before it is told `busy`."""


class UserQueues:
    """Turns, by user. A user whom nobody waits for costs a dictionary entry while the exchange lasts."""

    def __init__(self) -> None:
        self._waiting: dict[EntryId, deque[Deferred[None]]] = {}

    def turn(self, user: EntryId) -> Turn:
        """`async with queues.turn(user):` — inside, no other exchange of this user runs."""
        return Turn(self._waiting, user)


class Turn:
    __slots__ = ("_user", "_waiting")

    def __init__(self, waiting: dict[EntryId, deque[Deferred[None]]], user: EntryId) -> None:
        self._waiting = waiting
        self._user = user

    async def __aenter__(self) -> bool:
        """Whether it was somebody else's turn before, so that what was read earlier may be out of date."""
        queue = self._waiting.get(self._user)
        if queue is None:
            self._waiting[self._user] = deque()
            return False
        mine: Deferred[None] = Deferred()
        queue.append(mine)
        await mine
        return True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        queue = self._waiting[self._user]
        while queue:
            following = queue.popleft()
            if not following.called:  # not cancelled meanwhile
                following.callback(None)
                return
        del self._waiting[self._user]


async def retried(once: Callable[[bool], Awaitable[T]]) -> T:
    """The exchange on what is there now; `once` is told whether it is done again. Refusal BUSY."""
    for attempt in range(_TRIES):
        try:
            return await once(attempt > 0)
        except Conflict:
            continue
    raise Refusal(ResultCode.BUSY, "others keep changing this user: try again")
