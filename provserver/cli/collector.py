"""The garbage collector, set for a process whose memory is mostly a large cache, or that makes very much at
once.

Python's own setting walks the whole heap each time it has grown by a quarter: an eighth of
the samples of a server with 70,000 entries in memory (py-spy, on the password cycle).
Reference counts free nearly everything of ours; cycles come from exceptions and closed connections only,
and the young generations find those.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Final

_YOUNG: Final = 50_000
_MIDDLE: Final = 50
_OLD: Final = 1_000


def set_collector() -> None:
    """Leave what was made at the start alone for good, and look at old objects rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


@contextlib.contextmanager
def collecting_between() -> Iterator[Callable[[], object]]:
    """For work that comes in pieces: nothing is collected but when what this gives is called, between two of
    them. Looking for cycles in a heap that grows takes half of the time of reading LDIF (measured).
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield gc.collect
    finally:
        gc.enable()
        gc.unfreeze()
