"""A coroutine in which exceptions are handled apart from all others.

CPython keeps with each coroutine which exception it is handling. Compiled ones (docs/decisions/0009) keep it
with the thread: one that waits inside an `except` leaves its exception to whoever runs next, and may raise
somebody else's afterwards. So whoever drives coroutines by hand begins with this one, which is never
compiled.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def isolated(coroutine: Coroutine[object, object, T]) -> T:
    """What the coroutine does."""
    return await coroutine
