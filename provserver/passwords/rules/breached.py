"""Passwords that are known from data breaches, in lists of hashes kept on this machine; nothing leaves it.

The formats are those of Pwned Passwords (haveibeenpwned.com): lines `HASH:COUNT` in hexadecimal, ordered by
hash, in one file of any size; or a folder with a file for each of the first five digits (`21BD1.txt`), whose
lines have the other digits. A hash of 40 digits is a SHA-1, one of 32 an NTLM hash. Ours: a file may hold
the first digits of the SHA-1 only, to be smaller, and a line without a count counts for one.

A file is never read into memory: its lines are looked up where they are, which for a list of a billion takes
three or four reads of 4 KiB. Read, not mapped: a file that is cut short must not end the server.
"""

from __future__ import annotations

import os
import re
from hashlib import sha1
from pathlib import Path
from typing import Final

from provserver.passwords.rules.listing import ListError, reason
from provserver.passwords.rules.md4 import md4

SHORTEST: Final = 10
"""Digits of a hash in a list: with fewer, many a good password would share them with a breached one."""
_SHA1: Final = 40
_NTLM: Final = 32
_PREFIX: Final = 5
_BLOCK: Final = 4 * 1024
_SAMPLES: Final = 64
"""Places at which a file is looked at before it is trusted."""
_GUESSES: Final = 8
"""After these the middle is tried: whatever the hashes are like, it ends."""
_FIGURES: Final = 14
"""Digits by which it is guessed where a hash is."""

_LINE: Final = re.compile(rb"([0-9A-F]+|[0-9a-f]+)(?::[0-9]{1,18})?\r?")
_COUNT: Final = re.compile(rb":([0-9]{1,18})")
_RANGE: Final = re.compile(r"([0-9A-F]{5}|[0-9a-f]{5})(\.txt)?", re.ASCII)
_EXPECTED: Final = "expected lines of a hash in hexadecimal, a colon and a count"


class Breached:
    """A list of breached passwords that is open."""

    def __init__(self, hashes: HashFile | HashRanges) -> None:
        self._hashes = hashes
        self._ntlm = hashes.digits == _NTLM

    @classmethod
    def open(cls, path: Path) -> Breached:
        """The list at a place, a file or a folder; to be closed. ListError."""
        return cls(HashRanges(path) if path.is_dir() else HashFile(path))

    def times(self, octets: bytes) -> int:
        """How often a password, in UTF-8, was met in breaches. ListError: the list has changed while it was
        in use.
        """
        if self._ntlm:
            digest = md4(octets.decode().encode("utf-16-le")).hex()
        else:
            digest = sha1(octets, usedforsecurity=False).hexdigest()
        return self._hashes.count(digest.upper())

    def close(self) -> None:
        self._hashes.close()


