"""`hostile`: normal clients while others mean harm (`attack.py`)."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attack
import machine
from generator import HOST, BenchFailed
from line import Line
from prepared import first_step
from questions import everything
from report import (
    CONNECTIONS,
    FAILED,
    OTHER_CPU,
    P50,
    P99,
    REMARK,
    SERVER_CPU,
    SIDE,
    Column,
    Figures,
    Table,
    with_ratio,
)
from sites import Front
from stage import Stage

CLIENTS: Final = (1, 16)
MIB: Final = 2**20
PATIENCE: Final = 10.0
"""Seconds after which a server that does not let a normal client in is taken not to answer."""
QUIET: Final = "quiet"
STATES: Final[Mapping[str, Sequence[str]]] = {
    # Apart, because slapd gives a thread to each of them until none is left for anybody else.
    "attacked, but for slow readers": [kind for kind in attack.KINDS if kind != "slow-reader"],
    "attacked": list(attack.KINDS),
}
COLUMNS: Final = (
    CONNECTIONS,
    SIDE,
    Column("state", "state"),
    Column("searches/s", "per_second", ",.0f"),
    P50,
    P99,
    SERVER_CPU,
    OTHER_CPU,
    Column("PSS MiB", "memory_mib", ",.0f"),
    FAILED,
    Column("rate to quiet", "rate_to_quiet", ".2f"),
    Column("p50 to quiet", "p50_to_quiet", ".2f"),
    Column("p99 to quiet", "p99_to_quiet", ".2f"),
    REMARK,
)
COUNT_COLUMNS: Final = (
    Column("beside", "beside", "d"),
    SIDE,
    Column("state", "state"),
    Column("kind", "kind"),
    Column("connections", "connections", ",d"),
    Column("acts", "acts", ",d"),
    Column("cut off", "cut_off", ",d"),
)


def measure(stage: Stage) -> Sequence[Table]:
    rows: list[Figures] = []
    counts: list[Figures] = []
    for clients in CLIENTS:
        for front in stage.fronts:
            rows.append(_row(stage, front, clients, QUIET))
            for state, kinds in STATES.items():
                with under_attack(front, stage.options.hostile, kinds) as found:
                    rows.append(_row(stage, front, clients, state))
                about = {"side": front.dialect.side, "beside": clients, "state": state}
                counts += [{**about, "kind": kind, **count} for kind, count in found.items()]
    for name, of in (("rate", "per_second"), ("p50", "p50_ms"), ("p99", "p99_ms")):
        against = ("state", QUIET)
        rows = with_ratio(rows, of, "connections", "side", against=against, name=f"{name}_to_quiet")
    return [
        Table(f"hostile: {stage.options.hostile} bad clients beside the good ones", COLUMNS, rows),
        Table("hostile: what the bad ones did", COUNT_COLUMNS, counts),
    ]


def _row(stage: Stage, front: Front, clients: int, state: str) -> Figures:
    """Searches as they are now; a server that does not answer at all is a result too."""
    remark = None
    figures: Figures = {"side": front.dialect.side, "connections": clients}
    try:
        Line(front.port, front.reader, patience=PATIENCE).close()
        figures = stage.searched(front, stage.size, clients, state).figures()
    except BenchFailed as failed:
        remark = str(failed)
    memory = machine.memory(front.pids()).proportional / MIB
    return {**figures, "state": state, "memory_mib": memory, "remark": remark}


@contextlib.contextmanager
def under_attack(
    front: Front, clients: int, kinds: Sequence[str]
) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Attack from a process of its own; the mapping yielded has the counts, by kind, when the block is over.

    BenchFailed when the attackers fail.
    """
    found: dict[str, Mapping[str, Any]] = {}
    speech = {"bind": front.reader.hex(), "search": first_step(everything(front.dialect)).hex()}
    process = subprocess.Popen(
        [
            *(sys.executable, attack.__file__, HOST, str(front.port)),
            *("--clients", str(clients), "--kinds", ",".join(kinds)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  asked for
        process.stdin.write(json.dumps(speech) + "\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "attacking":
            raise BenchFailed("the attackers could not begin; what they said is above")
        yield found
        report, _ = process.communicate()
        found.update(json.loads(report))
    finally:
        process.kill()
        process.wait()
