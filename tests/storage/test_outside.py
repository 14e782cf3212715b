"""A store looked at and copied from outside, by another connection than the one that writes."""

from __future__ import annotations

import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from provserver.directory.entries import EntryId
from provserver.storage.contract import Commit, DeliveryState, JournalEvent
from provserver.storage.database import StoreUnusable
from provserver.storage.loading import LoadingStore
from provserver.storage.lock import Holder, StoreLock, holder_of
from provserver.storage.outside import OutsideView
from provserver.storage.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from store_tree import BY, NOW, SCHEMA, add, deliver, delivery, entry, names, outbox, plant, settled

test = pytest_twisted.ensureDeferred


async def opened(path: Path, *, new: bool = False) -> SqliteStore:
    from twisted.internet import reactor

    making = SqliteStore.create if new else SqliteStore.open
    return await making(path, SCHEMA, reactor=reactor)


def unseen(done: int, all_: int) -> None:
    assert 0 <= done <= all_


@test
async def test_a_copy_of_a_store_that_is_open_has_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    await plant(store)
    await deliver(store, delivery("p"), delivery("c", "u", "a", claimed=True))
    told: list[tuple[int, int]] = []
    with OutsideView(tmp_path / "store.db") as view:
        await add(store, entry("cn=later,dc=im"))
        view.copy(tmp_path / "copy.db", NOW + 5, lambda done, all_: told.append((done, all_)))
    await add(store, entry("cn=much later,dc=im"))
    copy = await opened(tmp_path / "copy.db")
    try:
        assert await names(copy) == [name for name in await names(store) if "later" not in name]
        assert await outbox(copy) == ["p", "c"]
        assert told
        assert told[-1][0] == told[-1][1] > 0
        assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    finally:
        await copy.close()
        await store.close()


