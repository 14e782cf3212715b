#!/usr/bin/env python
"""The password cycle (search, test, search, sync) against our server and against slapd with ppolicy.

    .venv/bin/python tools/bench/cycle.py [--hash cheap,argon2] [--rules all] [--connections 1,16,64]

README.md beside this file says how it is fair and how to read the table.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import generator
import machine
from contest import Contest
from cycle_report import Measurement, table
from generator import BenchFailed, Load
from hashing import HASHINGS, Hashing
from prepared import write_cycles
from report import OURS, SLAPD
from rules import RULES
from side import Side

from provserver.testing.slapd import SlapdFailed, SlapdMissing


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name:
            return measured(options, Path(name))
    except (BenchFailed, SlapdMissing, SlapdFailed) as failed:
        print(f"cycle.py: {failed}", file=sys.stderr)
        return 1


def measured(options: argparse.Namespace, directory: Path) -> int:
    """One contest after the other, and their tables. The exit code."""
    program = generator.compiled(directory)
    facts = machine.facts(directory)
    alone: Mapping[int, Load] = {}
    measurements: list[Measurement] = []
    tables: list[str] = []
    for hashing in options.hash:
        contest = Contest(options, hashing, directory, program)
        with contextlib.ExitStack() as stack:
            sides = contest.sides(stack)
            found = runs(contest, sides)
            alone = alone or generator_alone(contest, sides[0])
        measurements += found
        remark = f"{hashing.name} hashes, {contest.count} users: {hashing.says}"
        tables.append(f"{remark}\n\n{table(found).text()}")

    lines = facts.lines()
    lines.append(
        "the generator alone, against a null server: "
        + ", ".join(f"{load.rate:,.0f} cycles/s ({number} connections)" for number, load in alone.items())
    )
    lines.append(f"rules of our Password Profile: {options.rules}")
    print("\n\n".join(["\n".join(lines), *tables]))
    if options.json:
        content: dict[str, Any] = {
            "facts": dataclasses.asdict(facts),
            "options": {**vars(options), "hash": [one.name for one in options.hash]},
            "generator_alone": {str(number): load.report for number, load in alone.items()},
            "measurements": [one.figures() for one in measurements],
        }
        options.json.write_text(json.dumps(content, indent=1, default=str) + "\n")
    return 0 if not any(one.run.load.failed for one in measurements) else 1


def runs(contest: Contest, sides: Sequence[Side]) -> list[Measurement]:
    """The counted runs of a contest, in turn."""
    options = contest.options
    found: list[Measurement] = []
    for _, connections in itertools.product(range(options.rounds), options.connections):
        for side in sides:
            one = contest.measure(side, connections)
            found.append(one)
            load = one.run.load
            contest.say(f"{side.name}, {connections} connections: {load.rate:,.0f} cycles/s")
            remarks = [f"refused or lost: {text}" for text in load.refusals]
            remarks += [one.verified] if one.verified else []
            if load.exhausted:
                most = contest.hashing.most_per_second
                remarks.append(f"the {most} cycles prepared for each second ran out early")
            for remark in remarks:
                contest.say(f"  {remark}")
    return found


def generator_alone(contest: Contest, side: Side) -> Mapping[int, Load]:
    """What the generator can do when nobody makes it wait, by the number of connections."""
    seconds = min(2.0, contest.options.seconds)
    path = contest.directory / "alone.cycles"
    planned = itertools.islice(contest.users, int(seconds * 6 * contest.hashing.most_per_second))
    cycles = (side.cycle(user, contest.passwords.fresh()) for user in planned)
    write_cycles(path, side.bind, side.steps, cycles)
    connections = contest.options.connections
    found = {number: generator.run_alone(contest.program, path, number, seconds) for number in connections}
    path.unlink()
    return found


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="The password cycle against our server and slapd, on this machine."
    )
    parser.add_argument(
        "--hash",
        type=_hashings,
        default=list(HASHINGS.values()),
        help=f"how passwords are hashed, of {', '.join(HASHINGS)}; both by default",
    )
    parser.add_argument(
        "--rules", choices=tuple(RULES), default="all", help="which rules of our Password Profile are on"
    )
    users = ", ".join(f"{one.users} with {one.name} hashes" for one in HASHINGS.values())
    parser.add_argument("--users", type=int, help=f"by default {users}")
    parser.add_argument("--connections", type=_integers, default=[1, 16, 64], help="e.g. 1,16,64")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run")
    parser.add_argument(
        "--wait", type=_numbers, default=[0.0, 2.0], help="Propagation Waits of ours, e.g. 0,2"
    )
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often everything is repeated; the table shows medians"
    )
    parser.add_argument(
        "--slapd-threads",
        type=int,
        default=4 * (os.cpu_count() or 1),
        help="slapd's own default is 16, and slower",
    )
    parser.add_argument("--only", choices=(OURS, SLAPD))
    parser.add_argument(
        "--profile",
        type=Path,
        help="write a cProfile of our first server here (its figures don't count then)",
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("/var/tmp"),  # noqa: S108  not /tmp, which may be memory
        help="where the servers keep their data: a real disk",
    )
    options = parser.parse_args(arguments)
    fewest = 4 * max(options.connections)
    for hashing in options.hash:
        users = options.users or hashing.users
        if users < fewest:
            text = f"--users: expected at least four times the connections ({fewest})"
            parser.error(f"{text}, not {users} with {hashing.name} hashes")
    if options.profile is not None:
        options.profile = options.profile.resolve()
    return options


def _hashings(text: str) -> list[Hashing]:
    names = text.split(",")
    unknown = [name for name in names if name not in HASHINGS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected {' or '.join(HASHINGS)}, not {unknown[0]!r}")
    return [HASHINGS[name] for name in names]


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
