#!/usr/bin/env python
"""How long a user waits until three real directories have the password: through us, and without us.

    .venv/bin/python tools/bench/wait.py [--changes 500] [--rounds 3] [--json FILE]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import machine
from generator import BenchFailed
from line import Line
from our_home import CHEAP_HASH, VIEW, OurHome, OurServer
from pier import Pier, ad_account, domain_ldif, modify
from prepared import replace
from report import OURS, SLAPD, Column, Figures, Table
from side import user_name
from sites import write_ldif

from provserver.ldap.results import ResultCode

ENDPOINTS: Final = 3
WARMING: Final = 50
COLUMNS: Final = (
    Column("who", "side"),
    Column("p50 ms", "p50_ms", ".2f"),
    Column("p99 ms", "p99_ms", ".2f"),
    Column("ratio p50", "ratio", ".2f"),
    Column("ratio p99", "ratio_p99", ".2f"),
)
Change = Callable[[int, bytes], None]
"""Makes one change whole: returns when all three have the password."""


class Bench:
    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self.users: int = options.users
        self.changes: int = options.changes
        self.piers = [
            Pier(f"pier-{number}", self.users, directory, options.slapd_threads)
            for number in range(ENDPOINTS)
        ]
        self.home = OurHome(directory, (CHEAP_HASH,))
        ldif = self.home.directory / "domain.ldif"
        write_ldif(ldif, self._domain())
        self.home.load(ldif)
        self.server = OurServer(
            self.home, ("passwords.propagation_wait=10", "passwords.tests_per_minute=100000")
        )
        self._count = 0

    def _domain(self) -> Sequence[str]:
        domain = domain_ldif(self.users, self.home.agent_ldif(), self.piers)
        return [next(domain), *[pier.ldif() for pier in self.piers], *domain]

    def measured(self, side: str, change: Change) -> Figures:
        times: list[float] = []
        for number in range(WARMING + self.changes):
            self._count += 1
            user, password = number % self.users, b"Wait-%07d-x" % self._count
            began = time.perf_counter()
            change(user, password)
            if number >= WARMING:
                times.append((time.perf_counter() - began) * 1000)
        for pier in self.piers:
            name = f"uid={user_name(user)},ou=people,{pier.slapd.suffix}"
            if not pier.slapd.accepts_password(name, password.decode()):
                raise BenchFailed(f"{name} of {pier.name} does not have the password")
        cuts = statistics.quantiles(times, n=100)
        return {"side": side, "p50_ms": statistics.median(times), "p99_ms": cuts[98]}

    def rounds(self, count: int) -> list[Figures]:
        """In turn, so that both have the same minutes; of each the round with the median p50."""
        direct = [Line(pier.slapd.ldap_port, pier.bind) for pier in self.piers]
        agent = Line(self.server.port, self.home.agent)

        def directly(user: int, password: bytes) -> None:
            for line in direct:
                _demand(line.ask(modify(user, password)).result.code)

        def through_us(user: int, password: bytes) -> None:
            answer = agent.ask(replace(ad_account(user) + VIEW, "eTSyncPassword", password))
            _demand(answer.result.code)
            if f"accounts updated: {ENDPOINTS}," not in answer.result.diagnostic:
                raise BenchFailed(f"not all were updated: {answer.said}")

        found: dict[str, list[Figures]] = {SLAPD: [], OURS: []}
        for _ in range(count):
            found[SLAPD].append(self.measured(SLAPD, directly))
            found[OURS].append(self.measured(OURS, through_us))
        best = [sorted(rows, key=lambda row: row["p50_ms"])[len(rows) // 2] for rows in found.values()]
        return [
            {
                **row,
                "ratio": row["p50_ms"] / best[0]["p50_ms"],
                "ratio_p99": row["p99_ms"] / best[0]["p99_ms"],
            }
            for row in best
        ]

    def stop(self) -> None:
        self.server.stop()
        self.home.remove()
        for pier in self.piers:
            pier.stop()


def _demand(code: ResultCode) -> None:
    if code is not ResultCode.SUCCESS:
        raise BenchFailed(f"a change was answered with {code.name}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A sync that waits for three real slapds, beside doing it.")
    parser.add_argument("--changes", type=int, default=500, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--slapd-threads", type=int, default=4 * (os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="a real disk")  # noqa: S108
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name:
            print("\n".join(machine.facts(Path(name)).lines()), flush=True)
            bench = Bench(options, Path(name))
            try:
                rows = bench.rounds(options.rounds)
            finally:
                bench.stop()
    except BenchFailed as failed:
        print(f"wait.py: {failed}", file=sys.stderr)
        return 1
    print(f"\n{Table('wait', COLUMNS, rows).text()}\nload average at the end: {os.getloadavg()[0]:.2f}")
    if options.json:
        options.json.write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
