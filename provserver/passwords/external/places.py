"""The places that answer for the external password policy: in which order they are asked, and which is in
trouble.

One that failed is asked after all others for a while (fail-over); then it is asked in its turn again. Ours;
IMPS fails over in the order of its list too (facts/imps.md, CA docs 839302).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class _Trouble(NamedTuple):
    cause: str
    until: float


class Places:
    """URLs in the order of the settings. `down_time`: seconds for which a failure is remembered."""

    def __init__(self, urls: Sequence[str], monotonic: Callable[[], float], down_time: float) -> None:
        self._urls = tuple(urls)
        self._monotonic = monotonic
        self._down_time = down_time
        self._troubles: dict[str, _Trouble] = {}

    def in_order(self) -> list[str]:
        """Those that are not known to be down, then the others: who is left has to be asked."""
        now = self._monotonic()
        down = {url for url, trouble in self._troubles.items() if now < trouble.until}
        return sorted(self._urls, key=down.__contains__)

    def failed(self, url: str, cause: str) -> bool:
        """Whether this cause is news."""
        before = self._troubles.get(url)
        self._troubles[url] = _Trouble(cause, self._monotonic() + self._down_time)
        return before is None or before.cause != cause

    def answered(self, url: str) -> bool:
        """Whether that is news: it had failed."""
        return self._troubles.pop(url, None) is not None
