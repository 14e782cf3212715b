"""The table of the password cycle."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from report import (
    CONNECTIONS,
    FAILED,
    GENERATOR_CPU,
    OTHER_CPU,
    P50,
    P99,
    RATIO,
    SERVER_CPU,
    SIDE,
    Column,
    Figures,
    Table,
    with_ratio,
)
from runs import Run

COLUMNS: Final = (
    CONNECTIONS,
    SIDE,
    Column("cycles/s", "per_second", ",.0f"),
    P50,
    P99,
    SERVER_CPU,
    Column("µs/cycle", "server_us_each", ".0f"),
    GENERATOR_CPU,
    OTHER_CPU,
    FAILED,
    Column("delivered/s", "delivered_per_second", ",.0f"),
    RATIO,
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run, and what became of its deliveries."""

    hashing: str
    run: Run
    delivered_rate: float | None = None
    """Acknowledged cycles per second until the outbox was empty; None where it could not be asked."""
    verified: str = ""

    def figures(self) -> Figures:
        figures = {"hash": self.hashing, **self.run.figures()}
        return {**figures, "delivered_per_second": self.delivered_rate, "verified": self.verified}


def median(measurements: Sequence[Measurement]) -> Measurement:
    """The run with the middle rate (the lower middle of an even number)."""
    middle = statistics.median_low(one.run.load.rate for one in measurements)
    return next(one for one in measurements if one.run.load.rate == middle)


def table(measurements: Sequence[Measurement]) -> Table:
    """One row for each side and number of connections: the median of its runs."""
    runs: dict[tuple[int, str], list[Measurement]] = {}
    for one in measurements:
        runs.setdefault((one.run.connections, one.run.side), []).append(one)
    shown = [median(several).figures() for several in runs.values()]
    shown.sort(key=lambda figures: figures["connections"])
    return Table("The password cycle", COLUMNS, with_ratio(shown, "per_second", "connections"))
