"""The instance's keys: one random master key per key id, and from each a separate key for every purpose.

The file (JSON, mode 0600) holds master keys only; the working keys are derived from them (HKDF-SHA-256, RFC
5869), so that a key which leaks through one purpose says nothing about another. The newest key is the
current one: new values are made under it, old values are still read under the key whose id they carry. An
id is 8 hexadecimal digits, 4 bytes where it stands in a sealed value. Losing the file loses what is sealed
(the outbox) and the memory of history and echoes; it does not lose the users' hashes.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final, NewType, NoReturn

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provserver.vault.private import read_private

KeyId = NewType("KeyId", str)
"""Names one master key: 8 lower-case hexadecimal digits. Not secret."""

Randomness = Callable[[int], bytes]
"""Gives that many unpredictable bytes; `os.urandom` outside tests."""

KEY_SIZE = 32
KEY_ID_SIZE = 4
_FILE_FORMAT = 1
_IF_MISSING: Final = (
    "put the one that belongs to this store there, mode 0600 (backups have it only if they were made "
    "--with-keys; without it what is sealed cannot be opened)"
)


class Purpose(Enum):
    """What a working key is for; the value goes into the derivation, so it never changes."""

    SEAL = "seal"
    """Passwords in the outbox, secrets of endpoints."""
    MARK = "mark"
    """Echo marks."""
    HISTORY = "history"
    """Remembered passwords."""
    META = "meta"
    """Whatever else must not be forged: cookies, cursors, change ids."""


class KeyRingError(ValueError):
    """The key file cannot be used: names the file and what to do; never shows what is in it."""


class Mac:
    """HMAC-SHA-256 (RFC 2104) under one key, its two inner states computed once.

    Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        if len(block) > 64:
            raise ValueError("a key of at most 64 bytes was expected")
        self._inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in block))
        self._outer = hashlib.sha256(bytes(octet ^ 0x5C for octet in block))

    def __call__(self, *parts: bytes) -> bytes:
        """32 bytes."""
        inner = self._inner.copy()
        for part in parts:
            inner.update(len(part).to_bytes(4, "big") + part)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def __repr__(self) -> str:
        return "Mac(…)"


class KeyRing:
    """Master keys by id, and which of them is current; shows ids only. All of a process hold one ring, and
    ask it each time, so that it can `take` what its file says now; otherwise it never changes.
    """

    __slots__ = ("_current", "_macs", "_masters", "taken")

    def __init__(self, masters: Mapping[KeyId, bytes], current: KeyId) -> None:
        """KeyRingError when an id or a key has the wrong form or `current` is not among them."""
        for key_id, master in masters.items():
            _check_id(key_id)
            if len(master) != KEY_SIZE:
                raise KeyRingError(f"key {key_id} has {len(master)} bytes, {KEY_SIZE} were expected")
        if current not in masters:
            raise KeyRingError("the current key is not among the keys")
        self._masters = dict(masters)
        self._current = current
        self._macs: dict[tuple[str, KeyId], Mac] = {}
        self.taken = 0
        """Grows whenever the keys become others: what was made of them is to be made anew."""

    @classmethod
    def generate(cls, random: Randomness = os.urandom) -> KeyRing:
        """A ring with one new key."""
        key_id = KeyId(random(KEY_ID_SIZE).hex())
        return cls({key_id: random(KEY_SIZE)}, key_id)

    def rotated(self, random: Randomness = os.urandom) -> KeyRing:
        """The same ring with a new current key in front; the older keys stay readable."""
        key_id = KeyId(random(KEY_ID_SIZE).hex())
        while key_id in self._masters:
            key_id = KeyId(random(KEY_ID_SIZE).hex())
        return KeyRing({**self._masters, key_id: random(KEY_SIZE)}, key_id)

    def without(self, key_id: KeyId) -> KeyRing:
        """The same ring without one of its older keys. KeyRingError."""
        if key_id not in self._masters:
            raise KeyRingError(f"there is no key {key_id}")
        if key_id == self._current:
            raise KeyRingError(f"key {key_id} is the current one; rotate first")
        return KeyRing({one: key for one, key in self._masters.items() if one != key_id}, self._current)

    def take(self, ring: KeyRing) -> bool:
        """Become what another ring is. False: it is the same already."""
        if ring._masters == self._masters and ring._current == self._current:
            return False
        self._masters, self._current, self._macs = dict(ring._masters), ring._current, {}
        self.taken += 1
        return True

    @property
    def current(self) -> KeyId:
        return self._current

    @property
    def ids(self) -> tuple[KeyId, ...]:
        """Every key id, the current one first."""
        return (self._current, *(key_id for key_id in self._masters if key_id != self._current))

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._masters

    def key(self, purpose: Purpose, key_id: KeyId | None = None) -> bytes:
        """The working key of a purpose, under the current id unless told; 32 bytes. KeyError: no such id.

        Derived at each call (some µs): keep what is made of it, as `mac` and `Seal` do.
        """
        chosen = self._current if key_id is None else key_id
        info = b"provserver 1 " + purpose.value.encode()
        return HKDF(SHA256(), KEY_SIZE, salt=None, info=info).derive(self._masters[chosen])

    def mac(self, purpose: Purpose, key_id: KeyId | None = None) -> Mac:
        """The HMAC under a working key, made once and kept. KeyError: no such id."""
        chosen = self._current if key_id is None else key_id
        place = (purpose.value, chosen)
        mac = self._macs.get(place)
        if mac is None:
            mac = self._macs[place] = Mac(self.key(purpose, chosen))
        return mac

    def write(self, path: Path) -> None:
        """Replace the file in one step, mode 0600, on disk when this returns. Raises OSError."""
        text = json.dumps(
            {
                "format": _FILE_FORMAT,
                "current": self._current,
                "keys": {key_id: base64.b64encode(key).decode() for key_id, key in self._masters.items()},
            },
            indent=2,
        )
        _replace(path, text.encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """The ring in a file. KeyRingError: missing, readable by others, or not a key file."""
        content, problem = read_private(path, "key file", _IF_MISSING)
        ring = None
        if not problem:
            ring, problem = _parse(content)
        # Raised here, outside every `except`: a JSON error keeps the whole document, keys and all.
        if ring is None:
            raise KeyRingError(f"{path}: {problem}")
        return ring

    def __repr__(self) -> str:
        return f"KeyRing(current={self._current}, ids={', '.join(self.ids)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyRing is never pickled or copied")


def _check_id(key_id: str) -> None:
    if len(key_id) != 2 * KEY_ID_SIZE or not set(key_id) <= set("0123456789abcdef"):
        raise KeyRingError(f"a key id is {2 * KEY_ID_SIZE} lower-case hexadecimal digits")


def _parse(content: bytes) -> tuple[KeyRing | None, str]:
    try:
        document = json.loads(content)
    except ValueError:
        return None, "the key file is not JSON"
    if not isinstance(document, dict) or document.get("format") != _FILE_FORMAT:
        return None, f'a JSON object with "format": {_FILE_FORMAT} was expected'
    current, keys = document.get("current"), document.get("keys")
    if not isinstance(current, str) or not isinstance(keys, dict):
        return None, '"current" (text) and "keys" (an object) were expected'
    masters: dict[KeyId, bytes] = {}
    for key_id, encoded in keys.items():
        if not isinstance(encoded, str):
            return None, '"keys" has a value that is not text'
        try:
            masters[KeyId(key_id)] = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return None, '"keys" has a value that is not base64'
    try:
        return KeyRing(masters, KeyId(current)), ""
    except KeyRingError as error:
        return None, str(error)


def _replace(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename over: a crash leaves the old file or the new one, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
