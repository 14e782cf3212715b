"""What one search may show its caller: entries looked up, judged by rights and signposts, and looked up
again when they were put aside for later.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Entry, EntryId
from provserver.directory.filtering import Predicate, compile_filter
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
from provserver.operations.signposts import ALIAS, REFERRAL, SUBENTRY, Seen, all_of, is_a
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
        self._identity = identity
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
        self._hidden = tuple(hidden)
        self._matches: Predicate = compile_filter(wanted, house.rooms.schema)
        self._elsewhere: set[str] | None = set() if REFERRAL in heeded else None
        """Keys of the names below which another server holds the entries."""

    async def references(self) -> AsyncIterator[tuple[str, ...]]:
        if self._elsewhere is None:
            return
        for region in self._regions:
            if region.scope is Scope.BASE:
                continue
            search = self._house.rooms.store.search(region.base, region.scope, all_of(REFERRAL), self._limits)
            async with aclosing(search) as batches:
                async for batch in batches:
                    for referral in batch:
                        self._elsewhere.add(referral.dn.key)
                        uris = continuation(referral, self.view, region.scope)
                        if uris and may_read(self._identity, referral.dn):
                            yield uris

    async def entries(self) -> Batches:
        # Regions have no entry in common, but one may move from one to the next meanwhile.
        met: set[EntryId] | None = set() if len(self._regions) > 1 else None
        for region in self._regions:
            search = self._house.rooms.store.search(region.base, region.scope, self._wanted, self._limits)
            async with aclosing(search) as batches:
                async for batch in batches:
                    seen = [entry for entry in batch if self._shows(entry)]
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
        return self._still_matches(entry) and self._shows(entry)

    def _still_matches(self, entry: Entry) -> bool:
        return any(region.covers(entry.dn) for region in self._regions) and self._matches(entry) is True

    def _shows(self, entry: Entry) -> bool:
        """Whether the caller may see an entry that was found, and it stands for itself."""
        if not may_read(self._identity, entry.dn):
            return False
        # The base itself is shown, whatever it is; that no alias and no referral is heeded there any more
        # was settled when it was looked for.
        if self._hidden and any(is_a(entry, kind) for kind in self._hidden):
            return entry.id == self.base.id and not is_a(entry, SUBENTRY)
        return not self._elsewhere or not self._is_elsewhere(entry.dn)

    def _is_elsewhere(self, dn: DN) -> bool:
        elsewhere = self._elsewhere or ()
        return any(dn.ancestor_key(depth) in elsewhere for depth in range(1, dn.depth))


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
