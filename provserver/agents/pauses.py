"""How long a change rests after a server said no, and how often it is offered again.

A no that is not about the password mostly passes: the Agent Response Threshold is ten minutes by default, an
account is explored, a user resumed. So it is offered again for half an hour, and then given up.
"""

from __future__ import annotations

from typing import Final

MOST_TRIES: Final = 6
_FIRST: Final = 60.0


def pause_after(tries: int) -> float:
    """Seconds: none after no no, then one minute, two, four, ..."""
    return _FIRST * 2.0 ** (tries - 1) if tries else 0.0
