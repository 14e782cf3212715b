"""Which of the entries that a search finds its caller may see: judged by rights, and by signposts."""

from __future__ import annotations

from collections.abc import Sequence

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Entry
from provserver.directory.filtering import Predicate
from provserver.directory.names import DN
from provserver.operations.aliases import Region
from provserver.operations.signposts import SUBENTRY, is_a


class Sight:
    """The judgement of one search. `matches` is its filter, `hidden` the kinds of entries that stand for
    something else; `heeds_referrals`: what another server holds is not shown.
    """

    def __init__(
        self,
        identity: Identity,
        base: Entry,
        regions: Sequence[Region],
        matches: Predicate,
        hidden: Sequence[bytes],
        *,
        heeds_referrals: bool,
    ) -> None:
        self._identity = identity
        self._base = base
        self._regions = regions
        self._matches = matches
        self._hidden = hidden
        self._elsewhere: set[str] | None = set() if heeds_referrals else None
        """Keys of the names below which another server holds the entries."""

    @property
    def heeds_referrals(self) -> bool:
        return self._elsewhere is not None

    def refers(self, referral: Entry) -> bool:
        """What is below this entry is elsewhere. Whether the caller may know."""
        assert self._elsewhere is not None  # noqa: S101  it heeds them
        self._elsewhere.add(referral.dn.key)
        return may_read(self._identity, referral.dn)

    def shown(self, found: Sequence[Entry]) -> list[Entry]:
        """Those of a batch that was found which the caller sees."""
        return [entry for entry in found if self._shows(entry)]

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
            return entry.id == self._base.id and not is_a(entry, SUBENTRY)
        return not self._elsewhere or not self._is_elsewhere(entry.dn)

    def _is_elsewhere(self, dn: DN) -> bool:
        elsewhere = self._elsewhere or ()
        return any(dn.ancestor_key(depth) in elsewhere for depth in range(1, dn.depth))
