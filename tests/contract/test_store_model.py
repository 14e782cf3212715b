"""Any order of adds, changes, renames and removals leaves the tree that a plain dictionary says it is."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from store_tree import BY, NOW, SCHEMA, entry, names
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.filters import Equality, Or, Present, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Commit, Conflict, Move, Put, Remove, SearchLimits, Store, Write
from provserver.storage.sqlite import SqliteStore

T = TypeVar("T")
Path_ = tuple[str, ...]
"""A name root first: ("dc=im", "ou=a")."""
Outcome = ResultCode | type[Conflict]

TOP: Path_ = ("dc=im",)
LEAVES = [f"{type}={value}" for type in ("cn", "ou") for value in "abc"]
SPELLINGS = st.sampled_from([*LEAVES, "CN=A", "OU=B"])
BADGES = st.sampled_from(["1", "2"])
ANY = Present("objectClass")
SMALL = SearchLimits(batch=2)


@dataclass(frozen=True)
class Known:
    """What the model knows of an entry."""

    id: str
    version: int
    text: str
    """Its DN as spelled."""
    badge: str


def folded(path: Path_) -> Path_:
    return tuple(part.lower() for part in path)


def dn_text(path: Path_) -> str:
    return ",".join(reversed(path))


class TreeMachine(RuleBasedStateMachine):
    """The store and the dictionary, side by side."""

    opening: Callable[[Path, Clock], Awaitable[Store]]
    lasting: bool

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.opened()
        self.made = 0
        self.model: dict[Path_, Known] = {}
        self.log: list[tuple[str, str, str, int]] = []
        self.add_at(TOP, "1")

    def teardown(self) -> None:
        self.run(self.store.close())
        self.folder.cleanup()

    def run(self, work: Awaitable[T]) -> T:
        """The end of a call; the store's reactor is a clock that is turned for as long as it takes."""
        ended: list[Any] = []
        assert isinstance(work, Coroutine)
        Deferred.fromCoroutine(work).addBoth(ended.append)
        while not ended:
            self.clock.advance(0)
        if isinstance(ended[0], Failure):
            ended[0].raiseException()
        result: T = ended[0]
        return result

    def opened(self) -> Store:
        return self.run(type(self).opening(Path(self.folder.name) / "store.db", self.clock))

    def commit(self, *writes: Write) -> Outcome:
        try:
            self.run(self.store.commit(Commit(NOW, BY, writes)))
        except Refusal as refusal:
            return refusal.code
        except Conflict:
            return Conflict
        return ResultCode.SUCCESS

    def node(self, data: st.DataObject) -> Path_:
        return data.draw(st.sampled_from(sorted(self.model)), "entry")

    def below(self, top: Path_) -> list[Path_]:
        return [path for path in sorted(self.model) if path[: len(top)] == top and path != top]

    def spelled(self, parent: Path_, rdn: str) -> str:
        return f"{rdn},{self.model[parent].text}" if parent in self.model else dn_text((*parent, rdn))

    def record(self, kind: str, known: Known) -> None:
        self.log.append((kind, known.id, known.text, known.version))

    def add_at(self, path: Path_, badge: str) -> None:
        text = self.spelled(path[:-1], path[-1])
        self.made += 1
        added = entry(text, f"id{self.made}", badge=badge)
        expected: Outcome = ResultCode.SUCCESS
        if path[:-1] and folded(path[:-1]) not in self.model:
            expected = ResultCode.NO_SUCH_OBJECT
        elif folded(path) in self.model:
            expected = ResultCode.ENTRY_ALREADY_EXISTS
        assert self.commit(Put(added, 0)) == expected
        if expected is ResultCode.SUCCESS:
            known = self.model[folded(path)] = Known(added.id, 1, text, badge)
            self.record("add", known)

    # What may happen

    @rule(data=st.data(), rdn=SPELLINGS, badge=BADGES)
    def add(self, data: st.DataObject, rdn: str, badge: str) -> None:
        self.add_at((*self.node(data), rdn), badge)

    @rule(rdn=SPELLINGS)
    def add_where_nothing_is(self, rdn: str) -> None:
        self.add_at((*TOP, "cn=nowhere", rdn), "1")

    @rule(data=st.data(), badge=BADGES, missed=st.integers(-1, 1))
    def modify(self, data: st.DataObject, badge: str, missed: int) -> None:
        path = self.node(data)
        known = self.model[path]
        outcome = self.commit(Put(entry(known.text, known.id, badge=badge), known.version + missed))
        if missed and known.version + missed == 0:
            assert outcome is ResultCode.ENTRY_ALREADY_EXISTS, "at version 0 it is an add"
        elif missed:
            assert outcome is Conflict
        else:
            assert outcome is ResultCode.SUCCESS
            self.model[path] = replace(known, version=known.version + 1, badge=badge)
            self.record("modify", self.model[path])

    @rule(data=st.data(), rdn=SPELLINGS, badge=BADGES, missed=st.sampled_from([0, 0, 0, 0, -1, 1]))
    def move(self, data: st.DataObject, rdn: str, badge: str, missed: int) -> None:
        old, superior = self.node(data), self.node(data)
        if old == TOP:
            return
        new = (*superior, rdn)
        known, text, below = self.model[old], self.spelled(superior, rdn), self.below(old)
        outcome = self.commit(
            Move(entry(text, known.id, badge=badge), known.version, max(0, len(below) + missed))
        )
        expected: Outcome = ResultCode.SUCCESS
        if folded(new) != old and folded(new)[: len(old)] == old:
            expected = ResultCode.UNWILLING_TO_PERFORM
        elif folded(new) != old and folded(new) in self.model:
            expected = ResultCode.ENTRY_ALREADY_EXISTS
        elif max(0, len(below) + missed) != len(below):
            expected = Conflict
        assert outcome == expected
        if expected is not ResultCode.SUCCESS:
            return
        carried = [(path, self.model.pop(path)) for path in below]
        del self.model[old]
        renamed = Known(known.id, known.version + 1, text, badge)
        self.model[folded(new)] = renamed
        self.record("move", renamed)
        for path, one in carried:
            spelled = one.text.split(",")[: len(path) - len(old)]
            moved = replace(one, version=one.version + 1, text=",".join([*spelled, text]))
            self.model[folded(new) + path[len(old) :]] = moved
            self.record("move", moved)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        path = self.node(data)
        if path == TOP:
            return
        outcome = self.commit(self.removal(path))
        if self.below(path):
            assert outcome is ResultCode.NOT_ALLOWED_ON_NON_LEAF
        else:
            assert outcome is ResultCode.SUCCESS
            self.record("delete", self.model.pop(path))

    @rule(data=st.data())
    def remove_a_branch(self, data: st.DataObject) -> None:
        top = self.node(data)
        if top == TOP:
            return
        branch = [*reversed(self.below(top)), top]
        assert self.commit(*[self.removal(path) for path in branch]) is ResultCode.SUCCESS
        for path in branch:
            self.record("delete", self.model.pop(path))

    @rule()
    def open_again(self) -> None:
        if self.lasting:
            self.run(self.store.close())
            self.store = self.opened()

    def removal(self, path: Path_) -> Remove:
        known = self.model[path]
        return Remove(EntryId(known.id), DN.parse(known.text), known.version)

    # What is always true

    def seen(self, read: Entry | None) -> Known | None:
        return Known(read.id, read.version, read.dn.text, read.text("badge")) if read is not None else None

    @invariant()
    def every_entry_is_found_by_name_and_id(self) -> None:
        for path, known in self.model.items():
            assert self.seen(self.run(self.store.read(DN.parse(dn_text(path))))) == known
            assert self.seen(self.run(self.store.read_id(EntryId(known.id)))) == known
            assert self.run(self.store.has_children(DN.parse(known.text))) == bool(self.below(path))
        for number in range(1, self.made + 1):
            if f"id{number}" not in {known.id for known in self.model.values()}:
                assert self.run(self.store.read_id(EntryId(f"id{number}"))) is None
        for rdn in LEAVES:
            if (*TOP, rdn) not in self.model:
                assert self.run(self.store.read(DN.parse(dn_text((*TOP, rdn))))) is None

    @invariant()
    def every_scope_has_what_lies_in_it(self) -> None:
        for path, known in self.model.items():
            below = {self.model[one].text for one in self.below(path)}
            children = {self.model[one].text for one in self.below(path) if len(one) == len(path) + 1}
            assert set(self.found(known.text, Scope.SUBTREE)) == {known.text, *below}
            assert set(self.found(known.text, Scope.ONE_LEVEL)) == children

    @invariant()
    def every_value_finds_its_entries_parents_first(self) -> None:
        for badge in ("1", "2"):
            holders = {known.id: known.text for known in self.model.values() if known.badge == badge}
            assert set(self.run(self.store.find("badge", badge.encode()))) == set(holders)
            wanted = Equality("badge", badge.encode())
            self.in_order(self.found("dc=im", Scope.SUBTREE, wanted), set(holders.values()))
        either = Or((Equality("objectClass", b"box"), Equality("badge", b"1")))
        boxes = {
            known.text
            for known in self.model.values()
            if known.text.startswith("ou=") or known.badge == "1"  # the class that `entry` gives
        }
        self.in_order(self.found("dc=im", Scope.SUBTREE, either), boxes)

    @invariant()
    def the_change_log_has_a_line_for_each_entry_that_changed(self) -> None:
        log = self.run(self.store.changes(0, 100_000))
        assert [(line.kind, line.id, line.dn.text, line.version) for line in log] == self.log
        assert [line.sequence for line in log] == list(range(1, len(log) + 1))

    def found(self, base: str, scope: Scope, wanted: Any = ANY) -> list[str]:
        return self.run(names(self.store, wanted, base, scope, SMALL))

    def in_order(self, found: list[str], expected: set[str]) -> None:
        assert set(found) == expected
        assert len(found) == len(expected)
        seen: set[str] = set()
        for name in found:
            above = DN.parse(name).parent
            assert above is not None
            assert above.text not in expected or above.text in seen
            seen.add(name)


async def _in_a_file(path: Path, clock: Clock) -> Store:
    making = SqliteStore.open if path.exists() else SqliteStore.create  # noqa: ASYNC240 -- nothing else runs
    return await making(path, SCHEMA, reactor=clock, durable=False, quick=1e9)


async def _in_memory(path: Path, clock: Clock) -> Store:
    return await SqliteStore.in_memory(SCHEMA)


@pytest.mark.parametrize("opening", [_in_a_file, _in_memory])
def test_the_tree_is_what_the_model_says(opening: Callable[[Path, Clock], Awaitable[Store]]) -> None:
    machine = type("Machine", (TreeMachine,), {"opening": opening, "lasting": opening is _in_a_file})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=40))
