"""Searches that take their time: others write meanwhile, limits are reached, somebody wants to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import pytest_twisted
from store_tree import TOP, add, change, entry

from provserver.directory.names import DN
from provserver.ldap.filters import And, Equality, Filter, Or, Present, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Move, Put, Remove, SearchLimits, Store

test = pytest_twisted.ensureDeferred

MANY = [f"{number:03}" for number in range(300)]


async def plant(store: Store) -> None:
    """dc=im · ou=boxes with cn=000 … cn=299, all of badge 7 · ou=empty."""
    await add(store, entry("dc=im"), entry("ou=boxes,dc=im"), entry("ou=empty,dc=im"))
    await add(store, *[entry(f"cn={name},ou=boxes,dc=im", badge="7") for name in MANY])


async def rename(store: Store, old: str, new: str) -> None:
    found = await store.read(DN.parse(old))
    assert found is not None
    below = 300 if old.startswith("ou=boxes") else 0
    await change(store, Move(replace(found, dn=DN.parse(new)), found.version, below))


BOXES = DN.parse("ou=boxes,dc=im")
WALKS: list[tuple[Filter, DN, Scope]] = [
    (Present("objectClass"), TOP, Scope.SUBTREE),
    (Present("objectClass"), BOXES, Scope.ONE_LEVEL),
    (Equality("badge", b"7"), TOP, Scope.SUBTREE),
    (Or((Equality("badge", b"7"), Equality("badge", b"8"))), BOXES, Scope.ONE_LEVEL),
    (Equality("cn", b"003"), TOP, Scope.SUBTREE),
]


@pytest.mark.parametrize(("wanted", "base", "scope"), WALKS, ids=repr)
@pytest.mark.parametrize("step", [1, 7, 64])
@test
async def test_an_entry_that_gets_another_name_is_not_found_under_both(
    store: Store, wanted: Filter, base: DN, scope: Scope, step: int
) -> None:
    await plant(store)
    found: list[str] = []
    moves = iter(
        [
            ("cn=003,ou=boxes,dc=im", "cn=999,ou=boxes,dc=im"),
            ("cn=004,ou=boxes,dc=im", "cn=004,ou=empty,dc=im"),
            ("cn=004,ou=empty,dc=im", "cn=998,ou=boxes,dc=im"),
        ]
    )
    async for batch in store.search(base, scope, wanted, SearchLimits(batch=step)):
        found += [one.id for one in batch]
        if len(found) > 6 or not batch:
            for old, new in moves:
                await rename(store, old, new)
                break
    assert len(set(found)) == len(found)
    names = {f"cn={name},ou=boxes,dc=im" for name in MANY[5:]}
    assert names <= set(found) or wanted == Equality("cn", b"003")


@test
async def test_a_tree_that_gets_another_name_is_not_found_under_both(store: Store) -> None:
    await plant(store)
    await add(store, entry("ou=zoo,dc=im"))
    found: list[str] = []
    async for batch in store.search(TOP, Scope.SUBTREE, And(()), SearchLimits(batch=10)):
        if len(found) == 50:
            await rename(store, "ou=boxes,dc=im", "ou=yard,dc=im")
        found += [one.id for one in batch]
    assert len(set(found)) == len(found)
    assert "ou=zoo,dc=im" in found
    again = [one async for one in store.search(TOP, Scope.SUBTREE, And(()), SearchLimits())]
    assert sum(map(len, again)) == 304


@pytest.mark.parametrize("scope", [Scope.ONE_LEVEL, Scope.SUBTREE])
@test
async def test_an_entry_that_goes_and_comes_again_is_not_found_twice(store: Store, scope: Scope) -> None:
    await plant(store)
    found: list[str] = []
    async for batch in store.search(BOXES, scope, Present("cn"), SearchLimits(batch=10)):
        found += [one.dn.text for one in batch]
        if len(found) in (9, 10):
            gone = await store.read(DN.parse("cn=001,ou=boxes,dc=im"))
            assert gone is not None
            await change(store, Remove(gone.id, gone.dn, gone.version))
            await add(store, entry("cn=001,ou=boxes,dc=im", "another"))
    assert len(set(found)) == len(found) == 300


@pytest.mark.parametrize("batch", [1, 4, 256])
@pytest.mark.parametrize("most", [1, 4, 299])
@test
async def test_what_is_within_the_limit_is_found_before_the_refusal(
    store: Store, batch: int, most: int
) -> None:
    await plant(store)
    found: list[str] = []

    async def search(most: int) -> None:
        found.clear()
        async for entries in store.search(BOXES, Scope.ONE_LEVEL, And(()), SearchLimits(most, batch)):
            found.extend([one.id for one in entries])

    with pytest.raises(Refusal) as caught:
        await search(most)
    assert caught.value.code is ResultCode.ADMIN_LIMIT_EXCEEDED
    assert len(found) == most
    await search(300)
    assert len(found) == 300


@test
async def test_a_closed_search_finds_no_more_and_hinders_nobody(store: Store) -> None:
    await plant(store)
    search = store.search(TOP, Scope.SUBTREE, And(()), SearchLimits(batch=5))
    assert len(await anext(search)) == 5
    await search.aclose()
    assert await anext(search, None) is None
    await rename(store, "ou=boxes,dc=im", "ou=yard,dc=im")


@test
async def test_whoever_watches_a_value_is_told_when_its_entries_change(store: Store) -> None:
    told: list[str] = []

    def noting(who: str) -> Callable[[], None]:
        return lambda: told.append(who)

    store.watch("badge", (b"1", b"2"), noting("badge"))
    store.watch("badge", (b"1",), noting("other"))
    store.watch("objectClass".lower(), (b"BOX",), noting("box"))
    await add(store, entry("dc=im"), entry("cn=a,dc=im", badge="3"))
    assert told == []
    await change(store, Put(entry("cn=a,dc=im", badge="1"), 1))
    assert sorted(told) == ["badge", "other"]
    told.clear()
    await change(store, Put(entry("cn=a,dc=im", badge="1", description="x"), 2))
    assert told == []
    await change(store, Put(entry("cn=a,dc=im", badge="2"), 3))
    assert sorted(set(told)) == ["badge", "other"]
    told.clear()
    await add(store, entry("ou=b,dc=im"))
    assert told == ["box"]
    told.clear()
    removed = entry("cn=a,dc=im")
    await change(store, Remove(removed.id, removed.dn, 4))
    assert told == ["badge"]
    with pytest.raises(KeyError):
        store.watch("description", (b"x",), noting("never"))
