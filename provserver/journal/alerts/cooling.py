"""One message for each matter in a while: what comes again meanwhile is counted, and told in one summary."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from provserver.journal.alerts.forms import Alert

M = TypeVar("M", bound=Hashable)


@dataclass(slots=True)
class _Warm:
    until: float
    since: float
    """Wall-clock time of the last one that was told."""
    last: Alert | None = None
    more: int = 0


class CoolOff(Generic[M]):
    """`seconds` after a message on a matter, none on it is told; 0: each is. `monotonic` gives seconds."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._warm: dict[M, _Warm] = {}

    def admits(self, matter: M, alert: Alert) -> bool:
        """Whether it is to be told now; if not, it is in the summary."""
        if not self._seconds:
            return True
        warm = self._warm.get(matter)
        if warm is None:
            self._warm[matter] = _Warm(self._monotonic() + self._seconds, alert.at)
            return True
        warm.last = alert
        warm.more += 1
        return False

    def summaries(self) -> list[tuple[M, Alert]]:
        """Of the matters whose time is over and that came again; their time begins anew."""
        now = self._monotonic()
        told = []
        for matter, warm in [(matter, warm) for matter, warm in self._warm.items() if now >= warm.until]:
            if warm.last is None:
                del self._warm[matter]
            else:
                told.append((matter, replace(warm.last, more=warm.more, since=warm.since)))
                self._warm[matter] = _Warm(now + self._seconds, warm.last.at)
        return told

    @property
    def unsaid(self) -> bool:
        """Whether there is anything that only a summary will tell."""
        return any(warm.more for warm in self._warm.values())
