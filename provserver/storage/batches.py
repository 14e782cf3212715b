"""What a search yields, a batch at a time.

A module of its own because the compiled form has no asynchronous generators (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from provserver.directory.entries import Entry


class Search(Protocol):
    """A search under way."""

    async def step(self) -> bool:
        """Look for the next batch. Whether there is one."""

    def handed_over(self) -> Sequence[Entry]:
        """The batch that was found. Nothing is held back: it may be long until more is asked for."""


async def batches(search: Search) -> AsyncGenerator[Sequence[Entry], None]:
    """All batches of a search."""
    while await search.step():
        yield search.handed_over()
