"""How long things take, counted in buckets as they end: what no counter that exists could tell afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from provserver.journal.metrics.declared import Metric
from provserver.ldap.connection import Connection, Handler
from provserver.ldap.messages import Message


class Durations:
    """Counts durations. (A fourth of the time of prometheus_client's Histogram, which locks.)"""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, metric: Metric) -> None:
        self.bounds = list(metric.bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """In each bucket; the last is for what is beyond all bounds."""
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class TimedHandler:
    """A handler of LDAP requests, with its requests timed. `now` gives seconds; `durations` are by the kind
    of request.
    """

    def __init__(
        self, handler: Handler, durations: Mapping[type, Durations], now: Callable[[], float]
    ) -> None:
        self._handler = handler
        self._durations = durations
        self._now = now

    def connected(self, connection: Connection) -> None:
        self._handler.connected(connection)

    def secured(self, connection: Connection) -> None:
        self._handler.secured(connection)

    def handle(self, connection: Connection, message: Message) -> Coroutine[Any, Any, bytes]:
        return self._timed(connection, message)

    def disconnected(self, connection: Connection) -> None:
        self._handler.disconnected(connection)

    async def _timed(self, connection: Connection, message: Message) -> bytes:
        began = self._now()
        try:
            return await self._handler.handle(connection, message)
        finally:
            durations = self._durations.get(type(message.operation))
            if durations is not None:
                durations.observe(self._now() - began)
