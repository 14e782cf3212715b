"""What every store does when entries get other names: Move."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from store_tree import NOW, TOP, Opening, add, change, entry, names, plant, refused
from twisted.internet.defer import Deferred, gatherResults

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.filters import Equality, Or, Present, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Conflict, Move, Put, Remove, SearchLimits, Store

test = pytest_twisted.ensureDeferred
BOXES = "ou=boxes,dc=im"
INNER = f"ou=inner,{BOXES}"
A, X, Y = f"cn=a,{BOXES}", f"cn=x,{INNER}", f"cn=y,{INNER}"
INNER_BELOW, BOXES_BELOW = 2, 8


def moved(new: str, old: str, version: int = 1, below: int = 0, **values: Any) -> Move:
    """The entry that `plant` named `old`, with another name."""
    return Move(entry(new, old, **values), version, below)


async def at(store: Store, name: str) -> Entry:
    read = await store.read(DN.parse(name))
    assert read is not None, name
    return read


async def lines(store: Store, after: int) -> list[tuple[str, str, str, int]]:
    log = await store.changes(after, 1000)
    return [(record.kind, record.id, record.dn.text, record.version) for record in log]


@test
async def test_a_rename_keeps_the_id_and_counts_as_a_write(store: Store) -> None:
    await plant(store)
    await change(store, moved("cn=q,dc=im", A, badge="5"))
    read = await store.read_id(EntryId(A))
    assert read is not None
    assert (read.dn.text, read.version, read.text("badge")) == ("cn=q,dc=im", 2, "5")
    assert await store.read(DN.parse(A)) is None
    assert await at(store, "cn=Q,dc=im") == read
    assert await store.find("cn", b"a") == ()
    assert await store.find("cn", b"q") == (read.id,)
    assert "cn=q,dc=im" in await names(store, base=TOP, scope=Scope.ONE_LEVEL)
    assert await lines(store, 10) == [("move", A, "cn=q,dc=im", 2)]


@pytest.mark.parametrize("superior", ["dc=im", "ou=late,dc=im"], ids=["older parent", "younger parent"])
@test
async def test_a_rename_takes_all_below_with_it(store: Store, superior: str) -> None:
    await plant(store)
    await add(store, entry("ou=late,dc=im"))
    kept = {name: await at(store, name) for name in (X, Y)}
    new = f"ou=Renamed,{superior}"
    await change(store, moved(new, INNER, below=INNER_BELOW))
    assert sorted(await names(store, base=new)) == [f"cn=x,{new}", f"cn=y,{new}", new]
    assert sorted(await names(store, base=new, scope=Scope.ONE_LEVEL)) == [f"cn=x,{new}", f"cn=y,{new}"]
    assert await names(store, base=INNER) == []
    assert await store.has_children(DN.parse(new))
    assert not await store.has_children(DN.parse(INNER))
    for old, name in ((X, f"cn=x,{new}"), (Y, f"cn=y,{new}")):
        assert await store.read(DN.parse(old)) is None
        read = await at(store, name)
        assert (read.id, read.version, read.dn.text) == (old, 2, name)
        assert read.attributes == kept[old].attributes
        assert await store.read_id(EntryId(old)) == read
    assert await store.find("badge", b"7") == (Y,)
    assert await names(store, Equality("cn", b"x"), base=new) == [f"cn=x,{new}"]
    assert await names(store, Equality("cn", b"x"), base=BOXES) == []
    assert await lines(store, 11) == [
        ("move", INNER, new, 2),
        ("move", X, f"cn=x,{new}", 2),
        ("move", Y, f"cn=y,{new}", 2),
    ]


@test
async def test_parents_still_come_before_their_children(store: Store) -> None:
    await plant(store)
    await add(store, entry("ou=late,dc=im"), entry("ou=later,ou=late,dc=im"))
    either = Or((Equality("objectClass", b"thing"), Equality("objectClass", b"box")))
    await names(store, Equality("objectClass", b"box"))
    await change(store, moved("ou=inner,ou=later,ou=late,dc=im", INNER, below=INNER_BELOW))
    await change(store, moved(f"ou=late,{BOXES}", "ou=late,dc=im", below=4))
    await add(store, entry("cn=last,dc=im"))
    for wanted in (Present("objectClass"), either, Equality("objectClass", b"box")):
        seen = {"", "dc=im"}
        found = await names(store, wanted, limits=SearchLimits(batch=2))
        for name in found:
            above = DN.parse(name).parent
            assert above is not None
            assert above.text in seen, name
            seen.add(name)
        assert len(found) == {Present("objectClass"): 13, either: 13}.get(wanted, 4)


@test
async def test_what_was_found_before_is_found_in_the_new_order(store: Store) -> None:
    child, parent = "cn=child,ou=top,dc=im", "ou=parent,dc=im"
    await add(store, entry("dc=im"), entry("ou=top,dc=im"), entry(child, badge="2"), entry(parent, badge="2"))
    assert await names(store, Equality("badge", b"2")) == [child, parent]
    await change(store, moved(f"ou=top,{parent}", "ou=top,dc=im", below=1))
    assert await names(store, Equality("badge", b"2")) == [parent, f"cn=child,ou=top,{parent}"]


@test
async def test_a_new_spelling_is_the_spelling_of_all_below(store: Store) -> None:
    await plant(store)
    await change(store, moved("OU=Boxes,dc=im", BOXES, below=BOXES_BELOW))
    assert (await at(store, X)).dn.text == "cn=x,ou=inner,OU=Boxes,dc=im"
    assert len(await names(store, base=BOXES)) == 9
    assert all(name.endswith("OU=Boxes,dc=im") for name in await names(store, base=BOXES))
    await change(store, Put(entry("CN=A,ou=boxes,dc=im", A), 2))
    assert (await at(store, A)).dn.text == "CN=A,ou=boxes,dc=im", "a Put may spell its own name anew"


@test
async def test_the_top_of_a_domain_may_be_spelled_anew(store: Store) -> None:
    await add(store, entry("dc=chicago,dc=usa"), entry("cn=a,dc=chicago,dc=usa"))
    await change(store, Move(entry("dc=Chicago,dc=USA", "dc=chicago,dc=usa"), 1, 1))
    assert await names(store, base="dc=chicago,dc=usa") == ["dc=Chicago,dc=USA", "cn=a,dc=Chicago,dc=USA"]


@test
async def test_names_that_cannot_be_given_are_refused(store: Store) -> None:
    await plant(store)
    taken = moved(f"cn=b,{BOXES}", A)
    assert await refused(store, taken) is ResultCode.ENTRY_ALREADY_EXISTS
    onto_its_parent = moved("dc=im", BOXES, below=BOXES_BELOW)
    assert await refused(store, onto_its_parent) is ResultCode.ENTRY_ALREADY_EXISTS
    lost = moved("cn=a,cn=nowhere,dc=im", A)
    assert await refused(store, lost) is ResultCode.NO_SUCH_OBJECT
    gone = moved("cn=h,dc=im", "cn=ghost,dc=im")
    assert await refused(store, gone) is ResultCode.NO_SUCH_OBJECT
    for below_itself in (f"ou=new,{BOXES}", f"ou=new,{INNER}"):
        put = moved(below_itself, BOXES, below=BOXES_BELOW)
        assert await refused(store, put) is ResultCode.UNWILLING_TO_PERFORM


@pytest.mark.parametrize("move", [moved("ou=n,dc=im", INNER, below=n) for n in (0, 1, 3)], ids=repr)
@test
async def test_nothing_moves_that_the_caller_has_not_seen(store: Store, move: Move) -> None:
    await plant(store)
    with pytest.raises(Conflict):
        await change(store, move)
    assert sorted(await names(store, base=INNER)) == [X, Y, INNER]
    assert await names(store, base="ou=n,dc=im") == []
    assert len(await lines(store, 0)) == 10
    await change(store, moved("ou=n,dc=im", INNER, below=INNER_BELOW))


@test
async def test_a_rename_at_another_version_is_a_conflict(store: Store) -> None:
    await plant(store)
    await change(store, Put(entry(INNER, INNER, description="changed"), 1))
    with pytest.raises(Conflict):
        await change(store, moved("ou=n,dc=im", INNER, below=INNER_BELOW))
    assert (await at(store, INNER)).version == 2


@test
async def test_a_put_never_renames(store: Store) -> None:
    await plant(store)
    with pytest.raises(ValueError, match="expected a Move"):
        await change(store, Put(entry("cn=q,dc=im", A), 1))
    assert (await at(store, A)).version == 1
    await change(store, Put(entry(A, A, description="kept on"), 1))


@test
async def test_a_rename_is_one_of_several_writes_in_their_order(store: Store) -> None:
    await plant(store)
    new = "ou=n,dc=im"
    await change(
        store,
        Put(entry(X, X, description="before"), 1),
        Remove(EntryId(Y), DN.parse(Y), 1),
        moved(new, INNER, below=1),
        Put(entry(f"cn=x,{new}", X, description="after", badge="70"), 3),
        Put(entry(f"cn=new,{new}"), 0),
        moved("ou=m,dc=im", INNER, version=2, below=2),
        Put(entry(INNER, "another"), 0),
    )
    assert sorted(await names(store, base="ou=m,dc=im")) == [
        "cn=new,ou=m,dc=im",
        "cn=x,ou=m,dc=im",
        "ou=m,dc=im",
    ]
    read = await at(store, "cn=x,ou=m,dc=im")
    assert (read.id, read.version, read.text("description")) == (X, 5, "after")
    assert await store.find("badge", b"70") == (X,)
    assert (await at(store, INNER)).id == "another"
    assert await names(store, base=INNER) == [INNER]
    assert await names(store, base=new) == []


@test
async def test_a_commit_with_a_rename_is_all_or_nothing(store: Store) -> None:
    await plant(store)
    await at(store, X)
    good = (
        Put(entry(X, X, description="before"), 1),
        moved("ou=n,dc=im", INNER, below=INNER_BELOW),
        Put(entry("cn=x,ou=n,dc=im", X, description="after"), 3),
    )
    bad = Put(entry("cn=z,cn=nowhere,dc=im"), 0)
    assert await refused(store, *good, bad) is ResultCode.NO_SUCH_OBJECT
    for name in (X, Y, INNER):
        assert (await at(store, name)).version == 1
    assert (await at(store, X)).text("description") == "deep"
    assert await store.find("cn", b"x") == (X,)
    await change(store, *good)
    assert (await at(store, "cn=x,ou=n,dc=im")).text("description") == "after"


@test
async def test_renames_share_a_disk_write_with_other_commits(store: Store) -> None:
    await plant(store)
    new = "ou=n,dc=im"
    wanted = [
        change(store, Put(entry(X, X, badge="1"), 1)),
        change(store, moved(new, INNER, below=INNER_BELOW)),
        change(store, Put(entry(X, X, badge="2"), 2)),
        change(store, Put(entry(f"cn=x,{new}", X, badge="3"), 3)),
        change(store, moved("ou=o,dc=im", INNER, below=INNER_BELOW)),
        change(store, Remove(EntryId(Y), DN.parse(f"cn=y,{new}"), 2)),
        change(store, moved("ou=o,cn=nowhere,dc=im", INNER, version=2, below=1)),
        change(store, Put(entry(INNER, "another"), 0)),
    ]
    outcomes: list[Any] = []
    for one in [Deferred.fromCoroutine(commit) for commit in wanted]:
        try:
            await one
            outcomes.append("done")
        except Conflict:
            outcomes.append("conflict")
        except Refusal as refusal:
            outcomes.append(refusal.code.name)
    assert outcomes == ["done", "done", "conflict", "done", "conflict", "done", "NO_SUCH_OBJECT", "done"]
    assert sorted(await names(store, base=new)) == [f"cn=x,{new}", new]
    read = await at(store, f"cn=x,{new}")
    assert (read.id, read.version, read.text("badge")) == (X, 4, "3")
    assert (await at(store, INNER)).id == "another"


@test
async def test_who_reads_while_a_rename_goes_to_disk_is_not_remembered(store: Store) -> None:
    from twisted.internet import reactor

    await plant(store)
    new = "ou=n,dc=im"
    committed = Deferred.fromCoroutine(change(store, moved(new, INNER, below=INNER_BELOW)))
    while not committed.called:
        for name in (INNER, X, Y):
            before = await store.read(DN.parse(name))
            assert before is None or before.version == 1
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)  # type: ignore[attr-defined]
        await turn
    await committed
    for name in (INNER, X, Y):
        assert await store.read(DN.parse(name)) is None
        read = await store.read_id(EntryId(name))
        assert read is not None
        assert (read.version, read.dn.text.endswith(new)) == (2, True)


@test
async def test_a_search_that_is_under_way_survives_a_rename(store: Store) -> None:
    await plant(store)
    await add(store, entry("ou=late,dc=im"))
    found = []
    async for batch in store.search(TOP, Scope.SUBTREE, Present("objectClass"), SearchLimits(batch=2)):
        found.extend([one.id for one in batch])
        if len(found) == 4:
            await change(store, moved("ou=boxes,ou=late,dc=im", BOXES, below=BOXES_BELOW))
    assert {"dc=im", BOXES, "ou=late,dc=im"} <= set(found)


@test
async def test_many_entries_move_at_once(store: Store) -> None:
    count = 700
    leaves = [f"cn=n{number},ou=wide,dc=im" for number in range(count)]
    await add(store, entry("dc=im"), entry("ou=wide,dc=im"), *[entry(leaf, badge="3") for leaf in leaves])
    await add(store, entry("ou=late,dc=im"))
    new = "ou=wide,ou=late,dc=im"
    await change(store, moved(new, "ou=wide,dc=im", below=count))
    assert len(await names(store, base=new)) == count + 1
    assert len(await names(store, Equality("badge", b"3"), base=new)) == count
    assert await names(store, base="ou=wide,dc=im") == []
    assert len({record.id for record in await store.changes(count + 3, 10_000)}) == count + 1
    await gatherResults(
        [
            Deferred.fromCoroutine(
                change(
                    store,
                    Remove(
                        EntryId(leaf), DN.parse(leaf).relocate(DN.parse("ou=wide,dc=im"), DN.parse(new)), 2
                    ),
                )
            )
            for leaf in leaves[:50]
        ]
    )
    assert len(await store.find("badge", b"3")) == count - 50


@test
async def test_an_opened_store_has_the_new_names(opening: Opening) -> None:
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await plant(store)
    await add(store, entry("ou=late,dc=im"))
    await change(store, moved("ou=n,ou=late,dc=im", INNER, below=INNER_BELOW), at=NOW + 1)
    before = [await names(store), await lines(store, 0), await store.find("badge", b"7")]
    await store.close()
    store = await opening()
    try:
        assert [await names(store), await lines(store, 0), await store.find("badge", b"7")] == before
        assert (await at(store, "cn=x,ou=n,ou=late,dc=im")).text("description") == "deep"
        await add(store, entry("cn=more,ou=n,ou=late,dc=im"))
        await change(store, moved("ou=o,dc=im", INNER, version=2, below=3))
    finally:
        await store.close()
