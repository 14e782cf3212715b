"""`search`, `bind`, `modify`, `list`: one request after the other on open connections."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import generator
from checks import demand_account, demand_entries, sample
from line import Line
from population import CONTAINER_SIZE, TITLE, VALUE_LENGTH
from prepared import Step, first_step, spaced_draws, write_cycles
from questions import (
    account_itself,
    bind_as,
    listing,
    new_title,
    one_account,
    one_account_of_its_class,
)
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
from sites import Front
from stage import ONE_ENTRY, Asking, Stage

from provserver.ldap.messages import BindRequest, ModifyRequest, SearchRequest

LIST_CONNECTIONS: Final = (16,)
MOST_CHANGES_PER_SECOND: Final = 20_000
"""So many modifies are prepared for each second. When they run out, the run ends early and says so."""
READ_BACK: Final = 200
COLUMNS: Final = (
    Column("request", "request"),
    CONNECTIONS,
    SIDE,
    Column("per second", "per_second", ",.0f"),
    P50,
    P99,
    SERVER_CPU,
    Column("µs each", "server_us_each", ".0f"),
    GENERATOR_CPU,
    OTHER_CPU,
    FAILED,
    RATIO,
)
ALIKE: Final = ("request", "connections")


def searches(stage: Stage) -> Sequence[Table]:
    """Indexed equality over random entries, five attributes; and what the generator can do alone."""
    questions: Mapping[str, Asking] = {
        "(logon)": one_account,
        "(&(class)(logon))": one_account_of_its_class,
    }
    accounts = stage.size.accounts
    rows = [
        row
        for name, asking in questions.items()
        for row in _looped(stage, name, ONE_ENTRY, asking, accounts, stage.options.connections)
    ]
    return [_table("search", rows), _alone(stage)]


def binds(stage: Stage) -> Sequence[Table]:
    """Simple binds of random users, on connections that stay open."""
    below = stage.size.users
    rows = _looped(stage, "bind", Step(BindRequest), bind_as, below, stage.options.connections)
    return [_table("bind", rows)]


def lists(stage: Stage) -> Sequence[Table]:
    """A container's hundred accounts with all fifteen attributes."""
    containers = stage.size.accounts // CONTAINER_SIZE
    step = Step(SearchRequest, entries=CONTAINER_SIZE)
    rows = _looped(stage, "list of 100", step, listing, containers, LIST_CONNECTIONS)
    return [_table("list", rows)]


def modifies(stage: Stage) -> Sequence[Table]:
    """One attribute of random entries replaced; afterwards a sample is read back."""
    rows: list[Figures] = []
    for connections in stage.options.connections:
        for front in stage.fronts:
            run = modified(stage, front, stage.size.accounts, connections)
            rows.append({"request": "replace", **run.figures()})
    return [_table("modify", rows)]


def modified(stage: Stage, front: Front, accounts: int, connections: int) -> Run:
    """A counted run of modifies. BenchFailed when an acknowledged one is not there afterwards."""
    draws = spaced_draws(accounts, stage.randomness(f"modify {connections}"))
    most = int(stage.options.seconds * MOST_CHANGES_PER_SECOND) + connections
    planned = [
        (number, b"title-%0*d" % (VALUE_LENGTH - 6, change))
        for change, number in enumerate(itertools.islice(draws, most))
    ]
    path = stage.directory / "modify.cycles"
    dialect = front.dialect
    cycles = ([first_step(new_title(dialect, number, title))] for number, title in planned)
    write_cycles(path, front.writer, [Step(ModifyRequest)], cycles)
    program = stage.program("cycle")
    run = stage.counted(
        front,
        connections,
        "modify",
        lambda: generator.run(program, path, front.port, connections, stage.options.seconds),
    )
    path.unlink()
    if run.load.exhausted:
        stage.say(f"  the {MOST_CHANGES_PER_SECOND} changes prepared for each second ran out early")
    _read_back(stage, front, planned, run.load.outcomes)
    return run


def _read_back(stage: Stage, front: Front, planned: Sequence[tuple[int, bytes]], outcomes: bytes) -> None:
    last: dict[int, bytes] = {}
    for (number, title), outcome in zip(planned, outcomes, strict=True):
        if outcome == generator.ACKNOWLEDGED:
            last[number] = title
        elif outcome != generator.NOT_BEGUN:
            last.pop(number, None)  # nobody knows what it is now
    changed = sorted(last)
    dialect = front.dialect
    with Line(front.port, front.writer) as line:
        for index in sample(stage.randomness("read back"), len(changed), READ_BACK):
            number = changed[index]
            (entry,) = demand_entries(dialect, line, account_itself(dialect, number), 1)
            changed_to = {dialect.attributes[TITLE].lower(): (last[number],)}
            demand_account(dialect, entry, number, len(dialect.attributes), changed_to)


def _looped(
    stage: Stage, name: str, step: Step, asking: Asking, below: int, counts: Sequence[int]
) -> list[Figures]:
    rows: list[Figures] = []
    for connections in counts:
        for front in stage.fronts:
            path = stage.prepared(front, _file_name(name), step, asking, below)
            rows.append({"request": name, **stage.looping(front, path, connections, name).figures()})
    return rows


def _alone(stage: Stage) -> Table:
    """The generator against its null server: where a server comes near, it is the generator that is
    measured.
    """
    front = stage.fronts[0]
    path: Path = stage.prepared(front, _file_name("(logon)"), ONE_ENTRY, one_account, stage.size.accounts)
    rows = []
    for connections in stage.options.connections:
        load = generator.run_alone(stage.program("cycle"), path, connections, stage.options.seconds)
        rows.append(
            {
                "request": "(logon)",
                "connections": connections,
                "side": "null server",
                "per_second": load.rate,
                "p50_ms": load.p50,
                "p99_ms": load.p99,
                "generator_cpu_s": load.generator_cpu,
                "failed": load.failed,
            }
        )
    return Table("search: the generator alone", COLUMNS, rows)


def _table(title: str, rows: Sequence[Figures]) -> Table:
    return Table(title, COLUMNS, with_ratio(rows, "per_second", *ALIKE))


def _file_name(request: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in request)
