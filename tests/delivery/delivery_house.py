"""A small world for couriers: an outbox in memory, endpoints in memory, a clock that the test turns."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from provserver.connectors.contract import Account, Connector
from provserver.connectors.emulated import EmulatedEndpoints
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.couriers import Couriers, CourierSettings
from provserver.delivery.events import EndpointEvent
from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint
from provserver.storage.contract import (
    ChangeId,
    Delivery,
    DeliveryId,
    DeliveryState,
    JournalEvent,
    Settlement,
)
from provserver.vault.secret import Secret

START = 1_700_000_000.0
_KEPT = (DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.RETRYING, DeliveryState.HELD)


class FakeOutbox:
    """The outbox part of a store, in memory. tests/contract runs against the real ones."""

    def __init__(self) -> None:
        self.rows: dict[DeliveryId, Delivery] = {}
        self.leases: dict[DeliveryId, float] = {}
        self.settled: list[Settlement] = []
        self.notes: list[JournalEvent] = []
        self.claims = 0
        self.slow = False
        """Settlements wait until `answer` is called."""
        self.failures = 0
        """How many of the next settlements fail."""
        self._unanswered: list[Deferred[None]] = []

    def answer(self) -> None:
        waiting, self._unanswered = self._unanswered, []
        for deferred in waiting:
            deferred.callback(None)

    async def settle(self, settlement: Settlement) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        if self.slow:
            answered: Deferred[None] = Deferred()
            self._unanswered.append(answered)
            await answered
        self.settled.append(settlement)
        row = self.rows.get(settlement.delivery)
        if row is None:
            return
        if settlement.state in _KEPT:
            self.rows[row.id] = replace(
                row,
                state=settlement.state,
                attempts=row.attempts + settlement.charged,
                due=settlement.due,
                event=settlement.event,
                text=settlement.text,
            )
        else:
            del self.rows[row.id]
        self.leases.pop(settlement.delivery, None)

    async def claim(
        self, endpoint: EntryId, limit: int, now: float, lease: float, busy: frozenset[EntryId]
    ) -> list[Delivery]:
        self.claims += 1
        taken: list[Delivery] = []
        accounts = set(busy)
        for row in list(self.rows.values()):
            if len(taken) == limit:
                break
            if row.endpoint == endpoint and self._claimable(row, now) and row.account not in accounts:
                accounts.add(row.account)
                row = self.rows[row.id] = replace(row, state=DeliveryState.CLAIMED)
                self.leases[row.id] = now + lease
                taken.append(row)
        return taken

    async def endpoints_due(self, now: float) -> tuple[list[EntryId], float | None]:
        due = {row.endpoint for row in self.rows.values() if self._claimable(row, now)}
        later = [
            row.due for row in self.rows.values() if row.state is DeliveryState.RETRYING and row.due > now
        ]
        later += [until for until in self.leases.values() if until > now]
        return sorted(due), min(later, default=None)

    def note(self, event: JournalEvent) -> None:
        self.notes.append(event)

    def _claimable(self, row: Delivery, now: float) -> bool:
        if row.state is DeliveryState.CLAIMED:
            return self.leases.get(row.id, float("inf")) <= now
        return row.state in (DeliveryState.PENDING, DeliveryState.RETRYING) and row.due <= now

    def events(self) -> list[int]:
        """What the journal was told of endpoints."""
        return [note.event for note in self.notes if note.event in tuple(EndpointEvent)]

    def of(self, delivery: Delivery) -> list[DeliveryState]:
        return [settlement.state for settlement in self.settled if settlement.delivery == delivery.id]


class House:
    """Endpoints by name, accounts by id; the connector of an endpoint is emulated unless `kinds` says
    otherwise."""

    def __init__(self, settings: CourierSettings | None = None, store: Any = None) -> None:
        self.clock = Clock()
        self.shift = 0.0
        """Seconds by which the wall clock was set."""
        self.outbox = FakeOutbox()
        self.emulated = EmulatedEndpoints()
        self.kinds: dict[str, Any] = {"emulated": self.emulated.kind()}
        self.endpoints: dict[EntryId, Endpoint] = {}
        self.missing_accounts: set[EntryId] = set()
        self.seals_opened: list[DeliveryId] = []
        self.broken_seals = False
        self.chance = 1.0
        """What is drawn, whenever something is drawn from 0 to 1."""
        self._connector_kinds: ConnectorKinds | None = None
        self._kinds_then: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self.couriers = Couriers(
            store or self.outbox,
            self,
            self.open_seal,
            self.clock,
            self.wall,
            settings,
            random=lambda: self.chance,
        )

    def wall(self) -> float:
        return START + self.clock.seconds() + self.shift

    # -- Facts

    async def endpoint(self, endpoint: EntryId) -> Endpoint | None:
        return self.endpoints.get(endpoint)

    async def account(self, account: EntryId) -> Account | None:
        if account in self.missing_accounts:
            return None
        return Account(account, DN.parse(f"cn={account},dc=im"))

    def connector(self, endpoint: Endpoint) -> Connector:
        if self._connector_kinds is None or self._kinds_then != self.kinds:
            self._connector_kinds, self._kinds_then = ConnectorKinds(self.kinds), dict(self.kinds)
        return self._connector_kinds.make(
            endpoint.connector, endpoint.settings, {}, self.clock, endpoint=endpoint.name
        )

    def open_seal(self, delivery: Delivery) -> Secret:
        self.seals_opened.append(delivery.id)
        if self.broken_seals:
            raise ValueError("altered: " + delivery.sealed.decode())
        return Secret(delivery.sealed)

    # -- what tests say

    def add_endpoint(self, name: str, **changes: Any) -> EntryId:
        id = EntryId(name)
        known = self.endpoints.get(id)
        endpoint = known or Endpoint(
            id=id,
            dn=DN.parse(f"cn={name},dc=im"),
            version=0,
            name=name,
            namespace="UNIX - etc",
            type_name="UNIX",
            connector="emulated",
            settings={},
            sealed_secrets=(),
            propagation_disabled=False,
            agent_installed=True,
            require_secure=True,
            retry_limit=10,
            retry_interval=60.0,
        )
        self.endpoints[id] = replace(endpoint, version=endpoint.version + 1, **changes)
        return id

    def delivery(
        self,
        endpoint: str,
        account: str,
        password: str = "Harbour-Light-21",
        *,
        change: str = "change-1",
        user: str = "ada",
        claimed: bool = True,
        **more: Any,
    ) -> Delivery:
        """A row that is in the outbox, as an exchange's commit has just written it."""
        if endpoint not in self.endpoints:
            self.add_endpoint(endpoint)
        delivery = Delivery(
            id=DeliveryId(f"delivery-{next(self._numbers)}"),
            change=ChangeId(change),
            user=EntryId(user),
            account=EntryId(account),
            endpoint=EntryId(endpoint),
            sealed=password.encode(),
            mark=b"mark",
            options=0,
            state=DeliveryState.CLAIMED if claimed else DeliveryState.PENDING,
            attempts=0,
            created=self.wall(),
            due=self.wall(),
            event=0,
            text="",
        )
        delivery = replace(delivery, **more)
        self.outbox.rows[delivery.id] = delivery
        return delivery

    def holds(self, endpoint: str, account: str, password: str = "Harbour-Light-21") -> bool:
        return self.emulated[endpoint].holds(account, Secret.of_text(password))

    def turn(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, a little at a time, so that what becomes due on the way happens on the way."""
        left = seconds
        while left > 0:
            step = min(left, step)
            self.clock.advance(step)
            left -= step
