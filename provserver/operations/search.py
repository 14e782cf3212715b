"""Search (RFC 4511 4.5), the root DSE (RFC 4512 5.1) and the subschema entry (RFC 4512 4.2)."""

from __future__ import annotations

from typing import Final

from provserver.directory.access import Identity, may_read, may_search
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN
from provserver.imps.views import View
from provserver.ldap.codec import encode_search_entry
from provserver.ldap.filters import And, Equality, Filter, Not, Or, Scope
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.context import House, Line
from provserver.operations.monitor import MONITOR_NAME, monitor_entry
from provserver.operations.selection import Selection
from provserver.operations.subschema import SUBSCHEMA_NAME, VirtualEntry
from provserver.storage.contract import SearchLimits

_LONGEST_VIRTUAL: Final = 20
"""Characters of a name that may be one of the entries that are made, not stored."""
_SELECTIONS: Final = 1_000
"""Lists of requested attributes kept resolved; clients ask for the same few."""


class Searches:
    """Answers searches; remembers how requested attributes resolve."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._selections: dict[tuple[str, ...], Selection] = {}
        self._limits = SearchLimits(candidates=house.bounds.candidates)

    async def search(self, message_id: int, request: SearchRequest, identity: Identity, line: Line) -> Result:
        """Send the entries; the result is for the caller to send."""
        if not request.base and request.scope is Scope.BASE:
            return self._virtual(message_id, request, line, self._house.subschema.root_dse())
        if len(request.base) <= _LONGEST_VIRTUAL:
            asked = request.base.replace(" ", "").lower()
            if asked == SUBSCHEMA_NAME:
                return self._virtual(message_id, request, line, self._house.subschema.entry())
            if asked == MONITOR_NAME:
                return self._virtual(message_id, request, line, await monitor_entry(identity, self._house))
        base, view = self._house.rooms.views.resolve(request.base)
        if not may_search(identity, base):
            raise Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, f"'{identity.name()}' may not search here")
        if await self._house.rooms.store.read(base) is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{base}' does not exist")
        return await self._entries(message_id, request, base, view, identity, line)

    async def _entries(
        self, message_id: int, request: SearchRequest, base: DN, view: View, identity: Identity, line: Line
    ) -> Result:
        house = self._house
        selection = self._selection(request.attributes)
        size = _stricter(request.size_limit, house.bounds.size)
        time = _stricter(request.time_limit, house.bounds.time)
        deadline = house.monotonic() + time if time else None
        sent = 0
        wanted = self._inside(request.filter)
        async for batch in house.rooms.store.search(base, request.scope, wanted, self._limits):
            for entry in batch:
                if not may_read(identity, entry.dn):
                    continue
                if size and sent >= size:
                    raise Refusal(ResultCode.SIZE_LIMIT_EXCEEDED, f"more than {size} entries")
                attributes = selection.of(entry, view)
                if request.types_only:
                    attributes = [attribute._replace(values=()) for attribute in attributes]
                line.send(encode_search_entry(message_id, entry.dn.text + view.value, attributes))
                sent += 1
            if deadline is not None and house.monotonic() > deadline:
                raise Refusal(ResultCode.TIME_LIMIT_EXCEEDED, f"more than {time} s")
            if sent > 1:
                await line.drained()
        return SUCCESS

    def _selection(self, requested: tuple[str, ...]) -> Selection:
        known = self._selections.get(requested)
        if known is None:
            if len(self._selections) >= _SELECTIONS:
                self._selections.clear()
            known = self._selections[requested] = Selection(requested, self._house.rooms.schema)
        return known

    def _virtual(self, message_id: int, request: SearchRequest, line: Line, entry: VirtualEntry) -> Result:
        """Root DSE and subschema: readable by everybody, in base scope, with a filter that must hold."""
        if request.scope is not Scope.BASE:
            return SUCCESS
        found = entry.entry
        if compile_filter(request.filter, self._house.rooms.schema)(found) is True:
            attributes = entry.select(Selection(request.attributes, self._house.rooms.schema))
            line.send(encode_search_entry(message_id, entry.name, attributes))
        return SUCCESS

    def _inside(self, asked: Filter) -> Filter:
        """The filter with DN values as they are stored: ending in the domain."""
        if isinstance(asked, Equality):
            if not self._house.rooms.schema.is_name_valued(asked.attribute):
                return asked
            return Equality(asked.attribute, self._house.rooms.views.inside_value(asked.value))
        if isinstance(asked, And):
            return And(tuple(self._inside(part) for part in asked.parts))
        if isinstance(asked, Or):
            return Or(tuple(self._inside(part) for part in asked.parts))
        if isinstance(asked, Not):
            return Not(self._inside(asked.part))
        return asked


def _stricter(asked: int, ours: int) -> int:
    """The smaller of two limits of which 0 means none."""
    return min(asked, ours) if asked and ours else asked or ours
