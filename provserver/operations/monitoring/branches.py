"""What a branch of the monitor is: an entry, and entries below it that are handed out page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.ldap.filters import And, Equality, Filter

Page = tuple[int | None, Sequence[Entry]]
"""Where the next page begins, None after the last one; and the entries of this one."""


class Branch(Protocol):
    """One level of entries below `dn`."""

    @property
    def dn(self) -> DN: ...

    async def entry(self) -> Entry: ...

    async def child(self, name: str) -> Entry | None:
        """The entry whose name has this value."""

    async def again(self, id: str) -> Entry | None:
        """The entry of this id, as it is now; None: it is gone, or of another branch."""

    async def page(self, after: int, wanted: Filter) -> Page:
        """Entries from there on; `after` is 0 to begin. What cannot match `wanted` may be left out: who asks
        judges the others.
        """


def asserted(wanted: Filter, schema: Schema) -> dict[str, str]:
    """What a filter demands of every entry that it matches, by schema key: values of equality, as far as that
    is plain to see.
    """
    return {
        key: part.value.decode(errors="replace")
        for part in _demanded(wanted)
        if isinstance(part, Equality) and (key := schema.known_key(part.attribute)) is not None
    }


def _demanded(wanted: Filter) -> Iterator[Filter]:
    if isinstance(wanted, And):
        for part in wanted.parts:
            yield from _demanded(part)
    else:
        yield wanted
