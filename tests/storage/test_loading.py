"""A store that is loaded: all or nothing, and to whoever asks in between it is a store like any other."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.filters import Equality, Present, Scope
from provserver.ldap.results import Refusal
from provserver.storage import bodies
from provserver.storage.arrivals import Arrivals, LoadedStore
from provserver.storage.contract import Commit, Put, Remove, SearchLimits, StoreLocked
from provserver.storage.database import StoreUnusable
from provserver.storage.loading import LoadingStore
from provserver.storage.postings import Postings
from provserver.storage.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from store_tree import NOW, SCHEMA, entry

T = TypeVar("T")
Open = Callable[[], LoadingStore]


def end(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waits")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with dc=im and cn=here,dc=im."""
    path = tmp_path / "store.db"
    store = end(SqliteStore.create(path, SCHEMA, reactor=None, durable=False))
    end(store.commit(Commit(NOW, "test", (Put(entry("dc=im"), 0), Put(entry("cn=here,dc=im"), 0)))))
    end(store.close())
    return path


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    stores: list[LoadingStore] = []

    def open_it() -> LoadingStore:
        stores.append(LoadingStore.open_for_load(path, SCHEMA, durable=False))
        return stores[-1]

    yield open_it
    for store in stores:
        end(store.close())


def arrivals(store: LoadedStore, *entries: Entry, given_ids: bool = False) -> Arrivals:
    """Entries whose parents are there, or among them before."""
    new = Arrivals(given_ids=given_ids)
    rows: dict[str, int] = {}
    for one in entries:
        parent = one.dn.parent
        assert parent is not None
        if parent.key not in rows:
            new.above.append(parent.key)
        place = rows.get(parent.key, ~(len(new.above) - 1))
        rows[one.dn.key] = len(new.rows)
        new.rows.append((one.id, one.dn.key, place, one.dn.text, bodies.encode(one.attributes)))
        terms = sorted(Postings(SCHEMA, store.numbers).of(one))
        classes = tuple(term for term in terms if term[0] == store.numbers["objectclass"])
        number = {b"thing": 7, b"box": 8}[classes[0][1]]
        new.shared[number] = classes
        new.found.append((number, *[part for term in terms if term not in classes for part in term]))
    return new


def came(store: LoadedStore, *entries: Entry, given_ids: bool = False) -> bool:
    return store.arrive(arrivals(store, *entries, given_ids=given_ids), NOW, "load")


def people(first: int, last: int) -> list[Entry]:
    return [entry(f"cn={number},cn=here,dc=im", f"id{number}") for number in range(first, last)]


async def names(store: LoadedStore | SqliteStore, filter: Any = Present("objectClass")) -> list[str]:  # noqa: B008
    found = store.search(DN.parse("dc=im"), Scope.SUBTREE, filter, SearchLimits())
    return [one.dn.text async for batch in found for one in batch]


def names_at(path: Path) -> list[str]:
    store = end(SqliteStore.open(path, SCHEMA, reactor=None))
    try:
        return end(names(store))
    finally:
        end(store.close())


def test_what_is_kept_is_there_for_everybody_with_its_change_log(path: Path, opened: Open) -> None:
    store = opened()
    assert came(store, *people(0, 3), entry("ou=x,cn=1,cn=here,dc=im", "deep"))
    assert came(store, *people(3, 5))
    store.keep()
    end(store.close())
    later = end(SqliteStore.open(path, SCHEMA, reactor=None))
    try:
        assert end(names(later)) == [
            "dc=im",
            "cn=here,dc=im",
            *[f"cn={n},cn=here,dc=im" for n in (0, 1)],
            "ou=x,cn=1,cn=here,dc=im",
            *[f"cn={n},cn=here,dc=im" for n in (2, 3, 4)],
        ]
        read = end(later.read(DN.parse("cn=2,cn=here,dc=im")))
        assert read == entry("cn=2,cn=here,dc=im", "id2", 1)
        changes = end(later.changes(0, 100))
        assert [change.sequence for change in changes] == list(range(1, 9))
        assert [(c.kind, c.id, str(c.dn), c.version, c.by) for c in changes[-1:]] == [
            ("add", "id4", "cn=4,cn=here,dc=im", 1, "load")
        ]
        end(later.commit(Commit(NOW, "test", (Put(entry("cn=5,cn=here,dc=im", "id5"), 0),))))
        assert end(later.history()).last == 9
    finally:
        end(later.close())


def test_what_is_not_kept_never_was(path: Path, opened: Open) -> None:
    before = path.read_bytes()
    store = opened()
    assert came(store, *people(0, 2000))
    end(store.commit(Commit(NOW, "x", (Remove(EntryId("id7"), DN.parse("cn=7,cn=here,dc=im"), 1),))))
    assert len(end(names(store))) == 2001
    end(store.close())
    assert names_at(path) == ["dc=im", "cn=here,dc=im"]
    assert len(path.read_bytes()) == len(before)
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.db", "store.db.lock"]


