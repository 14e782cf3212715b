"""Bounded memories of what was read: what was not used lately is dropped first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from provserver.directory.entries import Entry, EntryId

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """At most `limit` weight, in whatever unit `put` is given."""

    __slots__ = ("_kept", "_limit", "_weight", "_weights")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._weights: dict[K, int] = {}

    def get(self, key: K) -> V | None:
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Remember `value` in place of what was known."""
        self._weight += weight - self._weights.get(key, 0)
        self._weights[key] = weight
        self._kept[key] = value
        self._kept.move_to_end(key)
        while self._weight > self._limit:
            dropped, _ = self._kept.popitem(last=False)
            self._weight -= self._weights.pop(dropped)

    def pop(self, key: K) -> None:
        """Forget it, if it is there."""
        if self._kept.pop(key, None) is not None:
            self._weight -= self._weights.pop(key)

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)


class Record:
    """An entry, its row number, and what it weighs in memory. Never changed: a write makes another."""

    __slots__ = ("entry", "packed", "seq", "used", "weight")

    def __init__(self, seq: int, entry: Entry, weight: int, *, packed: bool = False) -> None:
        self.seq = seq
        self.entry = entry
        self.weight = weight
        self.packed = packed
        """Whether the attributes are as they were read."""
        self.used = False
        """Whether it was asked for since `Records` last looked; the one thing that does change."""


class Records:
    """Entries by id and by name, at most `limit` bytes (estimated) of them.

    The oldest is dropped unless it was used since it came or was last looked at: then it gets another round
    ("clock"). An exact order would touch two neighbours at each use, which are far away in memory.
    """

    __slots__ = ("_by_id", "_by_key", "_limit", "_weight")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._by_id: OrderedDict[EntryId, Record] = OrderedDict()
        self._by_key: dict[str, Record] = {}

    def at(self, key: str) -> Record | None:
        """By DN key."""
        record = self._by_key.get(key)
        if record is not None:
            record.used = True
        return record

    def with_id(self, entry_id: EntryId) -> Record | None:
        record = self._by_id.get(entry_id)
        if record is not None:
            record.used = True
        return record

    def glimpse(self, entry_id: EntryId) -> Record | None:
        """By id, without keeping it any longer for that."""
        return self._by_id.get(entry_id)

    def put(self, record: Record) -> None:
        """Remember a record in place of what was known of its entry, whatever its name was."""
        entry = record.entry
        self.forget(entry.id)
        self._by_id[entry.id] = record
        self._by_key[entry.dn.key] = record
        self._weight += record.weight
        while self._weight > self._limit:
            self._drop_one()

    def _drop_one(self) -> None:
        while True:
            entry_id, record = next(iter(self._by_id.items()))
            if not record.used:
                self.forget(entry_id)
                return
            record.used = False
            self._by_id.move_to_end(entry_id)

    def forget(self, entry_id: EntryId) -> None:
        """Forget an entry, if it is known."""
        record = self._by_id.pop(entry_id, None)
        if record is not None:
            self._weight -= record.weight
            key = record.entry.dn.key
            if self._by_key.get(key) is record:  # not when another entry has taken its name
                del self._by_key[key]

    def __len__(self) -> int:
        return len(self._by_id)
