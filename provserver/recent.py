"""A bounded memory of what was used lately, at the price of a dictionary.

Two generations: what is put or met goes into the young one; when that is full, it becomes the old one, and
what nobody met since is gone. So at most twice `size` values are kept, and the `size` last used ones for
certain. An exact order (an OrderedDict moved at each hit) costs three times as much.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most twice `size` values by key. Values are never None."""

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        young = self._young
        young[key] = value
        if len(young) >= self._size:
            self._old = young
            self._young = {}

    def pop(self, key: K) -> None:
        """Forget it, if it is known."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
