#!/usr/bin/env python3
"""Hours of work with a clock that is turned: memory, open files and the store must stay as they are.

    python tools/faults/hours.py [--hours N] [--users N] [--per-minute N] [--seed N]

A server in this process, its store in a file. Users change their passwords over LDAP, endpoints fail and
recover. What is kept for an hour only (journal, change log, echo marks) grows until the third hour; from then
on nothing may. Ends with 1 if it does.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

sys.path.append(str(Path(__file__).parents[1] / "bench"))

from fresh import Passwords
from machine import memory
from our_home import VIEW
from our_side import FAST, account_names, domain_ldif
from report import Column, Table

from provserver.cli.running import run_until_done
from provserver.connectors.contract import ServerDown
from provserver.connectors.emulated import Operation
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.ldap.filters import Scope
from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient

HOUR: Final = 3600
SETTINGS: Final = (
    "passwords.scheme=ssha512",
    "passwords.propagation_wait=0",
    f"passwords.echo_memory={HOUR}",
    f"storage.journal_time={HOUR}",
    f"storage.changes_time={HOUR}",
    FAST,
)
WARM: Final = 3
"""Hours after which everything has its size: what is kept for an hour is looked at once an hour."""
MORE: Final = 1.05
"""Times as much as then is still the same."""
OTHER: Final = ("bench-unix", "bench-acf2")
KIB: Final = 1024
ADMINISTRATOR: Final = (
    "eTGlobalUserName=hours,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
)
PASSWORD: Final = "Harbour-Master-99"


@dataclass(frozen=True, slots=True)
class Sample:
    """At the end of an hour."""

    hour: int
    changes: int
    memory: int
    files: int
    store: int
    outbox: int

    def row(self) -> dict[str, int]:
        return {
            "hour": self.hour,
            "changes": self.changes,
            "memory": self.memory // KIB,
            "files": self.files,
            "store": self.store // KIB,
            "outbox": self.outbox,
        }


COLUMNS: Final = (
    Column("hour", "hour", "d"),
    Column("changes", "changes", ",d"),
    Column("memory KiB", "memory", ",d"),
    Column("open files", "files", "d"),
    Column("store KiB", "store", ",d"),
    Column("outbox", "outbox", ",d"),
)


def administrator_ldif() -> str:
    profile = "eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles"
    return (
        f"dn: {ADMINISTRATOR}\nobjectClass: eTGlobalUser\neTPassword: {PASSWORD}\n"
        f"eTUserAdminProfile: {profile},eTNamespaceName=CommonObjects,dc=im\n\n"
    )


async def samples(reactor: Any, options: argparse.Namespace, folder: Path) -> Sequence[Sample]:
    random = Random(options.seed)  # noqa: S311  it must be repeatable
    passwords = Passwords(random)
    domain = "".join(domain_ldif(options.users, administrator_ldif()))
    server = await RunningServer.start(reactor, settings=SETTINGS, ldif=[domain], directory=folder)
    try:
        await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
        found, changes = [], 0
        for hour in range(1, options.hours + 1):
            client = await server.wire("hours", PASSWORD)  # it remembers all that it was told
            for minute in range(60):
                trouble(server, random, minute)
                for _ in range(options.per_minute):
                    user = random.randrange(options.users)
                    told = await client.sync(account_names(user)["bench-ad"] + VIEW, passwords.fresh())
                    if told.code:
                        raise RuntimeError(f"user {user}: {told.text}")
                    changes += 1
                for _ in range(4):
                    server.clock.turn(15)
                    await server.breathe()
            found.append(await sample(server, client, folder, hour, changes))
            server._lines.remove(client)
            client.unbind()
            await client.closed
            print(f"hour {hour} of {options.hours}", file=sys.stderr, flush=True)
        return found
    finally:
        await server.stop()


def trouble(server: RunningServer, random: Random, minute: int) -> None:
    """Ten minutes of each hour an endpoint cannot be reached."""
    name = OTHER[0]
    if minute == 20:
        server.endpoint(name).refuse(lambda: ServerDown("gone"), operation=Operation.OPEN)
        server.endpoint(name).refuse(lambda: ServerDown("gone"))
    elif minute == 30:
        server.endpoint(name).mend()
    if random.random() < 0.1:
        server.endpoint(OTHER[1]).refuse(lambda: ServerDown("for a moment"), times=2)


async def sample(server: RunningServer, client: WireClient, folder: Path, hour: int, changes: int) -> Sample:
    for _ in range(5):
        await server.delivered()
        server.clock.turn(1)
        await server.breathe()
    gc.collect()
    told = await client.search("cn=monitor", "(objectClass=*)", "provOutboxSize", scope=Scope.BASE)
    return Sample(
        hour,
        changes,
        memory([os.getpid()]).resident,
        len(list(Path("/proc/self/fd").iterdir())),  # noqa: ASYNC240  nobody waits for us
        sum(path.stat().st_size for path in folder.rglob("store.db*")),  # noqa: ASYNC240
        int(told.values("provOutboxSize")[0]),
    )


def growth(found: Sequence[Sample]) -> list[str]:
    """What did not stay as it was."""
    before, after = found[min(WARM, len(found)) - 1], found[-1]
    return [
        f"{name} grew from {old:,} to {new:,}"
        for name, old, new in (
            ("memory", before.memory, after.memory),
            ("open files", before.files, after.files),
            ("the store", before.store, after.store),
            ("the outbox", before.outbox, after.outbox),
        )
        if new > old * MORE
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--hours", type=int, default=8)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--per-minute", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hours-") as folder:
        found = run_until_done(lambda reactor: samples(reactor, options, Path(folder)))
    print(
        Table(
            f"{options.hours} hours in {time.monotonic() - began:.0f} s",
            COLUMNS,
            [one.row() for one in found],
        ).text()
    )
    grown = growth(found)
    for line in grown:
        print(f"VIOLATION {line}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
