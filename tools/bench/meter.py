"""Where time goes inside one call: each part is charged for itself alone, not for the parts it calls."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

OWN: Final = "own"
"""What no part is charged for."""


class Meter:
    """Charges nanoseconds to parts. For calls that never wait: time passes for one of them at a time."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self._spent: Counter[str] = Counter()
        self._part = OWN
        self._since = 0

    def called(self, method: Callable[..., Any], part: str) -> Callable[..., Any]:
        """The method, charged to a part."""

        def measured(*arguments: Any, **named: Any) -> Any:
            before = self._turn_to(part)
            try:
                return method(*arguments, **named)
            finally:
                self._turn_to(before)

        return measured

    def awaited(self, method: Callable[..., Any], part: str) -> Callable[..., Any]:
        """The same, for one that is awaited."""

        async def measured(*arguments: Any, **named: Any) -> Any:
            before = self._turn_to(part)
            try:
                return await method(*arguments, **named)
            finally:
                self._turn_to(before)

        return measured

    def parts_of(self, work: Coroutine[Any, Any, Any]) -> tuple[Any, Mapping[str, int]]:
        """Run a coroutine to its end: what it returned, and the nanoseconds of each part."""
        self._spent.clear()
        self._part, self._since = OWN, self._clock()
        try:
            work.send(None)
        except StopIteration as done:
            self._turn_to(OWN)
            return done.value, Counter(self._spent)
        work.close()
        raise RuntimeError("expected work that never waits")

    def _turn_to(self, part: str) -> str:
        now = self._clock()
        self._spent[self._part] += now - self._since
        before, self._part, self._since = self._part, part, now
        return before
