#!/usr/bin/env python
"""The LDAP front, beside slapd: searches, binds, modifies, lists, pages, TLS, growth, bulk, ill will.

    .venv/bin/python tools/bench/front.py [--only search,bind,...] [--seconds 8] [--json FILE]

README.md beside this file says what each measures, how it is fair and how to read the tables.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import machine
from generator import BenchFailed, HeadersMissing
from measures import asking, bulk, growth, hostile, idle, paged, tls
from population import CONTAINER_SIZE
from report import OURS, SLAPD, Table
from stage import Stage

from provserver.testing.slapd import SlapdFailed, SlapdMissing

Measure = Callable[[Stage], Sequence[Table]]

SHARED: Final[Mapping[str, Measure]] = {
    "search": asking.searches,
    "bind": asking.binds,
    "modify": asking.modifies,
    "list": asking.lists,
    "paged": paged.measure,
    "idle": idle.measure,
    "hostile": hostile.measure,
}
"""These ask the same two servers, in this order: the one that may leave marks comes last."""
APART: Final[Mapping[str, Measure]] = {
    "tls": tls.measure,
    "growth": growth.measure,
    "load": bulk.load,
    "dump": bulk.dump,
}
"""These make sites of their own."""
MEASURES: Final = {**SHARED, **APART}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        machine.allow_open_files(2 * options.idle + 1000 if "idle" in options.only else 1000)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name:
            return measured(options, Path(name))
    except (BenchFailed, SlapdMissing, SlapdFailed) as failed:
        print(f"front.py: {failed}", file=sys.stderr)
        return 1


def measured(options: argparse.Namespace, directory: Path) -> int:
    """Each measurement with its tables; what fails is said, and the others go on. The exit code."""
    facts = machine.facts(directory)
    print("\n".join(facts.lines()), flush=True)
    stage = Stage(options, directory)
    tables: dict[str, Sequence[Table]] = {}
    failures: dict[str, str] = {}
    try:
        for name in [name for name in MEASURES if name in options.only]:
            if name in APART:
                stage.close()
            stage.say(f"{name}:")
            try:
                tables[name] = MEASURES[name](stage)
            except HeadersMissing as missing:
                print(f"\n{name}: left out: {missing}", flush=True)
                continue
            except BenchFailed as failed:
                failures[name] = str(failed)
                print(f"\n{name}: {failed}", flush=True)
                continue
            for table in tables[name]:
                print(f"\n{table.title}\n\n{table.text()}", flush=True)
            if options.json:
                write_json(options, facts, tables, failures)
    finally:
        stage.close()
    wrong = any(row.get("failed") for found in tables.values() for table in found for row in table.rows)
    return 1 if failures or wrong else 0


def write_json(
    options: argparse.Namespace,
    facts: machine.Facts,
    tables: Mapping[str, Sequence[Table]],
    failures: Mapping[str, str],
) -> None:
    """All figures so far; the file is whole after each measurement."""
    content: dict[str, Any] = {
        "facts": dataclasses.asdict(facts),
        "options": vars(options),
        "tables": {
            name: [{"title": table.title, "rows": table.rows} for table in found]
            for name, found in tables.items()
        },
        "failures": failures,
    }
    options.json.write_text(json.dumps(content, indent=1, default=str) + "\n")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="The LDAP front of our server and of slapd, on this machine."
    )
    parser.add_argument(
        "--only", type=_names, default=list(MEASURES), help=f"some of {','.join(MEASURES)}; default: all"
    )
    parser.add_argument("--side", choices=(OURS, SLAPD), help="only this one")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run")
    parser.add_argument(
        "--connections", type=_integers, default=[16, 64], help="of search, bind and modify; default 16,64"
    )
    parser.add_argument("--entries", type=int, default=100_000, help="accounts of search to hostile")
    parser.add_argument("--users", type=int, default=10_000, help="users of bind")
    parser.add_argument(
        "--sizes", type=_integers, default=[1_000, 100_000, 1_000_000], help="accounts of growth"
    )
    parser.add_argument("--with-slapd", action="store_true", help="growth of slapd too")
    parser.add_argument("--load-entries", type=int, default=100_000, help="accounts of load and dump")
    parser.add_argument("--idle", type=int, default=5_000, help="idle connections")
    parser.add_argument("--hostile", type=int, default=200, help="hostile clients")
    parser.add_argument(
        "--slapd-threads",
        type=int,
        default=4 * (os.cpu_count() or 1),
        help="slapd's own default is 16, and slower",
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
    for name in ("entries", "load_entries", "sizes"):
        given = getattr(options, name)
        for number in given if isinstance(given, list) else [given]:
            if number < CONTAINER_SIZE or number % CONTAINER_SIZE:
                flag = name.replace("_", "-")
                parser.error(f"--{flag}: expected multiples of {CONTAINER_SIZE} (a container), not {number}")
    return options


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in MEASURES:
            raise argparse.ArgumentTypeError(f"{name}: expected some of {','.join(MEASURES)}")
    return names


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
