"""The table, and the same for machines."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generator import Load


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of one side with so many connections."""

    side: str
    connections: int
    load: Load
    server_cpu: float
    other_cpu: float
    """Seconds of CPU that neither server nor generator used meanwhile: how quiet the machine was."""
    delivered_rate: float | None = None
    """Acknowledged cycles per second until the outbox was empty; None where it could not be asked."""
    verified: str = ""

    @property
    def acknowledged(self) -> int:
        return self.load.cycles + self.load.late

    def as_json(self) -> Mapping[str, Any]:
        return {
            "side": self.side,
            "connections": self.connections,
            "cycles_per_second": self.load.rate,
            "p50_ms": self.load.p50,
            "p99_ms": self.load.p99,
            "server_cpu_s": self.server_cpu,
            "server_cpu_us_per_cycle": self._cpu_each,
            "other_cpu_s": self.other_cpu,
            "delivered_per_second": self.delivered_rate,
            "verified": self.verified,
            "generator": self.load.report,
        }

    @property
    def _cpu_each(self) -> float:
        return self.server_cpu / self.acknowledged * 1e6 if self.acknowledged else 0.0

    def cells(self, baseline: float | None) -> list[str]:
        """One line of the table; `baseline` is slapd's rate with as many connections."""
        load = self.load
        ratio = f"{load.rate / baseline:.2f}" if baseline else "-"
        delivered = f"{self.delivered_rate:,.0f}" if self.delivered_rate is not None else "-"
        return [
            str(self.connections),
            self.side,
            f"{load.rate:,.0f}",
            f"{load.p50:.2f}",
            f"{load.p99:.2f}",
            f"{self.server_cpu:.2f}",
            f"{self._cpu_each:.0f}",
            f"{load.generator_cpu:.2f}",
            f"{self.other_cpu:.2f}",
            str(load.refused + load.unknown),
            delivered,
            ratio,
        ]


HEADINGS = (
    "conns",
    "side",
    "cycles/s",
    "p50 ms",
    "p99 ms",
    "CPU s",
    "µs/cycle",
    "gen CPU s",
    "other CPU s",
    "refused",
    "delivered/s",
    "ratio",
)


def median(measurements: Sequence[Measurement]) -> Measurement:
    """The run with the middle rate (the lower middle of an even number)."""
    middle = statistics.median_low(one.load.rate for one in measurements)
    return next(one for one in measurements if one.load.rate == middle)


def table(measurements: Sequence[Measurement], baseline_side: str = "slapd") -> str:
    """One line for each side and number of connections: the median of its runs."""
    runs: dict[tuple[int, str], list[Measurement]] = {}
    for one in measurements:
        runs.setdefault((one.connections, one.side), []).append(one)
    shown = {key: median(several) for key, several in runs.items()}
    rows = [list(HEADINGS)]
    for (connections, _), one in sorted(shown.items(), key=lambda item: item[0][0]):
        baseline = shown.get((connections, baseline_side))
        rows.append(one.cells(baseline.load.rate if baseline else None))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
