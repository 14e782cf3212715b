"""Whatever happens to the tree, whenever consumers poll, listen, stall or lose their lines: a copy that does
what it is told ends with exactly the tree, and at no time has it two entries of one name.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from consumer import Attributes, Copy, Held, request, sync
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from partly import partly
from twisted.internet.defer import Deferred

from provserver.directory.access import Role
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.foundation import load_schema
from provserver.imps.profiles import Identities, identity_of, profile_dn
from provserver.imps.views import Views
from provserver.ldap.codec import SEARCH_RESULT_DONE, decode_message, encode_result
from provserver.ldap.controls import SyncMode
from provserver.ldap.filters import Present, Scope
from provserver.ldap.limits import DEFAULT_LIMITS
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.ldap.running import Task, run
from provserver.operations.asked import read_controls
from provserver.operations.content import uuid_of
from provserver.operations.context import BoundAs, House, SearchBounds
from provserver.operations.edits import Rooms
from provserver.operations.sending import Sender
from provserver.operations.signposts import Signposts
from provserver.operations.synchronising import Synchronisations
from provserver.storage.contract import Commit, Move, Put, Remove, SearchLimits, Store, Write
from provserver.storage.sqlite import SqliteStore

T = TypeVar("T")

SCHEMA = load_schema()
TOP = "dc=im"
NAMES = st.sampled_from(["a", "b", "c", "A"])
TEXTS = st.sampled_from(["1", "2"])
FIRST = {TOP: "1", f"ou=a,{TOP}": "1", f"ou=b,{TOP}": "2", f"ou=a,ou=a,{TOP}": "2", f"ou=b,ou=a,{TOP}": "1"}
CONTENTS = (
    request(TOP),
    request(TOP, "(description=1)"),
    request(TOP, scope=Scope.ONE_LEVEL),
    request(f"ou=a,{TOP}"),
)


def made(id: str, name: str, text: str, version: int = 0, **more: str) -> Entry:
    """An organizational unit."""
    dn = DN.parse(name)
    values = {"objectClass": "organizationalUnit", "ou": dn.rdns[0].pairs[0][1], "description": text, **more}
    attributes = {SCHEMA.key(one): Attribute(one, (value.encode(),)) for one, value in values.items()}
    return Entry(EntryId(id), dn, attributes, version)


def administrator() -> Entry:
    """Who asks: somebody whom nothing happens to."""
    name = DN.parse("ou=root,ou=users,dc=elsewhere")
    profile = profile_dn(Role.DOMAIN_ADMINISTRATOR, name)
    return made("root", str(name), "", eTUserAdminProfile=str(profile))


def ended(work: Coroutine[Any, Any, T]) -> T:
    """The result of what never waits: the store is in memory."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    [result] = results
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result  # type: ignore[no-any-return]


class Line:
    """A connection that can be stalled."""

    def __init__(self, bound: BoundAs) -> None:
        self.identity: object = bound
        self.said: list[bytes] = []
        self.stalled = False
        self._waiting: Deferred[None] | None = None

    def send(self, data: bytes) -> None:
        self.said.append(data)

    async def drained(self) -> None:
        if self.stalled:
            self._waiting = Deferred()
            await self._waiting

    def resume(self) -> None:
        self.stalled = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


