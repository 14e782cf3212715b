"""Searches that are more than a filter: with controls, or in a tree with signposts.

The base is found, and asserted (RFC 4528); what matches is walked over; all of it is sorted, or not; a window
on it is sent, or a page of it, or the whole. What the controls mean is said in `walking`, `matched`,
`sorting`, `list_view` and `paging`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

from provserver.directory.access import Identity
from provserver.ldap.codec import encode_message
from provserver.ldap.controls import (
    MatchedValues,
    PagedResults,
    SortRequest,
    SortResult,
    ViewRequest,
)
from provserver.ldap.messages import Message, SearchRequest, SearchResultReference
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.conditions import demand_assertion
from provserver.operations.context import House, Line
from provserver.operations.list_view import read_view, refused, window
from provserver.operations.matched import Matched
from provserver.operations.paging import WHOLE, OpenSearch, Pages
from provserver.operations.sending import Deadline, Sender
from provserver.operations.sorting import Order, Sorted, Unsortable
from provserver.operations.walking import Batches, Walk, one_by_one

_VIEW_CODES: Final = {ResultCode.NO_SUCH_ATTRIBUTE: ResultCode.UNWILLING_TO_PERFORM}
"""Codes of a sort result that a view's result does not have (section 6.2 of its draft), and what it says."""


class ControlledSearches:
    """Answers them; `pages` are those that may go on."""

    def __init__(
        self, house: House, sender: Sender, *, randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._house = house
        self._sender = sender
        self.pages = Pages(house.bounds.paged, house.monotonic, randomness)

    async def search(
        self,
        message_id: int,
        request: SearchRequest,
        identity: Identity,
        line: Line,
        asked: Asked,
        set_out: Callable[[], Awaitable[Walk]],
    ) -> Result:
        """Send what is to be sent; the result is for the caller to send. `set_out` finds the base."""
        view = read_view(asked)
        paged = asked.get(PagedResults)
        if paged is not None and view is not None:
            raise refused(
                asked, ResultCode.UNWILLING_TO_PERFORM, "expected no paged results control beside it"
            )
        deadline = self._sender.deadline(request)
        others = asked.beside(PagedResults)
        if paged is not None and paged.cookie:
            search = self.pages.resume(paged.cookie, request, others, identity, line)
        else:
            order = self._order(asked)
            walk = await set_out()
            demand_assertion(asked, walk.base, self._house.rooms)
            await _send_references(message_id, walk, line)
            search = OpenSearch(request, others, identity, line, walk, walk.entries(), self._matched(asked))
            if isinstance(order, Order):
                await self._sort(search, order, view, asked, deadline)
            else:
                search.sorted = order
        cookie = b""
        try:
            if await self._send(message_id, search, paged, asked, deadline):
                cookie = self.pages.keep(search)
        except BaseException:  # not `finally`: see tools/fast/hazards.py
            await _end(search, paged, asked)
            raise
        await _end(search, paged, asked, cookie)
        return SUCCESS

    async def _send(
        self,
        message_id: int,
        search: OpenSearch,
        paged: PagedResults | None,
        asked: Asked,
        deadline: Deadline | None,
    ) -> bool:
        """Send the page that is asked for, or all there is; whether there is more."""
        before = search.handed
        try:
            await self._sender.send(
                message_id,
                search.request,
                self._sender.selection(search.request.attributes),
                search.walk.view,
                search.line,
                search.page(paged.size if paged is not None else WHOLE),
                deadline,
                matched=search.matched,
                sent=before,
            )
        finally:
            # RFC 2891 2: it says whether the entries are sorted, so there is none where there are none.
            if search.sorted is not None and search.handed > before:
                asked.answer(search.sorted)
        # A page of no entries gives the search up (RFC 2696 3).
        return paged is not None and paged.size > 0 and not await search.is_over()

    def _matched(self, asked: Asked) -> Matched | None:
        control = asked.get(MatchedValues)
        return Matched(control, self._house.rooms) if control is not None else None

    # Sorting

    def _order(self, asked: Asked) -> Order | SortResult | None:
        """The order that is asked for, or why there is none."""
        control = asked.get(SortRequest)
        if control is None:
            return None
        try:
            return Order(control.keys, self._house.rooms.schema)
        except Unsortable as problem:
            return _unsorted(problem, asked)

    async def _sort(
        self,
        search: OpenSearch,
        order: Order,
        view: ViewRequest | None,
        asked: Asked,
        deadline: Deadline | None,
    ) -> None:
        """Have the search go on with what it finds, in order; with what it finds if that is too much."""
        try:
            found = await self._found(search.batches, order, deadline)
        except Unsortable as problem:
            search.sorted = _unsorted(problem, asked)
            search.batches = search.walk.entries()
            return
        except Refusal as refusal:
            asked.answer(SortResult(refusal.code))
            raise
        shown = found if view is None else window(view, found, order, asked)
        search.batches = one_by_one(search.walk, [entry for _, entry in shown])
        search.sorted = SortResult()

    async def _found(self, batches: Batches, order: Order, deadline: Deadline | None) -> Sequence[Sorted]:
        async with aclosing(batches):
            return await order.sort(batches, self._house.bounds.sorted, deadline)


def _unsorted(problem: Unsortable, asked: Asked) -> SortResult:
    """What is said of entries that come unsorted (RFC 2891 2, scenario 4); a refusal where the client wants
    no such entries (3), or no order means no view.
    """
    result = SortResult(problem.code, problem.attribute)
    if asked.get(ViewRequest) is not None:
        asked.answer(result)
        raise refused(asked, _VIEW_CODES.get(problem.code, problem.code), str(problem))
    if asked.is_critical(SortRequest):
        asked.answer(result)
        too_many = problem.code is ResultCode.ADMIN_LIMIT_EXCEEDED
        code = problem.code if too_many else ResultCode.UNAVAILABLE_CRITICAL_EXTENSION
        raise Refusal(code, f"server side sorting control: {problem}")
    return result


async def _end(search: OpenSearch, paged: PagedResults | None, asked: Asked, cookie: bytes = b"") -> None:
    """With a cookie the search goes on with the next page."""
    if not cookie:
        await search.close()
    if paged is not None:
        asked.answer(PagedResults(0, cookie))


async def _send_references(message_id: int, walk: Walk, line: Line) -> None:
    async for uris in walk.references():
        line.send(encode_message(Message(message_id, SearchResultReference(uris))))
        await line.drained()
