"""Searches that are handed out page by page (RFC 2696): what is open, of whom, and where it stopped.

An open search holds the store's suspended iterator and the ids that were found and not yet sent: no entry,
no transaction. A cookie is random, good for one page, and for the connection, the caller and the very same
request that it was given to.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from provserver.directory.access import Identity
from provserver.directory.entries import Entry, EntryId
from provserver.ldap.controls import ControlValue, SortResult
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.context import Line
from provserver.operations.matched import Matched
from provserver.operations.walking import Batches, Walk

_log = Logger(__name__)

WHOLE: Final = sys.maxsize
"""The page of a search without pages."""
IDLE_TIME: Final = 300.0
"""Seconds after which the next page of a search is not waited for any longer."""
_COOKIE: Final = 16
"""Octets."""
_LOOK_AHEAD: Final = 4
"""Batches without a match after which it is no longer tried to find out whether a page was the last one."""


@dataclass(slots=True, eq=False)
class OpenSearch:
    """A search under way. `batches` is its own, to be closed."""

    request: SearchRequest
    controls: frozenset[ControlValue]
    """All but the one about pages."""
    identity: Identity
    line: Line
    walk: Walk
    batches: Batches
    matched: Matched | None = None
    sorted: SortResult | None = None
    handed: int = 0
    """Entries that pages have had so far."""
    used: float = 0.0
    _left: Sequence[EntryId] = field(default=())
    """Found, and not in a page yet."""

    async def page(self, size: int) -> Batches:
        """The next entries, at most so many."""
        while size and (batch := await self._next()) is not None:
            if len(batch) > size:
                self._left = [entry.id for entry in batch[size:]]
                batch = batch[:size]
            size -= len(batch)
            self.handed += len(batch)
            yield batch

    async def is_over(self) -> bool:
        """Whether there is no further page; False may turn out to be an empty one."""
        for _ in range(_LOOK_AHEAD):
            if self._left:
                return False
            batch = await anext(self.batches, None)
            if batch is None:
                return True
            self._left = [entry.id for entry in batch]
        return False

    async def _next(self) -> Sequence[Entry] | None:
        if self._left:
            left, self._left = self._left, ()
            return await self.walk.again(left)
        return await anext(self.batches, None)

    async def close(self) -> None:
        await self.batches.aclose()


class Pages:
    """The searches whose next page may be asked for: at most `most` of a connection (the oldest gives way),
    none for longer than IDLE_TIME. `randomness` gives that many random bytes.
    """

    def __init__(self, most: int, monotonic: Callable[[], float], randomness: Callable[[int], bytes]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._randomness = randomness
        self._open: OrderedDict[bytes, OpenSearch] = OrderedDict()
        """By cookie, least recently used first."""
        self._of: dict[Line, list[bytes]] = {}

    def keep(self, search: OpenSearch) -> bytes:
        """The cookie for the next page."""
        self._drop_idle()
        search.used = self._monotonic()
        cookie = self._randomness(_COOKIE)
        self._open[cookie] = search
        cookies = self._of.setdefault(search.line, [])
        cookies.append(cookie)
        while len(cookies) > self._most:
            _closed(self._taken(cookies[0]))
        return cookie

    def resume(
        self,
        cookie: bytes,
        request: SearchRequest,
        controls: frozenset[ControlValue],
        identity: Identity,
        line: Line,
    ) -> OpenSearch:
        """The search that goes on; its cookie is used up. Refusal UNWILLING_TO_PERFORM: there is no such
        search, or not of this caller and connection, or it is another one.
        """
        self._drop_idle()
        search = self._open.get(cookie)
        if search is None or search.line is not line or search.identity != identity:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM,
                "paged results control: no search of yours is open under this cookie; it was used before, or "
                f"not within {IDLE_TIME:.0f} s, or gave way to another (at most {self._most} are kept)",
            )
        if search.request != request or search.controls != controls:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM,
                "paged results control: expected the same request, with the same other controls, that this "
                "cookie was given to",
            )
        return self._taken(cookie)

    def forget(self, line: Line) -> None:
        """Close what is open on a connection."""
        for cookie in list(self._of.get(line, ())):
            _closed(self._taken(cookie))

    def __len__(self) -> int:
        return len(self._open)

    def _drop_idle(self) -> None:
        before = self._monotonic() - IDLE_TIME
        while self._open:
            cookie, search = next(iter(self._open.items()))
            if search.used >= before:
                return
            _closed(self._taken(cookie))

    def _taken(self, cookie: bytes) -> OpenSearch:
        search = self._open.pop(cookie)
        cookies = self._of[search.line]
        cookies.remove(cookie)
        if not cookies:
            del self._of[search.line]
        return search


def _closed(search: OpenSearch) -> None:
    """Let a search go that nobody waits for."""
    Deferred.fromCoroutine(search.close()).addErrback(
        lambda failure: _log.failure("an open search could not be closed", failure)
    )
