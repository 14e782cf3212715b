"""One counted run of a generator against one server, with what both spent on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import machine
from generator import Load


@dataclass(frozen=True, slots=True)
class Run:
    side: str
    connections: int
    load: Load
    server_cpu: float
    other_cpu: float
    """Seconds of CPU that neither server nor generator used meanwhile: how quiet the machine was."""

    def figures(self) -> dict[str, Any]:
        """What a table shows, by the names that the JSON has."""
        load = self.load
        each = self.server_cpu / load.acknowledged * 1e6 if load.acknowledged else None
        return {
            "side": self.side,
            "connections": self.connections,
            "per_second": load.rate,
            "p50_ms": load.p50,
            "p99_ms": load.p99,
            "server_cpu_s": self.server_cpu,
            "server_us_each": each,
            "generator_cpu_s": load.generator_cpu,
            "other_cpu_s": self.other_cpu,
            "failed": load.failed,
            "generator": load.report,
        }


def counted(side: str, pids: Sequence[int], connections: int, generate: Callable[[], Load]) -> Run:
    """Generate a load on the server that these processes are."""
    server_before, busy_before = machine.cpu_seconds(pids), machine.busy_seconds()
    load = generate()
    server_cpu = machine.cpu_seconds(pids) - server_before
    other = machine.busy_seconds() - busy_before - server_cpu - load.generator_cpu
    return Run(side, connections, load, server_cpu, max(0.0, other))
