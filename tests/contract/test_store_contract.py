"""What every store does: the tree. (Renames: test_store_moves.py. The outbox: test_store_outbox.py.)"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from store_tree import BY, NOW, SCHEMA, TOP, Opening, add, change, entry, names, plant, refused
from twisted.internet.defer import Deferred, gatherResults

from provserver.directory.entries import EntryId
from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN, ROOT
from provserver.ldap.filters import And, Equality, GreaterOrEqual, Not, Or, Present, Scope, Substrings
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Commit, Conflict, JournalEvent, Put, Remove, SearchLimits, Store

test = pytest_twisted.ensureDeferred
BOXES = DN.parse("ou=boxes,dc=im")
A = DN.parse("cn=a,ou=boxes,dc=im")


@test
async def test_what_was_committed_is_read_back_by_name_and_by_id(store: Store) -> None:
    await add(store, entry("dc=im"))
    written = entry("CN=Jörg  Ö,dc=im", "id-1", description=["b", "a"], cn_de="Jörg")
    await add(store, written)
    for read in (await store.read(DN.parse("cn=jörg ö,dc=IM")), await store.read_id(EntryId("id-1"))):
        assert read is not None
        assert (read.id, read.dn.text, read.version) == ("id-1", written.dn.text, 1)
        assert read.attributes == written.attributes
        assert list(read.attributes) == list(written.attributes)


@test
async def test_nothing_is_read_where_nothing_is(store: Store) -> None:
    assert await store.read(TOP) is None
    assert await store.read(ROOT) is None
    assert await store.read_id(EntryId("nobody")) is None
    assert await store.find("cn", b"nobody") == ()
    assert not await store.has_children(TOP)
    assert await names(store) == []


@test
async def test_several_are_read_in_the_order_asked_for(store: Store) -> None:
    await plant(store)
    ids = [EntryId(f"cn={name},ou=boxes,dc=im") for name in ("e", "a", "nobody", "c", "a")]
    await store.read_id(ids[3])
    for _ in range(2):
        several = await store.read_ids(ids)
        assert [one.id for one in several] == [ids[0], ids[1], ids[3], ids[1]]
        assert list(several) == [await store.read_id(one.id) for one in several]
    assert list(await store.read_ids(())) == []


@test
async def test_values_are_octets_whatever_they_hold(store: Store) -> None:
    octets = [bytes(range(256)), b"", b"\x1d0\x1e\x1f\x1d", b"\x00", "ü".encode(), b"\xff\xfe"]
    await add(store, entry("dc=im", "top", description=octets))
    await change(store, Put(entry("dc=im", "top", description=octets[::-1]), 1))
    read = await store.read(TOP)
    assert read is not None
    assert read.values("description") == tuple(octets[::-1])


@test
async def test_a_version_counts_the_writes(store: Store) -> None:
    for version in range(3):
        await change(store, Put(entry("dc=im", "top", description=str(version)), version))
        read = await store.read(TOP)
        assert read is not None
        assert (read.version, read.text("description")) == (version + 1, str(version))


@pytest.mark.parametrize("expected", [1, 3])
@test
async def test_a_write_at_another_version_is_a_conflict_and_changes_nothing(
    store: Store, expected: int
) -> None:
    await add(store, entry("dc=im", "top"))
    await change(store, Put(entry("dc=im", "top", description="two"), 1))
    with pytest.raises(Conflict):
        await change(store, Put(entry("dc=im", "top", description="three"), expected))
    with pytest.raises(Conflict):
        await change(store, Remove(EntryId("top"), TOP, expected))
    read = await store.read(TOP)
    assert read is not None
    assert (read.version, read.text("description")) == (2, "two")


@test
async def test_an_entry_that_was_read_must_still_be_at_its_version(store: Store) -> None:
    await add(store, entry("dc=im", "top"), entry("cn=a,dc=im", "a"))
    await change(store, Put(entry("cn=a,dc=im", "a"), 1), reads=((EntryId("top"), 1),))
    for missed in ((EntryId("top"), 2), (EntryId("nobody"), 1)):
        with pytest.raises(Conflict):
            await change(store, Put(entry("cn=a,dc=im", "a"), 2), reads=(missed,))
    read = await store.read_id(EntryId("a"))
    assert read is not None
    assert read.version == 2


@test
async def test_a_name_and_an_id_are_given_once(store: Store) -> None:
    await plant(store)
    for other in (entry("CN=A,OU=Boxes,dc=im", "new"), entry("cn=new,dc=im", "cn=a,ou=boxes,dc=im")):
        assert await refused(store, Put(other, 0)) is ResultCode.ENTRY_ALREADY_EXISTS


@test
async def test_an_entry_needs_its_parent_unless_it_is_a_top(store: Store) -> None:
    await add(store, entry("dc=other"))
    assert await refused(store, Put(entry("cn=a,dc=im"), 0)) is ResultCode.NO_SUCH_OBJECT
    await add(store, entry("dc=im"))
    await add(store, entry("cn=a,dc=im"))


@test
async def test_the_first_entry_of_a_store_is_a_top_however_long_its_name(store: Store) -> None:
    await add(store, entry("dc=chicago,dc=usa"), entry("cn=a,dc=chicago,dc=usa"))
    assert await refused(store, Put(entry("dc=boston,dc=usa"), 0)) is ResultCode.NO_SUCH_OBJECT
    top = DN.parse("dc=chicago,dc=usa")
    assert await names(store, base=top) == ["dc=chicago,dc=usa", "cn=a,dc=chicago,dc=usa"]
    assert await store.has_children(top)


@test
async def test_what_is_gone_can_be_neither_changed_nor_removed(store: Store) -> None:
    await plant(store)
    gone = entry("cn=gone,dc=im")
    assert await refused(store, Put(gone, 1)) is ResultCode.NO_SUCH_OBJECT
    assert await refused(store, Remove(gone.id, gone.dn, 1)) is ResultCode.NO_SUCH_OBJECT


@test
async def test_only_leaves_are_removed(store: Store) -> None:
    await plant(store)
    inner = await store.read(DN.parse("ou=inner,ou=boxes,dc=im"))
    assert inner is not None
    assert await refused(store, Remove(inner.id, inner.dn, 1)) is ResultCode.NOT_ALLOWED_ON_NON_LEAF
    for name in ("cn=x,ou=inner,ou=boxes,dc=im", "cn=y,ou=inner,ou=boxes,dc=im"):
        assert await store.has_children(inner.dn)
        leaf = entry(name)
        await change(store, Remove(leaf.id, leaf.dn, 1))
        assert await store.read(leaf.dn) is None
        assert await store.read_id(leaf.id) is None
        assert await store.find("cn", leaf.values("cn")[0]) == ()
    assert not await store.has_children(inner.dn)
    await change(store, Remove(inner.id, inner.dn, 1))
    assert await store.read(inner.dn) is None


@test
async def test_the_entries_just_below_one_are_counted(store: Store) -> None:
    assert await store.count_children(TOP) == 0
    await plant(store)
    boxes, inner = DN.parse("ou=boxes,dc=im"), DN.parse("OU=inner, ou=boxes,dc=im")
    assert [await store.count_children(dn) for dn in (ROOT, TOP, boxes, inner, A)] == [1, 1, 6, 2, 0]
    await change(store, Remove(entry(A).id, A, 1))
    assert await store.count_children(boxes) == 5
    assert await store.count_children(A) == 0


@test
async def test_a_commit_is_all_or_nothing(store: Store) -> None:
    await plant(store)
    good = [
        Put(entry("cn=new,dc=im"), 0),
        Put(entry("dc=im", description="changed"), 1),
        Remove(entry(A).id, A, 1),
    ]
    for bad in (Put(entry("cn=b,ou=boxes,dc=im"), 0), Put(entry("cn=z,cn=nowhere,dc=im"), 0)):
        await refused(store, *good, bad)
        assert await store.read(DN.parse("cn=new,dc=im")) is None
        assert await store.find("cn", b"new") == ()
        assert len(await store.find("cn", b"a")) == 1
        read = await store.read(TOP)
        assert read is not None
        assert (read.version, read.text("description")) == (1, "")
    await change(store, *good)
    assert await store.find("cn", b"a") == ()
    assert len(await store.find("cn", b"new")) == 1


@test
async def test_one_commit_may_build_and_unbuild_a_branch(store: Store) -> None:
    await add(store, entry("dc=im"), entry("ou=p,dc=im"), entry("cn=c,ou=p,dc=im"))
    parent, child = entry("ou=p,dc=im"), entry("cn=c,ou=p,dc=im")
    await change(
        store,
        Remove(child.id, child.dn, 1),
        Remove(parent.id, parent.dn, 1),
        Put(entry("ou=p,dc=im", "p2"), 0),
        Put(entry("cn=c,ou=p,dc=im", "c2"), 0),
        Put(entry("cn=c,ou=p,dc=im", "c2", description="again"), 1),
    )
    read = await store.read(child.dn)
    assert read is not None
    assert (read.id, read.version, read.text("description")) == ("c2", 2, "again")
    assert await store.read_id(child.id) is None


@test
async def test_commits_that_share_a_disk_write_succeed_and_fail_each_for_itself(store: Store) -> None:
    await plant(store)
    wanted = [
        change(store, Put(entry(A, description="first"), 1)),
        change(store, Put(entry(A, description="late"), 1)),
        change(store, Put(entry("cn=n,dc=im"), 0)),
        change(store, Put(entry("cn=n,dc=im", "other"), 0)),
        change(store, Put(entry(A, description="second"), 2)),
        change(store, Put(entry("cn=m,cn=nowhere,dc=im"), 0)),
        change(store, Put(entry("cn=m,cn=n,dc=im"), 0)),
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
    assert outcomes == [
        "done",
        "conflict",
        "done",
        "ENTRY_ALREADY_EXISTS",
        "done",
        "NO_SUCH_OBJECT",
        "done",
    ]
    read = await store.read(A)
    assert read is not None
    assert (read.version, read.text("description")) == (3, "second")
    assert [record.version for record in await store.changes(10, 100)] == [2, 1, 3, 1]


@test
async def test_many_commits_at_once_are_all_there(store: Store) -> None:
    await add(store, entry("dc=im"))
    await gatherResults(
        [Deferred.fromCoroutine(add(store, entry(f"cn={n},dc=im", badge=str(n)))) for n in range(300)]
    )
    assert len(await names(store)) == 301
    assert [record.sequence for record in await store.changes(0, 1000)] == list(range(1, 302))


@test
async def test_finding_compares_as_the_equality_rule_does_and_follows_every_change(store: Store) -> None:
    await plant(store)
    a = entry(A).id
    assert await store.find("badge", b"7") == (entry("cn=y,ou=inner,ou=boxes,dc=im").id,)
    assert await store.find("cn", b"  A ") == (a,)
    await change(store, Put(entry(A, badge=["7", "70"], cn="Anna"), 1))
    assert await store.find("cn", b"a") == ()
    assert await store.find("cn", b"ANNA") == (a,)
    assert await store.find("badge", b"0") == ()
    assert set(await store.find("badge", b"7")) == {a, entry("cn=y,ou=inner,ou=boxes,dc=im").id}
    assert await store.find("badge", b"none of its syntax") == ()
    await change(store, Remove(a, A, 2))
    assert await store.find("cn", b"anna") == ()
    assert await store.find("badge", b"70") == ()


@test
async def test_finding_by_what_is_not_indexed_is_a_bug_of_ours(store: Store) -> None:
    for key in ("description", "unheard-of"):
        with pytest.raises(KeyError):
            await store.find(key, b"x")


@test
async def test_long_values_are_found_whole(store: Store) -> None:
    long = "x" * 500
    await add(
        store,
        entry("dc=im"),
        entry("cn=a,dc=im", "1", cn=long + "1"),
        entry("cn=b,dc=im", "2", cn=long + "2"),
    )
    assert await store.find("cn", (long + "1").encode()) == ("1",)
    assert await names(store, Equality("cn", (long.upper() + "2").encode())) == ["cn=b,dc=im"]


@test
async def test_scopes_reach_as_far_as_they_say(store: Store) -> None:
    await plant(store)
    await add(store, entry("ou=boxes2,dc=im"), entry("cn=b2,ou=boxes2,dc=im"))
    assert await names(store, base=BOXES, scope=Scope.BASE) == ["ou=boxes,dc=im"]
    assert sorted(await names(store, base=BOXES, scope=Scope.ONE_LEVEL)) == [
        *[f"cn={name},ou=boxes,dc=im" for name in "abcde"],
        "ou=inner,ou=boxes,dc=im",
    ]
    everything = await names(store, base=BOXES)
    assert len(everything) == 9
    assert all(name.endswith("ou=boxes,dc=im") for name in everything)
    for scope in Scope:
        assert await names(store, base="cn=nowhere,dc=im", scope=scope) == []
        assert await names(store, Equality("cn", b"a"), base="cn=nowhere,dc=im", scope=scope) == []


@test
async def test_a_search_from_the_root_sees_every_top(store: Store) -> None:
    await plant(store)
    await add(store, entry("dc=other"))
    assert len(await names(store, base=ROOT)) == 11
    assert sorted(await names(store, base=ROOT, scope=Scope.ONE_LEVEL)) == ["dc=im", "dc=other"]
    assert await names(store, base=ROOT, scope=Scope.BASE) == []


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize(
    "wanted",
    [
        Equality("cn", b"A"),
        Equality("commonName", b"x"),
        Equality("name", b"a"),
        Equality("badge", b"7"),
        Equality("badge", b"no number"),
        Equality("objectClass", b"box"),
        Equality("objectClass", b"THING"),
        Equality("description", b"deep"),
        Equality("unheard-of", b"x"),
        And((Equality("objectClass", b"thing"), Equality("cn", b"b"))),
        And((Equality("cn", b"b"), Equality("badge", b"7"))),
        And((Equality("objectClass", b"thing"), GreaterOrEqual("badge", b"3"))),
        And(()),
        Or(()),
        Or((Equality("cn", b"a"), Equality("cn", b"y"), Equality("badge", b"7"))),
        Or((Equality("cn", b"a"), Equality("description", b"deep"))),
        Or((And((Equality("cn", b"a"), Equality("badge", b"0"))), Equality("badge", b"1"))),
        Not(Equality("cn", b"a")),
        Not(Equality("objectClass", b"thing")),
        And((Not(Equality("cn", b"a")), Equality("objectClass", b"thing"))),
        Substrings("cn", None, (b"x",), None),
        Present("badge"),
    ],
    ids=repr,
)
@test
async def test_an_index_never_changes_what_is_found(store: Store, wanted: Any, scope: Scope) -> None:
    await plant(store)
    matches = compile_filter(wanted, SCHEMA)
    expected = []
    for base in (TOP, BOXES, A):
        for name in await names(store, base=base, scope=scope):
            read = await store.read(DN.parse(name))
            assert read is not None
            if matches(read) is True:
                expected.append((base, name))
        found = await names(store, wanted, base=base, scope=scope, limits=SearchLimits(batch=3))
        assert sorted(found) == sorted(name for top, name in expected if top == base)


@test
async def test_a_search_looks_at_no_more_entries_than_it_may(store: Store) -> None:
    await plant(store)
    with pytest.raises(Refusal) as caught:
        await names(store, Equality("description", b"deep"), limits=SearchLimits(candidates=9, batch=4))
    assert caught.value.code is ResultCode.ADMIN_LIMIT_EXCEEDED
    assert len(await names(store, limits=SearchLimits(candidates=10, batch=4))) == 10
    assert len(await names(store, Equality("cn", b"a"), limits=SearchLimits(candidates=1))) == 1


@test
async def test_a_search_goes_on_while_others_write(store: Store) -> None:
    await plant(store)
    found = []
    async for batch in store.search(TOP, Scope.SUBTREE, Present("objectClass"), SearchLimits(batch=2)):
        found.extend([entry.dn.text for entry in batch])
        number = len(found)
        await add(store, entry(f"cn=new{number},dc=im"))
    assert len(set(found)) == len(found) >= 10


@test
async def test_a_search_may_be_left_before_its_end(store: Store) -> None:
    await plant(store)
    search = store.search(TOP, Scope.SUBTREE, Present("objectClass"), SearchLimits(batch=2))
    async for _ in search:
        break
    await search.aclose()  # type: ignore[attr-defined]
    await add(store, entry("cn=new,dc=im"))


@test
async def test_the_change_log_tells_what_happened_in_order(store: Store) -> None:
    await add(store, entry("dc=im", "top"), entry("cn=a,dc=im", "a"))
    await change(store, Put(entry("cn=a,dc=im", "a"), 1), at=NOW + 1)
    await change(store, Remove(EntryId("a"), DN.parse("cn=a,dc=im"), 2), at=NOW + 2)
    done = await store.commit(Commit(NOW, BY))
    assert done.sequence == 4
    log = await store.changes(0, 100)
    assert [(r.sequence, r.at - NOW, r.by, r.kind, r.id, r.dn.text, r.version) for r in log] == [
        (1, 0, BY, "add", "top", "dc=im", 1),
        (2, 0, BY, "add", "a", "cn=a,dc=im", 1),
        (3, 1, BY, "modify", "a", "cn=a,dc=im", 2),
        (4, 2, BY, "delete", "a", "cn=a,dc=im", 2),
    ]
    assert [record.sequence for record in await store.changes(1, 2)] == [2, 3]
    assert await store.changes(4, 100) == []


@test
async def test_the_journal_keeps_what_commits_and_notes_say(store: Store) -> None:
    await store.commit(Commit(NOW, BY, journal=(JournalEvent(NOW, 1, "one", {"a": "ü", "b": ""}),)))
    store.note(JournalEvent(NOW + 1, 2, "two"))
    await store.commit(Commit(NOW, BY, journal=(JournalEvent(NOW, 3, "three"),)))
    lines = await store.journal(0, 100)
    assert sorted(line.event for _, line in lines) == [1, 2, 3]
    assert lines[0] == (1, JournalEvent(NOW, 1, "one", {"a": "ü", "b": ""}))
    assert [number for number, _ in await store.journal(1, 1)] == [2]


@test
async def test_closing_writes_what_was_only_noted_and_opening_finds_everything(opening: Opening) -> None:
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await plant(store)
    await change(store, Put(entry(A, description="kept"), 1))
    store.note(JournalEvent(NOW, 2, "noted"))
    last = Deferred.fromCoroutine(add(store, entry("cn=last,dc=im")))
    await store.close()
    await last
    await store.close()
    store = await opening()
    try:
        assert [line.text for _, line in await store.journal(0, 100)] == ["noted"]
        assert len(await names(store)) == 11
        read = await store.read(A)
        assert read is not None
        assert (read.version, read.text("description")) == (2, "kept")
        assert (await add(store, entry("cn=more,dc=im"))).sequence == 13
        assert await store.find("badge", b"0") == ()
    finally:
        await store.close()
