"""What Agent Response Threshold is safe, by what was seen. Ours; the rule that it must cover the time to the
last account is Broadcom's (KB 52161).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from provserver.agents.rehearsal.spread import Spread

MARGIN: Final = 2.0
"""Times the longest: a day that is worse than the rehearsal."""
_LEAST: Final = 60
"""Seconds: agents too take their time to report."""
_ROUND: Final = 30
_FEW: Final = 1_000
"""Changes below which one in a thousand was hardly seen."""


@dataclass(frozen=True, slots=True)
class Advice:
    """`threshold` in seconds; None: nothing was seen that it could follow from. `safe`: every account was
    reached. `reasons` are sentences.
    """

    threshold: int | None
    safe: bool
    reasons: list[str]


def advise(arrival: Spread, stuck: int, unknown: int, current: float | None) -> Advice:
    """By the times to the last account of each change, and accounts that were not reached. `current`: the
    server's threshold; None: nobody knows, 0: its guard is off.
    """
    if not arrival.count:
        nobody = "no arrival was seen, so nothing can be said about the Agent Response Threshold"
        return Advice(None, False, [nobody])
    threshold = max(_LEAST, math.ceil(arrival.longest * MARGIN / _ROUND) * _ROUND)
    reasons = [
        f"the longest way to a last account took {arrival.longest:.1f} s; this is twice that, "
        f"in steps of {_ROUND} s, and at least {_LEAST} s"
    ]
    if stuck:
        reasons.append(
            f"{stuck} accounts were not reached: until that is mended no threshold is known to be enough, "
            "and this is the least"
        )
    if unknown:
        reasons.append(f"of {unknown} accepted changes nobody could say whether they have arrived")
    if arrival.count < _FEW:
        reasons.append(
            f"only {arrival.count} changes were seen: what happens once in a thousand may be missing"
        )
    if current is not None:
        reasons.append(_beside(current, threshold))
    return Advice(threshold, not stuck, reasons)


def _beside(current: float, threshold: int) -> str:
    if not current:
        return "the server's is 0: its guard is off"
    if current < threshold:
        return f"the server's is {current:.0f} s: too short"
    return (
        f"the server's is {current:.0f} s: enough; the longer it is, the longer a user's next change on "
        "another of his systems is refused"
    )
