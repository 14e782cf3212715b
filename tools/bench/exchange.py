#!/usr/bin/env python
"""What the password exchange itself costs: without wire, disk and hashing, in one process.

    .venv/bin/python tools/bench/exchange.py [--users 2000] [--rules all] [--json FILE]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from fresh import Passwords
from generator import BenchFailed
from meter import OWN, Meter
from our_home import AGENT, VIEW
from our_side import FAST, account_names, domain_ldif
from report import Column, Table
from rules import RULES, list_settings, profile_ldif
from side import filling
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

import provserver.service
from provserver.delivery.couriers import Couriers
from provserver.directory.access import Identity, Role
from provserver.directory.names import DN
from provserver.ldap.results import ResultCode
from provserver.passwords.callers import Answer, Caller
from provserver.passwords.exchange import Exchange
from provserver.testing.server import RunningServer
from provserver.vault.secret import Secret

AIM: Final = 60.0
"""Microseconds of the exchange's own work at the median."""
WRITING: Final = "writing"
DELIVERING: Final = "delivering"
READING: Final = "reading"
PARTS: Final = (WRITING, DELIVERING, READING)
DERIVED: Final = 1000
SETTINGS: Final = ("passwords.scheme=ssha512", "passwords.propagation_wait=0", FAST)
COLUMNS: Final = (
    Column("exchange", "exchange"),
    Column("own p50 µs", "own_p50_us", ".1f"),
    Column("own p99 µs", "own_p99_us", ".1f"),
    *[Column(f"{part} p50 µs", f"{part}_p50_us", ".1f") for part in ("hashing", *PARTS)],
    Column("all p50 µs", "all_p50_us", ".1f"),
)

Asking = Callable[[Caller, DN, Secret], Coroutine[Any, Any, Answer]]
Sample = Mapping[str, int]
"""Nanoseconds of each part."""


class MeteredCouriers:
    """In the couriers' place. In the compiled form, nobody can stand in for one method of theirs."""

    def __init__(self, couriers: Couriers, meter: Meter) -> None:
        self._couriers = couriers
        self.hand_over = meter.called(couriers.hand_over, DELIVERING)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._couriers, name)


class Stage:
    """A server in this process, with its store in memory, whose exchange is asked directly."""

    def __init__(self, server: RunningServer, exchange: Exchange, meter: Meter, users: int) -> None:
        self._server = server
        self._meter = meter
        self.exchange = exchange
        self.users = users
        resolve = server.service.foundation.views.resolve
        self._caller = Caller(Identity(Role.PASSWORD_ADMINISTRATOR, resolve(AGENT + VIEW)[0]), "127.0.0.1")
        self._salt = server.service.foundation.hasher.fresh_salt()
        self._accounts = [resolve(account_names(user)["bench-ad"] + VIEW)[0] for user in range(users)]

    @classmethod
    async def made(cls, reactor: Any, users: int, rules: Mapping[str, int], directory: Path) -> Stage:
        """Users with three accounts each and full histories."""
        meter = Meter()
        made: list[Exchange] = []

        def exchange(**parts: Any) -> Exchange:
            made.append(Exchange(**parts))
            return made[-1]

        def couriers(*parts: Any) -> MeteredCouriers:
            return MeteredCouriers(Couriers(*parts), meter)

        with patch.multiple(provserver.service, Exchange=exchange, Couriers=couriers):
            server = await RunningServer.start(
                reactor,
                settings=[*SETTINGS, *list_settings(rules, directory)],
                ldif=[profile_ldif(rules) + "".join(domain_ldif(users, ""))],
            )
        os.pread = meter.called(os.pread, READING)  # the lists' way to the disk
        store: Any = server.service.foundation.store
        store.commit = meter.awaited(store.commit, WRITING)
        store.note = meter.called(store.note, WRITING)
        stage = cls(server, made[0], meter, users)
        for user, password in itertools.chain.from_iterable(filling(users)):
            stage.ask(stage.exchange.sync, user, password)
        await stage.rest()
        return stage

    def ask(self, asking: Asking, user: int, password: bytes) -> Sample:
        """One exchange. BenchFailed, Refusal: it was not accepted."""
        answer, parts = self._meter.parts_of(asking(self._caller, self._accounts[user], Secret(password)))
        if answer.code is not ResultCode.SUCCESS:
            raise BenchFailed(f"user {user}: {answer.text}")
        return parts

    def derive(self, password: bytes) -> int:
        """Nanoseconds that the hashing of one password takes."""
        hasher = self._server.service.foundation.hasher
        work = hasher.derive(Secret(password), self._salt)
        return self._meter.parts_of(work)[1][OWN]

    async def rest(self) -> None:
        """Let everything be delivered."""
        await self._server.delivered()

    async def stop(self) -> None:
        await self._server.stop()


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    samples: Sequence[Sample]
    derivations: int = 1

    def figures(self, hashing: float) -> dict[str, Any]:
        """Medians and the 99th percentile, in microseconds. `hashing`: what one derivation costs."""
        spent = {part: [one.get(part, 0) / 1000 for one in self.samples] for part in (OWN, *PARTS)}
        hashed = hashing * self.derivations
        found: dict[str, Any] = {"exchange": self.name, "count": len(self.samples), "hashing_p50_us": hashed}
        found["own_p50_us"] = statistics.median(spent[OWN]) - hashed
        found["own_p99_us"] = statistics.quantiles(spent[OWN], n=100)[98] - hashed
        for part in PARTS:
            found[f"{part}_p50_us"] = statistics.median(spent[part])
        found["all_p50_us"] = statistics.median(sum(one.values()) / 1000 for one in self.samples)
        return found


async def samples(stage: Stage, passwords: Passwords) -> list[Row]:
    """A test and its sync for every user, then a sync alone, in an order of their own."""
    order = list(range(stage.users))
    random.Random(stage.users).shuffle(order)  # noqa: S311
    exchange = stage.exchange
    tests: list[Sample] = []
    syncs: list[Sample] = []
    for user in order:
        password = passwords.fresh()
        tests.append(stage.ask(exchange.test, user, password))
        syncs.append(stage.ask(exchange.sync, user, password))
    await stage.rest()
    alone = [stage.ask(exchange.sync, user, passwords.fresh()) for user in order]
    await stage.rest()
    return [Row("test", tests), Row("sync after its test", syncs, derivations=0), Row("sync alone", alone)]


async def measured(reactor: Any, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        stage = await Stage.made(reactor, options.users, RULES[options.rules], Path(name))
        try:
            passwords = Passwords(random.Random(options.seed))  # noqa: S311  not secret
            await samples(stage, passwords)  # not counted: measured is a server that has run for a while
            found = await samples(stage, passwords)
            hashing = statistics.median(stage.derive(passwords.fresh()) for _ in range(DERIVED)) / 1000
        finally:
            await stage.stop()
    rows = [row.figures(hashing) for row in found]
    print(f"{options.users} users with full histories, rules of our Password Profile: {options.rules}")
    print(f"aim: own work below {AIM:g} µs at the median\n")
    print(Table("The exchange", COLUMNS, rows).text())
    if options.json:
        options.json.write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1, default=str))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The password exchange's own work.")
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--rules", choices=tuple(RULES), default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(arguments)
    if options.users < 2:
        parser.error(f"--users: expected at least 2, not {options.users}")
    react(lambda reactor: ensureDeferred(measured(reactor, options)))


if __name__ == "__main__":
    main()
