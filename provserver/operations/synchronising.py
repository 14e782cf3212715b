"""Content synchronisation (RFC 4533): a consumer gets a copy of a part of the tree, and what changes in it.

What is asked is judged here; `content` says what belongs to the copy, and `copying` brings it up to date.
"""

from __future__ import annotations

from typing import Final

from provserver.directory.access import Identity
from provserver.directory.names import DN
from provserver.imps.views import View
from provserver.ldap.controls import (
    ControlValue,
    MatchedValues,
    PagedResults,
    RefreshDelete,
    RefreshPresent,
    SortRequest,
    SyncDone,
    SyncMode,
    SyncRequest,
    ViewRequest,
)
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.aliases import IN_SEARCHING
from provserver.operations.asked import Asked
from provserver.operations.conditions import demand_assertion
from provserver.operations.content import Content
from provserver.operations.context import House, Line
from provserver.operations.copying import Copy, Outflow
from provserver.operations.persisting import Seats, listening
from provserver.operations.sending import Sender
from provserver.operations.walking import set_out

_NOT_WITH: Final[tuple[type[ControlValue], ...]] = (PagedResults, SortRequest, ViewRequest, MatchedValues)


class Synchronisations:
    """Answers searches with a Sync Request Control."""

    def __init__(self, house: House, sender: Sender) -> None:
        self._house = house
        self._sender = sender
        self._seats = Seats()

    async def search(
        self,
        message_id: int,
        request: SearchRequest,
        identity: Identity,
        named: DN,
        view: View,
        line: Line,
        asked: Asked,
    ) -> Result:
        """Send the content, or what has changed in it, and, if that is wanted, go on with what changes.

        Refusals: those of a search; SYNC_REFRESH_REQUIRED: the consumer has to begin anew;
        ADMIN_LIMIT_EXCEEDED: too many persist; NO_SUCH_OBJECT: the base has gone.
        """
        sync = asked.get(SyncRequest)
        if sync is None:
            raise AssertionError("a synchronisation that nobody asked for")
        _demand_sense(request, asked)
        base = (await set_out(request, identity, named, view, asked, self._house)).base
        demand_assertion(asked, base, self._house.rooms)
        selection = self._sender.selection(request.attributes)
        content = Content(message_id, request, base, view, selection, identity, asked, self._house)
        copy = Copy(content, line, self._house)
        out = Outflow(line, self._sender.size(request), self._sender.deadline(request))
        if sync.mode is SyncMode.REFRESH_ONLY:
            deletes = await copy.refresh(sync, out)
            asked.answer(SyncDone(copy.cookie(), deletes))
            return SUCCESS
        with self._seats.taken(line), listening(self._house.rooms.store) as listener:
            deletes = await copy.refresh(sync, out)
            line.send(content.info((RefreshDelete if deletes else RefreshPresent)(copy.cookie())))
            return await copy.persist(listener, asked)


def _demand_sense(request: SearchRequest, asked: Asked) -> None:
    """Refusal PROTOCOL_ERROR (RFC 4533 3.5.2), UNAVAILABLE_CRITICAL_EXTENSION (RFC 4533 5)."""
    if request.deref_aliases in IN_SEARCHING:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "aliases are not dereferenced in a synchronisation")
    for kind in _NOT_WITH:
        if asked.is_critical(kind):
            raise Refusal(
                ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, f"{kind.name}: not with a {SyncRequest.name}"
            )
