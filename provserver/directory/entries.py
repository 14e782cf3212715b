"""An entry of the tree: a name, attributes, an id that outlives renames, and a version that counts its
writes.

Values stay `bytes` (LDAP's values are octets, and most are only sent out again); `text` and `texts` decode
where the domain reads them. Attributes are kept under their schema key: the lower-case first NAME of the
type, with its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple, NewType

from provserver.directory.names import DN
from provserver.records import record

EntryId = NewType("EntryId", str)
"""An entry's eTID: a UUID in text form, given once, kept through every change and rename."""


class Attribute(NamedTuple):
    """A description as it is shown, and its values in the order they were given."""

    description: str
    values: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Attribute({self.description!r}, {len(self.values)} values)"


@record
class Entry:
    """One entry as it was committed. `version` is 0 before the first commit, then 1, 2, …"""

    id: EntryId
    dn: DN
    attributes: Mapping[str, Attribute] = field(repr=False)
    version: int = 0

    def values(self, key: str) -> tuple[bytes, ...]:
        """All values under a schema key; none is the empty tuple."""
        attribute = self.attributes.get(key)
        return attribute.values if attribute is not None else ()

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(value.decode() for value in self.values(key))

    def text(self, key: str, default: str = "") -> str:
        """The first value as text, or `default`."""
        values = self.values(key)
        return values[0].decode() if values else default
