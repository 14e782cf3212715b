"""`paged`: walks over all accounts in pages (RFC 2696)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import generator
from generator import BenchFailed
from line import Line, values_of
from prepared import Step, first_step, search, write_cycles
from questions import everything
from report import (
    CONNECTIONS,
    FAILED,
    GENERATOR_CPU,
    OTHER_CPU,
    RATIO,
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

from provserver.ldap.controls.paging import PagedResults
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import Control, SearchRequest
from provserver.ldap.results import ResultCode

PAGE: Final = 1_000
WALKERS: Final = (1, 4)
COLUMNS: Final = (
    CONNECTIONS,
    SIDE,
    Column("entries/s", "entries_per_second", ",.0f"),
    Column("walks", "walks", "d"),
    Column("page p50 ms", "p50_ms", ".2f"),
    Column("page p99 ms", "p99_ms", ".2f"),
    SERVER_CPU,
    Column("µs/entry", "server_us_entry", ".2f"),
    GENERATOR_CPU,
    OTHER_CPU,
    FAILED,
    RATIO,
    REMARK,
)


def measure(stage: Stage) -> Sequence[Table]:
    offering = []
    for front in stage.fronts:
        if offered := PagedResults.oid in supported_controls(front):
            check_walk(front, stage.size.accounts)
        offering.append((front, offered))
    rows: list[Figures] = []
    for walkers in WALKERS:
        for front, offered in offering:
            if offered:
                rows.append(_walked(stage, front, walkers))
            else:
                side = front.dialect.side
                rows.append({"side": side, "connections": walkers, "remark": "not offered"})
    title = f"paged: {stage.size.accounts:,} entries in pages of {PAGE:,}"
    return [Table(title, COLUMNS, with_ratio(rows, "entries_per_second", "connections"))]


def supported_controls(front: Front) -> frozenset[str]:
    """What the root DSE lists (RFC 4512 5.1)."""
    request = search("", Scope.BASE, Present("objectClass"), ["supportedControl"])
    with Line(front.port, front.reader) as line:
        answer = line.ask(request)
    values = [values_of(entry).get("supportedcontrol", ()) for entry in answer.entries]
    return frozenset(oid.decode() for oids in values for oid in oids)


def check_walk(front: Front, entries: int) -> None:
    """One walk that looks at the names: every entry once. BenchFailed."""
    dialect = front.dialect
    request = everything(dialect)
    seen: set[str] = set()
    cookie = b""
    count = 0
    with Line(front.port, front.reader) as line:
        while True:
            control = Control(PagedResults.oid, True, PagedResults(PAGE, cookie).encode())
            answer = line.ask(request, [control])
            if answer.result.code is not ResultCode.SUCCESS:
                raise BenchFailed(f"{dialect.side}: a page: {answer.said}")
            found = [one for one in answer.controls if one.oid == PagedResults.oid]
            if not found or len(answer.entries) > PAGE:
                raise BenchFailed(f"{dialect.side}: a page of {len(answer.entries)}, {len(found)} cookies")
            count += len(answer.entries)
            seen.update(entry.dn.lower() for entry in answer.entries)
            cookie = PagedResults.decode(found[0].value).cookie
            if not cookie:
                break
    expected = {(dialect.account_dn(number) + dialect.view).lower() for number in range(entries)}
    if count != entries or seen != expected:
        raise BenchFailed(
            f"{dialect.side}: a walk gave {count} entries, {len(seen & expected)} of the {entries} expected"
        )


def _walked(stage: Stage, front: Front, walkers: int) -> Figures:
    path = stage.directory / "walk.cycles"
    request = first_step(everything(front.dialect))
    write_cycles(path, front.reader, [Step(SearchRequest)], [[request]])
    entries = stage.size.accounts
    program = stage.program("walk")
    run = stage.counted(
        front,
        walkers,
        "pages",
        lambda: generator.walk(
            program, path, front.port, walkers, stage.options.seconds, page=PAGE, entries=entries
        ),
    )
    path.unlink()
    report = run.load.report
    each = run.server_cpu / report["entries"] * 1e6 if report["entries"] else None
    more = {key: report[key] for key in ("entries_per_second", "walks", "entries")}
    return {**run.figures(), **more, "server_us_entry": each}
