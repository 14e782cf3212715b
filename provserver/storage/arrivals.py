"""The contract of a store that is loaded: what a load may ask besides what every store can do.

Everything that is done to such a store is one transaction: it comes true when it is kept, all of it, and
whoever ends before that leaves the store as it was. Only the loader reads it meanwhile, and sees what is
there so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from provserver.directory.entries import Attribute, EntryId
from provserver.storage.contract import Store
from provserver.storage.postings import Term

NewRow = tuple[str, str, int, str, bytes]
"""A new entry: id, DN key, parent, DN text, body. The parent is the index of a new row before it or, as its
complement (`~index`), of a key in `Arrivals.above`."""

Found = tuple[int | bytes, ...]
"""What a new entry is found by: the number of the terms that it shares with others (`Arrivals.shared`), then
number and value of each of its own."""


@dataclass(slots=True)
class Arrivals:
    """New entries that come together, parents first, no name twice. Plain values: they come from another
    process.
    """

    rows: list[NewRow] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    """One for each row."""
    above: list[str] = field(default_factory=list)
    """DN keys of the parents that are no new rows."""
    shared: dict[int, tuple[Term, ...]] = field(default_factory=dict)
    """Terms that many entries have in common, by a number that means the same in every batch."""
    given_ids: bool = False
    """Whether there are ids that came from outside, so that they may be in use."""


class LoadedStore(Store, Protocol):
    """A store that is loaded."""

    @property
    def numbers(self) -> Mapping[str, int]:
        """The number by which each indexed attribute is known in a term."""

    def arrive(self, arrivals: Arrivals, at: float, by: str) -> bool:
        """Add these entries, and their lines in the change log. False, and nothing has changed: a parent is
        missing, or a name or an id is in use.
        """

    def brief(self, key: str) -> tuple[EntryId, str, Mapping[str, Attribute]] | None:
        """Id, DN text and attributes of the entry with a DN key: `read` without the parsing of names."""

    def keep(self) -> None:
        """Make it all true, durably."""
