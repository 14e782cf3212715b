"""Runs the load generator: compiles cycle.c, starts it, reads its report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

SOURCE: Final = Path(__file__).with_name("cycle.c")
ACKNOWLEDGED: Final = ord("K")
REFUSED: Final = ord("R")
NOT_BEGUN: Final = ord("-")


class BenchFailed(Exception):
    """The benchmark cannot go on; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator saw. Times in seconds, latencies in milliseconds."""

    cycles: int
    """Cycles with all answers as expected, before the deadline."""
    late: int
    """The same, after it: begun in time, finished so that their outcome is known."""
    refused: int
    unknown: int
    seconds: float
    until_last_answer: float
    rate: float
    p50: float
    p99: float
    generator_cpu: float
    refusals: tuple[str, ...]
    exhausted: bool
    outcomes: bytes
    """One byte a cycle of the file: K, R, ? or -."""
    report: Mapping[str, Any]

    @classmethod
    def of(cls, report: Mapping[str, Any], outcomes: bytes) -> Self:
        return cls(
            cycles=report["cycles"],
            late=report["late"],
            refused=report["refused"],
            unknown=report["unknown"],
            seconds=report["seconds"],
            until_last_answer=report["until_last_answer_s"],
            rate=report["cycles_per_second"],
            p50=report["latency"]["p50_ms"],
            p99=report["latency"]["p99_ms"],
            generator_cpu=report["generator_cpu_s"],
            refusals=tuple(
                f"step {one['step']}, code {one['code']}, {one['count']} times: {one['text']}"
                for one in report["refusals"]
            ),
            exhausted=report["exhausted"],
            outcomes=outcomes,
            report=report,
        )


def compiled(directory: Path) -> Path:
    """The generator, compiled into `directory` with the C compiler of this machine (CC, or cc)."""
    program = directory / "cycle"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(SOURCE)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BenchFailed(
            f"no C compiler ({compiler}): install one, e.g. apt-get install -y gcc libc6-dev"
        ) from None
    if done.returncode:
        raise BenchFailed(f"{' '.join(command)}:\n{done.stderr}")
    return program


def run(program: Path, cycles: Path, port: int, connections: int, seconds: float) -> Load:
    """Load the server at 127.0.0.1:port for so many seconds; 0: until every cycle was done once."""
    results = cycles.with_suffix(".outcomes")
    report = _report(
        [
            str(program),
            "run",
            str(cycles),
            "127.0.0.1",
            str(port),
            str(connections),
            str(seconds),
            str(results),
        ]
    )
    return Load.of(report, results.read_bytes())


def run_alone(program: Path, cycles: Path, connections: int, seconds: float) -> Load:
    """The generator against its own null server: what it can do when nobody makes it wait."""
    return Load.of(_report([str(program), "echo", str(cycles), str(connections), str(seconds)]), b"")


def _report(command: list[str]) -> Mapping[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchFailed(f"the load generator: {done.stderr.strip() or f'ended with {done.returncode}'}")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report
