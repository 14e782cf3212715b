"""`idle`: thousands of connections that say nothing, and what they cost those who do."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator, Sequence
from typing import Final

import machine
from generator import HOST, BenchFailed
from report import FAILED, P50, P99, SIDE, Column, Figures, Table, with_ratio
from runs import Run
from sites import Front
from stage import Stage

CONNECTIONS: Final = 16
AT_ONCE: Final = 200
"""Connections whose bind is under way: a crowd that comes in, not a flood."""
PATIENCE: Final = 60.0
KIB, MIB = 2**10, 2**20
COLUMNS: Final = (
    SIDE,
    Column("idle connections", "idle", ",d"),
    Column("PSS MiB", "memory_mib", ",.1f"),
    Column("KiB each", "each_kib", ".1f"),
    Column("searches/s", "per_second", ",.0f"),
    P50,
    P99,
    Column("µs each", "server_us_each", ".0f"),
    FAILED,
    Column("to none", "to_none", ".2f"),
    Column("ratio", "ratio", ".2f"),
)


def measure(stage: Stage) -> Sequence[Table]:
    """Searches on 16 connections, alone and with the idle ones beside."""
    rows: list[Figures] = []
    for front in stage.fronts:
        alone = stage.searched(front, stage.size, CONNECTIONS, "alone")
        before = machine.memory(front.pids())
        rows.append(_row(alone, 0, before, before))
        with idle_connections(front, stage.options.idle):
            with_idle = machine.memory(front.pids())
            crowded = stage.searched(front, stage.size, CONNECTIONS, "beside idle ones")
        rows.append(_row(crowded, stage.options.idle, with_idle, before))
    rows = with_ratio(rows, "per_second", "side", against=("state", "none"), name="to_none")
    title = f"idle: searches on {CONNECTIONS} connections"
    return [Table(title, COLUMNS, with_ratio(rows, "per_second", "idle"))]


def _row(run: Run, idle: int, memory: machine.Memory, before: machine.Memory) -> Figures:
    grown = memory.proportional - before.proportional
    return {
        **run.figures(),
        "idle": idle,
        "state": "idle" if idle else "none",
        "memory_mib": memory.proportional / MIB,
        "each_kib": grown / idle / KIB if idle else None,
    }


@contextlib.contextmanager
def idle_connections(front: Front, count: int) -> Iterator[None]:
    """Open connections, bound, and still open when the block ends. BenchFailed."""
    with contextlib.ExitStack() as stack:
        lines: list[socket.socket] = []
        while len(lines) < count:
            some = [
                stack.enter_context(socket.create_connection((HOST, front.port), timeout=PATIENCE))
                for _ in range(min(AT_ONCE, count - len(lines)))
            ]
            for line in some:
                line.sendall(front.reader)
            for line in some:
                # bindResponse with resultCode 0: 61 len 0a 01 00
                if b"\x0a\x01\x00" not in line.recv(4096):
                    raise BenchFailed(f"{front.dialect.side}: an idle connection was not let in")
            lines += some
        yield
        lost = _readable(lines)
        if lost:
            raise BenchFailed(f"{front.dialect.side}: {lost} of {count} idle connections were lost")


def _readable(lines: Sequence[socket.socket]) -> int:
    """Those on which something came: nobody asked, so it can only be the end."""
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ)
        return len(selector.select(0))
