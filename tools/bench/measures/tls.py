"""`tls`: a new LDAPS connection for every bind and search, as many agents do it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from typing import Final

import generator
from certificates import KINDS, self_signed
from population import Size
from questions import one_account
from report import (
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
from sites import Front
from stage import ONE_ENTRY, Stage

from provserver.testing.certificates import Certificates

SIZE: Final = Size(accounts=1_000, users=0)
CLIENTS: Final = (1, 8)
COLUMNS: Final = (
    Column("key", "key"),
    Column("sessions", "sessions"),
    Column("clients", "connections", "d"),
    SIDE,
    Column("connections/s", "per_second", ",.0f"),
    P50,
    P99,
    Column("handshake p50 ms", "handshake_p50_ms", ".2f"),
    SERVER_CPU,
    Column("µs each", "server_us_each", ".0f"),
    GENERATOR_CPU,
    OTHER_CPU,
    Column("resumed", "resumed", ".0%"),
    FAILED,
    RATIO,
)


def measure(stage: Stage) -> Sequence[Table]:
    stage.program("handshakes")  # without the headers there is no need to load anything
    rows: list[Figures] = []
    for key, make in KINDS.items():
        certificates = self_signed(stage.directory / key.replace(" ", "-").lower(), make())
        with contextlib.ExitStack() as stack:
            fronts = [stack.enter_context(stage.front(side, SIZE, certificates)) for side in stage.sides]
            for clients, resume in itertools.product(CLIENTS, (False, True)):
                for front in fronts:
                    figures = _connected(stage, front, clients, certificates, resume=resume)
                    rows.append({"key": key, "sessions": "offered" if resume else "full", **figures})
    alike = ("key", "sessions", "connections")
    return [Table("tls: connect, bind, search, unbind", COLUMNS, with_ratio(rows, "per_second", *alike))]


def _connected(
    stage: Stage, front: Front, clients: int, certificates: Certificates, *, resume: bool
) -> Figures:
    path = stage.prepared(front, "tls", ONE_ENTRY, one_account, SIZE.accounts)
    program = stage.program("handshakes")
    run = stage.counted(
        front,
        clients,
        "tls" + (", sessions offered" if resume else ""),
        lambda: generator.handshakes(
            program,
            path,
            front.ldaps_port,
            clients,
            stage.options.seconds,
            authority=certificates.authority,
            resume=resume,
        ),
    )
    report = run.load.report
    return {
        **run.figures(),
        "handshake_p50_ms": report["steps"]["1"]["p50_ms"],
        "resumed": report["resumed"] / report["begun"] if report["begun"] else None,
    }
