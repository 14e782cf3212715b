"""What in a store still needs which key: so that none is forgotten too early.

Sealed values, echo marks and remembered passwords all say which key they were made under.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from provserver.directory.entries import Attribute
from provserver.passwords.credentials import HISTORY
from provserver.passwords.history import key_id_of
from provserver.vault import marking, sealing
from provserver.vault.keyring import KeyId

_HISTORY_KEY: Final = HISTORY.lower()
_SECRET_KEY: Final = "provsecret"

DELIVERIES, ENDPOINTS, MARKS, USERS = "deliveries", "endpoints", "marks", "users"
_SENTENCES: Final = {
    DELIVERIES: "{count} passwords in the outbox",
    ENDPOINTS: "secrets of {count} endpoints",
    MARKS: "{count} echo marks",
    USERS: "remembered passwords of {count} users",
}
_ADVICE: Final = {
    DELIVERIES: "The server seals what waits anew; what is on its way just now, soon after.",
    ENDPOINTS: "The server seals secrets of endpoints anew; one that cannot be opened has to be set again.",
    MARKS: "Echo marks go when passwords.echo_memory is over, within an hour; those of what waits or is "
    "held, when it is delivered or dropped.",
    USERS: "Remembered passwords go as their users change them, as far as the Password Profile remembers "
    "(provHistoryCount, provHistoryDays).",
}
_NOT_SERVED: Final = "Nobody serves the instance: provserver keys rotate seals anew too."


@dataclass(frozen=True, slots=True)
class KeyNeeds:
    """How many of each there are, by key."""

    _counts: Mapping[tuple[KeyId, str], int]

    @classmethod
    def of(
        cls,
        deliveries: Iterable[tuple[bytes, bytes]],
        marks: Iterable[bytes],
        entries: Iterable[Mapping[str, Attribute]],
    ) -> KeyNeeds:
        """`deliveries`: sealed value and mark of each in the outbox; `marks`: those of what was sent."""
        found: Counter[tuple[KeyId, str]] = Counter()
        for sealed, mark in deliveries:
            _count(found, [sealing.key_of(sealed)], DELIVERIES)
            _count(found, [marking.key_of(mark)], MARKS)
        for mark in marks:
            _count(found, [marking.key_of(mark)], MARKS)
        for attributes in entries:
            if _SECRET_KEY in attributes:
                _count(found, map(_key_of_secret, attributes[_SECRET_KEY].values), ENDPOINTS)
            if _HISTORY_KEY in attributes:
                remembered = attributes[_HISTORY_KEY].values
                _count(found, [key_id_of(value.decode(errors="replace")) for value in remembered], USERS)
        return cls(found)

    @property
    def ids(self) -> set[KeyId]:
        """The keys that are needed."""
        return {key for key, _ in self._counts}

    def counts(self, key: KeyId) -> dict[str, int]:
        """How many of each kind need it."""
        return {kind: self._counts.get((key, kind), 0) for kind in _SENTENCES}

    def sentence(self, key: KeyId) -> str:
        """What needs it; empty: nothing does."""
        counts = self.counts(key)
        return ", ".join(
            [text.format(count=counts[kind]) for kind, text in _SENTENCES.items() if counts[kind]]
        )

    def advice(self, key: KeyId, *, served: bool) -> Iterator[str]:
        """What to do, in sentences."""
        counts = self.counts(key)
        if not served and (counts[DELIVERIES] or counts[ENDPOINTS]):
            yield _NOT_SERVED
        for kind, text in _ADVICE.items():
            if counts[kind]:
                yield text


def _count(found: Counter[tuple[KeyId, str]], keys: Iterable[KeyId | None], kind: str) -> None:
    """One more, for each key that it needs."""
    for key in set(keys):
        if key is not None:
            found[key, kind] += 1


def _key_of_secret(value: bytes) -> KeyId | None:
    try:
        return sealing.key_of(base64.b64decode(value.partition(b"=")[2], validate=True))
    except binascii.Error:
        return None
