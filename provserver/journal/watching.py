"""The journal followed: each second what is new in it goes to the file, the metrics and the alerts' desk.

Behind the store, never in its way: an error here is logged once, and what it was about is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.journal.alerts.desk import Desk
from provserver.journal.jsonfile import JournalFile
from provserver.journal.tail import Reader, Tail
from provserver.storage.contract import Commit, Store

_log = Logger(__name__)

INTERVAL: Final = 1.0
"""Seconds."""


class Watching(Service):
    """For those of them that there are. `wall` gives the time of the last commit."""

    def __init__(
        self,
        store: Store,
        clock: IReactorTime,
        wall: Callable[[], float],
        *,
        file: JournalFile | None = None,
        desk: Desk | None = None,
        others: Sequence[Reader] = (),
    ) -> None:
        self._store = store
        self._wall = wall
        self._file = file
        self._desk = desk
        readers = [reader for reader in (file, desk, *others) if reader is not None]
        self._tail = Tail(store, readers) if readers else None
        self._clock = clock
        self._problem = ""
        self._call: IDelayedCall | None = None
        self._under_way: Deferred[None] | None = None

    def startService(self) -> None:  # noqa: N802  Twisted's name
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's services have no types
        if self._tail is not None:
            self._call = self._clock.callLater(INTERVAL, self._turn)

    def reopen(self) -> None:
        """The file was moved away."""
        if self._file is not None:
            self._file.reopen()

    async def finish(self) -> None:
        """What is noted but not yet in the store gets there, and from there to where it belongs. To be called
        when nothing is noted any more, before the store is closed.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._under_way is not None:
            await self._under_way
        if self._tail is not None:
            try:
                await self._store.commit(Commit(self._wall(), "journal"))
            except Exception as error:
                self._failed(error)
            while await self._look():
                pass
        if self._desk is not None:
            self._desk.stop()
        if self._file is not None:
            self._file.close()

    def _turn(self) -> None:
        self._call = None
        self._under_way = Deferred.fromCoroutine(self._look_on())

    async def _look_on(self) -> None:
        """One page at a time: between pages the reactor does other things."""
        more = await self._look()
        self._under_way = None
        if self.running:
            self._call = self._clock.callLater(0 if more else INTERVAL, self._turn)

    async def _look(self) -> bool:
        """Whether there may be more."""
        more = False
        try:
            if self._tail is not None:
                more = await self._tail.read_page()
            if self._desk is not None:
                await self._desk.turn()
            self._problem = ""
        except Exception as error:
            self._failed(error)
        return more

    def _failed(self, error: Exception) -> None:
        """Told once for each kind."""
        kind = type(error).__name__
        if kind != self._problem:
            self._problem = kind
            _log.error("the journal cannot be followed: {kind}", kind=kind)
