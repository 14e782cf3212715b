"""Searches by an index find what a look at every entry would find, and say no more than the index knows."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN
from provserver.directory.packed import Packed
from provserver.directory.schema import Schema
from provserver.directory.scopes import in_scope
from provserver.ldap.filters import And, Equality, Filter, Not, Or, Present, Scope
from provserver.storage import bodies
from provserver.storage.contract import Put, SearchLimits
from provserver.storage.planning import lookup_for
from provserver.storage.postings import indexed
from provserver.storage.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from store_tree import SCHEMA, TOP, add, change, entry, names

test = pytest_twisted.ensureDeferred

_NAMES = ["cn", "commonName", "name", "cn;lang-de", "CN;lang-de", "badge", "objectClass", "description", "no"]
_VALUES = ["a", "A", " a ", "b", "1", "01", "thing", "THING", "1.2.3.2", "box", "nothing", ""]
_equalities = st.builds(Equality, st.sampled_from(_NAMES), st.sampled_from(_VALUES).map(str.encode))
_filters: st.SearchStrategy[Filter] = st.recursive(
    _equalities | st.just(Present("cn")),
    lambda parts: (
        st.lists(parts, max_size=3).map(lambda given: And(tuple(given)))
        | st.lists(parts, max_size=3).map(lambda given: Or(tuple(given)))
        | parts.map(Not)
    ),
    max_leaves=5,
)
_texts = st.lists(st.sampled_from(["a", "A", "b", "1"]), max_size=2, unique=True)
_entries = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": _texts,
            "cn_de": _texts,
            "badge": st.sampled_from(["1", "2"]),
            "description": _texts,
            "objectClass": st.sampled_from(["thing", "1.2.3.2", "box", "nothing"]),
        },
    ),
    max_size=6,
)


def finished(work: Any) -> Any:
    """The result of what has nothing to wait for."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addCallbacks(results.append, lambda failure: failure.raiseException())
    return results[0]


async def found(store: SqliteStore, wanted: Filter, base: DN, scope: Scope, batch: int) -> list[Entry]:
    return [
        one
        async for several in store.search(base, scope, wanted, SearchLimits(batch=batch))
        for one in several
    ]


@given(
    _entries,
    st.lists(_filters, min_size=1, max_size=3),
    st.sampled_from(["dc=im", "ou=box,dc=im"]),
    st.sampled_from(Scope),
    st.sampled_from([1, 2, 256]),
    st.booleans(),
)
def test_what_is_found_is_what_the_filter_says_of_each_entry(
    given_: Sequence[dict[str, Any]],
    filters: Sequence[Filter],
    base: str,
    scope: Scope,
    batch: int,
    remembering: bool,
) -> None:
    bounds = {} if remembering else {"entry_bytes": 0, "find_count": 0}
    store = finished(SqliteStore.in_memory(SCHEMA, **bounds))
    entries = [entry("dc=im"), entry("ou=box,dc=im")]
    for number, values in enumerate(given_):
        entries.append(entry(f"cn={number % 3},{'ou=box,' * (number // 3)}dc=im", f"id{number}", **values))
    finished(add(store, *entries))
    for known in entries[:-1]:
        store._tree.known.forget(known.id)  # so that some are read, and some are known
    top = DN.parse(base)
    for wanted in filters:
        holds = compile_filter(wanted, SCHEMA)
        expected = {one.id for one in entries if in_scope(one.dn, top, scope) and holds(one) is True}
        for _ in range(2):
            several = finished(found(store, wanted, top, scope, batch))
            assert [one.id for one in several] == list(dict.fromkeys([one.id for one in several]))
            assert {one.id for one in several} == expected
            assert all(one == finished(store.read(one.dn)) for one in several)


@pytest.mark.parametrize(
    ("wanted", "rest"),
    [
        (Equality("badge", b"1"), None),
        (Equality("cn", b"A"), None),
        (Equality("commonName", b"a"), None),
        (And((Equality("badge", b"1"),)), None),
        (And((Present("cn"), Equality("badge", b"1"))), Present("cn")),
        (
            And((Present("cn"), Equality("badge", b"1"), Present("ou"))),
            And((Present("cn"), Present("ou"))),
        ),
        (Equality("objectClass", b"thing"), Equality("objectClass", b"thing")),
        (Equality("name", b"a"), Equality("name", b"a")),
        (Equality("cn;lang-de", b"a"), Equality("cn;lang-de", b"a")),
        (
            Or((Equality("badge", b"1"), Equality("cn", b"a"))),
            Or((Equality("badge", b"1"), Equality("cn", b"a"))),
        ),
        (Equality("cn", b"x" * 96), Equality("cn", b"x" * 96)),
        (Equality("cn", b"x" * 200), Equality("cn", b"x" * 200)),
    ],
    ids=repr,
)
def test_an_index_leaves_nothing_to_ask_only_where_it_knows_all(wanted: Filter, rest: Filter | None) -> None:
    store = finished(SqliteStore.in_memory(SCHEMA))
    lookup = lookup_for(wanted, SCHEMA, store._tree.postings)
    assert lookup is not None
    assert lookup.rest == rest


