"""What a way to tell somebody is, and its queue: each alert tried a few times with growing pauses, then given
up. A recipient that is away delays nobody else, and never takes more memory than its queue has places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from provserver.journal.alerts.forms import Alert

_log = Logger(__name__)

PAUSES: Final = (5.0, 30.0, 120.0, 600.0)
"""Seconds before each further try."""
PLACES: Final = 200


class Undelivered(Exception):
    """Why nobody was told, as half a sentence in our words: nothing that came from there is in it."""


class Channel(Protocol):
    """A way to one recipient."""

    @property
    def recipient(self) -> str:
        """What rules call it: `webhook`, `mail`, or an address."""

    @property
    def name(self) -> str:
        """What logs and metrics call it. No secret: an address of a webhook may hold one."""

    async def send(self, alert: Alert) -> None:
        """Undelivered."""


class Outlet:
    """A channel with its queue."""

    def __init__(
        self,
        channel: Channel,
        clock: IReactorTime,
        pauses: Sequence[float] = PAUSES,
        places: int = PLACES,
    ) -> None:
        self.channel = channel
        self._clock = clock
        self._pauses = pauses
        self._places = places
        self._queue: deque[Alert] = deque()
        self._work: Deferred[None] | None = None
        self._stopped = False
        self._problem = ""
        self.sent = self.given_up = self.dropped = 0

    @property
    def idle(self) -> bool:
        """Whether everything was sent, or given up."""
        return not self._queue

    def put(self, alert: Alert) -> None:
        """To be sent in its turn. When there is no place left, it is dropped, and counted."""
        if self._stopped or len(self._queue) >= self._places:
            self.dropped += 1
            return
        self._queue.append(alert)
        if self._work is None:
            work = self._work = Deferred.fromCoroutine(self._send_all())
            work.addErrback(_stopped)
            if work.called:
                self._work = None

    def stop(self) -> None:
        """What was not sent by now, is not."""
        self._stopped = True
        if self._work is not None:
            self._work.cancel()

    async def _send_all(self) -> None:
        try:
            while self._queue:
                if await self._told(self._queue[0]):
                    self.sent += 1
                else:
                    self.given_up += 1
                self._queue.popleft()
        finally:
            self._work = None

    async def _told(self, alert: Alert) -> bool:
        for pause in (*self._pauses, None):
            try:
                await self.channel.send(alert)
            except Undelivered as undelivered:
                self._failed(str(undelivered))
            except CancelledError:
                raise
            except Exception as error:  # a fault of ours in one channel must not silence the others
                self._failed(f"a fault: {type(error).__name__}")
            else:
                self._succeeded()
                return True
            if pause is not None:
                await self._pause(pause)
        return False

    async def _pause(self, seconds: float) -> None:
        over: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._clock.callLater(seconds, over.callback, None)
        await over

    def _failed(self, problem: str) -> None:
        """Logged once for each cause."""
        if problem != self._problem:
            self._problem = problem
            _log.warn("no alert by {name}: {problem}", name=self.channel.name, problem=problem)

    def _succeeded(self) -> None:
        if self._problem:
            self._problem = ""
            _log.info("alerts by {name} arrive again", name=self.channel.name)


def _stopped(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]  # Twisted's failures have no types