class Consumer:
    """One copy of one content: polls, or listens."""

    def __init__(self, asked: SearchRequest, synchronisations: Synchronisations, bound: BoundAs) -> None:
        self.asked = asked
        self.copy = Copy()
        self.line: Line | None = None
        """It listens, on this one."""
        self.task: Task[Line, Result] | None = None
        self._synchronisations = synchronisations
        self._bound = bound
        self._views = Views("im")

    def poll(self, *, most: int | None = None) -> bool:
        """Bring the copy up to date; with `most` the line is cut after so many messages. Whether not."""
        line = Line(self._bound)
        self.copy.begin()
        try:
            ended(self._search(SyncMode.REFRESH_ONLY, line))
        except Refusal as refusal:
            if refusal.code is not ResultCode.NO_SUCH_OBJECT:
                raise
            return False
        self._hear(line.said[:most])
        whole = most is None or most >= len(line.said)
        # Who has heard half of a story, and hears it from the beginning, knows some names too early.
        self.copy.strict = whole
        return whole

    def listen(self) -> None:
        self.line = Line(self._bound)
        self.copy.begin()
        self.task = run(self._search(SyncMode.REFRESH_AND_PERSIST, self.line), self._over, self.line)

    def hear(self, most: int | None = None) -> None:
        """Take what was said, or so many messages of it."""
        if self.line is not None:
            said, self.line.said = self.line.said[:most], []
            self._hear(said)

    def hang_up(self) -> None:
        """What was said and not heard is lost."""
        if self.task is not None:
            self.task.cancel()
        self.line = self.task = None

    def _hear(self, said: list[bytes]) -> None:
        for data in said:
            self.copy.take(decode_message(data, 0, len(data)))

    async def _search(self, mode: SyncMode, line: Line) -> Result:
        asked = read_controls([sync(mode, self.copy.cookie, reload=True)], self.asked, DEFAULT_LIMITS)
        base, view = self._views.resolve(self.asked.base)
        search: Any = self._synchronisations.search
        result: Result = await search(1, self.asked, self._bound.identity, base, view, line, asked)
        line.send(encode_result(1, SEARCH_RESULT_DONE, SUCCESS, asked.answers))
        return result

    def _over(self, line: Line, result: Result | None, error: Exception | None) -> None:
        """The base has gone, or it was cancelled."""
        if isinstance(error, Refusal):
            known = {ResultCode.NO_SUCH_OBJECT, ResultCode.SYNC_REFRESH_REQUIRED}
            assert error.code in known, error
            self.hear()
        if self.line is line:
            self.line = self.task = None


