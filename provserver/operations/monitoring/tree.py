"""`cn=monitor` and all that is below it, searched in any scope.

What is found is made when it is asked for: an outbox is walked over page by page, and nothing waits in
memory for a client that reads slowly.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN, InvalidName
from provserver.imps.views import View
from provserver.ldap.controls import Subentries
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.edits import Rooms
from provserver.operations.inside import filter_inside
from provserver.operations.monitoring.branches import Branch
from provserver.operations.walking import Batches

MONITOR: Final = DN.parse("cn=monitor")
_BELOW_MONITOR: Final = re.compile(r"(?:.*,)?\s*cn\s*=\s*monitor\s*", re.IGNORECASE | re.DOTALL)
_LAST: Final = frozenset("rR ")
_NOWHERE_ELSE: Final[tuple[tuple[str, ...], ...]] = ()


def is_of_monitor(name: str) -> bool:
    """Whether a name on the wire is `cn=monitor`, or below it."""
    return name[-1:] in _LAST and _BELOW_MONITOR.fullmatch(name) is not None


class MonitorTree:
    """`top` makes the entry `cn=monitor`."""

    def __init__(self, rooms: Rooms, top: Callable[[], Awaitable[Entry]], branches: Sequence[Branch]) -> None:
        self._rooms = rooms
        self._top = top
        self._branches = branches

    async def walk(self, request: SearchRequest, asked: Asked) -> MonitorWalk:
        """The walk of a search. Refusal NO_SUCH_OBJECT, INVALID_DN_SYNTAX."""
        subentries = asked.get(Subentries)
        hidden = subentries is not None and subentries.visible  # there are none
        wanted = filter_inside(request.filter, self._rooms)
        base, branches = await self._found(request)
        return MonitorWalk(self._rooms, base, branches, request.scope, wanted, hidden)

    async def _found(self, request: SearchRequest) -> tuple[Entry, Sequence[Branch]]:
        """The base, and the branches that are it, or below it."""
        try:
            dn = DN.parse(request.base)
        except InvalidName as error:
            raise Refusal(ResultCode.INVALID_DN_SYNTAX, f"not a distinguished name: {error}") from None
        if dn == MONITOR:
            return await self._top(), self._branches
        for branch in self._branches:
            if dn == branch.dn:
                return await branch.entry(), (branch,)
            if dn.is_just_below(branch.dn):
                entry = await branch.child(dn.rdns[0].pairs[0][1])
                if entry is not None and entry.dn == dn:
                    return entry, ()
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{request.base}' does not exist")


class MonitorWalk:
    """One search (`walking.Walk`)."""

    view = View.BARE

    def __init__(
        self,
        rooms: Rooms,
        base: Entry,
        branches: Sequence[Branch],
        scope: Scope,
        wanted: Filter,
        hidden: bool,
    ) -> None:
        self.base = base
        self._branches = branches
        self._scope = scope
        self._wanted = wanted
        self._hidden = hidden
        self._matches = compile_filter(wanted, rooms.schema)

    async def references(self) -> AsyncIterator[tuple[str, ...]]:
        for uris in _NOWHERE_ELSE:
            yield uris

    async def entries(self) -> Batches:
        if self._hidden:
            return
        scope, at_top = self._scope, self.base.dn == MONITOR
        if scope is not Scope.ONE_LEVEL:
            yield self._matching([self.base])
        if scope is Scope.BASE:
            return
        for branch in self._branches:
            if at_top:
                yield self._matching([await branch.entry()])
            if scope is Scope.SUBTREE or not at_top:
                after: int | None = 0
                while after is not None:
                    after, page = await branch.page(after, self._wanted)
                    yield self._matching(page)

    async def again(self, ids: Sequence[EntryId]) -> Sequence[Entry]:
        return self._matching([entry for id in ids if (entry := await self._again(id)) is not None])

    async def _again(self, id: EntryId) -> Entry | None:
        if id == self.base.id:
            return self.base
        for branch in self._branches:
            own = await branch.entry()
            entry = own if own.id == id else await branch.again(id)
            if entry is not None:
                return entry
        return None

    def _matching(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if self._matches(entry) is True]
