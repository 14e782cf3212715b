"""What one search may show its caller: entries looked up, judged (`sight`), and looked up again when they
were put aside for later.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Entry, EntryId
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN
from provserver.imps.messages import Message
from provserver.imps.views import View
from provserver.ldap.controls import Assertion, ManageDsaIT, Subentries
from provserver.ldap.filters import And, Filter, Scope
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.aliases import IN_FINDING, IN_SEARCHING, Guide, Region
from provserver.operations.asked import Asked
from provserver.operations.context import House
from provserver.operations.inside import filter_inside
from provserver.operations.referrals import continuation
from provserver.operations.sight import Sight
from provserver.operations.signposts import ALIAS, REFERRAL, SUBENTRY, Seen, all_of
from provserver.storage.contract import SearchLimits

_STEP: Final = 256
"""Entries that are looked up again at once."""
_NOWHERE_ELSE: Final[tuple[tuple[str, ...], ...]] = ()

Batches = AsyncGenerator[Sequence[Entry], None]


class Walk(Protocol):
    """What a search goes over."""

    view: View
    """Through which names are shown."""
    base: Entry

    def references(self) -> AsyncIterator[tuple[str, ...]]:
        """Where else to search on."""

    def entries(self) -> Batches:
        """What matches, a batch at a time; batches may be empty."""

    async def again(self, ids: Sequence[EntryId]) -> Sequence[Entry]:
        """Entries that were found before, as they are now; without those that would not be found any more."""


async def set_out(
    request: SearchRequest, identity: Identity, named: DN, view: View, asked: Asked, house: House
) -> TreeWalk:
    """The walk of a search in the stored tree. Refusal NO_SUCH_OBJECT, and as `Guide.followed`."""
    seen = house.signposts.seen or await house.signposts.look()
    heeded = [REFERRAL] if seen.referrals and asked.get(ManageDsaIT) is None else []
    finding, deref = list(heeded), request.deref_aliases
    guide = Guide(house, identity, view)
    if seen.aliases and deref in IN_FINDING:
        finding.append(ALIAS)
    base = await guide.followed(named, request.scope, finding) if finding else named
    entry = await house.rooms.store.read(base)
    if entry is None:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{base}' does not exist")
    if asked.get(Assertion) is not None and not may_read(identity, base):
        raise Refusal(
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
            Message.NOT_ALLOWED.say(who=identity.name(), what="assert anything of", dn=str(base)),
        )
    regions: tuple[Region, ...] = (Region(base, request.scope),)
    if seen.aliases and deref in IN_SEARCHING and request.scope is not Scope.BASE:
        heeded.append(ALIAS)
        regions = await guide.regions(base, request.scope, heeded)
    return TreeWalk(request, identity, entry, view, regions, heeded, asked.get(Subentries), seen, house)


class TreeWalk:
    """Over the stored tree."""

    def __init__(
        self,
        request: SearchRequest,
        identity: Identity,
        base: Entry,
        view: View,
        regions: tuple[Region, ...],
        heeded: Sequence[bytes],
        subentries: Subentries | None,
        seen: Seen,
        house: House,
    ) -> None:
        self.view = view
        self.base = base
        self._regions = regions
        self._house = house
        self._limits = SearchLimits(candidates=house.bounds.candidates)
        wanted = filter_inside(request.filter, house.rooms)
        hidden = list(heeded)
        if subentries is not None and subentries.visible:
            wanted = And((all_of(SUBENTRY), wanted))
        elif seen.subentries and (subentries is not None or request.scope is not Scope.BASE):
            hidden.append(SUBENTRY)
        self._wanted: Filter = wanted
        matches = compile_filter(wanted, house.rooms.schema)
        self._sight = Sight(identity, base, regions, matches, hidden, heeds_referrals=REFERRAL in heeded)

    async def references(self) -> AsyncIterator[tuple[str, ...]]:
        if not self._sight.heeds_referrals:
            return
        for region in self._regions:
            if region.scope is Scope.BASE:
                continue
            search = self._house.rooms.store.search(region.base, region.scope, all_of(REFERRAL), self._limits)
            async with aclosing(search) as batches:
                async for batch in batches:
                    for referral in batch:
                        may_know = self._sight.refers(referral)
                        uris = continuation(referral, self.view, region.scope)
                        if uris and may_know:
                            yield uris

    async def entries(self) -> Batches:
        # Regions have no entry in common, but one may move from one to the next meanwhile.
        met: set[EntryId] | None = set() if len(self._regions) > 1 else None
        for region in self._regions:
            search = self._house.rooms.store.search(region.base, region.scope, self._wanted, self._limits)
            async with aclosing(search) as batches:
                async for batch in batches:
                    seen = self._sight.shown(batch)
                    if met is not None:
                        seen = [entry for entry in seen if entry.id not in met]
                        met.update([entry.id for entry in seen])
                    del batch
                    handed = [seen]
                    del seen
                    yield handed.pop()

    async def again(self, ids: Sequence[EntryId]) -> Sequence[Entry]:
        return [entry for entry in await self._house.rooms.store.read_ids(ids) if self.finds(entry)]

    def finds(self, entry: Entry) -> bool:
        """Whether this entry would be found, under the name that it has."""
        return self._sight.finds(entry)


class SingleWalk:
    """Over one entry that is made, not stored."""

    view = View.BARE

    def __init__(self, base: Entry, is_found: bool) -> None:
        self.base = base
        self._is_found = is_found

    async def references(self) -> AsyncIterator[tuple[str, ...]]:
        for uris in _NOWHERE_ELSE:
            yield uris

    async def entries(self) -> Batches:
        if self._is_found:
            yield (self.base,)

    async def again(self, ids: Sequence[EntryId]) -> Sequence[Entry]:
        return [self.base] if self.base.id in ids else []


async def one_by_one(walk: Walk, ids: Sequence[EntryId]) -> Batches:
    """What was found before, in this order."""
    for start in range(0, len(ids), _STEP):
        yield await walk.again(ids[start : start + _STEP])
