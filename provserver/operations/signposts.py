"""Entries that do not stand for themselves: referrals (RFC 3296), aliases (RFC 4512 2.6) and subentries (RFC
3672). Hardly a tree has any, so whether there are some is known without asking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provserver.directory.classes import OBJECT_CLASS_KEY
from provserver.directory.entries import Entry
from provserver.directory.names import ROOT
from provserver.ldap.filters import Equality, Scope
from provserver.storage.contract import SearchLimits, Store

REFERRAL: Final = b"referral"
ALIAS: Final = b"alias"
SUBENTRY: Final = b"subentry"

_FIRST: Final = SearchLimits(batch=1)


def is_a(entry: Entry, kind: bytes) -> bool:
    """Whether an entry is of one of these classes."""
    return kind in entry.values(OBJECT_CLASS_KEY)


def all_of(kind: bytes) -> Equality:
    """The filter that finds them."""
    return Equality(OBJECT_CLASS_KEY, kind)


@dataclass(frozen=True, slots=True)
class Seen:
    """Which kinds the tree has."""

    referrals: bool = False
    aliases: bool = False
    subentries: bool = False


NONE_SEEN: Final = Seen()
"""This very object, when there are none at all."""


class Signposts:
    """Knows which kinds a tree has; looks again only after such an entry has come or gone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes = 0
        self._listeners: list[Callable[[], None]] = []
        self.seen: Seen | None = None
        """None: to be looked for."""
        store.watch(OBJECT_CLASS_KEY, (REFERRAL, ALIAS, SUBENTRY), self._changed)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever such an entry has come or gone."""
        self._listeners.append(listener)

    async def look(self) -> Seen:
        """Which kinds there are."""
        while self.seen is None:
            changes = self._changes
            seen = Seen(await self._has(REFERRAL), await self._has(ALIAS), await self._has(SUBENTRY))
            if changes == self._changes:
                self.seen = NONE_SEEN if seen == NONE_SEEN else seen
        return self.seen

    def _changed(self) -> None:
        self._changes += 1
        self.seen = None
        for listener in self._listeners:
            listener()

    async def _has(self, kind: bytes) -> bool:
        async for batch in self._store.search(ROOT, Scope.SUBTREE, all_of(kind), _FIRST):
            if batch:
                return True
        return False
