"""A process that writes to a store and says on standard output what was acknowledged, until it is killed.

Arguments: the store's path, `inline` or `thread`, a number for its first user.
Lines: `entry <user> <version>`, `sent <delivery>`, `settled <delivery>`.
`PYTHONPATH` names tests/contract.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from store_tree import NOW, SCHEMA, TOP, change, delivery, entry, settled
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from provserver.storage.contract import Put
from provserver.storage.sqlite import SqliteStore


async def client(store: SqliteStore, number: int) -> None:
    """Password after password for one user."""
    for version in range(1_000_000):
        name = f"{number}-{version}"
        new = delivery(name, str(number), f"a{number}", claimed=True)
        held = delivery(f"held {name}", str(number), f"b{number}")
        user = entry(f"cn={number},dc=im", str(number), description=str(version) * 50)
        await change(
            store,
            Put(user, version),
            at=NOW + version,
            deliveries=(new, held),
            cancel_for=(user.id,),
        )
        say(f"entry {number} {version + 1}\nsent {name}")
        await store.settle(settled(new, at=NOW + version))
        say(f"settled {name}")


def say(text: str) -> None:
    """One write, so that a line is whole or missing."""
    os.write(1, text.encode() + b"\n")


async def main() -> None:
    path = Path(sys.argv[1])
    opened = SqliteStore.open if path.exists() else SqliteStore.create  # noqa: ASYNC240 -- nothing runs yet
    store = await opened(path, SCHEMA, reactor=reactor, quick=0.0 if sys.argv[2] == "thread" else 10.0)
    if await store.read(TOP) is None:
        await change(store, Put(entry("dc=im"), 0))
    first = int(sys.argv[3])
    for number in range(first, first + 8):
        Deferred.fromCoroutine(client(store, number)).addErrback(
            lambda failure: os.write(2, str(failure).encode())
        )


reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()))  # type: ignore[attr-defined]
reactor.run()  # type: ignore[attr-defined]
