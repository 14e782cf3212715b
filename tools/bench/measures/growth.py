"""`growth`: the same questions to ever larger directories, and what they take to start and to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import machine
from population import Size
from report import FAILED, SIDE, SLAPD, Column, Figures, Table, with_ratio
from stage import Stage

from measures.asking import modified

CONNECTIONS: Final = 16
MIB: Final = 2**20
COLUMNS: Final = (
    Column("accounts", "accounts", ",d"),
    SIDE,
    Column("fill s", "fill_s", ",.1f"),
    Column("disk MiB", "stored_mib", ",.0f"),
    Column("ready s", "ready_s", ".2f"),
    Column("PSS at ready MiB", "ready_mib", ",.0f"),
    Column("searches/s", "searches_per_second", ",.0f"),
    Column("p99 ms", "search_p99_ms", ".2f"),
    Column("modifies/s", "modifies_per_second", ",.0f"),
    Column("p99 ms", "modify_p99_ms", ".2f"),
    Column("PSS then MiB", "then_mib", ",.0f"),
    Column("no file MiB", "then_anonymous_mib", ",.0f"),
    FAILED,
    Column("search ratio", "search_ratio", ".2f"),
    Column("modify ratio", "modify_ratio", ".2f"),
)


def measure(stage: Stage) -> Sequence[Table]:
    """Ours; slapd too when it is asked for, since it takes as long again."""
    asked = stage.options.with_slapd or stage.options.side == SLAPD
    rows: list[Figures] = [
        _grown(stage, side, Size(accounts, users=0))
        for accounts in stage.options.sizes
        for side in stage.sides
        if side != SLAPD or asked
    ]
    for name, of in (("search_ratio", "searches_per_second"), ("modify_ratio", "modifies_per_second")):
        rows = with_ratio(rows, of, "accounts", name=name)
    return [Table(f"growth: {CONNECTIONS} connections", COLUMNS, rows)]


def _grown(stage: Stage, side: str, size: Size) -> Figures:
    with stage.site(side) as site:
        stage.say(f"{side}: loading {size.accounts:,} accounts")
        fill = site.fill(size)
        ready = site.serve()
        try:
            ready_seconds, at_ready = ready.ready_seconds, machine.memory(ready.pids())
        finally:
            ready.stop()
        with stage.served(site, size) as front:
            searches = stage.searched(front, size, CONNECTIONS, f"of {size.accounts:,}")
            modifies = modified(stage, front, size.accounts, CONNECTIONS)
            then = machine.memory(front.pids())
        return {
            "accounts": size.accounts,
            "side": side,
            "fill_s": fill.seconds,
            "fill_peak_mib": fill.peak / MIB,
            "stored_mib": site.stored() / MIB,
            "ready_s": ready_seconds,
            "ready_mib": at_ready.proportional / MIB,
            "searches_per_second": searches.load.rate,
            "search_p99_ms": searches.load.p99,
            "modifies_per_second": modifies.load.rate,
            "modify_p99_ms": modifies.load.p99,
            "then_mib": then.proportional / MIB,
            "then_anonymous_mib": then.anonymous / MIB,
            "failed": searches.load.failed + modifies.load.failed,
            "search": searches.figures(),
            "modify": modifies.figures(),
        }
