"""What no single event says: an endpoint that stays away, an outbox that fills, a store that fails.

Each is asked every second or so what is new: a condition is told when it begins and when it is over.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from twisted.logger import LogLevel, formatEvent

from provserver.journal.alerts.rules import Condition
from provserver.journal.declared import Severity
from provserver.journal.naming import Names
from provserver.storage.contract import JournalEvent, Store

MIB: Final = 1024 * 1024
_ENOUGH_BELOW: Final = 0.9
"""Of the threshold. An outbox that goes up and down around it is told of once."""
_STORE: Final = "provserver.storage"
_KEPT: Final = 50
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is new."""

    condition: Condition
    severity: Severity
    text: str
    endpoint: str = ""
    over: bool = False
    details: Mapping[str, str | int] = field(default_factory=dict)


class Watch(Protocol):
    async def look(self) -> Sequence[Notice]:
        """What has begun or ended since the last look. The store's errors."""


class Endpoints:
    """Those that have not been reached for `patience` seconds, by what the journal says of them: events that
    say that nobody is there (`lost`), or that somebody is again (`found`).
    """

    def __init__(
        self,
        lost: frozenset[int],
        found: frozenset[int],
        names: Names,
        wall: Callable[[], float],
        patience: float,
    ) -> None:
        self._lost = lost
        self._found = found
        self._names = names
        self._wall = wall
        self._patience = patience
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def take(self, event: JournalEvent) -> None:
        endpoint = event.fields.get("endpoint")
        if endpoint is None:
            return
        if event.event in self._lost:
            self._since.setdefault(endpoint, event.at)
        elif event.event in self._found:
            self._since.pop(endpoint, None)

    async def look(self) -> Sequence[Notice]:
        now, notices = self._wall(), []
        for endpoint, since in list(self._since.items()):
            if endpoint not in self._told and now - since >= self._patience:
                self._told.add(endpoint)
                minutes = int(now - since) // 60
                text = f"The endpoint has not been reached for {minutes} minutes."
                notices.append(await self._notice(endpoint, Severity.ERROR, text))
        for endpoint in self._told - self._since.keys():
            self._told.discard(endpoint)
            text = "The endpoint is reached again."
            notices.append(await self._notice(endpoint, Severity.INFORMATION, text, over=True))
        return notices

    async def _notice(self, endpoint: str, severity: Severity, text: str, *, over: bool = False) -> Notice:
        return Notice(Condition.UNREACHABLE, severity, text, await self._names.dn_of(endpoint), over)


class Outbox:
    """Filled above `percent` of `limit`."""

    def __init__(self, store: Store, limit: int, percent: int) -> None:
        self._store = store
        self._limit = limit
        self._percent = percent
        self._told = False

    async def look(self) -> Sequence[Notice]:
        size = await self._store.outbox_size()
        full = self._limit * self._percent / 100
        details: dict[str, str | int] = {"deliveries": size, "limit": self._limit}
        if not self._told and size >= full:
            self._told = True
            filled = 100 * size // self._limit
            text = f"The outbox is filled to {filled} %; when it is full, changes are refused."
            return [Notice(Condition.OUTBOX, Severity.ERROR, text, details=details)]
        if self._told and size < full * _ENOUGH_BELOW:
            self._told = False
            text = f"The outbox is filled to {100 * size // self._limit} % only."
            return [Notice(Condition.OUTBOX, Severity.INFORMATION, text, over=True, details=details)]
        return []


class StoreHealth:
    """Errors of the store, as they are logged wherever they arise; and the room on its disk, which ought to
    be told of before. `errors` are the exceptions of its engine; `free` says how many bytes there are."""

    def __init__(self, errors: tuple[type[Exception], ...], free: Callable[[], int], least_free: int) -> None:
        self._errors = errors
        self._names = {kind.__name__ for error in errors for kind in _with_subclasses(error)}
        self._free = free
        self._least_free = least_free
        self._told = False
        self._new: deque[str] = deque(maxlen=_KEPT)

    def observe(self, event: Mapping[str, Any]) -> None:
        """A log observer (`twisted.logger.ILogObserver`), in whatever thread."""
        if event.get("log_level") not in (LogLevel.error, LogLevel.critical):
            return
        failure = event.get("log_failure")
        error = failure.value if failure is not None else event.get("error")
        if isinstance(error, self._errors):
            # SQLite's texts name tables and causes, no values.
            self._new.append(f"{type(error).__name__}: {error}"[:_LONGEST])
        elif event.get("kind") in self._names or str(event.get("log_namespace")).startswith(_STORE):
            self._new.append(formatEvent(dict(event))[:_LONGEST])

    async def look(self) -> Sequence[Notice]:
        notices = []
        while self._new:
            text = f"The store has failed: {self._new.popleft()}"
            notices.append(Notice(Condition.STORE, Severity.ERROR, text))
        free = self._room()
        details: dict[str, str | int] = {"free_mib": free // MIB}
        if not self._told and free < self._least_free:
            self._told = True
            text = f"The store's disk has {free // MIB} MiB left; when it is full, changes fail."
            notices.append(Notice(Condition.STORE, Severity.ERROR, text, details=details))
        elif self._told and free * _ENOUGH_BELOW > self._least_free:
            self._told = False
            text = f"The store's disk has {free // MIB} MiB again."
            notices.append(Notice(Condition.STORE, Severity.INFORMATION, text, over=True, details=details))
        return notices

    def _room(self) -> int:
        try:
            return self._free()
        except OSError as error:
            self._new.append(f"its disk cannot be asked: {error.strerror}")
            return self._least_free


def free_on(path: Path) -> int:
    """Bytes that an ordinary user may still write there. OSError."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _with_subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *[below for one in kind.__subclasses__() for below in _with_subclasses(one)]]
