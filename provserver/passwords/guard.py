"""The echo guard: is this password one that we sent there ourselves?

An endpoint's agent reports every change, also those that we made. Without the guard the report starts
another round, for ever (KB 52161). A mark tells what we sent, to whom and when the attempt ended. Source:
seed 000 (Agent Response Threshold), facts/imps.md 1.2; the echo memory and the exception after a must-change
delivery are ours (design "The echo guard").
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Final

from provserver.storage.contract import Mark

MUST_CHANGE: Final = 1
"""PasswordOption.FORCE_CHANGE_AT_LOGON as it is stored with a mark."""


class Verdict(Enum):
    CLEAR = "clear"
    ECHO = "echo"
    """Ours: success, and nothing to do."""
    IN_PROGRESS = "in progress"
    """Another password inside the window: refused."""


def judge(
    marks: Sequence[Mark],
    digests: Collection[bytes],
    now: float,
    *,
    threshold: float,
    memory: float,
    agent_installed: bool,
) -> Verdict:
    """Judge one password, given as the digests that its mark would have (one a key), against an account's
    marks.

    `threshold` 0 turns the guard off; times in seconds.
    """
    if threshold <= 0 or not marks:
        return Verdict.CLEAR
    in_progress = False
    for mark in marks:
        ended = mark.ended
        in_window = ended is None or now < ended + threshold
        remembered = in_window or (ended is not None and now < ended + memory)
        if remembered and any(hmac.compare_digest(mark.digest, digest) for digest in digests):
            return Verdict.ECHO
        if in_window and agent_installed and not mark.options & MUST_CHANGE:
            in_progress = True
    return Verdict.IN_PROGRESS if in_progress else Verdict.CLEAR


def closes(marks: Sequence[Mark], threshold: float) -> float | None:
    """When the last window closes (wall clock); None while an attempt lasts."""
    ends = [mark.ended for mark in marks]
    if any(end is None for end in ends):
        return None
    return max((end for end in ends if end is not None), default=0.0) + threshold
