"""Writes that go into the store together: a page of accounts with their containers, users and inclusions."""

from __future__ import annotations

from collections.abc import Sequence

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.renaming import renamed
from provserver.directory.tree import Change, modified, new_entry
from provserver.exploration.counts import Report
from provserver.exploration.ground import Ground
from provserver.storage.contract import Commit, Move, Put, Remove, Write

Attributes = Sequence[tuple[str, Sequence[bytes]]]


class Portion:
    """What will be written for some accounts, and what is to be told of it once it is."""

    def __init__(self, ground: Ground, by: str) -> None:
        self.report = Report()
        self.users: dict[str, Entry] = {}
        """Users that are made here, by DN key."""
        self.full_names: dict[bytes, Entry] = {}
        """The same, by full name as it compares."""
        self.updated: set[EntryId] = set()
        """Users that are updated here."""
        self.containers: set[str] = set()
        """DN keys of the containers that are made here."""
        self.moved: set[EntryId] = set()
        self._ground = ground
        self._by = by
        self._at = ground.wall()
        self._stamp = ground.stamp(self._at)
        self._writes: dict[EntryId, Write] = {}

    def add(self, dn: DN, attributes: Attributes) -> Entry:
        """A new entry. Refusal, as `new_entry`."""
        ground = self._ground
        entry = new_entry(dn, attributes, ground.schema, ground.new_id(), self._stamp, self._by)
        self._writes[entry.id] = Put(entry, 0)
        return entry

    def change(self, entry: Entry, changes: Sequence[Change]) -> Entry:
        """An entry changed in place, or where it is being moved to. Refusal, as `modified`."""
        changed = modified(entry, changes, self._ground.schema, self._stamp, self._by)
        before = self._writes.get(entry.id)
        move = isinstance(before, Move)
        expected = before.expected if isinstance(before, Put | Move) else entry.version
        self._writes[entry.id] = Move(changed, expected) if move else Put(changed, expected)
        return changed

    def move(self, entry: Entry, dn: DN) -> Entry:
        """An account under another name, and the names in its inclusions. Refusal, as `renamed`."""
        moved = renamed(entry, dn, self._ground.schema, self._stamp, self._by, delete_old=True)
        moved = Entry(moved.id, dn, moved.attributes, entry.version)
        self._writes[entry.id] = Move(moved, entry.version)
        self.moved.add(entry.id)
        return moved

    def remove(self, entry: Entry) -> None:
        self._writes.pop(entry.id, None)  # whatever else it would have come to
        self._writes[entry.id] = Remove(entry.id, entry.dn, entry.version)

    def commit(self) -> Commit | None:
        """None: nothing is different."""
        if not self._writes:
            return None
        return Commit(at=self._at, by=self._by, writes=tuple(self._writes.values()))
