"""Those who follow the change log: told in a later turn of the reactor, once for all that was written until
then, so that whoever committed has the answer before anybody else is served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Followers:
    """Made by the store; the writer tells them."""

    def __init__(self, reactor: Any, last: int) -> None:
        """Without a reactor they are told at once. `last`: the number of the change log's last line."""
        self._reactor = reactor
        self._last = last
        self._turn: Any = None
        self.all: list[Callable[[], None]] = []
        """To read, not to change."""

    def add(self, told: Callable[[], None]) -> Callable[[], None]:
        """Tell this one too, until what is returned is called."""
        self.all.append(told)

        def stop() -> None:
            if told in self.all:
                self.all.remove(told)

        return stop

    def tell(self, last: int) -> None:
        """The last line on disk has this number now."""
        if last == self._last:
            return
        self._last = last
        if self._reactor is None:
            self._tell()
        elif self._turn is None:
            self._turn = self._reactor.callLater(0, self._tell)

    def close(self) -> None:
        """Nobody is told any more."""
        self.all.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _tell(self) -> None:
        self._turn = None
        for told in list(self.all):
            told()
