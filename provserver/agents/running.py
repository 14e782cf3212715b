"""`psync-agent run`: delivers what waits, whenever a server is there, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

from provserver.agents.book import Book
from provserver.agents.conf import Conf, ConfError
from provserver.agents.flushing import Flushed, flush
from provserver.agents.spool import Spool, SpoolError


class Runner:
    """Looks into the spool time and again. The conf file is read anew each time; while it is wrong, the last
    one that was right counts. What goes wrong is logged when it begins and when it ends, not each time.
    """

    def __init__(self, read: Callable[[], Conf], wall: Callable[[], float]) -> None:
        """ConfError."""
        self._read = read
        self._wall = wall
        self._conf = read()
        self._told = ""

    def run(self, pause: Callable[[float], bool]) -> None:
        """Until `pause`, which waits so many seconds, says that it is enough."""
        self._book.note("the agent delivers what waits")
        while True:
            self.look()
            if pause(self._conf.waiting.interval):
                self._book.note("the agent has stopped")
                return

    def look(self) -> None:
        """Deliver what is due."""
        try:
            self._conf = self._read()
            trouble = self._delivered(self._conf)
        except (ConfError, SpoolError) as error:
            trouble = str(error)
        if trouble != self._told:
            self._told = trouble
            if trouble:
                self._book.wrong(trouble)
            else:
                self._book.note("the trouble is over")

    def _delivered(self, conf: Conf) -> str:
        directory = conf.waiting.directory
        if directory is None:
            return "there is nothing to deliver: spool_enable is no"
        if not (directory / "spool.db").exists():
            return ""
        with Spool(directory) as spool:
            flushed: Flushed | None = flush(conf, spool, self._book, self._wall)
        return "; ".join(flushed.troubles) if flushed is not None else ""

    @property
    def _book(self) -> Book:
        return Book(self._conf.logging, self._wall)
