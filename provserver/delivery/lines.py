"""A line to an endpoint: one connector, from its making to its end, and who shares it.

A connector may take several passwords at once (`pipeline`). Then as many rounds go over the one line; it is
opened once for all of them, and when it is lost it is lost for all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from provserver.connectors.contract import Connector, DroppedConnection

_log = Logger(__name__)


class Line:
    """One connector, made for one version of the endpoint's entry. Closed once, when it is of no use."""

    __slots__ = ("_closed", "_opening", "_waiting", "connector", "load", "pipeline", "up", "used", "version")

    def __init__(self, connector: Connector, version: int) -> None:
        self.connector = connector
        self.version = version
        self.pipeline = max(1, getattr(connector, "pipeline", 1))
        self.up = False
        self.used = False
        """Whether a password went over it: such a line may have died unnoticed since."""
        self.load = 0
        """Attempts that are on it."""
        self._closed = False
        self._opening = False
        self._waiting: list[Deferred[None]] = []

    async def open(self) -> None:
        """Be open. Who asks while it is being opened gets the same answer. ConnectorFailure."""
        if self._opening:
            mine: Deferred[None] = Deferred()
            self._waiting.append(mine)
            await mine
            return
        self._opening = True
        try:
            await self.connector.open()
            if self._closed:
                await self.connector.close()
                raise DroppedConnection("the line was closed while it was being opened")
        except Exception as error:
            for waiting in self._end_opening():
                waiting.errback(copy.copy(error))  # each its own: a shared one would gather all their frames
            raise
        self.up = True
        for waiting in self._end_opening():
            waiting.callback(None)

    async def close(self) -> None:
        """Never fails; harmless when closed already."""
        self.up = False
        if self._closed:
            return
        self._closed = True
        try:
            await self.connector.close()
        except Exception as error:
            _log.error("a connector could not be closed: {kind}", kind=type(error).__name__)

    def _end_opening(self) -> list[Deferred[None]]:
        self._opening = False
        waiting, self._waiting = self._waiting, []
        return waiting


class Courier:
    """A place for a line, and the rounds that go over it. `opened` is called when more of them can."""

    __slots__ = ("line", "opened", "rounds")

    def __init__(self, opened: Callable[[], None]) -> None:
        self.opened = opened
        self.line: Line | None = None
        self.rounds = 0

    @property
    def has_room(self) -> bool:
        """Whether another round can go. The first one finds out whether there is a line at all."""
        line = self.line
        return self.rounds < (line.pipeline if line is not None and line.up else 1)

    async def hang_up(self, line: Line | None) -> None:
        """Close that line, and use it no more. Attempts that are on it find out by themselves."""
        if line is not None:
            if self.line is line:
                self.line = None
            await line.close()

    async def leave(self, line: Line) -> None:
        """An attempt on it is over. The last one closes a line that has no place any more."""
        line.load -= 1
        if not line.load and self.line is not line:
            await line.close()
