"""What is the SQLite engine's own: its file, its lock, its writer, its index, its plans."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from first_version import of_first_version
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.threads import deferToThreadPool

from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.ldap.filters import And, Equality, Filter, Present, Scope
from provserver.storage import writer
from provserver.storage.bodies import decode
from provserver.storage.contract import (
    Conflict,
    DeliveryState,
    JournalEvent,
    MarkFate,
    Put,
    StoreFailed,
    StoreLocked,
)
from provserver.storage.database import FORMAT, Database, StoreUnusable
from provserver.storage.dumping import DumpedStore
from provserver.storage.planning import Few, _Children, _Postings, _Range, plan
from provserver.storage.sqlite import SqliteStore, StoreClosed

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from store_tree import (
    NOW,
    SCHEMA,
    TOP,
    add,
    change,
    claimed,
    deliver,
    delivery,
    entry,
    names,
    plant,
    settled,
)

test = pytest_twisted.ensureDeferred


async def opened(path: Path, schema: Schema = SCHEMA, *, new: bool = False, **bounds: Any) -> SqliteStore:
    from twisted.internet import reactor

    making = SqliteStore.create if new else SqliteStore.open
    return await making(path, schema, reactor=reactor, **bounds)


@pytest_twisted.async_yield_fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await opened(tmp_path / "store.db", new=True)
    yield store
    await store.close()


# The file


@test
async def test_only_its_owner_can_read_a_store_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    await plant(store)
    files = sorted(os.listdir(tmp_path))
    assert files == ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"]
    assert [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in files] == [0o600] * 4
    await store.close()
    assert sorted(os.listdir(tmp_path)) == ["store.db", "store.db.lock"]


@test
async def test_a_store_is_durable_in_the_way_it_says(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    for connection in (store._database.writing, store._database._second):
        settings = [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
        assert settings == ["wal", 2]
        assert connection.execute("PRAGMA secure_delete").fetchone()[0] == 1
    await store.close()


@test
async def test_a_store_is_never_made_over_another_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"store\.db"):
        await opened(path, new=True)
    assert path.read_text() == "precious"


@test
async def test_opening_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.db"):
        await opened(tmp_path / "missing.db")
    text, foreign, newer = tmp_path / "text.db", tmp_path / "foreign.db", tmp_path / "newer.db"
    text.write_text("no database at all " * 100)
    for path, statement in ((foreign, "CREATE TABLE t (x)"), (newer, "PRAGMA user_version = 99")):
        if path is newer:
            await (await opened(path, new=True)).close()
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.close()
    for path, wrong in ((text, "is no store"), (foreign, "something else"), (newer, "has format 99")):
        with pytest.raises(StoreUnusable, match=rf"{path.name} .*{wrong}"):
            await opened(path)
        with pytest.raises(StoreUnusable):  # and it has let go of the lock
            await opened(path)


def _format_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return number


@test
async def test_a_store_of_the_first_format_goes_on_as_one_of_this(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    await plant(store)
    await store.close()
    connection = sqlite3.connect(path)
    for seq, body in connection.execute("SELECT seq, body FROM entry").fetchall():
        connection.execute("UPDATE entry SET body = ? WHERE seq = ?", (of_first_version(decode(body)), seq))
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    with DumpedStore(path) as dumped:
        before = [(dn, dict(attributes)) for dn, attributes in dumped.entries(TOP)]
    assert _format_of(path) == 1, "reading changes nothing"
    store = await opened(path)
    assert _format_of(path) == FORMAT
    assert len(await names(store)) == 10
    a = await store.read(DN.parse("cn=a,ou=boxes,dc=im"))
    assert a is not None
    assert dict(before)[a.dn.text] == a.attributes
    await change(store, Put(entry(a.dn, a.id, badge="99"), a.version))
    assert await store.find("badge", b"99") == (a.id,)
    await store.close()
    with DumpedStore(path) as dumped:
        after = dict(dumped.entries(TOP))
    assert after.pop(a.dn.text)["badge"].values == (b"99",)
    assert after == {dn: attributes for dn, attributes in before if dn != a.dn.text}


@test
async def test_a_damaged_entry_is_told_and_not_returned(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    await plant(store)
    await store.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE entry SET body = substr(body, 1, length(body) - 1) WHERE seq = 3")
    connection.commit()
    connection.close()
    store = await opened(path)
    with pytest.raises(StoreUnusable, match="entry 3 "):
        await store.read(DN.parse("cn=a,ou=boxes,dc=im"))
    assert await store.read(TOP) is not None
    await store.close()


@test
async def test_a_second_opening_is_told_who_has_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    for _ in range(2):
        with pytest.raises(
            StoreLocked, match=rf"store\.db is in use by process {os.getpid()} on .+ since 2.+Z"
        ):
            await opened(path)
    await store.close()
    await (await opened(path)).close()


@test
async def test_a_sealed_password_is_overwritten_when_its_delivery_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    fates = [DeliveryState.UPDATED, DeliveryState.FAILED, DeliveryState.CANCELLED]
    news = [delivery(str(n), "u", claimed=True, sealed=b"needle%d" % n) for n in range(3)]
    await deliver(store, *news, delivery("w", "u", sealed=b"needle-waiting"))
    for new, state in zip(news, fates, strict=True):
        await store.settle(settled(new, state, mark=MarkFate.REMOVED))
    await deliver(store, cancel_for=(EntryId("u"),))
    await store.close()
    assert b"needle" not in path.read_bytes()


# The writer


@test
async def test_an_error_of_the_disk_is_told_to_the_guilty_one_alone(store: SqliteStore) -> None:
    await add(store, entry("dc=im"))
    good = [Deferred.fromCoroutine(add(store, entry(f"cn=g{n},dc=im"))) for n in range(2)]
    lone_surrogate = Deferred.fromCoroutine(deliver(store, delivery("d", sealed=b"x", change="\udc80")))
    good.append(Deferred.fromCoroutine(add(store, entry("cn=g2,dc=im"))))
    with pytest.raises(UnicodeEncodeError):
        await lone_surrogate
    await gatherResults(good)
    assert len(await names(store)) == 4
    assert await store.outbox_size() == 0
    assert [record.sequence for record in await store.changes(0, 10)] == [1, 2, 3, 4]


class _FullDisk:
    """A connection whose COMMITs fail a number of times."""

    def __init__(self, connection: sqlite3.Connection, times: int) -> None:
        self._connection = connection
        self.times = times

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and self.times:
            self.times -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("quick", [10.0, 0.0])
@test
async def test_what_could_not_be_written_is_as_if_never_asked(tmp_path: Path, quick: float) -> None:
    store = await opened(tmp_path / "store.db", new=True, quick=quick)
    await plant(store)
    a = entry("cn=a,ou=boxes,dc=im")
    await deliver(store, delivery("old", "u"))
    whole = store._database.writing
    store._database.writing = _FullDisk(whole, 3)  # type: ignore[assignment]
    failing = [
        change(
            store,
            Put(entry(a.dn, a.id, badge="99"), 1),
            deliveries=(delivery("new", "u", claimed=True),),
            cancel_for=(EntryId("u"),),
        ),
        add(store, entry("cn=new,dc=im")),
    ]
    for one in [Deferred.fromCoroutine(each) for each in failing]:
        with pytest.raises(StoreFailed, match="full"):
            await one
    read = await store.read(a.dn)
    assert read is not None
    assert (read.version, read.text("badge")) == (1, "0")
    assert await store.find("badge", b"99") == ()
    assert [row.id for row in await store.deliveries()] == ["old"]
    assert await store.outbox_size() == 1
    assert await store.marks(EntryId("account of new")) == ()
    await change(store, Put(entry(a.dn, a.id, badge="99"), 1))
    assert await store.find("badge", b"99") == (a.id,)
    store._database.writing = whole
    await store.close()


@pytest.mark.parametrize("quick", [10.0, 0.0])
@test
async def test_nothing_is_read_before_it_is_on_disk(tmp_path: Path, quick: float) -> None:
    from twisted.internet import reactor

    path = tmp_path / "store.db"
    store = await opened(path, new=True, quick=quick)
    await plant(store)
    await store.find("badge", b"5")
    new = entry("cn=new,dc=im", badge="5")
    done = Deferred.fromCoroutine(change(store, Put(new, 0), deliveries=(delivery("d", claimed=True),)))
    another = sqlite3.connect(path)
    for _ in range(10_000):
        seen = (
            await store.read(new.dn) is not None
            or await store.find("badge", b"5") != ()
            or await store.outbox_size() > 0
            or await store.marks(EntryId("account of d")) != ()
            or len(await store.changes(10, 10)) > 0
        )
        (on_disk,) = another.execute("SELECT count(*) FROM entry WHERE key = ?", (new.dn.key,)).fetchone()
        assert on_disk or not seen
        if done.called:
            break
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)  # type: ignore[attr-defined]
        await turn
    another.close()
    await done
    assert (await store.read(new.dn)) is not None
    assert await store.find("badge", b"5") == (new.id,)
    assert len(await store.marks(EntryId("account of d"))) == 1
    await store.close()


@test
async def test_a_caller_that_stops_waiting_stops_nothing(store: SqliteStore) -> None:
    await add(store, entry("dc=im"))
    waiting = Deferred.fromCoroutine(add(store, entry("cn=a,dc=im")))
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    await add(store, entry("cn=b,dc=im"))
    assert len(await names(store)) == 3


@test
async def test_a_slow_disk_moves_commits_to_the_writers_thread_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    now = 0.0
    seconds = 0.0

    def stopwatch() -> float:
        nonlocal now
        now += seconds
        return now

    store._writer._stopwatch = stopwatch
    on_thread: list[bool] = []

    def counted(*work: Any) -> Any:
        on_thread.append(True)
        return deferToThreadPool(*work)

    monkeypatch.setattr(writer, "deferToThreadPool", counted)
    await add(store, entry("dc=im"))
    assert on_thread == []
    seconds = 1.0
    await change(store, Put(entry("dc=im"), 1))
    assert on_thread == []
    seconds = 0.0
    for version in range(2, 2 + 64):
        await change(store, Put(entry("dc=im"), version))
    assert len(on_thread) == 64
    await change(store, Put(entry("dc=im"), 66))
    assert len(on_thread) == 64
    await store.close()


@test
async def test_the_log_is_copied_into_the_file_while_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []
    whole = Database.checkpoint

    def counted(database: Database) -> None:
        whole(database)
        copied.append(True)

    monkeypatch.setattr(Database, "checkpoint", counted)
    store = await opened(tmp_path / "store.db", new=True)
    store._writer._checkpoint_after = store._writer._checkpoint_at = 50
    await add(store, entry("dc=im"))
    for round in range(20):
        await gatherResults(
            [Deferred.fromCoroutine(add(store, entry(f"cn={round}-{n},dc=im"))) for n in range(10)]
        )
    assert len(await names(store)) == 201
    assert len(copied) >= 4
    assert (tmp_path / "store.db-wal").stat().st_size < 1_000_000
    await store.close()


@test
async def test_a_note_is_written_without_any_commit(store: SqliteStore) -> None:
    store._writer._note_delay = 0.0
    from twisted.internet import reactor

    store.note(JournalEvent(NOW, 1, "noted"))
    for _ in range(100):
        if await store.journal(0, 10):
            break
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)  # type: ignore[attr-defined]
        await turn
    assert [line.text for _, line in await store.journal(0, 10)] == ["noted"]


@test
async def test_a_closed_store_takes_nothing_more(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True)
    await store.close()
    store.note(JournalEvent(NOW, 1, "too late"))
    with pytest.raises(StoreClosed):
        await add(store, entry("dc=im"))


@test
async def test_whoever_waits_for_a_commit_may_close_the_store(tmp_path: Path) -> None:
    store = await opened(tmp_path / "store.db", new=True, quick=0.0)

    async def first() -> None:
        await add(store, entry("dc=im"))
        await store.close()

    closing = Deferred.fromCoroutine(first())
    second = Deferred.fromCoroutine(add(store, entry("dc=other")))
    await second
    await closing


# The memory


@test
async def test_a_store_that_remembers_nothing_answers_the_same(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True, entry_bytes=0, find_count=0, mark_count=0)
    await plant(store)
    new = delivery("d", account="acc", claimed=True)
    await deliver(store, new)
    await store.settle(settled(new))
    assert len(await names(store)) == 10
    assert len(await store.find("badge", b"7")) == 1
    assert len(await store.marks(EntryId("acc"))) == 1
    with pytest.raises(Conflict):
        await change(store, Put(entry("dc=im"), 9))
    assert len(store._tree.known) == 0
    await store.close()


@test
async def test_a_long_search_does_not_push_out_what_is_in_use(store: SqliteStore) -> None:
    await add(store, entry("dc=im"))
    await add(store, *[entry(f"cn={n},dc=im") for n in range(300)])
    for known in list(store._tree.known._by_id):
        store._tree.known.forget(known)
    await store.read(TOP)
    assert len(await names(store)) == 301
    assert len(store._tree.known) < 60


# The index


def _schema(*, without: str = "", rule: str = "") -> Schema:
    text = (
        "attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch"
        " SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 X-PROV-INDEX 'eq' )\n"
        "attributetype ( 0.9.2342.19200300.100.1.25 NAME 'dc' EQUALITY caseIgnoreMatch"
        " SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n"
    )
    for number, name in enumerate(("ou", "cn", "description", "badge")):
        index = "" if name in without else " X-PROV-INDEX 'eq'"
        equality = "caseExactMatch" if name == rule else "caseIgnoreMatch"
        text += (
            f"attributetype ( 1.2.3.4.{number} NAME '{name}' EQUALITY {equality}"
            f" SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{index} )\n"
        )
    return Schema.parse([("index.schema", text)])


@test
async def test_the_index_follows_a_changed_schema_when_the_store_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, _schema(without="description"), new=True)
    await add(store, entry("dc=im"), entry("cn=A,dc=im", "a", description="One"))
    await store.close()
    for schema, cn in (
        (_schema(), ("a",)),
        (_schema(rule="cn"), ()),
        (_schema(without="cn", rule="cn"), None),
    ):
        store = await opened(path, schema)
        assert await store.find("description", b"ONE") == ("a",)
        if cn is None:
            with pytest.raises(KeyError):
                await store.find("cn", b"a")
        else:
            assert await store.find("cn", b"a") == cn
            assert await store.find("cn", b"A") == ("a",)
        await change(store, Put(entry("cn=A,dc=im", "a", description="One"), await _version(store, "a")))
        await store.close()


async def _version(store: SqliteStore, entry_id: str) -> int:
    read = await store.read_id(EntryId(entry_id))
    assert read is not None
    return read.version


# Plans


def _walk(store: SqliteStore, wanted: Filter, base: str = "dc=im", scope: Scope = Scope.SUBTREE) -> Any:
    return type(plan(DN.parse(base), scope, wanted, SCHEMA, store._tree))


@test
async def test_a_search_takes_the_shortest_walk(store: SqliteStore) -> None:
    await plant(store)
    await add(store, entry("ou=many,dc=im"))
    await add(store, *[entry(f"cn=m{n},ou=many,dc=im", badge="1") for n in range(300)])
    things = Equality("objectClass", b"thing")
    assert _walk(store, And((things, Equality("cn", b"a")))) is Few
    assert _walk(store, Equality("badge", b"1")) is _Postings
    assert _walk(store, Equality("badge", b"1"), "ou=boxes,dc=im") is _Range
    assert _walk(store, Equality("objectClass", b"box")) is _Postings
    assert _walk(store, things, "ou=inner,ou=boxes,dc=im") is _Range
    assert _walk(store, things, "ou=boxes,dc=im", Scope.ONE_LEVEL) is _Children
    assert _walk(store, Present("cn"), scope=Scope.ONE_LEVEL) is _Children
    assert _walk(store, Present("cn")) is _Range
    assert _walk(store, Equality("badge", b"not a number")) is type(None)


_STATEMENTS_OF_EVERY_DAY: Sequence[str] = (
    "ENTRY_BY_KEY",
    "ENTRY_BY_ID",
    "ENTRIES_IN_RANGE",
    "CHILDREN",
    "ANY_CHILD",
    "IDS_BY_POSTING",
    "SEQS_BY_POSTING",
    "UPDATE_ENTRY",
    "WAITING_OF_USER",
    "OPEN_OF_ACCOUNT",
    "OPEN_BY_ID",
    "DUE",
    "ACCOUNT_HISTORY",
    "ENDPOINTS_WAITING",
    "END_DELIVERY",
    "ENDED_BEFORE",
    "RELEASE_ORPHANS",
    "COUNT_WAITING",
    "CHANGES_AFTER",
    "JOURNAL_AFTER",
    "STATUS",
)


@pytest.mark.parametrize("name", _STATEMENTS_OF_EVERY_DAY)
def test_no_statement_of_every_day_scans_a_table_or_sorts_one(name: str) -> None:
    from provserver.storage import statements

    database = Database.in_memory()
    statement = getattr(statements, name)
    rows = database.writing.execute(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")).fetchall()
    steps = [row[3] for row in rows]
    scans = [
        step for step in steps if step.startswith("SCAN") and "INDEX" not in step and "waiting" not in step
    ]
    sorts = [step for step in steps if "TEMP B-TREE" in step]
    # DUE orders what is due at one instant by number, and the rows of one user or account are few.
    few = {"DUE", "WAITING_OF_USER", "OPEN_OF_ACCOUNT", "ACCOUNT_HISTORY"}
    assert scans == ["SCAN CONSTANT ROW"] * len(scans)
    assert not sorts or name in few
    database.close()


@test
async def test_a_claim_after_a_restart_takes_what_waited(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path, new=True)
    await deliver(store, *[delivery(str(n)) for n in range(5)])
    await store.close()
    store = await opened(path)
    assert await claimed(store, limit=3) == ["0", "1", "2"]
    await store.close()
