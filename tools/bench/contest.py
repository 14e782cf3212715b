"""One contest of the password cycle: slapd and ours, filled, checked and measured with one way of hashing."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import generator
import machine
from cycle_report import Measurement
from deliveries import NotAnswered, ask_outbox_size, compare_held_passwords, verify_deliveries
from fresh import Passwords
from generator import BenchFailed, Load
from hashing import Hashing
from our_side import Instance, OurSide
from prepared import spaced_draws, write_cycles
from report import OURS, SLAPD
from rules import RULES
from runs import Run, counted
from side import CHECKS, FILL_STEPS, Side
from slapd_side import SlapdSide

CHECKED_USERS: Final = 50
FILLING_CONNECTIONS: Final = 64


class Contest:
    """Both servers with passwords hashed in one way: its work directory, and the passwords used so far."""

    def __init__(self, options: argparse.Namespace, hashing: Hashing, directory: Path, program: Path) -> None:
        self.options = options
        self.hashing = hashing
        self.directory = directory
        self.program = program
        self.count = options.users or hashing.users
        self.passwords = Passwords(random.Random(options.seed))  # noqa: S311  not secret
        self.users = spaced_draws(self.count, random.Random(options.seed + 1))  # noqa: S311

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def sides(self, stack: contextlib.ExitStack) -> list[Side]:
        """Both servers, up, filled, checked and warm."""
        options = self.options
        found: list[Side] = []
        if options.only != OURS:
            self.say(f"slapd, {self.hashing.name}: loading {self.count} users")
            slapd = SlapdSide(self.count, self.directory, options.slapd_threads, self.hashing)
            stack.callback(slapd.stop)
            self.fill(slapd)
            found.append(slapd)
        if options.only != SLAPD:
            found += self._ours(stack)
        for side in found:
            self.check(side)
            self.warm_up(side)
        return found

    def _ours(self, stack: contextlib.ExitStack) -> Iterator[Side]:
        """Ours with each Propagation Wait, on copies of one home."""
        options = self.options
        self.say(f"ours, {self.hashing.name}: loading {self.count} users with three accounts each")
        instance = Instance.made(self.count, self.directory, self.hashing, RULES[options.rules])
        stack.callback(instance.remove)
        filled = OurSide(instance, 0)
        try:
            self.fill(filled)
        finally:
            filled.stop()
        for number, wait in enumerate(options.wait):
            home = instance if number == len(options.wait) - 1 else instance.copy()
            stack.callback(home.remove)
            ours = OurSide(home, wait, profile=options.profile if number == 0 else None)
            stack.callback(ours.stop)
            yield ours

    def fill(self, side: Side) -> None:
        """Give each user a full history, by the changes that would have made it."""
        path = self.directory / "fill.cycles"
        begin = time.monotonic()
        count = 0
        for requests in side.fill():
            count += write_cycles(path, side.bind, FILL_STEPS, requests)
            load = generator.run(self.program, path, side.port, FILLING_CONNECTIONS, 0)
            demand_no_refusal(f"{side.name}: filling the histories", load)
        path.unlink()
        self.say(f"{count} former passwords in {time.monotonic() - begin:.0f} s; waiting until it is idle")
        machine.wait_until_idle(side.pids())

    def check(self, side: Side) -> None:
        """See on a sample that short and former passwords are refused; otherwise it is no comparison."""
        path = self.directory / "check.cycles"
        sample = range(0, self.count, max(1, self.count // CHECKED_USERS))
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
        cycles = (side.cycle(user, self.passwords.fresh()) for user in range(self.count))
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
            return self._measurement(dataclasses.replace(run, server_cpu=cpu), rate, verified)
        rate = load.acknowledged / load.until_last_answer if load.until_last_answer else 0.0
        return self._measurement(run, rate, "")

    def _measurement(self, run: Run, delivered_rate: float | None, verified: str) -> Measurement:
        return Measurement(self.hashing.name, run, delivered_rate, verified)

    def _planned(self, side: Side, path: Path, connections: int) -> Sequence[tuple[int, bytes]]:
        """Write a run's cycles; who is changed to what by each."""
        most = int(self.options.seconds * self.hashing.most_per_second) + connections
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
