"""What statements come to: what is asked of a server. Names are whole DNs, as the server's clients write
them. No repr shows a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from provserver.ldap.filters import Filter
from provserver.ldap.messages import Change

Values = tuple[tuple[str, tuple[bytes, ...]], ...]
"""Attributes with their values."""


@dataclass(frozen=True, slots=True)
class AddEntry:
    dn: str
    attributes: Values = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModifyEntry:
    dn: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class DeleteEntry:
    dn: str


@dataclass(frozen=True, slots=True)
class CopyEntry:
    """`different`: what the copy has in the place of the original's values; without values it lacks them.

    `shares`: below this DN are the inclusions of the original, and those of the copy will be; None: they are
    not copied.
    """

    source: str
    dn: str
    naming: str
    different: Values = field(repr=False)
    shares: str | None = None


@dataclass(frozen=True, slots=True)
class FindEntries:
    """`attributes` empty: all."""

    base: str
    filter: Filter
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountEntries:
    base: str
    filter: Filter
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModifyMatching:
    base: str
    filter: Filter
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ExploreEndpoint:
    dn: str
    filter: Filter
    actions: tuple[str, ...]


Request = (
    AddEntry
    | ModifyEntry
    | DeleteEntry
    | CopyEntry
    | FindEntries
    | CountEntries
    | ModifyMatching
    | ExploreEndpoint
)
