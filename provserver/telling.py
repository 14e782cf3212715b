"""What the server tells of itself while it runs, put together: the journal's file, the metrics, the alerts.

Only `service` and the command that tries the alerts import this module.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, globalLogPublisher

from provserver.delivery.breaker import Gate
from provserver.delivery.couriers import Couriers
from provserver.delivery.declared import DECLARED, FOUND, LOST
from provserver.delivery.settling import Told
from provserver.delivery.timing import TimedDeliveries
from provserver.journal.alerts.channel import Outlet
from provserver.journal.alerts.conditions import MIB, Endpoints, Outbox, StoreHealth, free_on
from provserver.journal.alerts.cooling import CoolOff
from provserver.journal.alerts.desk import POSITION_NAME, Desk, Position
from provserver.journal.alerts.opening import AlertsUnusable, Ways, open_ways
from provserver.journal.jsonfile import JOURNAL_NAME, JournalFile
from provserver.journal.lines import Lines
from provserver.journal.metrics import sources
from provserver.journal.metrics.durations import TimedHandler
from provserver.journal.metrics.exposition import Exposition, Source
from provserver.journal.metrics.page import MetricsFactory
from provserver.journal.naming import Names
from provserver.journal.tail import last_number
from provserver.journal.watching import Watching
from provserver.ldap.connection import Handler
from provserver.ldap.counters import Counters
from provserver.ldap.offences import Offences
from provserver.operations.accesses import kind_of
from provserver.settings import Settings, SettingsError
from provserver.storage.contract import Store, StoreFailed

_STORE_ERRORS: Final = (sqlite3.Error, StoreFailed)


def ways_of(
    settings: Settings, directory: Path, reactor: Any, clock: IReactorTime, wall: Callable[[], float]
) -> Ways:
    """By which alerts are told. SettingsError."""
    server = f"{settings.server.domain} on {socket.gethostname()}"
    try:
        return open_ways(
            settings.alerts,
            DECLARED,
            directory,
            server,
            reactor=reactor,
            clock=clock,
            wall=wall,
            random=os.urandom,
        )
    except AlertsUnusable as error:
        raise SettingsError(f"alerts.{error.key}", error.problem) from None


class Telling:
    """Made with the settings, opened with the store, finished before the store is closed. Nothing of it costs
    anything when it is not wanted.
    """

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        offences: Offences,
        *,
        logs: Path | None,
        directory: Path,
        reactor: Any,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        """SettingsError."""
        self._settings = settings
        self._logs = logs
        self._directory = directory
        self._clock = clock
        self._wall = wall
        self._ways = ways_of(settings, directory, reactor, clock, wall)
        metrics = settings.metrics
        if metrics.enabled and not metrics.public and not _is_loopback(metrics.address):
            problem = "expected an address of this machine alone (127.0.0.1), or metrics.public = true"
            raise SettingsError("metrics.address", problem)
        self._front = sources.Front(counters, offences, kind_of) if metrics.enabled else None
        self._outbox: sources.Outbox | None = None
        self._asked: list[Source] = []
        self.page: MetricsFactory | None = None
        """What answers GET /metrics, when that is wanted."""
        self._health: StoreHealth | None = None
        self.watching: Watching | None = None

    async def open(self, store: Store) -> Watching:
        """To be started with the server. OSError: the journal's file cannot be made."""
        settings, names = self._settings, Names(store)
        wanted = self._front is not None or self._ways.channels or settings.journal.file
        last = await last_number(store) if wanted else 0
        desk = self._desk(store, names, last) if self._ways.channels else None
        journal = None
        if self._front is not None:
            limit = settings.delivery.outbox_limit
            self._outbox = sources.Outbox(store, names, self._wall, limit)
            journal = sources.Journal(last, DECLARED, names)
            self._asked += [self._front.samples, self._outbox.samples, journal.samples]
            if desk is not None:
                self._asked.append(sources.Alerts(desk.outlets).samples)
            self.page = MetricsFactory(Exposition(self._asked), self._clock)
        self.watching = Watching(
            store,
            self._clock,
            self._wall,
            file=self._file(last),
            desk=desk,
            others=[journal] if journal is not None else [],
        )
        return self.watching

    def timed(self, handler: Handler) -> Handler:
        """The handler, with its requests timed if that is wanted."""
        if self._front is None:
            return handler
        return TimedHandler(handler, self._front.durations, self._clock.seconds)

    def timed_deliveries(self, told: Told) -> Told:
        """Likewise, who is told of attempts."""
        if self._outbox is None:
            return told
        return TimedDeliveries(told, self._outbox.durations.observe, self._wall)

    def ask_couriers(self, couriers: Couriers, store: Store) -> None:
        """How it stands with endpoints is told too."""
        away = {Gate.OPEN, Gate.HALF_OPEN}
        standings = sources.Endpoints(couriers.standings, Names(store), away, Gate.PAUSED)
        self._asked.append(standings.samples)

    def reopen(self) -> None:
        """The file was moved away."""
        if self.watching is not None:
            self.watching.reopen()

    async def finish(self) -> None:
        """When nothing happens any more, and the store is still open."""
        if self.page is not None:
            self.page.disconnect_all()
        if self.watching is not None:
            await self.watching.finish()
            self.watching = None
        if self._health is not None:
            globalLogPublisher.removeObserver(cast(ILogObserver, self._health.observe))
            self._health = None

    def _file(self, last: int) -> JournalFile | None:
        journal = self._settings.journal
        if self._logs is None or not journal.file:
            return None
        file = JournalFile(
            self._logs / JOURNAL_NAME,
            Lines(DECLARED),
            self._wall,
            size=journal.size * MIB,
            age=journal.age,
            keep=journal.keep,
        )
        # A store that was put back from a backup is behind its file.
        file.after = min(file.after, last)
        return file

    def _desk(self, store: Store, names: Names, last: int) -> Desk:
        alerts = self._settings.alerts
        place = self._directory / self._settings.storage.path
        self._health = StoreHealth(_STORE_ERRORS, lambda: free_on(place.parent), alerts.disk_free * MIB)
        globalLogPublisher.addObserver(cast(ILogObserver, self._health.observe))
        return Desk(
            self._ways.rules,
            [Outlet(channel, self._clock) for channel in self._ways.channels],
            CoolOff(alerts.cool_off, self._clock.seconds),
            DECLARED,
            names,
            Endpoints(LOST, FOUND, names, self._wall, alerts.unreachable_after),
            self._health,
            [Outbox(store, self._settings.delivery.outbox_limit, alerts.outbox_percent)],
            Position(self._logs / POSITION_NAME if self._logs is not None else None),
            last,
            self._wall,
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
