"""The type that holds a password while it is in memory.

Whatever formats, logs, dumps or compares a `Secret` learns nothing from it. Python cannot wipe `bytes`,
so the promise is: as few copies as possible, kept as short as possible, shown never.
"""

from __future__ import annotations

import contextlib
import hmac
from typing import NoReturn


class Secret:
    """One clear-text password, UTF-8 bytes, that does not show itself."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    @classmethod
    def of_text(cls, text: str) -> Secret:
        """The secret that a person typed."""
        return cls(text.encode())

    def reveal(self) -> bytes:
        """The password itself. Every caller is a place to review."""
        return self._value

    def reveal_text(self) -> str:
        """The password as text; UnicodeDecodeError without its bytes is raised as ValueError."""
        # Raised outside of any `except`: a UnicodeDecodeError keeps the bytes, and would stay as the context.
        with contextlib.suppress(UnicodeDecodeError):
            return self._value.decode()
        raise ValueError("the password is not UTF-8")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> NoReturn:
        # A hash table of passwords would leak by timing and by repr.
        raise TypeError("a Secret is never hashed")

    def __repr__(self) -> str:
        return "Secret(…)"

    def __format__(self, spec: str) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied")