class SyncMachine(RuleBasedStateMachine):
    """A tree, and its copies."""

    def __init__(self) -> None:
        super().__init__()
        self.store: Store = ended(SqliteStore.in_memory(SCHEMA))
        self.names: dict[str, str] = {}
        """By id: what is there."""
        self.count = 0
        for name, text in FIRST.items():
            self.add_at(name, text)
        asker = administrator()
        for id, above in ("elsewhere", "dc=elsewhere"), ("users", "ou=users,dc=elsewhere"):
            assert self.commit(Put(made(id, above, ""), 0))
        assert self.commit(Put(asker, 0))
        house = partly(
            House,
            rooms=partly(Rooms, store=self.store, schema=SCHEMA, views=Views("im")),
            bounds=SearchBounds(size=0, time=0, candidates=0, sorted=0, paged=0),
            signposts=Signposts(self.store),
            identities=Identities(),
            monotonic=lambda: 0.0,
        )
        synchronisations = Synchronisations(house, Sender(house))
        bound = BoundAs(identity_of(asker), 1)
        self.pollers = [Consumer(asked, synchronisations, bound) for asked in CONTENTS]
        self.listeners = [Consumer(asked, synchronisations, bound) for asked in CONTENTS]
        self.listen()

    def teardown(self) -> None:
        for consumer in self.listeners:
            consumer.hang_up()
        ended(self.store.close())  # type: ignore[arg-type]

    # What happens to the tree

    def commit(self, *writes: Write) -> bool:
        try:
            ended(self.store.commit(Commit(0.0, "tests", writes)))  # type: ignore[arg-type]
        except Refusal:
            return False
        return True

    def add_at(self, name: str, text: str) -> None:
        self.count += 1
        if self.commit(Put(made(f"id{self.count}", name, text), 0)):
            self.names[f"id{self.count}"] = name

    def entry(self, data: st.DataObject, *, top: bool = True) -> Entry | None:
        ids = [one for one, name in sorted(self.names.items()) if top or name != TOP]
        if not ids:
            return None
        found = ended(self.store.read_id(EntryId(data.draw(st.sampled_from(ids)))))  # type: ignore[arg-type]
        assert found is not None
        return found

    def below(self, dn: DN) -> list[Entry]:
        return [entry for entry in self.found(request(str(dn))) if entry.dn != dn]

    @rule(data=st.data(), name=NAMES, text=TEXTS)
    def add(self, data: st.DataObject, name: str, text: str) -> None:
        above = self.entry(data)
        assert above is not None
        self.add_at(f"ou={name},{above.dn}", text)

    @rule(data=st.data(), text=TEXTS)
    def modify(self, data: st.DataObject, text: str) -> None:
        entry = self.entry(data)
        assert entry is not None
        self.commit(Put(made(entry.id, str(entry.dn), text), entry.version))

    @rule(data=st.data(), name=NAMES)
    def move(self, data: st.DataObject, name: str) -> None:
        entry, above = self.entry(data, top=False), self.entry(data)
        if entry is None or above is None:
            return
        below = self.below(entry.dn)
        moved = made(entry.id, f"ou={name},{above.dn}", entry.text("description"))
        if self.commit(Move(moved, entry.version, len(below))):
            for one in [entry, *below]:
                self.names[one.id] = str(one.dn.relocate(entry.dn, moved.dn))

    @rule(data=st.data())
    def remove_branch(self, data: st.DataObject) -> None:
        entry = self.entry(data, top=False)
        if entry is None:
            return
        branch = [*reversed(self.below(entry.dn)), entry]
        assert self.commit(*[Remove(one.id, one.dn, one.version) for one in branch])
        for one in branch:
            del self.names[one.id]

    # What consumers do

    @rule()
    def poll(self) -> None:
        for consumer in self.pollers:
            if consumer.poll():
                assert consumer.copy.held == self.content(consumer.asked)

    @rule(most=st.integers(0, 6))
    def lose_the_line_while_polling(self, most: int) -> None:
        for consumer in self.pollers:
            consumer.poll(most=most)

    @rule()
    def listen(self) -> None:
        for consumer in self.listeners:
            if consumer.line is None:
                consumer.listen()

    @rule()
    def stall(self) -> None:
        for consumer in self.listeners:
            if consumer.line is not None:
                consumer.line.stalled = True

    @rule()
    def resume(self) -> None:
        for consumer in self.listeners:
            if consumer.line is not None:
                consumer.line.resume()

    @rule(most=st.integers(0, 6))
    def lose_the_line_while_listening(self, most: int) -> None:
        """After some of what was said while it was stalled."""
        for consumer in self.listeners:
            if consumer.line is not None:
                consumer.line.resume()
                consumer.hear(most)
                consumer.hang_up()
                consumer.copy.strict = False

    @rule(data=st.data())
    def swap(self, data: st.DataObject) -> None:
        """Two entries have each other's names, between two looks of whoever polls."""
        one, other = self.entry(data, top=False), self.entry(data, top=False)
        if one is None or other is None or one.dn.is_within(other.dn) or other.dn.is_within(one.dn):
            return
        names = str(one.dn), str(other.dn)
        for id, new in ((one.id, f"ou=between,{TOP}"), (other.id, names[0]), (one.id, names[1])):
            entry = ended(self.store.read_id(id))  # type: ignore[arg-type]
            assert entry is not None
            below = self.below(entry.dn)
            moved = made(id, new, entry.text("description"))
            assert self.commit(Move(moved, entry.version, len(below)))
            for each in [entry, *below]:
                self.names[each.id] = str(each.dn.relocate(entry.dn, moved.dn))

    # What is always true

    @invariant()
    def whoever_listens_has_everything(self) -> None:
        for consumer in self.listeners:
            consumer.hear()
            if consumer.line is not None and not consumer.line.stalled:
                consumer.copy.strict = True
                assert consumer.copy.held == self.content(consumer.asked)

    def content(self, asked: SearchRequest) -> Held:
        return {uuid_of(entry.id): (str(entry.dn), shown(entry)) for entry in self.found(asked)}

    def found(self, asked: SearchRequest) -> list[Entry]:
        async def search() -> list[Entry]:
            found: list[Entry] = []
            wanted = asked.filter
            async for batch in self.store.search(DN.parse(asked.base), asked.scope, wanted, SearchLimits()):
                found += batch
            return found

        return ended(search())


def shown(entry: Entry) -> Attributes:
    return {one.description: one.values for one in entry.attributes.values()}


def test_every_copy_ends_with_exactly_the_tree() -> None:
    assert isinstance(CONTENTS[0].filter, Present)
    run_state_machine_as_test(SyncMachine, settings=settings(max_examples=80, stateful_step_count=40))
