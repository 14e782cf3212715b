"""The lists that rules look into, the dictionary and the breached passwords, as they were read last.

Where they are is said in the settings (`passwords.dictionary`, `passwords.breached`), whether they are used
in the Password Profile. They are read when the server starts, and anew at SIGHUP.
"""

from __future__ import annotations

from pathlib import Path

from provserver.passwords.rules.breached import Breached
from provserver.passwords.rules.dictionary import Dictionary
from provserver.passwords.rules.listing import ListError


class Contents:
    """What was read at one time."""

    __slots__ = ("breached", "dictionary")

    def __init__(self, dictionary: Dictionary | None, breached: Breached | None) -> None:
        self.dictionary = dictionary
        self.breached = breached

    def close(self) -> None:
        if self.breached is not None:
            self.breached.close()


class Lists:
    """The lists of one server. A list that is named, but not read yet, cannot be asked (ListError): commands
    that judge no passwords need not read it.
    """

    def __init__(self, dictionary: Path | None = None, breached: Path | None = None) -> None:
        self._dictionary = dictionary
        self._breached = breached
        self._contents = Contents(None, None)
        self._closed = False
        self.version = 0
        """Counts what was taken: a verdict on a password is good for one of them."""

    @property
    def are_named(self) -> bool:
        """Whether there is anything to read."""
        return self.has_dictionary or self.has_breached

    @property
    def has_dictionary(self) -> bool:
        return self._dictionary is not None

    @property
    def has_breached(self) -> bool:
        return self._breached is not None

    def read(self) -> Contents:
        """Read all that is named; it takes as long as that takes (a second, for the longest dictionary), and
        changes nothing yet. ListError.
        """
        dictionary = Dictionary.read(self._dictionary) if self._dictionary is not None else None
        breached = Breached.open(self._breached) if self._breached is not None else None
        return Contents(dictionary, breached)

    def take(self, contents: Contents) -> None:
        """From now on these."""
        if self._closed:
            contents.close()
            return
        before, self._contents = self._contents, contents
        self.version += 1
        before.close()

    def close(self) -> None:
        self._closed = True
        self._contents.close()
        self._contents = Contents(None, None)

    def has_word_in(self, text: str, shortest: int) -> bool:
        """Whether a text, read as letters, has a word of at least so many characters in it. ListError."""
        dictionary = self._contents.dictionary
        if dictionary is None:
            raise _unread("dictionary", self._dictionary)
        return dictionary.has_word_in(text, shortest)

    def times_breached(self, octets: bytes) -> int:
        """How often a password, in UTF-8, was met in breaches. ListError."""
        breached = self._contents.breached
        if breached is None:
            raise _unread("list of breached passwords", self._breached)
        return breached.times(octets)


def _unread(what: str, path: Path | None) -> ListError:
    return ListError(path or Path(), f"the {what} has not been read")


NO_LISTS = Lists()
"""Where none is named. Takes none."""
