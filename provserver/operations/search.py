"""Search (RFC 4511 4.5), the root DSE (RFC 4512 5.1) and the subschema entry (RFC 4512 4.2).

Here is the way of nearly all searches, which ask for a few entries and no more. Those with controls, and all
in a tree with referrals, aliases or subentries, go the long way: `controlled`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from provserver.directory.access import Identity, may_search
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN
from provserver.imps.views import View
from provserver.ldap.codec import encode_search_entry, enveloped
from provserver.ldap.controls import Subentries, SyncRequest
from provserver.ldap.filters import Scope
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.asked import NOTHING_ASKED, Asked
from provserver.operations.context import House, Line
from provserver.operations.controlled import ControlledSearches
from provserver.operations.explore_requests import explore_by_search
from provserver.operations.inside import filter_inside
from provserver.operations.monitor import demand_administrator, monitor_of
from provserver.operations.monitoring.tree import is_of_monitor
from provserver.operations.sasl import mechanisms_on
from provserver.operations.sending import Sender
from provserver.operations.signposts import NONE_SEEN, SUBENTRY, is_a
from provserver.operations.subschema import SUBSCHEMA_NAME, VirtualEntry
from provserver.operations.synchronising import Synchronisations
from provserver.operations.walking import SingleWalk, Walk, set_out
from provserver.recent import Recent
from provserver.records import record
from provserver.storage.contract import SearchLimits, Trail

_LONGEST_VIRTUAL: Final = 20
"""Characters of a name that may be one of the entries that are made, not stored."""
_ANSWERS: Final = 8_192
_LONGEST_ANSWER: Final = 1_024
"""Octets. Together they bound the memory of answers to some 30 MB at the very worst."""


@record
class _Known:
    """An answer of one entry or none, for the same question by the same caller while nothing changed."""

    request: SearchRequest
    identity: Identity
    witness: object
    entry: bytes
    """The encoded operation; empty if nothing was found."""


class Searches:
    """Answers searches; remembers what it answered just now."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._sender = Sender(house)
        self._controlled = ControlledSearches(house, self._sender)
        self._synchronisations = Synchronisations(house, self._sender)
        self._monitor = monitor_of(house)
        self._answers: Recent[int, _Known] = Recent(_ANSWERS)
        self._limits = SearchLimits(candidates=house.bounds.candidates)
        house.signposts.on_change(self._forget_answers)

    async def search(
        self, message_id: int, request: SearchRequest, identity: Identity, line: Line, asked: Asked
    ) -> Result:
        """Send the entries; the result is for the caller to send."""
        known = self._answers.get(id(request))
        if (
            known is not None
            and not asked
            and known.request is request
            and known.identity is identity
            and self._house.rooms.store.unchanged(known.witness)
        ):
            if known.entry:
                line.send(enveloped(message_id, known.entry))
            return SUCCESS
        house = self._house
        sender = self._sender
        selection = sender.selection(request.attributes)
        if selection.explores:
            return await explore_by_search(message_id, request, selection, identity, line, house, asked)
        if asked:
            return await self._the_long_way(message_id, request, identity, line, asked)
        if len(request.base) <= _LONGEST_VIRTUAL:
            made = self._made(request, line)
            if made is not None:
                return self._virtual(message_id, request, line, made)
        if is_of_monitor(request.base):
            return await self._the_long_way(message_id, request, identity, line, NOTHING_ASKED)
        base, view = self._allowed(request, identity)
        seen = house.signposts.seen or await house.signposts.look()
        if seen is not NONE_SEEN:
            return await self._the_long_way(message_id, request, identity, line, NOTHING_ASKED)
        trail = None if selection.at_reading else Trail()
        wanted = filter_inside(request.filter, house.rooms)
        sent, encoded = await sender.send(
            message_id,
            request,
            selection,
            view,
            line,
            house.rooms.store.search(base, request.scope, wanted, self._limits, trail),
            sender.deadline(request),
            reader=identity,
        )
        if not sent and await house.rooms.store.read(base) is None:  # who finds something knows
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{base}' does not exist")
        if (
            trail is not None
            and trail.witness is not None
            and sent <= 1
            and len(encoded) <= _LONGEST_ANSWER
            and house.signposts.seen is seen
        ):
            self._answers.put(id(request), _Known(request, identity, trail.witness, encoded))
        return SUCCESS

    def forget(self, line: Line) -> None:
        """The connection is gone, or somebody else's: no next page of its searches is waited for."""
        self._controlled.pages.forget(line)

    async def _the_long_way(
        self, message_id: int, request: SearchRequest, identity: Identity, line: Line, asked: Asked
    ) -> Result:
        if asked.get(SyncRequest) is not None:
            base, view = self._allowed(request, identity)
            return await self._synchronisations.search(message_id, request, identity, base, view, line, asked)
        walk = partial(self._set_out, request, identity, line, asked)
        return await self._controlled.search(message_id, request, identity, line, asked, walk)

    async def _set_out(self, request: SearchRequest, identity: Identity, line: Line, asked: Asked) -> Walk:
        if is_of_monitor(request.base):
            demand_administrator(identity, request.base)
            return await self._monitor.walk(request, asked)
        made = self._made(request, line)
        if made is None:
            base, view = self._allowed(request, identity)
            return await set_out(request, identity, base, view, asked, self._house)
        subentries = asked.get(Subentries)
        hidden = subentries is not None and subentries.visible is not is_a(made.entry, SUBENTRY)
        return SingleWalk(made.entry, self._is_found(request, made) and not hidden)

    def _allowed(self, request: SearchRequest, identity: Identity) -> tuple[DN, View]:
        """The base by its name inside. Refusal as Views.resolve, INSUFFICIENT_ACCESS_RIGHTS."""
        base, view = self._house.rooms.views.resolve(request.base)
        if not may_search(identity, base):
            raise Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, f"'{identity.name()}' may not search here")
        return base, view

    def _forget_answers(self) -> None:
        self._answers = Recent(_ANSWERS)

    # Entries that are made

    def _made(self, request: SearchRequest, line: Line) -> VirtualEntry | None:
        """The entry of this name that is made, not stored, and that everybody may read."""
        name = request.base.replace(" ", "").lower()
        if not name and request.scope is Scope.BASE:
            return self._house.subschema.root_dse(mechanisms_on(line))
        if name == SUBSCHEMA_NAME:
            return self._house.subschema.entry()
        return None

    def _virtual(self, message_id: int, request: SearchRequest, line: Line, made: VirtualEntry) -> Result:
        if self._is_found(request, made):
            attributes = made.select(self._sender.selection(request.attributes))
            line.send(encode_search_entry(message_id, made.name, attributes))
        return SUCCESS

    def _is_found(self, request: SearchRequest, made: VirtualEntry) -> bool:
        """Root DSE and subschema are read in base scope, with a filter that holds."""
        wanted = compile_filter(request.filter, self._house.rooms.schema)
        return request.scope is Scope.BASE and wanted(made.entry) is True