_TOKENS = Schema.parse(
    [
        (
            "tokens.schema",
            "attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch"
            " SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 X-PROV-INDEX 'eq' )\n"
            "attributetype ( 0.9.2342.19200300.100.1.25 NAME 'dc' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n"
            "attributetype ( 1.2.3.9 NAME 'token' EQUALITY octetStringMatch"
            " SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 X-PROV-INDEX 'eq' )\n",
        )
    ]
)


@test
async def test_what_stands_for_a_long_value_does_not_find_it() -> None:
    store = await SqliteStore.in_memory(_TOKENS)
    long = bytes(range(200))
    token = {"token": Attribute("token", (long,)), "objectclass": Attribute("objectClass", (b"thing",))}
    await add(store, Entry(EntryId("long"), TOP, token))
    for value, expected in ((long, ["dc=im"]), (indexed(long), [])):
        assert await names(store, Equality("token", value)) == expected
        assert await names(store, Equality("token", value)) == expected, "from memory"
    assert lookup_for(Equality("token", b"short"), _TOKENS, store._tree.postings).rest is None  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [15, 16, 17, 256, 257])
@pytest.mark.parametrize("batch", [1, 10, 256, 1_000])
@test
async def test_however_many_have_a_value_all_are_found_parents_first(count: int, batch: int) -> None:
    store = await SqliteStore.in_memory(SCHEMA)
    await add(store, entry("dc=im"), entry("cn=1,dc=im", badge="7"))
    await add(store, *[entry(f"cn={number},cn=1,dc=im", badge="7") for number in range(1, count)])
    for wanted in (Equality("badge", b"7"), And((Present("cn"), Equality("badge", b"7")))):
        for _ in range(2):
            several = await found(store, wanted, TOP, Scope.SUBTREE, batch)
            expected = ["cn=1,dc=im", *[f"cn={number},cn=1,dc=im" for number in range(1, count)]]
            assert [one.dn.text for one in several] == expected
    await store.close()


# Somebody else writes


async def _with_badge(tmp_path: Path) -> tuple[SqliteStore, Entry]:
    store = await SqliteStore.create(tmp_path / "store.db", SCHEMA, reactor=None)
    a = entry("cn=a,dc=im", badge="1")
    await add(store, entry("dc=im"), a)
    assert await names(store, Equality("badge", b"1")) == [a.dn.text]
    return store, a


def _written_behind_its_back(tmp_path: Path, a: Entry) -> None:
    """As the writer's thread does, until the reactor hears of it: another badge, version 2."""
    another = sqlite3.connect(tmp_path / "store.db")
    body = bodies.encode(entry("cn=a,dc=im", badge="2").attributes)
    another.execute("UPDATE entry SET body = ?, version = 2 WHERE id = ?", (body, a.id))
    another.commit()
    another.close()


@test
async def test_who_is_remembered_to_have_a_value_and_lost_it_meanwhile_is_not_found(tmp_path: Path) -> None:
    store, a = await _with_badge(tmp_path)
    store._tree.known.forget(a.id)
    _written_behind_its_back(tmp_path, a)
    assert await names(store, Equality("badge", b"1")) == []
    await store.close()


@test
async def test_memory_is_not_trusted_while_a_commit_is_on_its_way(tmp_path: Path) -> None:
    store, a = await _with_badge(tmp_path)
    store._tree.known.forget(a.id)
    _written_behind_its_back(tmp_path, a)
    store._database.committing = True
    read = await store.read(a.dn)
    assert read is not None
    assert read.text("badge") == "2"
    assert await names(store, Equality("badge", b"1")) == []
    store._database.committing = False
    await store.close()


# What is kept in memory


@test
async def test_what_a_search_has_read_stays_packed_until_somebody_reads_it_closely(tmp_path: Path) -> None:
    store, a = await _with_badge(tmp_path)
    store._tree.known.forget(a.id)
    [seen] = await found(store, Equality("badge", b"1"), TOP, Scope.SUBTREE, 10)
    assert type(seen.attributes) is Packed
    record = store._tree.known.glimpse(a.id)
    assert record is not None
    assert record.packed
    read = await store.read(a.dn)
    assert read == seen == Entry(a.id, a.dn, a.attributes, 1)
    assert type(read.attributes) is dict
    assert await store.read_id(a.id) is read
    unpacked = store._tree.known.glimpse(a.id)
    assert unpacked is not None
    assert not unpacked.packed
    assert unpacked.weight > record.weight
    assert store._tree.known._weight == sum(one.weight for one in store._tree.known._by_id.values())
    await change(store, Put(entry("cn=a,dc=im", badge="3"), 1))
    [seen] = await found(store, Equality("badge", b"3"), TOP, Scope.SUBTREE, 10)
    assert seen is await store.read(a.dn)
    await store.close()
