"""The garbage collector, set for a process whose memory is mostly a large cache.

Python's own setting walks the whole heap each time it has grown by a quarter: an eighth of
the samples of a server with 70,000 entries in memory (py-spy, on the password cycle).
Reference counts free nearly everything of ours; cycles come from exceptions and closed connections only,
and the young generations find those.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 50_000
_MIDDLE: Final = 50
_OLD: Final = 1_000


def set_collector() -> None:
    """Leave what was made at the start alone for good, and look at old objects rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
