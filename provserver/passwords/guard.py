"""The echo guard: is this password one that we sent there ourselves?

An endpoint's agent reports every change, also those that we made. Without the guard the report starts
another round, for ever (KB 52161). A mark tells what we sent, to whom and when the attempt ended. Source:
seed 000 (Agent Response Threshold), facts/imps.md 1.2; the echo memory, the exception after a must-change
delivery and the clearing by an administrator are ours (design "The echo guard").
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Final

from provserver.directory.entries import Entry
from provserver.passwords.stamps import seconds_of
from provserver.storage.contract import Mark

MUST_CHANGE: Final = 1
"""PasswordOption.FORCE_CHANGE_AT_LOGON as it is stored with a mark."""

CLEARED: Final = "provGuardCleared"
"""On an account: what was sent to it until then refuses nothing any more, and is still known as an echo."""

NEVER: Final = -math.inf


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
    cleared: float = NEVER,
) -> Verdict:
    """Judge one password, given as the digests that its mark would have (one a key), against an account's
    marks.

    `threshold` 0 turns the guard off; times in seconds. `cleared`: see `cleared_at`.
    """
    if threshold <= 0 or not marks:
        return Verdict.CLEAR
    for mark in marks:
        if now < known_until(mark, threshold, memory) and any(
            hmac.compare_digest(mark.digest, digest) for digest in digests
        ):
            return Verdict.ECHO
    until = refuses_until(marks, threshold, cleared) if agent_installed else NEVER
    return Verdict.IN_PROGRESS if now < until else Verdict.CLEAR


def known_until(mark: Mark, threshold: float, memory: float) -> float:
    """Until when (wall clock) a report of this password is an echo; for ever while the attempt lasts."""
    return math.inf if mark.ended is None else mark.ended + max(threshold, memory)


def refuses_until(marks: Sequence[Mark], threshold: float, cleared: float = NEVER) -> float:
    """Until when (wall clock) the marks, oldest first, refuse a different password from an account's agent;
    for ever while an attempt lasts, NEVER where they refuse none.

    What tells its user to change the password at next logon lets the change in, also past what was sent
    before it: the user would be locked out otherwise (KB 53148).
    """
    until = NEVER
    for mark in marks:
        if mark.options & MUST_CHANGE:
            until = NEVER
        elif mark.sent > cleared:
            until = max(until, math.inf if mark.ended is None else mark.ended + threshold)
    return until


def cleared_at(account: Entry) -> float:
    """When an administrator cleared the guard of this account (wall clock); NEVER."""
    text = account.text(_CLEARED_KEY)
    found = seconds_of(text) if text else None
    return NEVER if found is None else found


_CLEARED_KEY: Final = CLEARED.lower()
