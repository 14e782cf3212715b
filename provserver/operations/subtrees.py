"""A subtree that one request changes: what is in it, and how much of that there may be.

A module of its own because the compiled form has no asynchronous generators (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.ldap.filters import And, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import SearchLimits, Store

MOST_TOUCHED: Final = 10_000
"""Entries that one rename or one deletion of a tree may change, because the store does nothing else
meanwhile: a third of a second (measured)."""


async def subtree(store: Store, top: DN) -> AsyncIterator[Entry]:
    """An entry and all below it, parents first."""
    async for batch in store.search(top, Scope.SUBTREE, And(()), SearchLimits()):
        for entry in batch:
            yield entry


def demand_few(touched: int) -> None:
    """Refusal ADMIN_LIMIT_EXCEEDED when one request would change more entries than it may."""
    if touched > MOST_TOUCHED:
        raise Refusal(
            ResultCode.ADMIN_LIMIT_EXCEEDED, f"expected at most {MOST_TOUCHED} entries to be changed at once"
        )
