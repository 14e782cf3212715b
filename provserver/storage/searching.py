"""One search in the stored tree, step by step: what the walk meets (`planning`), judged by the filter."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence

from provserver.directory.entries import Entry
from provserver.directory.filtering import Predicate
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.scopes import in_scope
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import SearchLimits, Trail
from provserver.storage.planning import Few, Walk, plan
from provserver.storage.tree import Tree


class TreeSearch:
    """A search (`batches.Search`), as the contract of a store has it. `predicate` compiles its filter; `turn`
    lets the reactor do other things.
    """

    def __init__(
        self,
        base: DN,
        scope: Scope,
        filter: Filter,
        limits: SearchLimits,
        trail: Trail | None,
        *,
        tree: Tree,
        schema: Schema,
        predicate: Callable[[Filter], Predicate],
        turn: Callable[[], Awaitable[None]],
    ) -> None:
        self._base = base
        self._scope = scope
        self._filter = filter
        self._limits = limits
        self._trail = trail
        self._tree = tree
        self._schema = schema
        self._predicate = predicate
        self._turn = turn
        self._begun = False
        self._compiled: Filter | None = None
        self._holds: Predicate = _is_true
        self._walk: Walk | None = None
        self._steps = 0
        self._left = limits.candidates or sys.maxsize
        self._found: Sequence[Entry] = ()

    async def step(self) -> bool:
        if not self._begun:
            self._begun = True
            if self._scope is Scope.BASE:
                return self._finds_base()
            self._walk = plan(self._base, self._scope, self._filter, self._schema, self._tree)
        if self._left < 0:
            raise Refusal(
                ResultCode.ADMIN_LIMIT_EXCEEDED,
                f"the search would look at more than {self._limits.candidates} entries",
            )
        walk = self._walk
        entries = walk.step(self._limits.batch) if walk is not None else ()
        if walk is None or not entries:
            if self._trail is not None and type(walk) is Few:
                self._trail.witness = walk.witness(self._base)
            return False
        if self._steps:
            await self._turn()
        self._steps += 1
        within = entries if len(entries) <= self._left else entries[: self._left]
        self._found = self._matches(within, walk.rest)
        self._left -= len(entries)
        return True

    def handed_over(self) -> Sequence[Entry]:
        found, self._found = self._found, ()
        return found

    def _finds_base(self) -> bool:
        record = self._tree.at(self._base.key)
        if record is None or self._predicate(self._filter)(record.entry) is not True:
            return False
        self._found = (record.entry,)
        return True

    def _matches(self, entries: Sequence[Entry], rest: Filter | None) -> list[Entry]:
        """Those in scope of which the rest of the filter is true."""
        base, scope = self._base, self._scope
        if rest is None:
            return [entry for entry in entries if in_scope(entry.dn, base, scope)]
        if rest is not self._compiled:
            self._compiled, self._holds = rest, self._predicate(rest)
        holds = self._holds
        return [entry for entry in entries if in_scope(entry.dn, base, scope) and holds(entry) is True]


def _is_true(entry: Entry) -> bool:
    return True
