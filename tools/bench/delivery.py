#!/usr/bin/env python
"""Deliveries to a real slapd, beside what that slapd takes from a load generator.

    .venv/bin/python tools/bench/delivery.py [--rows 20000] [--rounds 3] [--latency 0,20] [--json FILE]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import generator
import machine
from deliveries import MONITOR, OUTBOX_SIZE
from generator import BenchFailed
from line import Line, values_of
from our_home import AGENT, CHEAP_HASH, VIEW, OurHome, OurServer
from pier import Pier, domain_ldif, modify
from prepared import Step, first_step, replace, search, write_cycles
from report import OURS, SLAPD, Column, Figures, Table
from side import user_name
from sites import write_ldif

from provserver.cli.instance import Instance
from provserver.cli.running import at_once
from provserver.directory.entries import EntryId
from provserver.foundation import Foundation, lay_foundation, load_schema
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.passwords.committing import row_of
from provserver.storage.contract import ChangeId, Commit, DeliveryId, NewDelivery
from provserver.storage.loading import LoadingStore
from provserver.vault.secret import Secret

COLUMNS: Final = (
    Column("who", "side"),
    Column("latency ms", "latency_ms", "d"),
    Column("connections", "connections", "d"),
    Column("per second", "per_second", ",.0f"),
    Column("ratio", "ratio", ".2f"),
    Column("server CPU s", "server_cpu_s", ".2f"),
    Column("slapd CPU s", "slapd_cpu_s", ".2f"),
    Column("until the first ms", "first_ms", ",.0f"),
)
CLAIMED_AT_ONCE: Final = 500
SAMPLE: Final = 200
POLL: Final = 0.01
PATIENCE: Final = 300.0


class Bench:
    """One slapd, and our instances that deliver to it."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.rows: int = options.rows
        self.pier = Pier("pier", self.rows, directory, options.slapd_threads)
        self._rounds = 0

    # -- the generator

    def generated(self, connections: int) -> Figures:
        """What slapd takes of the same modifies, at best."""
        path = self.directory / "modify.cycles"
        cycles = ([first_step(modify(user, self._password(user)))] for user in range(self.rows))
        self._rounds += 1
        write_cycles(path, self.pier.bind, [Step(ModifyRequest)], cycles)
        program = generator.compiled(self.directory)
        pids = machine.family(self.pier.slapd.pid)
        before = machine.cpu_seconds(pids)
        load = generator.run(program, path, self.pier.slapd.ldap_port, connections, 0)
        if load.failed:
            raise BenchFailed(f"slapd refused: {load.refusals}")
        return {
            "side": SLAPD,
            "latency_ms": 0,
            "connections": connections,
            "per_second": load.acknowledged / load.until_last_answer,
            "slapd_cpu_s": machine.cpu_seconds(pids) - before,
        }

    # -- our couriers

    def delivered(self, latency: int) -> Figures:
        """From the moment when the endpoint is not paused any more until the outbox is empty."""
        self._rounds += 1
        home = OurHome(self.directory, (CHEAP_HASH,))
        try:
            with self._in_between(latency) as port:
                self._fill(home, port)
                server = OurServer(home, ("logging.etatrans=false",), profile=self.options.profile)
                try:
                    return {"side": OURS, "latency_ms": latency, **self._drained(home, server)}
                finally:
                    server.stop()
        finally:
            home.remove()

    def _fill(self, home: OurHome, port: int) -> None:
        ldif = home.directory / "domain.ldif"
        more = [
            "provPaused: TRUE",
            *([f"provConcurrency: {self.options.lines}"] if self.options.lines else []),
        ]
        entry = self.pier.ldif(port, self.options.pipeline, *more)
        write_ldif(ldif, self._with_endpoint(domain_ldif(self.rows, home.agent_ldif(), [self.pier]), entry))
        home.load(ldif)
        instance = Instance.load(home.instance, [])
        schema = load_schema()
        store = LoadingStore.open_for_load(instance.store, schema)
        try:
            foundation = lay_foundation(instance.settings, instance.keys, schema, store)
            at_once(self._put_in_outbox(foundation))
            store.keep()
        finally:
            at_once(store.close())

    @staticmethod
    def _with_endpoint(domain: Iterator[str], endpoint: str) -> Iterator[str]:
        yield next(domain)  # its namespace
        yield endpoint
        yield from domain

    async def _put_in_outbox(self, foundation: Foundation) -> None:
        store, views = foundation.store, foundation.views
        endpoint = await store.read(views.resolve(self.pier.dn + VIEW)[0])
        assert endpoint is not None  # noqa: S101  it was loaded
        at = time.time()
        for start in range(0, self.rows, CLAIMED_AT_ONCE):
            new = []
            for user in range(start, min(start + CLAIMED_AT_ONCE, self.rows)):
                account = await store.read(views.resolve(self.pier.account(user) + VIEW)[0])
                assert account is not None  # noqa: S101
                id_ = DeliveryId(f"row-{user}")
                sealed = foundation.seal.seal(Secret(self._password(user)), row_of(id_, account.id))
                owner = EntryId(f"owner of {user}")
                new.append(
                    NewDelivery(id_, ChangeId(f"c-{user}"), owner, account.id, endpoint.id, sealed, b"m" * 32)
                )
            await store.commit(Commit(at, AGENT, deliveries=tuple(new)))

    def _drained(self, home: OurHome, server: OurServer) -> dict[str, Any]:
        ours, slapds = server.pids(), machine.family(self.pier.slapd.pid)
        with Line(server.port, home.administrator) as line:
            if self._left(line) != self.rows:
                raise BenchFailed(f"{self._left(line)} rows are in the outbox, expected {self.rows}")
            before, slapd_before = machine.cpu_seconds(ours), machine.cpu_seconds(slapds)
            resume = replace(self.pier.dn + VIEW, "provPaused", b"FALSE")
            began = time.monotonic()
            answer = line.ask(resume)
            if answer.result.code is not ResultCode.SUCCESS:
                raise BenchFailed(f"the endpoint cannot be resumed: {answer.said}")
            first = 0.0
            while left := self._left(line):
                if left < self.rows and not first:
                    first = time.monotonic() - began
                if time.monotonic() - began > PATIENCE:
                    raise BenchFailed(f"{left} rows are left after {PATIENCE:g} s")
                time.sleep(POLL)
            seconds = time.monotonic() - began - first
        self._verify()
        return {
            "connections": self.options.lines or 4,
            "per_second": self.rows / seconds,
            "first_ms": first * 1000,
            "server_cpu_s": machine.cpu_seconds(ours) - before,
            "slapd_cpu_s": machine.cpu_seconds(slapds) - slapd_before,
        }

    @staticmethod
    def _left(line: Line) -> int:
        answer = line.ask(search(MONITOR, Scope.BASE, Present("objectClass"), (OUTBOX_SIZE,)))
        (size,) = values_of(answer.entries[0])[OUTBOX_SIZE.lower()]
        return int(size)

    def _verify(self) -> None:
        """A sample of the accounts has the last password that was sent."""
        for user in range(0, self.rows, max(1, self.rows // SAMPLE)):
            name = f"uid={user_name(user)},ou=people,{self.pier.slapd.suffix}"
            if user < 3 * (self.rows // SAMPLE) and not self.pier.slapd.accepts_password(
                name, self._password(user).decode()
            ):
                raise BenchFailed(f"{name} does not have its password")

    def _password(self, user: int) -> bytes:
        return b"Pier-%04d-%07d" % (self._rounds, user)

    @contextlib.contextmanager
    def _in_between(self, latency: int) -> Iterator[int]:
        """The port to call; 0: slapd's own."""
        if not latency:
            yield 0
            return
        script = Path(__file__).with_name("delaying.py")
        port = str(self.pier.slapd.ldaps_port)
        proxy = subprocess.Popen(
            [sys.executable, str(script), port, str(latency / 2)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert proxy.stdout is not None  # noqa: S101
            yield int(proxy.stdout.readline())
        finally:
            proxy.kill()
            proxy.wait()
            if proxy.stdout is not None:
                proxy.stdout.close()

    def stop(self) -> None:
        self.pier.stop()


def median_of(rows: Sequence[Figures]) -> Figures:
    """The row with the median rate."""
    middle = statistics.median_low([row["per_second"] for row in rows])
    return next(row for row in rows if row["per_second"] == middle)


def measured(options: argparse.Namespace, directory: Path) -> list[Figures]:
    facts = machine.facts(directory)
    print("\n".join(facts.lines()), flush=True)
    bench = Bench(options, directory)
    try:
        found = [
            median_of([bench.generated(connections) for _ in range(options.rounds)])
            for connections in options.connections
        ]
        best = max(row["per_second"] for row in found)
        for latency in options.latency:
            rounds = []
            for number in range(options.rounds):
                rounds.append(bench.delivered(latency))
                print(f"  {latency} ms, {number + 1}: {rounds[-1]['per_second']:,.0f}/s", file=sys.stderr)
            found.append(median_of(rounds))
        return [{**row, "ratio": row["per_second"] / best} for row in found]
    finally:
        bench.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name:
            rows = measured(options, Path(name))
    except BenchFailed as failed:
        print(f"delivery.py: {failed}", file=sys.stderr)
        return 1
    print(f"\n{options.rows:,} deliveries\n\n{Table('delivery', COLUMNS, rows).text()}")
    print(f"load average at the end: {os.getloadavg()[0]:.2f}")
    if options.json:
        options.json.write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1, default=str))
    return 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Deliveries to a real slapd, beside a load generator.")
    parser.add_argument("--rows", type=int, default=20_000, help="deliveries in the outbox, one an account")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the median is shown")
    parser.add_argument("--connections", type=_integers, default=[16, 64], help="of the generator")
    parser.add_argument("--latency", type=_integers, default=[0, 20], help="round trip, ms, added by a proxy")
    parser.add_argument("--lines", type=int, default=0, help="provConcurrency; default: the server's")
    parser.add_argument("--pipeline", type=int, default=0, help="the connector's; default: its own")
    parser.add_argument("--slapd-threads", type=int, default=4 * (os.cpu_count() or 1))
    parser.add_argument("--profile", type=Path, help="cProfile of our server; the figures don't count then")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="a real disk")  # noqa: S108
    return parser.parse_args(arguments)


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
