"""Where it is decided who is told of what: events as they become durable, conditions as they begin and end.

After a restart it goes on with the first event of which somebody may not have been told: an alert may come
twice, and none is missing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from twisted.logger import Logger

from provserver.journal.alerts.channel import Outlet
from provserver.journal.alerts.conditions import Endpoints, Notice, StoreHealth, Watch
from provserver.journal.alerts.cooling import CoolOff
from provserver.journal.alerts.forms import Alert
from provserver.journal.alerts.rules import Rules
from provserver.journal.declared import Declarations, FieldType
from provserver.journal.lines import declared_or_not
from provserver.journal.naming import Names
from provserver.storage.contract import JournalEvent

_log = Logger(__name__)

POSITION_NAME: Final = "alerts.position"


class Position:
    """The number of an event, kept in a file; without one, in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: int | None = None
        self._failed = False

    def read(self) -> int | None:
        """None: it was never kept."""
        try:
            text = self._path.read_text("ascii") if self._path is not None else ""
        except (OSError, UnicodeDecodeError):
            return None
        self._kept = int(text) if text.strip().isdecimal() else None
        return self._kept

    def keep(self, number: int) -> None:
        """Whole or not at all; a disk that is full is logged once."""
        if number == self._kept or self._path is None:
            return
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{number}\n")
            draft.replace(self._path)
        except OSError as error:
            if not self._failed:
                _log.warn("{path} cannot be written: {error}", path=self._path, error=error.strerror)
            self._failed = True
        else:
            self._kept = number
            self._failed = False


class Matter(NamedTuple):
    """What one message in a while is about."""

    outlet: str
    subject: str
    endpoint: str
    over: bool


class Desk:
    """Takes events (`tail.Reader`), and turns them into alerts at each `turn`. `after`: the last event that
    is not to be told of, where none was kept."""

    def __init__(
        self,
        rules: Rules,
        outlets: Sequence[Outlet],
        cool: CoolOff[Matter],
        declared: Declarations,
        names: Names,
        endpoints: Endpoints,
        store: StoreHealth,
        watches: Sequence[Watch],
        position: Position,
        after: int,
        wall: Callable[[], float],
    ) -> None:
        self._rules = rules
        self.outlets = outlets
        self._cool = cool
        self._declared = declared
        self._names = names
        self._endpoints = endpoints
        self.store = store
        self._watches: tuple[Watch, ...] = (endpoints, store, *watches)
        self._position = position
        self._wall = wall
        kept = position.read()
        self.after = after if kept is None else min(kept, after)
        position.keep(self.after)
        self._found: deque[tuple[Outlet, str, JournalEvent]] = deque()

    def take(self, events: Sequence[tuple[int, JournalEvent]]) -> None:
        for _, event in events:
            self._endpoints.take(event)
            kind = declared_or_not(event.event, self._declared)
            for outlet in self.outlets:
                subject = self._rules.about(outlet.channel.recipient, event, kind)
                if subject:
                    self._found.append((outlet, subject, event))
        self.after = events[-1][0]

    async def turn(self) -> None:
        """Tell what has come, what begins or ends, and what was kept back for long enough. The store's
        errors."""
        while self._found:
            outlet, subject, event = self._found[0]
            self._tell(outlet, subject, await self._alert(subject, event))
            self._found.popleft()
        for watch in self._watches:
            for notice in await watch.look():
                self._notify(notice)
        by_name = {outlet.channel.name: outlet for outlet in self.outlets}
        for matter, alert in self._cool.summaries():
            by_name[matter.outlet].put(alert)
        if not self._cool.unsaid and all(outlet.idle for outlet in self.outlets):
            self._position.keep(self.after)

    def stop(self) -> None:
        for outlet in self.outlets:
            outlet.stop()

    def _notify(self, notice: Notice) -> None:
        for outlet in self.outlets:
            if self._rules.wants(outlet.channel.recipient, notice.condition):
                alert = Alert(
                    rule=notice.condition.value,
                    severity=notice.severity,
                    at=self._wall(),
                    text=notice.text,
                    endpoint=notice.endpoint,
                    details=notice.details,
                    over=notice.over,
                )
                self._tell(outlet, notice.condition.value, alert)

    def _tell(self, outlet: Outlet, subject: str, alert: Alert) -> None:
        matter = Matter(outlet.channel.name, subject, alert.endpoint, alert.over)
        if self._cool.admits(matter, alert):
            outlet.put(alert)

    async def _alert(self, subject: str, event: JournalEvent) -> Alert:
        kind = declared_or_not(event.event, self._declared)
        details: dict[str, str | int] = {"event": event.event, "name": kind.name}
        endpoint = ""
        types = {field.name: field for form in kind.forms for field in form}
        for name, value in event.fields.items():
            field = types.get(name)
            if field is not None and field.type is FieldType.ENTRY:
                value = await self._names.dn_of(value)
            if name == "endpoint":
                endpoint = value
            else:
                details[field.key if field is not None else name] = value
        return Alert(subject, kind.severity, event.at, event.text, endpoint, details)