@pytest.mark.parametrize(
    "wrong",
    [
        entry("cn=here,dc=im", "other"),
        entry("cn=new,dc=im", "id1"),
        entry("cn=new,cn=nowhere,dc=im", "new"),
        entry("cn=new,cn=2,cn=here,dc=im", "new"),
    ],
    ids=["a name in use", "an id in use", "no parent", "a parent that comes later"],
)
def test_what_cannot_come_as_a_whole_does_not_come_at_all(opened: Open, wrong: Entry) -> None:
    store = opened()
    assert came(store, *people(0, 2), given_ids=True)
    before = end(names(store))
    assert not came(store, entry("cn=fine,dc=im", "fine"), wrong, *people(2, 3), given_ids=True)
    assert end(names(store)) == before
    assert len(end(store.find("objectclass", b"thing"))) == len(before)
    assert [change.sequence for change in end(store.changes(0, 100))] == [1, 2, 3, 4]
    assert came(store, *people(2, 3))


def test_whoever_asks_meanwhile_is_told_of_all_that_came(opened: Open) -> None:
    store = opened()
    assert came(store, *people(0, 3))
    assert end(store.find("cn", b"2")) == ("id2",)
    assert end(names(store, Equality("cn", b"1"))) == ["cn=1,cn=here,dc=im"]
    assert came(store, *people(3, 6))
    assert end(store.find("cn", b"4")) == ("id4",), "also what was asked for, and not there, before"
    assert store.brief(DN.parse("CN=4, cn=here,dc=im").key) == (
        "id4",
        "cn=4,cn=here,dc=im",
        people(4, 5)[0].attributes,
    )
    assert store.brief("none") is None
    assert end(store.has_children(DN.parse("cn=here,dc=im")))


def test_ordinary_commits_stand_between(opened: Open, path: Path) -> None:
    store = opened()
    assert came(store, *people(0, 3))
    changed = entry("cn=1,cn=here,dc=im", "id1", description="changed")
    end(store.commit(Commit(NOW, "x", (Put(changed, 1),))))
    end(store.commit(Commit(NOW, "x", (Remove(EntryId("id2"), DN.parse("cn=2,cn=here,dc=im"), 1),))))
    with pytest.raises(Refusal):
        end(store.commit(Commit(NOW, "x", (Put(entry("cn=1,cn=here,dc=im", "again"), 0),))))
    with pytest.raises(Refusal):
        end(store.commit(Commit(NOW, "x", (Put(entry("cn=new,cn=here,dc=im", "id0"), 0),))))
    assert came(store, *people(2, 4))
    end(store.commit(Commit(NOW, "x", (Put(entry("cn=last,cn=here,dc=im", "last"), 0),))))
    store.keep()
    end(store.close())
    assert names_at(path)[2:] == [f"cn={n},cn=here,dc=im" for n in ("0", "1", "2", "3", "last")]


def test_the_index_of_ids_is_made_anew_when_more_came_than_there_were(opened: Open, path: Path) -> None:
    store = opened()
    store.many = 3
    made = "SELECT count(*) FROM sqlite_master WHERE name = 'entry_id'"
    connection = store._connection
    seen = []
    for first, given in ((0, False), (2, False), (4, False), (6, True), (8, False), (10, False), (12, False)):
        assert came(store, *people(first, first + 2), given_ids=given)
        seen.append(connection.execute(made).fetchone()[0])
    assert seen == [1, 0, 0, 1, 1, 1, 1]
    assert not came(store, entry("cn=new,dc=im", "id3"), given_ids=True)
    assert end(store.read_id(EntryId("id13"))) is not None
    store.keep()
    end(store.close())
    with sqlite3.connect(path) as file:
        assert file.execute(made).fetchone() == (1,)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()


def test_an_entry_may_be_found_by_more_than_a_row_of_the_waiting_ones_holds(opened: Open) -> None:
    store = opened()
    many = [f"value {number}".encode() for number in range(23)]
    base = entry("cn=many,dc=im", "many")
    attributes = dict(base.attributes)
    attributes["cn"] = type(attributes["cn"])("cn", (b"many", *many))
    assert came(store, Entry(base.id, base.dn, attributes), *people(0, 1))
    assert all(end(store.find("cn", value)) == ("many",) for value in (b"many", *many))
    assert end(store.find("cn", b"0")) == ("id0",)


def test_a_store_that_somebody_has_open_is_not_loaded(path: Path, opened: Open) -> None:
    store = end(SqliteStore.open(path, SCHEMA, reactor=None))
    try:
        with pytest.raises(StoreLocked):
            opened()
    finally:
        end(store.close())
    with sqlite3.connect(path, isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entry").fetchone()
        with pytest.raises(StoreUnusable, match="in use"):
            opened()
    reader.close()
    assert came(opened(), *people(0, 1))
