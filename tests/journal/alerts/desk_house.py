"""A desk, its channels and its clock, as tests of alerts use them."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from provserver.delivery.declared import DECLARED, FOUND, LOST
from provserver.journal.alerts.channel import Outlet, Undelivered
from provserver.journal.alerts.conditions import Endpoints, Outbox, StoreHealth
from provserver.journal.alerts.cooling import CoolOff
from provserver.journal.alerts.desk import Desk, Position
from provserver.journal.alerts.forms import Alert
from provserver.journal.alerts.rules import read_rules
from provserver.journal.declared import Severity
from provserver.storage.contract import JournalEvent
from provserver.testing.clock import TurnedClock

ALERT = Alert("held", Severity.ERROR, 1_790_000_000.0, "A delivery is held.", "eTADSDirectoryName=AD-Corp")


class StandIn:
    """A channel that keeps what it is given, or fails as the test says."""

    def __init__(self, recipient: str = "webhook", name: str = "") -> None:
        self.recipient = recipient
        self.name = name or recipient
        self.told: list[Alert] = []
        self.tries = 0
        self.problem = ""

    async def send(self, alert: Alert) -> None:
        self.tries += 1
        if self.problem:
            raise Undelivered(self.problem)
        self.told.append(alert)


class Figures:
    """What a desk asks of a store: names of entries, and how full the outbox is."""

    def __init__(self) -> None:
        self.size = 0

    async def outbox_size(self) -> int:
        return self.size

    async def dn_of(self, entry: str) -> str:
        return f"cn={entry},dc=im"


class House:
    """A desk. `turn` is what happens each second."""

    def __init__(
        self,
        rules: Sequence[str],
        *channels: StandIn,
        cool_off: float = 900.0,
        position: Path | None = None,
        after: int = 0,
        clock: TurnedClock | None = None,
        free: int = 10**12,
    ) -> None:
        self.clock = clock or TurnedClock()
        self.figures: Any = Figures()
        self.free = free
        self.outlets = [Outlet(channel, self.clock) for channel in channels]
        self.health = StoreHealth((OSError,), lambda: self.free, 1_000_000)
        self.desk = Desk(
            read_rules(rules, DECLARED),
            self.outlets,
            CoolOff(cool_off, self.clock.seconds),
            DECLARED,
            self.figures,
            Endpoints(LOST, FOUND, self.figures, self.clock.wall, 600.0),
            self.health,
            [Outbox(self.figures, 1000, 80)],
            Position(position),
            after,
            self.clock.wall,
        )
        self.number = self.desk.after

    def happens(self, event: int, fields: Mapping[str, str] | None = None, text: str = "so it is") -> None:
        """An event, as the tail tells of it; of a delivery to `ad` unless told otherwise."""
        self.number += 1
        about = {"account": "ada", "endpoint": "ad", "change": "c-1", "state": "retrying"}
        made = JournalEvent(self.clock.wall(), event, text, about if fields is None else fields)
        self.desk.take([(self.number, made)])

    def turn(self, seconds: float = 1.0) -> None:
        self.clock.turn(seconds)
        done(self.desk.turn())


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")