class HashFile:
    """One file, ordered by hash."""

    def __init__(self, path: Path, block: int = _BLOCK) -> None:
        """`block`: octets that are read at once; at least two lines. ListError: it cannot be read, or is not
        what it should be, as far as some samples tell.
        """
        self._path = path
        self._block = block
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ListError(path, reason(error)) from None
        try:
            self._size = os.fstat(self._file).st_size
            first = _LINE.fullmatch(self._read(0).partition(b"\n")[0])
            if first is None:
                raise ListError(path, _EXPECTED, 1)
            self._width = len(first[1])
            self._lower = False
            if not (SHORTEST <= self._width <= _SHA1):
                raise ListError(path, f"expected hashes of {SHORTEST} to {_SHA1} digits", 1)
            self.digits = _NTLM if self._width == _NTLM else _SHA1
            self._check_samples()
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        os.close(self._file)

    def count(self, digest: str) -> int:
        key = (digest.lower() if self._lower else digest)[: self._width].encode()
        wanted = int(key[:_FIGURES], 16)
        low, high = 0, self._size  # what is in front of, or at, these offsets is known to be less, or greater
        least, greatest = 0, 16 ** min(self._width, _FIGURES)
        tries = 0
        while low < high:
            tries += 1
            if tries > _GUESSES:
                near = (low + high) // 2
            else:
                near = low + (high - low) * (wanted - least) // (greatest - least)
            start = max(low, near - self._block // 2)
            block = self._read(start)
            # Whole lines only: `low` and `high` are where lines begin, other offsets may be anywhere.
            begin = 0 if start == low else block.find(b"\n") + 1
            end = high - start if start + len(block) >= high else block.rfind(b"\n") + 1
            first = self._key(block, begin)
            if key < first:
                high, greatest = start + begin, int(first[:_FIGURES], 16) + 1
                continue
            last = self._key(block, max(begin, block.rfind(b"\n", begin, end - 1) + 1))
            if key > last:
                low, least = start + end, int(last[:_FIGURES], 16)
                continue
            return _count_in(block, key, begin)
        return 0

    def _key(self, block: bytes, at: int) -> bytes:
        key = block[at : at + self._width]
        if len(key) != self._width or not key.isalnum():
            raise self._changed()
        return key

    def _read(self, start: int) -> bytes:
        try:
            return os.pread(self._file, self._block, start)
        except OSError as error:
            raise ListError(self._path, reason(error)) from None

    def _changed(self) -> ListError:
        return ListError(
            self._path, "has changed while it was in use; put the new one in its place, then SIGHUP"
        )

    def _check_samples(self) -> None:
        before, cases = b"", set[bool]()
        for start in range(0, self._size, max(self._block, self._size // _SAMPLES)):
            block = self._read(start)
            whole = block if start + len(block) >= self._size else block[: block.rfind(b"\n") + 1]
            for line in (whole.partition(b"\n")[2] if start else whole).splitlines():
                match = _LINE.fullmatch(line)
                if match is None or len(match[1]) != self._width:
                    raise ListError(self._path, f"near octet {start}: {_EXPECTED}, of {self._width} digits")
                if not match[1].isdigit():
                    cases.add(match[1].islower())
                if match[1] < before or len(cases) > 1:
                    raise ListError(
                        self._path, f"near octet {start}: expected lines in the order of their hashes"
                    )
                before = match[1]
        self._lower = True in cases


class HashRanges:
    """A folder with a file for each of the first digits. One that is not there means that no such password is
    known.
    """

    def __init__(self, path: Path) -> None:
        """ListError: there are no such files in it, or the first one met is not what it should be."""
        self._path = path
        try:
            with os.scandir(path) as found:
                match = next((match for one in found if (match := _RANGE.fullmatch(one.name))), None)
        except OSError as error:
            raise ListError(path, reason(error)) from None
        if match is None:
            raise ListError(path, "expected files named by the first five digits of a hash, as 21BD1.txt")
        self._ending = match[2] or ""
        self._lower = match[1].islower()
        sample = path / match[0]
        first = _LINE.fullmatch(_content(sample).partition(b"\n")[0])
        if first is None or _PREFIX + len(first[1]) not in (_SHA1, _NTLM):
            whole = f"of {_SHA1 - _PREFIX} or {_NTLM - _PREFIX} digits"
            raise ListError(sample, f"{_EXPECTED}; the hash without the digits of the name, {whole}", 1)
        self.digits = _PREFIX + len(first[1])
        self._lower_inside = first[1].islower()

    def count(self, digest: str) -> int:
        prefix, rest = digest[:_PREFIX], digest[_PREFIX:]
        path = self._path / f"{prefix.lower() if self._lower else prefix}{self._ending}"
        if not path.exists():
            return 0
        return _count_in(_content(path), (rest.lower() if self._lower_inside else rest).encode())

    def close(self) -> None:
        """Nothing is kept open."""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ListError(path, reason(error)) from None


def _count_in(lines: bytes, key: bytes, begin: int = 0) -> int:
    """The count behind a hash, when one of the lines begins with it; 0: none does."""
    if not lines.startswith(key, begin):
        begin = lines.find(b"\n" + key, begin) + 1
        if not begin:
            return 0
    counted = _COUNT.match(lines, begin + len(key))
    return int(counted[1]) if counted is not None else 1
