"""What a request ties its operation to, and what it wants to see of the entry: the assertion control (RFC
4528) and the read entry controls (RFC 4527).

Everything is about one state of the entry: what an assertion was true of is what is changed, and what is
shown is what was committed, or the state right before it. A commit that loses against another one is made,
and judged, again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Attribute, Entry
from provserver.directory.filtering import compile_filter
from provserver.imps.views import View, Views
from provserver.ldap.controls import Assertion, PostRead, PostReadEntry, PreRead, PreReadEntry
from provserver.ldap.messages import PartialAttribute, SearchResultEntry
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.edits import Rooms
from provserver.operations.inside import filter_inside
from provserver.operations.selection import Selection
from provserver.storage.contract import Commit


def demand_assertion(asked: Asked, target: Entry, rooms: Rooms) -> None:
    """Refusal ASSERTION_FAILED: what is asserted of the target is not true, or nobody can say."""
    control = asked.get(Assertion)
    if control is None:
        return
    if compile_filter(filter_inside(control.filter, rooms), rooms.schema)(target) is not True:
        raise Refusal(ResultCode.ASSERTION_FAILED, f"'{target.dn}' is not as the request asserts")


def demand_no_conditions(asked: Asked, why: str) -> None:
    """Refusal UNAVAILABLE_CRITICAL_EXTENSION: such a control is critical, and this operation goes without."""
    for kind in (Assertion, PreRead, PostRead):
        if asked.is_critical(kind):
            raise Refusal(ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, f"{kind.name}: {why}")


class Conditions:
    """Of one write: told what its target is `before` and `after`, on every try; answers when it is done."""

    def __init__(self, asked: Asked, identity: Identity, view: View, rooms: Rooms) -> None:
        self._asked = asked
        self._identity = identity
        self._view = view
        self._rooms = rooms
        self._pre = asked.get(PreRead)
        self._post = asked.get(PostRead)
        self._before: Entry | None = None
        self._after: Entry | None = None
        self._seen: SearchResultEntry | None = None

    @property
    def cause(self) -> str:
        """The request, as the transaction log names it to what follows from it."""
        return self._asked.cause

    async def before(self, target: Entry | None) -> None:
        """The entry that is to be changed; None: it does not exist, which others will say. Refusal
        ASSERTION_FAILED.
        """
        self._before = target
        if target is None or not self._asked:
            return
        demand_assertion(self._asked, target, self._rooms)
        if self._pre is not None:
            self._seen = await self._shown(target, self._pre.attributes)

    def added(self, target: Entry) -> None:
        """The entry that is to be added: the assertion is about that one (RFC 4528 3). Refusal
        ASSERTION_FAILED.
        """
        demand_assertion(self._asked, target, self._rooms)
        self._after = target

    def after(self, target: Entry) -> None:
        """The entry as it will be committed."""
        self._after = target

    def bound(self, commit: Commit) -> Commit:
        """The commit, if the entry is still the one that was judged and shown."""
        seen = self._before
        if seen is None or not self._asked:
            return commit
        return replace(commit, reads=(*commit.reads, (seen.id, seen.version)))

    async def answer(self) -> None:
        """It is committed: send what was asked for."""
        if self._seen is not None:
            self._asked.answer(PreReadEntry(self._seen))
        if self._post is not None and self._after is not None:
            shown = await self._shown(self._after, self._post.attributes)
            if shown is not None:
                self._asked.answer(PostReadEntry(shown))

    async def _shown(self, entry: Entry, requested: Sequence[str]) -> SearchResultEntry | None:
        """The entry as a search would return it; None: not to this caller."""
        if not may_read(self._identity, entry.dn):
            return None
        selection = Selection(requested, self._rooms.schema)
        attributes: list[Attribute] = selection.of(entry, self._view)
        attributes += await selection.about_children(entry.dn, self._rooms.store)
        return SearchResultEntry(
            Views.render(entry.dn, self._view),
            tuple([PartialAttribute(description, values) for description, values in attributes]),
        )
