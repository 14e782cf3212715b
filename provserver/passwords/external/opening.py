"""Puts the parts together, as the settings say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from provserver.https.lines import Lines
from provserver.https.signing import SharedSecret
from provserver.passwords.external.asking import PolicyService
from provserver.passwords.external.calling import Calls
from provserver.passwords.external.places import Places


class ExternalSettings(Protocol):
    """What the section `external_policy` of the settings says, but for its files and for what silence
    means.
    """

    @property
    def urls(self) -> tuple[str, ...]: ...
    @property
    def attempt_time(self) -> float: ...
    @property
    def total_time(self) -> float: ...
    @property
    def down_time(self) -> float: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def idle_time(self) -> float: ...
    @property
    def answer_limit(self) -> int: ...


def policy_service(
    settings: ExternalSettings,
    secret: SharedSecret,
    ca_file: Path | None,
    *,
    reactor: Any,
    clock: IReactorTime,
    wall: Callable[[], float],
    random: Callable[[int], bytes],
) -> PolicyService:
    """Timers are the clock's, connections the reactor's. ValueError: the CA file cannot be used."""
    lines = Lines(
        settings.urls,
        str(ca_file) if ca_file is not None else None,
        kept=settings.concurrency,
        idle_time=settings.idle_time,
        reactor=reactor,
        clock=clock,
    )
    calls = Calls(
        lines,
        secret,
        patience=settings.attempt_time,
        answer_limit=settings.answer_limit,
        clock=clock,
        wall=wall,
        random=random,
    )
    return PolicyService(
        Places(settings.urls, clock.seconds, settings.down_time),
        calls,
        lines,
        patience=settings.total_time,
        concurrency=settings.concurrency,
        waiting=settings.waiting,
        clock=clock,
    )
