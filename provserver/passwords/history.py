"""Remembered passwords: whether a new one was used before, at no cost and without showing anything.

A value is `1$time$key id$nonce$mac$source`: when it was set (whole seconds since the epoch), HMAC(history
key, nonce, derived key) in hexadecimal, and the source (scheme, parameters and salt) of the derived key.
With its nonce every value differs, so that a stolen store shows neither reuse nor two users with one
password; and without the key file the values cannot be guessed at. Values of the user's present salt are
compared with the key that is derived anyway; those of another ("foreign": loaded pre-encoded, or from
before a change of scheme) cost a derivation each, which the caller makes.

What is remembered includes the password in force, as Windows counts; OpenLDAP's pwdInHistory counts only
those before.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from typing import NamedTuple

from provserver.vault.keyring import KeyId, KeyRing, Purpose, Randomness
from provserver.vault.schemes import Derived, Recipe, UnreadableHash, parse_source

LONGEST = 100
"""Values that one user can have, whatever the profile says: a history by days alone has no end."""

_FORMAT = "1"
_NONCE_SIZE = 8
_DAY = 86400


class Remembered(NamedTuple):
    """One password that was used. A named tuple, because every exchange makes several of them."""

    at: int
    key_id: KeyId
    nonce: str
    mac: str
    source: str
    text: str
    """The stored form."""

    def __repr__(self) -> str:
        return f"Remembered(at={self.at})"


class History:
    """What is remembered of one user, newest first."""

    __slots__ = ("_keys", "_random", "remembered", "unreadable")

    def __init__(
        self,
        remembered: Iterable[Remembered],
        keys: KeyRing,
        *,
        random: Randomness = os.urandom,
        unreadable: int = 0,
    ) -> None:
        self.remembered = tuple(remembered)
        self.unreadable = unreadable
        """Values that `parse` could not use: malformed, or their key is gone. The next write drops them."""
        self._keys = keys
        self._random = random

    @classmethod
    def parse(cls, values: Iterable[str], keys: KeyRing, *, random: Randomness = os.urandom) -> History:
        """The history of the stored values, in any order. Never fails: see `unreadable`."""
        found: list[Remembered] = []
        unreadable = 0
        for value in values:
            try:
                form, at, key_id, nonce, mac, source = value.split("$", 5)
                if form != _FORMAT or key_id not in keys:
                    raise ValueError
                found.append(Remembered(int(at), KeyId(key_id), nonce, mac, source, value))
            except ValueError:
                unreadable += 1
        if len(found) > 1:
            found.sort(key=_age, reverse=True)
        return cls(found, keys, random=random, unreadable=unreadable)

    @property
    def values(self) -> tuple[str, ...]:
        """The stored form, newest first."""
        return tuple(one.text for one in self.remembered)

    def within(self, at: float, count: int, days: int) -> History:
        """What the profile still remembers: the last `count`, and those of the last `days` days before `at`.

        0 means that this limit is not used; both 0, that nothing is remembered.
        """
        if not days and len(self.remembered) <= count <= LONGEST:
            return self
        oldest = at - days * _DAY
        kept = tuple(
            one
            for place, one in enumerate(self.remembered[:LONGEST])
            if place < count or (days > 0 and one.at >= oldest)
        )
        return History(kept, self._keys, random=self._random, unreadable=self.unreadable)

    def contains(self, derived: Derived) -> bool:
        """Whether this key is remembered, among the values of its own source. Always looks at all of them."""
        source, key = derived.source, derived.key
        found = False
        mac_id, mac = self._keys.current, self._keys.mac(Purpose.HISTORY)
        for one in self.remembered:
            if one.source == source:
                if one.key_id != mac_id:
                    mac_id, mac = one.key_id, self._keys.mac(Purpose.HISTORY, one.key_id)
                # As bytes: compare_digest takes no text beyond ASCII, and a stored value may be anything.
                found |= hmac.compare_digest(mac(one.nonce.encode(), key).hex().encode(), one.mac.encode())
        return found

    def foreign(self, derived: Derived) -> tuple[tuple[Recipe, bytes], ...]:
        """The recipes and salts, each once, of the values that `contains(derived)` says nothing about.

        Derive with each of them and ask `contains` again.
        """
        source = derived.source
        others = dict.fromkeys(one.source for one in self.remembered if one.source != source)
        found = []
        for other in others:
            try:
                found.append(parse_source(other))
            except UnreadableHash:
                continue
        return tuple(found)

    def with_new(
        self, derived: Derived, at: float, count: int, days: int, *, outgoing: Derived | None = None
    ) -> History:
        """The history after a change to `derived`, less what the profile forgets.

        `outgoing` is the hash in force until now: remembered too when it is not yet (it was loaded, or set
        while there was no history), as of the day it goes.
        """
        if count <= 0 and days <= 0:
            return History((), self._keys, random=self._random)
        kept = self.remembered
        if outgoing is not None and not self.contains(outgoing):
            kept = (self._remember(outgoing, at), *kept)
        longer = History((self._remember(derived, at), *kept), self._keys, random=self._random)
        return longer.within(at, count, days)

    def _remember(self, derived: Derived, at: float) -> Remembered:
        key_id = self._keys.current
        nonce = self._random(_NONCE_SIZE).hex()
        mac = self._keys.mac(Purpose.HISTORY, key_id)(nonce.encode(), derived.key).hex()
        source = derived.source
        text = f"{_FORMAT}${int(at)}${key_id}${nonce}${mac}${source}"
        return Remembered(int(at), key_id, nonce, mac, source, text)

    def __repr__(self) -> str:
        return f"History({len(self.remembered)} remembered, {self.unreadable} unreadable)"


def key_id_of(value: str) -> KeyId | None:
    """The id of the key that a stored value needs; None: it is none."""
    parts = value.split("$", 5)
    return KeyId(parts[2]) if len(parts) == 6 and parts[0] == _FORMAT else None


def _age(one: Remembered) -> int:
    return one.at
