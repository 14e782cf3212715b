"""Searches page by page (RFC 2696), so that however many entries there are, few are in memory.

A server that does not know pages answers with everything at once, which is one page then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from provserver.ldap.client import Found, LdapClient
from provserver.ldap.controls import ControlError, PagedResults, decode_response, encode_request
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.messages import Control


@dataclass(frozen=True, slots=True)
class Page:
    """`estimate`: of all entries, 0 if the server has none."""

    entries: Sequence[Found]
    estimate: int


async def pages_of(
    client: LdapClient, base: str, filter: Filter, attributes: Sequence[str], size: int
) -> AsyncIterator[Page]:
    """All entries below the base. LineError, Refusal."""
    cookie = b""
    while True:
        said: list[Control] = []
        asked = encode_request(PagedResults(size, cookie))
        found = await client.search(
            base, Scope.SUBTREE, filter, attributes, controls=[asked], told=said.append
        )
        page = _answer(said)
        yield Page(found, page.size)
        cookie = page.cookie
        if not cookie:
            return


def _answer(controls: Sequence[Control]) -> PagedResults:
    for control in controls:
        if control.oid == PagedResults.oid:
            try:
                page = decode_response(control.oid, control.value)
            except ControlError:
                break
            assert isinstance(page, PagedResults)  # noqa: S101 -- by its object identifier
            return page
    return PagedResults(0)


class Feed:
    """The names of entries, one at a time to any number of takers; the next page is fetched while half of one
    is still to be taken.
    """

    def __init__(self, pages: AsyncIterator[Page], half: int, told: Callable[[int], None]) -> None:
        """`told` is given the server's estimate of how many there are, with each page."""
        self._pages = pages
        self._half = half
        self._told = told
        self._names: deque[str] = deque()
        self._over = False
        self._fetching = False
        self._failure: BaseException | None = None
        self._waiting: list[Deferred[None]] = []

    async def take(self) -> str | None:
        """The next name; None: there are no more. Whatever the pages raise, to whoever is next."""
        while True:
            if len(self._names) <= self._half and not self._fetching and not self._over:
                self._fetching = True
                Deferred.fromCoroutine(self._fetch())
            if self._names:
                return self._names.popleft()
            if self._failure is not None:
                raise self._failure
            if self._over:
                return None
            arrival: Deferred[None] = Deferred()
            self._waiting.append(arrival)
            await arrival

    async def _fetch(self) -> None:
        try:
            page = await anext(self._pages, None)
        except Exception as error:
            self._failure, page = error, None
        self._fetching = False
        if page is None:
            self._over = True
        else:
            self._names.extend([found.dn for found in page.entries])
            self._told(page.estimate)
        waiting, self._waiting = self._waiting, []
        for arrival in waiting:
            arrival.callback(None)
