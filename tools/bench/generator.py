"""Runs the load generators: compiles them, starts them, reads their reports.

`cycle.c` asks on open connections, `walk.c` goes through pages, `handshakes.c` makes new TLS connections.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

HERE: Final = Path(__file__).parent
COMMON_SOURCES: Final = ("wire.c", "tally.c", "prepared.c")
SOURCES: Final = {"cycle": ("cycle.c", "null.c"), "walk": ("walk.c",), "handshakes": ("handshakes.c",)}
LIBRARIES: Final = {"handshakes": ("-lssl", "-lcrypto", "-lpthread")}
HOST: Final = "127.0.0.1"
ACKNOWLEDGED: Final = ord("K")
REFUSED: Final = ord("R")
NOT_BEGUN: Final = ord("-")


class BenchFailed(Exception):
    """The benchmark cannot go on; the text says what to do."""


class HeadersMissing(BenchFailed):
    """What a generator is compiled against is not here; the text says how to install it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator saw. Times in seconds, latencies in milliseconds."""

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
    """One byte a cycle of the file: K, R, ? or -. Empty where nobody asked for them."""
    report: Mapping[str, Any]

    @classmethod
    def of(cls, report: Mapping[str, Any], outcomes: bytes = b"") -> Self:
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

    @property
    def acknowledged(self) -> int:
        return self.cycles + self.late

    @property
    def failed(self) -> int:
        """Cycles that met an answer they should not have, or none."""
        return self.refused + self.unknown


def compiled(directory: Path, name: str = "cycle") -> Path:
    """A generator, compiled into `directory` with the C compiler of this machine (CC, or cc)."""
    program = directory / name
    compiler = os.environ.get("CC", "cc")
    sources = [str(HERE / source) for source in (*SOURCES[name], *COMMON_SOURCES)]
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), *sources, *LIBRARIES.get(name, ())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BenchFailed(
            f"no C compiler ({compiler}): install one, e.g. apt-get install -y gcc libc6-dev"
        ) from None
    if done.returncode and "openssl/" in done.stderr:
        raise HeadersMissing("OpenSSL's headers are not here: apt-get install -y libssl-dev")
    if done.returncode:
        raise BenchFailed(f"{' '.join(command)}:\n{done.stderr}")
    return program


def run(program: Path, cycles: Path, port: int, connections: int, seconds: float) -> Load:
    """Load the server at that port for so many seconds; 0: until every cycle was done once."""
    results = cycles.with_suffix(".outcomes")
    report = _report(program, "run", cycles, HOST, port, connections, seconds, results)
    return Load.of(report, results.read_bytes())


def run_looping(
    program: Path, cycles: Path, port: int, connections: int, seconds: float, first: int = 0
) -> Load:
    """The same from cycle `first`, with a file that begins anew at its end: for what can be repeated."""
    return Load.of(_report(program, "loop", cycles, HOST, port, connections, seconds, first))


def run_alone(program: Path, cycles: Path, connections: int, seconds: float) -> Load:
    """The generator against its own null server: what it can do when nobody makes it wait."""
    return Load.of(_report(program, "echo", cycles, connections, seconds))


def walk(
    program: Path, search: Path, port: int, connections: int, seconds: float, *, page: int, entries: int
) -> Load:
    """Walks over `entries` entries in pages (a "cycle" is one page); `report` has walks and entries too."""
    return Load.of(_report(program, search, HOST, port, connections, seconds, page, entries))


def handshakes(
    program: Path, cycles: Path, port: int, clients: int, seconds: float, *, authority: Path, resume: bool
) -> Load:
    """New LDAPS connections, one cycle on each; `report` has how many were resumed."""
    return Load.of(_report(program, cycles, HOST, port, clients, seconds, authority, int(resume)))


def _report(program: Path, *arguments: object) -> Mapping[str, Any]:
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchFailed(f"the load generator: {done.stderr.strip() or f'ended with {done.returncode}'}")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report
