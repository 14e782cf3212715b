"""Several servers that hold the same directory: which is tried first, and which is left alone for a while."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from provserver.connectors.contract import SettingsError
from provserver.connectors.registry import Settings
from provserver.ldap.client import Address

REST: Final = 300.0
"""Seconds for which a server that failed is passed over, when there is another one."""


class Resting:
    """The servers that failed of late. All lines of a process share one: what one found out, no other has to.

    `monotonic`: seconds that only grow.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def begin(self, url: str) -> None:
        now = self._monotonic()
        self._until = {one: until for one, until in self._until.items() if until > now}
        self._until[url] = now + REST

    def end(self, url: str) -> None:
        self._until.pop(url, None)

    def rests(self, url: str) -> bool:
        return url in self._until and self._until[url] > self._monotonic()


SHARED: Final = Resting(time.monotonic)


class Addresses:
    """The urls of one endpoint, the preferred first. All have the same protection.

    SettingsError: what a url should be, or that they differ in their protection.
    """

    def __init__(self, given: Settings, resting: Resting) -> None:
        self._urls = [url for url in re.split(r"[\s,]+", given.text("url")) if url]
        self._resting = resting
        try:
            kinds = {Address.parse(url).ldaps for url in self._urls}
        except ValueError as error:
            raise SettingsError("url", str(error)) from None
        if len(kinds) != 1 or len(set(self._urls)) < len(self._urls):
            raise SettingsError("url", "expected different urls, all of them ldaps:// or all of them ldap://")
        self.ldaps: bool = kinds.pop()

    def in_order(self) -> Sequence[str]:
        """As they are to be tried: those that rest come last, since they are better than none."""
        return sorted(self._urls, key=self._resting.rests)

    def failed(self, url: str) -> None:
        self._resting.begin(url)

    def answered(self, url: str) -> None:
        self._resting.end(url)

    def better_than(self, url: str) -> bool:
        """Whether one that is preferred to this one has rested."""
        return any(not self._resting.rests(one) for one in self._before(url))

    def rest_before(self, url: str) -> None:
        """Let all that are preferred to this one rest."""
        for one in self._before(url):
            self._resting.begin(one)

    def _before(self, url: str) -> Sequence[str]:
        return self._urls[: self._urls.index(url)]