@test
async def test_a_copy_knows_that_it_is_one_until_all_that_waits_is_held(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    held = delivery("h", claimed=True)
    await deliver(store, delivery("p"), held, delivery("c", "u", "a", claimed=True))
    await store.settle(settled(held, DeliveryState.HELD, NOW + 1))
    with OutsideView(tmp_path / "store.db") as view:
        view.copy(tmp_path / "copy.db", NOW + 5, unseen)
    assert not await store.restored()
    await store.close()
    for _ in range(2):
        copy = await opened(tmp_path / "copy.db")
        assert await copy.restored(), "to open it is not enough"
        await copy.close()
    copy = await opened(tmp_path / "copy.db")
    assert await copy.hold_all(NOW + 9, 7033, "restored") == 2
    assert not await copy.restored()
    assert [mark.ended for mark in await copy.marks(EntryId("a"))] == [NOW + 9]
    await copy.close()
    copy = await opened(tmp_path / "copy.db")
    assert not await copy.restored()
    assert await outbox(copy, state=DeliveryState.HELD) == ["p", "h", "c"]
    await copy.close()


@test
async def test_a_copy_of_a_store_that_nobody_has_is_as_good(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    await plant(store)
    before = await names(store)
    await store.close()
    with OutsideView(tmp_path / "store.db") as view:
        view.copy(tmp_path / "copy.db", NOW, unseen)
        again = await opened(tmp_path / "store.db")  # whoever looks stands in nobody's way
        await again.close()
    copy = await opened(tmp_path / "copy.db")
    assert await names(copy) == before
    await copy.close()


@test
async def test_what_a_killed_process_left_in_the_log_is_in_the_copy(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    await plant(store)
    await add(store, entry("cn=last,dc=im"))
    for name in ("store.db", "store.db-wal"):
        (tmp_path / f"left-{name}").write_bytes((tmp_path / name).read_bytes())
    await store.close()
    left = tmp_path / "left-store.db"
    assert (tmp_path / "left-store.db-wal").stat().st_size > 0
    with OutsideView(left) as view:
        view.copy(tmp_path / "copy.db", NOW, unseen)
    copy = await opened(tmp_path / "copy.db")
    assert "cn=last,dc=im" in await names(copy)
    await copy.close()


@test
async def test_nobody_copies_while_a_store_is_being_loaded(tmp_path: Path) -> None:
    await (await opened(tmp_path / "store.db", new=True)).close()
    loading = LoadingStore.open_for_load(tmp_path / "store.db", SCHEMA)
    with pytest.raises(StoreUnusable, match="loads it"):
        OutsideView(tmp_path / "store.db")
    await loading.close()
    with OutsideView(tmp_path / "store.db") as view:
        view.copy(tmp_path / "copy.db", NOW, unseen)


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no store at .*missing\.db"):
        OutsideView(tmp_path / "missing.db")
    (tmp_path / "text.db").write_text("no database at all " * 100)
    with pytest.raises(StoreUnusable, match=r"text\.db is no store"):
        OutsideView(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "foreign.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StoreUnusable, match="something else"):
        OutsideView(tmp_path / "foreign.db")


@test
async def test_a_damaged_store_is_not_taken_for_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    await plant(store)
    await store.close()
    octets = bytearray(path.read_bytes())
    for page in range(2, len(octets) // 4096):
        octets[page * 4096 : page * 4096 + 64] = bytes(64)
    path.write_bytes(octets)
    with pytest.raises((StoreUnusable, sqlite3.DatabaseError)), OutsideView(path) as view:
        view.copy(tmp_path / "copy.db", NOW, unseen)


@test
async def test_the_journal_and_what_needs_keys_can_be_read_beside_the_writer(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    await plant(store)
    sent = delivery("s", "u", "a", claimed=True)
    await deliver(store, delivery("p"), sent, journal=(JournalEvent(NOW, 8060, "x", {"key": "k"}),))
    await store.settle(settled(sent))
    with OutsideView(tmp_path / "store.db") as view:
        assert list(view.sealed()) == [(b"sealed p", b"mark p")]
        assert list(view.marks()) == [b"mark s"]
        assert view.count() == 10
        assert next(one["cn"].values for one in view.entries() if "cn" in one) == (b"a",)
        assert view.last_line() == 1
        assert list(view.journal(0)) == [(8060, '{"key":"k"}')]
        assert list(view.journal(1)) == []
    await store.close()


@test
async def test_who_has_a_store_is_known(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    assert holder_of(path) is None
    lock = StoreLock.acquire(path)
    holder = holder_of(path)
    assert isinstance(holder, Holder)
    assert holder.process > 0
    assert holder.is_here
    lock.release()
    assert holder_of(path) is None
    (tmp_path / "store.db.lock").write_text("process 12345 on elsewhere since 2026-01-01\n")
    assert holder_of(path) is None, "what a process that died has left"
    again = StoreLock.acquire(path)
    again.release()


@test
async def test_freed_pages_are_used_again_so_that_the_file_stays_as_long_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    await add(store, entry("dc=im"))
    sizes = []
    for turn in range(12):
        for _ in range(20):
            lines = [JournalEvent(NOW + turn, 8030, "a line of the journal " * 4)] * 100
            await store.commit(Commit(NOW + turn, BY, journal=tuple(lines)))
        await store.prune(NOW + turn, NOW + turn)
        (pages,) = store._database.writing.execute("PRAGMA page_count").fetchone()
        sizes.append(pages)
    assert sizes[-1] <= sizes[2] * 1.1, sizes
    await store.close()


@test
async def test_the_log_is_begun_anew_again_and_again_and_stays_short(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    store._writer._checkpoint_after = 2_000
    store._writer._checkpoint_at = 2_000
    log = tmp_path / "store.db-wal"
    sizes = []
    for turn in range(30):
        lines = tuple([JournalEvent(NOW + turn, 8030, "a line of the journal " * 4)] * 1_000)
        await store.commit(Commit(NOW + turn, BY, journal=lines))
        await store.prune(NOW + turn, 0.0)
        await turns()
        sizes.append(log.stat().st_size)
    assert max(sizes[15:]) <= 1.5 * max(sizes[:15]), sizes
    await store.close()
    assert not log.exists()


async def turns() -> None:
    """Let a checkpoint end: it has a thread."""
    from twisted.internet import reactor
    from twisted.internet.threads import deferToThread

    clock: Any = reactor
    for _ in range(5):
        await deferToThread(lambda: None)
        turn: Deferred[None] = Deferred()
        clock.callLater(0, turn.callback, None)
        await turn


@test
async def test_a_store_of_the_second_format_goes_on_as_one_of_this(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    held, new = delivery("h", claimed=True), delivery("p")
    await deliver(store, held, new)
    await store.settle(settled(held, DeliveryState.HELD, NOW))
    await store.close()
    connection = sqlite3.connect(path)
    for index in ("delivery_open", "delivery_id", "delivery_waiting", "delivery_held"):
        connection.execute(f"DROP INDEX {index}")
    connection.execute("CREATE INDEX delivery_claimed ON delivery (seq) WHERE state = 3")
    connection.execute("UPDATE delivery SET due = 0 WHERE state = 2")
    connection.execute("DROP TABLE meta")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    with OutsideView(path) as view:
        view.copy(tmp_path / "copy.db", NOW, unseen)
    for place, restored in ((path, False), (tmp_path / "copy.db", True)):
        store = await opened(place)
        assert await store.restored() is restored
        assert await outbox(store) == ["h", "p"]
        (row,) = await store.held_before(1e12, 10)
        assert row.due > 1.7e9, "held as of now: nobody wrote down since when"
        await store.close()
        assert _made(place) == _made_new(tmp_path)


def _made(path: Path) -> set[tuple[str, str]]:
    connection = sqlite3.connect(path)
    found = {
        (name, " ".join(text.split()))
        for name, text in connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    }
    connection.close()
    return {(name, text) for name, text in found if name not in ("meta",)} | {("meta", "")}


def _made_new(folder: Path) -> set[tuple[str, str]]:
    from provserver.storage.database import Database

    path = folder / "new.db"
    if not path.exists():
        Database.create(path, durable=False).close()
    return _made(path)
