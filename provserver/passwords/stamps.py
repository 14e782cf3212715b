"""Times that the server keeps on entries: wall-clock seconds as generalized time with milliseconds (RFC 4517
3.3.13), and back.
"""

from __future__ import annotations

import time
from datetime import datetime


def stamp(at: float) -> str:
    return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(at))}.{int(at % 1 * 1000):03d}Z"


def seconds_of(text: str) -> float | None:
    """What `stamp` made, read again; None: it was made by somebody else."""
    try:
        return datetime.fromisoformat(f"{text[:8]}T{text[8:]}").timestamp()
    except ValueError:
        return None
