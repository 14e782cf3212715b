"""The store's journal, read behind its end, for whoever wants each event soon after it is durable.

Nobody on the way of a request waits for that, and nothing is told that a crash could take back. A reader says
after which event it goes on; one that keeps that somewhere misses nothing, whatever happened to the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from provserver.storage.contract import JournalEvent, Store

_PAGE: Final = 256
"""Events."""


class Reader(Protocol):
    """Is told of events, in their order."""

    @property
    def after(self) -> int:
        """The number of the last event that it needs no more."""

    def take(self, events: Sequence[tuple[int, JournalEvent]]) -> None:
        """Some events, with their numbers, each above `after`. It grows by that, or they come again."""


class Tail:
    """To be asked to read on, again and again."""

    def __init__(self, store: Store, readers: Sequence[Reader]) -> None:
        self._store = store
        self._readers = readers

    async def read_page(self) -> bool:
        """Tell each reader what comes next for it; whether there may be more. The store's errors.

        One that cannot take anything just now (its disk is full) holds up no other.
        """
        pages: dict[int, Sequence[tuple[int, JournalEvent]]] = {}
        more = False
        for reader in self._readers:
            after = reader.after
            events = pages.get(after)
            if events is None:
                events = pages[after] = await self._store.journal(after, _PAGE)
            if events:
                reader.take(events)
                more = more or (len(events) == _PAGE and reader.after > after)
        return more


async def last_number(store: Store) -> int:
    """The number of the journal's last event, 0 of an empty one: looked for, since a journal may be long."""
    beyond = 1
    while await store.journal(beyond - 1, 1):
        beyond *= 2
    known = beyond // 2
    """Below it there is one; not from `beyond` on."""
    low, high = max(known - 1, 0), beyond - 1
    while low < high:
        middle = (low + high) // 2
        if await store.journal(middle, 1):
            low = middle + 1
        else:
            high = middle
    return low
