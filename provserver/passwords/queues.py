"""One exchange per global user at a time: later ones wait their turn, in the order they came."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from twisted.internet.defer import Deferred

from provserver.directory.entries import EntryId


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
