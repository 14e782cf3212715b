"""A store whose process is killed at its work: what was acknowledged is there, nothing by halves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted

from provserver.directory.entries import EntryId
from provserver.ldap.filters import Present, Scope
from provserver.storage.contract import SearchLimits
from provserver.storage.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from store_tree import NOW, SCHEMA, TOP

_HERE = Path(__file__).parent
_ROUNDS = 3


def _killed(path: Path, mode: str, round: int, lines: int) -> list[str]:
    """What a victim had acknowledged when it was killed after so many lines."""
    command = [sys.executable, str(_HERE / "store_victim.py"), str(path), mode, str(100 * round)]
    environment = {**os.environ, "PYTHONPATH": str(_HERE.parent / "contract")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stderr is not None
        said = [victim.stdout.readline() for _ in range(lines)]
        victim.send_signal(signal.SIGKILL)
        said.extend(victim.stdout)
        errors = victim.stderr.read().decode()
    assert errors == ""
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


@pytest.mark.parametrize("mode", ["inline", "thread"])
@pytest_twisted.ensureDeferred
async def test_everything_acknowledged_survives_a_kill(tmp_path: Path, mode: str) -> None:
    from twisted.internet import reactor

    path = tmp_path / "store.db"
    random_moment = random.Random(f"{mode} of the test")
    said: list[str] = []
    for round in range(_ROUNDS):
        said += _killed(path, mode, round, random_moment.randint(20, 1500))
    assert said
    store = await SqliteStore.open(path, SCHEMA, reactor=reactor)
    try:
        await _check(store, said)
    finally:
        await store.close()


async def _check(store: SqliteStore, said: list[str]) -> None:
    versions: dict[str, int] = {}
    sent: dict[str, int] = {}
    settled: dict[str, int] = {}
    for line in said:
        kind, *words = line.split()
        if kind == "entry":
            versions[words[0]] = int(words[1])
        else:
            user, version = words[0].split("-")
            (sent if kind == "sent" else settled)[user] = int(version)
    waiting = {row.id for row in await store.deliveries()}
    expected_rows = 0
    async for batch in store.search(TOP, Scope.ONE_LEVEL, Present("objectClass"), SearchLimits()):
        for entry in batch:
            user = entry.id
            assert entry.version >= versions.pop(user, 0)
            # One commit is there together: the entry, its deliveries, the cancelling of older ones.
            last = entry.version - 1
            assert entry.text("description") == str(last) * 50
            assert f"held {user}-{last}" in waiting
            marks = await store.marks(EntryId(f"a{user}"))
            assert [mark.change for mark in marks] == [f"change of {user}-{n}" for n in range(last + 1)]
            assert [mark.sent for mark in marks] == [NOW + n for n in range(last + 1)]
            done = settled.get(user, -1)
            assert all(mark.ended == NOW + n for n, mark in enumerate(marks) if n <= done)
            assert last - done in (0, 1, 2)
            status = await store.status(EntryId(f"a{user}"))
            assert status is not None or done < 0
            expected_rows += 1 + (f"{user}-{last}" in waiting)
    assert versions == {}
    assert len(waiting) == expected_rows == await store.outbox_size()
    changes = await store.changes(0, 1_000_000)
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
