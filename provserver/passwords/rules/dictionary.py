"""Words that everybody tries: a text file in UTF-8, one word a line, in memory as long as the server runs.

Empty lines and lines that begin with `#` say nothing. Words are compared as `folding` reads them; those of
less than `SHORTEST` characters are left out, because they are in every other password.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from provserver.passwords.rules.folding import folded, read_as_letters
from provserver.passwords.rules.listing import ListError, reason

SHORTEST: Final = 4
LONGEST: Final = 64
MOST: Final = 500_000
"""Words: some 60 MB of memory."""
LARGEST: Final = 16 * 2**20
"""Octets of the file."""


class Dictionary:
    """A set of words, and which lengths there are among those that begin alike."""

    def __init__(self, words: Iterable[str]) -> None:
        """Words as they are written; those that are too short or too long to count are left out."""
        read = read_as_letters(folded("\n".join(words))).split("\n")  # at once: ten times as fast
        self._words = frozenset([word for word in read if SHORTEST <= len(word) <= LONGEST])
        lengths: dict[str, set[int]] = {}
        for word in self._words:
            lengths.setdefault(word[:SHORTEST], set()).add(len(word))
        shared: dict[bytes, bytes] = {}
        self._lengths: dict[str, bytes] = {}
        for head, found in lengths.items():
            ordered = bytes(sorted(found))
            self._lengths[head] = shared.setdefault(ordered, ordered)

    def __len__(self) -> int:
        return len(self._words)

    @classmethod
    def read(cls, path: Path) -> Dictionary:
        """The words of a file. ListError names it, and the line."""
        try:
            with path.open("rb") as file:
                octets = file.read(LARGEST + 1)
        except OSError as error:
            raise ListError(path, reason(error)) from None
        if len(octets) > LARGEST:
            raise ListError(path, f"expected at most {LARGEST // 2**20} MiB")
        try:
            text = octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = octets.count(b"\n", 0, error.start) + 1
            raise ListError(path, "expected words in UTF-8", line) from None
        lines = text.splitlines()
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            raise ListError(path, "expected words, one a line, and no NUL", line)
        words = [word for line in lines if (word := line.strip()) and not word.startswith("#")]
        if len(words) > MOST:
            raise ListError(path, f"expected at most {MOST} words, found {len(words)}")
        dictionary = cls(words)
        if not dictionary:
            raise ListError(path, f"expected words of {SHORTEST} to {LONGEST} characters, found none")
        return dictionary

    def has_word_in(self, text: str, shortest: int) -> bool:
        """Whether a word of at least so many characters is in a text, read as letters."""
        words, lengths = self._words, self._lengths
        for at in range(len(text) - shortest + 1):
            there = lengths.get(text[at : at + SHORTEST])
            if there is not None:
                left = len(text) - at
                for length in there:
                    if shortest <= length <= left and text[at : at + length] in words:
                        return True
        return False
