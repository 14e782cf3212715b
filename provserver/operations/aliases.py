"""From the name that a search gives to where it looks: through aliases (RFC 4511 4.5.1.3, RFC 4512 2.6), and
up to a referral (RFC 3296 5.3).

An alias that leads nowhere, or in a circle, is an error where the base is looked for. One that a search meets
on its way is passed over (ours; the RFC leaves it open).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

from provserver.directory.access import Identity, may_read, may_search
from provserver.directory.entries import Entry
from provserver.directory.names import DN, InvalidName
from provserver.directory.scopes import in_scope
from provserver.imps.views import View, Views
from provserver.ldap.filters import Scope
from provserver.ldap.messages import DerefAliases
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.context import House
from provserver.operations.referrals import first_sign, referred
from provserver.operations.signposts import ALIAS, REFERRAL, all_of, is_a
from provserver.records import record
from provserver.storage.contract import SearchLimits

TARGET_KEY: Final = "aliasedobjectname"
IN_FINDING: Final = frozenset({DerefAliases.FINDING_BASE, DerefAliases.ALWAYS})
IN_SEARCHING: Final = frozenset({DerefAliases.IN_SEARCHING, DerefAliases.ALWAYS})

_MOST_HOPS: Final = 32
"""Aliases on the way to one entry."""
_MOST_REGIONS: Final = 1_000
"""Parts of the tree that the aliases of one search may lead to."""


@record
class Region:
    """A part of the tree."""

    base: DN
    scope: Scope

    def covers(self, dn: DN) -> bool:
        return in_scope(dn, self.base, self.scope)

    def contains(self, other: Region) -> bool:
        return self.covers(other.base) and (self.scope is Scope.SUBTREE or other.scope is Scope.BASE)


class Guide:
    """Finds the way for one caller, by the kinds of signposts that are to be heeded."""

    def __init__(self, house: House, identity: Identity, view: View) -> None:
        self._house = house
        self._identity = identity
        self._view = view

    async def followed(self, name: DN, scope: Scope, kinds: Iterable[bytes]) -> DN:
        """The name of the object that a name leads to.

        Refusal REFERRAL; ALIAS_PROBLEM: an alias names no entry; ALIAS_DEREFERENCING_PROBLEM: it names what
        is not for the caller; LOOP_DETECT. Signposts that the caller may not see lead nowhere.
        """
        alias: Entry | None = None
        target = name
        for _ in range(_MOST_HOPS):
            sign = await first_sign(name, self._house, kinds)
            if sign is None or not may_read(self._identity, sign.dn):
                if alias is not None and await self._house.rooms.store.read(target) is None:
                    raise self._problem(ResultCode.ALIAS_PROBLEM, alias, "names no entry")
                return name
            if is_a(sign, REFERRAL):
                raise referred(sign, name, self._view, scope)
            alias, target = sign, self._target(sign)
            name = name.relocate(alias.dn, target)
        raise Refusal(
            ResultCode.LOOP_DETECT, f"expected at most {_MOST_HOPS} aliases on the way to one entry"
        )

    async def regions(self, base: DN, scope: Scope, kinds: Iterable[bytes]) -> tuple[Region, ...]:
        """The scope of a search, and the parts of the tree that the aliases in it stand for; no entry is in
        two of them. Refusal ADMIN_LIMIT_EXCEEDED.
        """
        regions = [Region(base, scope)]
        further = Scope.SUBTREE if scope is Scope.SUBTREE else Scope.BASE
        for region in regions:  # those too that are added meanwhile
            if region.scope is Scope.BASE:
                continue
            search = self._house.rooms.store.search(region.base, region.scope, all_of(ALIAS), SearchLimits())
            async with aclosing(search) as batches:
                async for batch in batches:
                    for alias in batch:
                        target = await self._meant(alias, kinds) if alias.dn != base else None
                        if target is not None and not any(known.covers(target) for known in regions):
                            regions.append(Region(target, further))
                    if len(regions) > _MOST_REGIONS:
                        raise Refusal(
                            ResultCode.ADMIN_LIMIT_EXCEEDED,
                            f"the aliases of this search lead to more than {_MOST_REGIONS} places",
                        )
        return tuple(
            [one for one in regions if not any(other.contains(one) for other in regions if other is not one)]
        )

    async def _meant(self, alias: Entry, kinds: Iterable[bytes]) -> DN | None:
        """What an alias stands for that a search meets; None: nothing, for this caller."""
        if not may_read(self._identity, alias.dn):
            return None
        try:
            return await self.followed(alias.dn, Scope.BASE, kinds)
        except Refusal:
            return None

    def _target(self, alias: Entry) -> DN:
        try:
            target = DN.parse(alias.text(TARGET_KEY))
        except InvalidName:
            raise self._problem(ResultCode.ALIAS_PROBLEM, alias, "names no entry") from None
        if not may_search(self._identity, target):
            raise self._problem(
                ResultCode.ALIAS_DEREFERENCING_PROBLEM,
                alias,
                f"leads where '{self._identity.name()}' may not search",
            )
        return target

    def _problem(self, code: ResultCode, alias: Entry, what: str) -> Refusal:
        matched = Views.render(alias.dn, self._view)
        return Refusal(code, f"the alias '{alias.dn}' {what}", matched_dn=matched)
