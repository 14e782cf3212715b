#!/usr/bin/env python
"""The password cycle (search, test, search, sync) against our server and against slapd with ppolicy.

    .venv/bin/python tools/bench/cycle.py [--users 10000] [--connections 1,16,64] [--seconds 8] [--wait 0,2]

README.md beside this file says how it is fair and how to read the table.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import generator
import machine
from cycle_report import Measurement, table
from deliveries import NotAnswered, ask_outbox_size, compare_held_passwords, verify_deliveries
from generator import BenchFailed, Load
from our_side import FILL_STEPS, Instance, OurSide
from prepared import Passwords, spaced_draws, write_cycles
from report import OURS, SLAPD
from runs import Run, counted
from side import CHECKS, Side
from slapd_side import SlapdSide

from provserver.testing.slapd import SlapdFailed, SlapdMissing

MOST_CYCLES_PER_SECOND = 12_000
"""So many are prepared for each second of a run. When they run out, the run ends early and says so."""
CHECKED_USERS = 50


class Bench:
    """One benchmark: its work directory, the compiled generator, the passwords used so far."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.program = generator.compiled(directory)
        self.passwords = Passwords(random.Random(options.seed))  # noqa: S311  not secret
        self.users = spaced_draws(options.users, random.Random(options.seed + 1))  # noqa: S311

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def fill(self, instance: Instance) -> None:
        """Give each user of ours a full history, by the syncs that would have made it."""
        path = self.directory / "fill.cycles"
        count = write_cycles(path, instance.home.agent, FILL_STEPS, instance.fill_cycles())
        side = OurSide(instance, 0)
        try:
            begin = time.monotonic()
            load = generator.run(self.program, path, side.port, 64, 0)
            demand_no_refusal("filling the history", load)
            self.say(
                f"filled {count} former passwords in {time.monotonic() - begin:.0f} s; waiting for the outbox"
            )
            machine.wait_until_idle(side.pids())
        finally:
            side.stop()
            path.unlink()

    def check(self, side: Side) -> None:
        """See on a sample that short and former passwords are refused; otherwise it is no comparison."""
        path = self.directory / "check.cycles"
        sample = range(0, self.options.users, max(1, self.options.users // CHECKED_USERS))
        write_cycles(path, side.bind, CHECKS, (side.check(user) for user in sample))
        load = generator.run(self.program, path, side.port, 1, 0)
        demand_no_refusal(
            f"{side.name}, where step 1 must refuse a short and step 2 a former password,",
            load,
        )
        path.unlink()

    def warm_up(self, side: Side) -> None:
        """A cycle for every user that nobody counts: measured is a server that has run for a while."""
        path = self.directory / "warm.cycles"
        cycles = (side.cycle(user, self.passwords.fresh()) for user in range(self.options.users))
        write_cycles(path, side.bind, side.steps, cycles)
        generator.run(self.program, path, side.port, 16, 0)
        path.unlink()
        machine.wait_until_idle(side.pids())

    def measure(self, side: Side, connections: int) -> Measurement:
        """One counted run."""
        pids = side.pids()
        path = self.directory / "run.cycles"
        planned = self._planned(side, path, connections)
        cpu_before = machine.cpu_seconds(pids)
        run = counted(
            side.name,
            pids,
            connections,
            lambda: generator.run(self.program, path, side.port, connections, self.options.seconds),
        )
        ended = time.monotonic()
        path.unlink()
        load = run.load
        if isinstance(side, OurSide):
            changed = last_passwords(planned, load.outcomes)
            rate, verified, cpu = self._delivered(side, run, changed, ended, cpu_before)
            return Measurement(dataclasses.replace(run, server_cpu=cpu), rate, verified)
        return Measurement(run, load.acknowledged / load.until_last_answer if load.until_last_answer else 0.0)

    def _planned(self, side: Side, path: Path, connections: int) -> Sequence[tuple[int, bytes]]:
        """Write a run's cycles; who is changed to what by each."""
        most = int(self.options.seconds * MOST_CYCLES_PER_SECOND) + connections
        planned = [(user, self.passwords.fresh()) for user in itertools.islice(self.users, most)]
        write_cycles(path, side.bind, side.steps, (side.cycle(user, password) for user, password in planned))
        return planned

    def _delivered(
        self,
        side: OurSide,
        run: Run,
        changed: dict[int, bytes],
        ended: float,
        cpu_before: float,
    ) -> tuple[float | None, str, float]:
        """Rate until the outbox was empty, what the endpoints hold, CPU time with these deliveries."""
        try:
            questions = ask_outbox_size(side), compare_held_passwords(side, self.program, self.directory)
            cpu_then = [run.server_cpu]

            def outstanding() -> int:
                left = questions[0]()
                cpu_then[0] = machine.cpu_seconds(side.pids()) - cpu_before
                return left

            done = verify_deliveries(changed, outstanding, questions[1])
        except NotAnswered as why:
            machine.wait_until_idle(side.pids())
            return None, f"deliveries not verified: {why}", machine.cpu_seconds(side.pids()) - cpu_before
        if done.wrong:
            raise BenchFailed(
                f"{side.name}: {len(done.wrong)} of {done.asked} passwords did not arrive: {done.wrong[0]}"
            )
        seconds = run.load.until_last_answer + done.emptied - ended
        return (
            run.load.acknowledged / seconds,
            f"{done.asked} passwords verified at their endpoints",
            cpu_then[0],
        )


def last_passwords(planned: Sequence[tuple[int, bytes]], outcomes: bytes) -> dict[int, bytes]:
    """Who was changed to what last, of those whose last change was acknowledged."""
    changed: dict[int, bytes] = {}
    for (user, password), outcome in zip(planned, outcomes, strict=True):
        if outcome == generator.ACKNOWLEDGED:
            changed[user] = password
        elif outcome not in (generator.NOT_BEGUN, generator.REFUSED):
            changed.pop(user, None)  # nobody knows what its password is now
    return changed


def demand_no_refusal(what: str, load: Load) -> None:
    if load.failed:
        raise BenchFailed(f"{what} failed: {'; '.join(load.refusals)}")


def sides(bench: Bench, stack: contextlib.ExitStack) -> list[Side]:
    """Both servers, up, filled and checked."""
    options = bench.options
    found: list[Side] = []
    if options.only != OURS:
        bench.say(f"slapd: loading {options.users} users with their histories")
        slapd = SlapdSide(options.users, bench.directory, options.slapd_threads)
        stack.callback(slapd.stop)
        found.append(slapd)
    if options.only != SLAPD:
        bench.say(f"ours: loading {options.users} users with three accounts each")
        instance = Instance.made(options.users, bench.directory)
        stack.callback(instance.remove)
        bench.fill(instance)
        for number, wait in enumerate(options.wait):
            home = instance if number == len(options.wait) - 1 else instance.copy()
            stack.callback(home.remove)
            ours = OurSide(home, wait, profile=options.profile if number == 0 else None)
            stack.callback(ours.stop)
            found.append(ours)
    for side in found:
        bench.check(side)
        bench.warm_up(side)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name,
            contextlib.ExitStack() as stack,
        ):
            return measured(Bench(options, Path(name)), stack)
    except (BenchFailed, SlapdMissing, SlapdFailed) as failed:
        print(f"cycle.py: {failed}", file=sys.stderr)
        return 1


def measured(bench: Bench, stack: contextlib.ExitStack) -> int:
    """Everything: sides up, runs in turn, the table. The exit code."""
    options = bench.options
    facts = machine.facts(bench.directory)
    contestants = sides(bench, stack)
    measurements: list[Measurement] = []
    for _, connections in itertools.product(range(options.rounds), options.connections):
        for side in contestants:
            one = bench.measure(side, connections)
            measurements.append(one)
            load = one.run.load
            bench.say(f"{side.name}, {connections} connections: {load.rate:,.0f} cycles/s")
            remarks = [f"refused or lost: {text}" for text in load.refusals] + (
                [one.verified] if one.verified else []
            )
            if load.exhausted:
                remarks.append(f"the {MOST_CYCLES_PER_SECOND} cycles prepared for each second ran out early")
            for remark in remarks:
                bench.say(f"  {remark}")
    path = bench.directory / "alone.cycles"
    planned = itertools.islice(bench.users, int(min(2.0, options.seconds) * 6 * MOST_CYCLES_PER_SECOND))
    side = contestants[0]
    write_cycles(path, side.bind, side.steps, (side.cycle(user, bench.passwords.fresh()) for user in planned))
    alone_for = min(2.0, options.seconds)
    alone = {
        number: generator.run_alone(bench.program, path, number, alone_for) for number in options.connections
    }

    lines = facts.lines()
    lines.append(
        "the generator alone, against a null server: "
        + ", ".join(f"{load.rate:,.0f} cycles/s ({number} connections)" for number, load in alone.items())
    )
    print("\n".join([*lines, "", table(measurements).text()]))
    if options.json:
        content: dict[str, Any] = {
            "facts": dataclasses.asdict(facts),
            "options": vars(options),
            "generator_alone": {str(number): load.report for number, load in alone.items()},
            "measurements": [one.figures() for one in measurements],
        }
        options.json.write_text(json.dumps(content, indent=1, default=str) + "\n")
    return 0 if not any(one.run.load.failed for one in measurements) else 1


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="The password cycle against our server and slapd, on this machine."
    )
    parser.add_argument("--users", type=int, default=10_000)
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
    if options.users < 4 * max(options.connections):
        parser.error(
            f"--users: expected at least four times the connections ({4 * max(options.connections)})"
        )
    if options.profile is not None:
        options.profile = options.profile.resolve()
    return options


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
