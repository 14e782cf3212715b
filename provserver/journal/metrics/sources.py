"""Where the metrics come from: counters that the front keeps anyway, the store, the journal as it grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, Protocol

from provserver import __version__
from provserver.journal.alerts.channel import Outlet
from provserver.journal.declared import Declarations
from provserver.journal.events import Event
from provserver.journal.lines import declared_or_not
from provserver.journal.metrics import declared as metrics
from provserver.journal.metrics.durations import Durations
from provserver.journal.metrics.exposition import Sample
from provserver.journal.naming import Names
from provserver.ldap.counters import Counters
from provserver.ldap.messages import Request
from provserver.ldap.offences import Offences
from provserver.storage.contract import JournalEvent, Store

EXCHANGES: Final[Mapping[int, tuple[str, str]]] = {
    Event.TEST_PASSED: ("test", "accepted"),
    Event.TEST_REFUSED: ("test", "refused"),
    Event.SYNC_ACCEPTED: ("sync", "accepted"),
    Event.SYNC_REFUSED: ("sync", "refused"),
    Event.ECHO: ("sync", "echo"),
    Event.USER_CHANGED: ("user_change", "accepted"),
    Event.USER_CHANGE_REFUSED: ("user_change", "refused"),
    Event.USER_RESET: ("user_reset", "accepted"),
    Event.USER_RESET_REFUSED: ("user_reset", "refused"),
    Event.ACCOUNT_RESET: ("account_reset", "accepted"),
    Event.ACCOUNT_RESET_REFUSED: ("account_reset", "refused"),
}


class Front:
    """What the LDAP side has counted, and how long its operations took. `kind_of`: what a kind of request is
    called."""

    def __init__(
        self, counters: Counters, offences: Offences, kind_of: Callable[[type[Request]], str]
    ) -> None:
        self._counters = counters
        self._offences = offences
        self._names = {request: kind_of(request) for request in counters.operations}
        self.durations = {request: Durations(metrics.OPERATION_SECONDS) for request in self._names}

    async def samples(self) -> Iterable[Sample]:
        counters, names = self._counters, self._names
        return [
            (metrics.BUILD, [__version__], 1),
            (metrics.CONNECTIONS, [], len(counters.connections)),
            (metrics.CONNECTIONS_TAKEN, [], counters.total),
            (metrics.CONNECTIONS_REFUSED, [], counters.refused),
            (metrics.RECEIVED, [], counters.received),
            (metrics.SENT, [], counters.sent),
            *[(metrics.OPERATIONS, [names[kind]], count) for kind, count in counters.operations.items()],
            *[(metrics.LIMITS, [limit.value], count) for limit, count in self._offences.counts.items()],
            *[
                (metrics.OPERATION_SECONDS, [names[kind]], durations)
                for kind, durations in self.durations.items()
                if any(durations.counts)
            ],
        ]


class Outbox:
    """What waits in the store, and how long deliveries took."""

    def __init__(self, store: Store, names: Names, wall: Callable[[], float], limit: int) -> None:
        self._store = store
        self._names = names
        self._wall = wall
        self._limit = limit
        self.durations = Durations(metrics.DELIVERY_SECONDS)

    async def samples(self) -> Iterable[Sample]:
        now = self._wall()
        samples: list[Sample] = [
            (metrics.OUTBOX_SIZE, [], await self._store.outbox_size()),
            (metrics.OUTBOX_LIMIT, [], self._limit),
            (metrics.DELIVERY_SECONDS, [], self.durations),
        ]
        for tally in await self._store.tallies():
            labels = [await self._names.dn_of(tally.endpoint), tally.state.value]
            samples.append((metrics.OUTBOX, labels, tally.count))
            samples.append((metrics.OUTBOX_AGE, labels, max(0.0, now - tally.oldest)))
        return samples


class Standing(Protocol):
    """How it stands with an endpoint, as its couriers say."""

    @property
    def endpoint(self) -> str: ...
    @property
    def gate(self) -> Enum: ...
    @property
    def lines(self) -> int: ...


class Endpoints:
    """Those that had to do with us since the start. `away` and `paused` are gates."""

    def __init__(
        self, standings: Callable[[], Sequence[Standing]], names: Names, away: Container[Enum], paused: Enum
    ) -> None:
        self._standings = standings
        self._names = names
        self._away = away
        self._paused = paused

    async def samples(self) -> Iterable[Sample]:
        samples: list[Sample] = []
        for standing in self._standings():
            labels = [await self._names.dn_of(standing.endpoint)]
            samples.append((metrics.ENDPOINT_REACHABLE, labels, standing.gate not in self._away))
            samples.append((metrics.ENDPOINT_PAUSED, labels, standing.gate is self._paused))
            samples.append((metrics.ENDPOINT_LINES, labels, standing.lines))
        return samples


class Alerts:
    """What became of alerts."""

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        self._outlets = outlets

    async def samples(self) -> Iterable[Sample]:
        return [
            (metrics.ALERTS, [outlet.channel.name, fate], count)
            for outlet in self._outlets
            for fate, count in (
                ("sent", outlet.sent),
                ("given_up", outlet.given_up),
                ("dropped", outlet.dropped),
            )
        ]


class Journal:
    """The journal's events since the start, counted as they become durable (`tail.Reader`)."""

    def __init__(self, after: int, declared: Declarations, names: Names) -> None:
        self.after = after
        self._declared = declared
        self._of_deliveries = {number for number, kind in declared.items() if kind.delivery}
        self._names = names
        self._events: Counter[int] = Counter()
        self._deliveries: Counter[tuple[str, int]] = Counter()

    def take(self, events: Sequence[tuple[int, JournalEvent]]) -> None:
        for _, event in events:
            self._events[event.event] += 1
            endpoint = event.fields.get("endpoint")
            if endpoint is not None and event.event in self._of_deliveries:
                self._deliveries[endpoint, event.event] += 1
        self.after = events[-1][0]

    async def samples(self) -> Iterable[Sample]:
        samples: list[Sample] = [(metrics.JOURNAL_LAST, [], self.after)]
        for number, count in sorted(self._events.items()):
            kind = declared_or_not(number, self._declared)
            samples.append((metrics.EVENTS, [str(number), kind.name, kind.severity.value], count))
        samples += [(metrics.EXCHANGES, labels, self._events[number]) for number, labels in EXCHANGES.items()]
        by_name: Counter[tuple[str, str]] = Counter()
        for (endpoint, number), count in self._deliveries.items():
            outcome = declared_or_not(number, self._declared).name.lower()
            by_name[await self._names.dn_of(endpoint), outcome] += count
        samples += [(metrics.DELIVERIES, labels, count) for labels, count in sorted(by_name.items())]
        return samples
