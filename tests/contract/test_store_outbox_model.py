"""Any order of what happens to deliveries leaves the outbox that a plain dictionary says it is."""

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
from store_tree import BY, NOW, SCHEMA, delivery, outbox
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from provserver.directory.entries import EntryId
from provserver.storage.contract import (
    Commit,
    DeliveryId,
    DeliveryState,
    MarkFate,
    Settlement,
    Store,
    Tally,
)
from provserver.storage.sqlite import SqliteStore

T = TypeVar("T")
PENDING, CLAIMED, RETRYING, HELD = list(DeliveryState)[:4]
WAITING = (PENDING, RETRYING, HELD)
ENDPOINTS = ("e1", "e2")
LEASE = 50.0


@dataclass(frozen=True)
class Known:
    """What the model knows of a row."""

    user: str
    account: str
    endpoint: str
    state: DeliveryState
    attempts: int
    created: float
    due: float
    """Of a claimed row: when its lease ends."""
    sealed: bytes
    superseded: bool = False
    """It was on its way when a newer change of its user was committed: no other attempt is made."""


class OutboxMachine(RuleBasedStateMachine):
    """The store and the dictionary, side by side. Time goes on by one second with each step."""

    opening: Callable[[Path, Clock], Awaitable[Store]]
    lasting: bool

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.opened()
        self.made = 0
        self.now = NOW
        self.rows: dict[str, Known] = {}
        self.ended: dict[str, DeliveryState] = {}

    def teardown(self) -> None:
        self.run(self.store.close())
        self.folder.cleanup()

    def run(self, work: Awaitable[T]) -> T:
        ended: list[Any] = []
        assert isinstance(work, Coroutine)
        Deferred.fromCoroutine(work).addBoth(ended.append)
        while not ended:
            self.clock.advance(0.01)
        if isinstance(ended[0], Failure):
            ended[0].raiseException()
        result: T = ended[0]
        return result

    def opened(self) -> Store:
        return self.run(type(self).opening(Path(self.folder.name) / "store.db", self.clock))

    def some(self, data: st.DataObject) -> list[DeliveryId]:
        known = [f"d{number:03}" for number in range(self.made + 1)]
        chosen = data.draw(st.lists(st.sampled_from(known), max_size=4), "deliveries")
        return [DeliveryId(name) for name in chosen]

    def end(self, name: str, state: DeliveryState) -> None:
        self.ended[self.rows.pop(name).account] = state

    # What may happen

    @rule(
        user=st.sampled_from(["u1", "u2"]),
        endpoint=st.sampled_from(ENDPOINTS),
        claimed=st.booleans(),
        cancels=st.booleans(),
    )
    def commit(self, user: str, endpoint: str, claimed: bool, cancels: bool) -> None:
        self.now += 1
        name = f"d{self.made:03}"
        new = delivery(name, user, f"{user} at {endpoint}", endpoint, claimed=claimed)
        self.made += 1
        done = self.run(
            self.store.commit(
                Commit(self.now, BY, deliveries=(new,), cancel_for=(EntryId(user),) if cancels else ())
            )
        )
        older = [id for id, row in self.rows.items() if cancels and row.user == user and row.state in WAITING]
        assert [row.id for row in done.cancelled] == older
        for id in older:
            self.end(id, DeliveryState.CANCELLED)
        for id, row in self.rows.items():
            if cancels and row.user == user and row.state is CLAIMED:
                self.rows[id] = replace(row, superseded=True)
        state, due = (CLAIMED, self.now + 600) if claimed else (PENDING, self.now)
        self.rows[name] = Known(user, str(new.account), endpoint, state, 0, self.now, due, new.sealed)

    @rule(endpoint=st.sampled_from(ENDPOINTS), limit=st.integers(1, 3))
    def claim(self, endpoint: str, limit: int) -> None:
        self.now += 1
        mine = {id: row for id, row in self.rows.items() if row.endpoint == endpoint and row.due <= self.now}
        over = [id for id, row in mine.items() if row.state is CLAIMED]
        due = sorted(
            (id for id, row in mine.items() if row.state in (PENDING, RETRYING)),
            key=lambda id: (mine[id].due, id),
        )
        expected: list[str] = []
        given_up = [id for id in over if mine[id].superseded]
        for id in [*over, *due]:
            taken_for = {mine[one].account for one in expected}
            if id not in given_up and len(expected) < limit and mine[id].account not in taken_for:
                expected.append(id)
        taken = self.run(self.store.claim(EntryId(endpoint), limit, self.now, LEASE, frozenset()))
        assert [row.id for row in taken] == expected
        for id in given_up:
            self.end(id, DeliveryState.CANCELLED)
        for id in expected:
            self.rows[id] = replace(self.rows[id], state=CLAIMED, due=self.now + LEASE)

    @rule(
        data=st.data(),
        state=st.sampled_from([state for state in DeliveryState if state not in (PENDING, CLAIMED)]),
        mark=st.sampled_from(MarkFate),
    )
    def settle(self, data: st.DataObject, state: DeliveryState, mark: MarkFate) -> None:
        self.now += 1
        name = data.draw(st.sampled_from(sorted(self.rows) or ["nobody"]), "delivery")
        row = self.rows.get(name)
        account = EntryId(row.account if row else "nobody")
        due = self.now + data.draw(st.sampled_from([1, 5, 30]), "pause")
        new = delivery(name)
        self.run(
            self.store.settle(
                Settlement(new.id, account, new.change, state, mark, self.now, 7000, "", float(due))
            )
        )
        if row is None:
            return
        if state in (RETRYING, HELD) and not row.superseded:
            attempts = row.attempts + (row.state is CLAIMED)
            due = due if state is RETRYING else self.now
            self.rows[name] = replace(row, state=state, attempts=attempts, due=due)
        else:
            self.end(name, DeliveryState.CANCELLED if state in (RETRYING, HELD) else state)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.now += 1
        chosen = self.some(data)
        done = self.run(self.store.release(chosen, self.now))
        expected = [
            id for id in dict.fromkeys(chosen) if id in self.rows and self.rows[id].state in (RETRYING, HELD)
        ]
        assert [(row.id, row.state) for row in done] == [(id, self.rows[id].state) for id in expected]
        for id in expected:
            self.rows[id] = replace(self.rows[id], state=PENDING, attempts=0, due=self.now)

    @rule(data=st.data(), state=st.sampled_from([DeliveryState.FAILED, DeliveryState.CANCELLED]))
    def drop(self, data: st.DataObject, state: DeliveryState) -> None:
        self.now += 1
        chosen = self.some(data)
        done = self.run(self.store.drop(chosen, state, self.now, 7031, ""))
        expected = [id for id in dict.fromkeys(chosen) if id in self.rows and self.rows[id].state in WAITING]
        assert [row.id for row in done] == expected
        for id in expected:
            self.end(id, state)

    @rule()
    def hold_all(self) -> None:
        self.now += 1
        waiting = [id for id, row in self.rows.items() if row.state in (PENDING, RETRYING)]
        assert self.run(self.store.hold_all(self.now, 7033, "")) == len(waiting)
        for id in waiting:
            self.rows[id] = replace(self.rows[id], state=HELD, due=self.now)

    @rule(data=st.data())
    def reseal(self, data: st.DataObject) -> None:
        chosen = list(dict.fromkeys(self.some(data)))
        sealed = f"anew {self.now}".encode()
        expected = [id for id in chosen if id in self.rows and self.rows[id].state in WAITING]
        assert self.run(self.store.reseal([(id, sealed) for id in chosen])) == len(expected)
        for id in expected:
            self.rows[id] = replace(self.rows[id], sealed=sealed)

    @rule()
    def forget(self) -> None:
        self.run(self.store.forget_marks(self.now))

    @rule()
    def open_again(self) -> None:
        if not self.lasting:
            return
        self.run(self.store.close())
        self.store = self.opened()
        for id, row in list(self.rows.items()):
            if row.superseded:
                self.end(id, DeliveryState.CANCELLED)
            elif row.state is CLAIMED:
                self.rows[id] = replace(row, state=RETRYING, due=0.0)

    # What is always true

    @invariant()
    def every_row_is_as_the_model_says(self) -> None:
        for number in range(self.made):
            name = DeliveryId(f"d{number:03}")
            row, known = self.run(self.store.delivery(name)), self.rows.get(name)
            assert (row is None) == (known is None), name
            if row is not None and known is not None:
                assert (row.state, row.created, row.sealed) == (known.state, known.created, known.sealed)
                if known.state is not CLAIMED:
                    assert (row.due, row.attempts) == (known.due, known.attempts)

    @invariant()
    def pages_and_counts_agree(self) -> None:
        assert self.run(outbox(self.store, limit=3)) == sorted(self.rows)
        assert self.run(self.store.outbox_size()) == len(self.rows)
        for endpoint in ENDPOINTS:
            for state in (None, *WAITING, CLAIMED):
                wanted = [
                    id
                    for id, row in sorted(self.rows.items())
                    if row.endpoint == endpoint and state in (None, row.state)
                ]
                assert (
                    self.run(outbox(self.store, limit=2, endpoint=EntryId(endpoint), state=state)) == wanted
                )
        order = {state: number for number, state in enumerate((PENDING, RETRYING, HELD, CLAIMED))}
        places = {(row.endpoint, row.state) for row in self.rows.values()}
        tallies = []
        for endpoint, state in sorted(places, key=lambda place: (place[0], order[place[1]])):
            rows = [row for row in self.rows.values() if (row.endpoint, row.state) == (endpoint, state)]
            oldest = min(row.created for row in rows)
            tallies.append(Tally(EntryId(endpoint), state, len(rows), oldest))
        assert list(self.run(self.store.tallies())) == tallies

    @invariant()
    def what_is_held_is_known_by_its_time(self) -> None:
        held = sorted((row.due, id) for id, row in self.rows.items() if row.state is HELD)
        before = self.now - 3
        found = self.run(self.store.held_before(before, 100))
        assert [row.id for row in found] == [id for due, id in held if due < before]


async def _in_a_file(path: Path, clock: Clock) -> Store:
    making = SqliteStore.open if path.exists() else SqliteStore.create  # noqa: ASYNC240 -- nothing else runs
    return await making(path, SCHEMA, reactor=clock, durable=False, quick=1e9)


async def _in_memory(path: Path, clock: Clock) -> Store:
    return await SqliteStore.in_memory(SCHEMA)


@pytest.mark.parametrize("opening", [_in_a_file, _in_memory])
def test_the_outbox_is_what_the_model_says(opening: Callable[[Path, Clock], Awaitable[Store]]) -> None:
    machine = type("Machine", (OutboxMachine,), {"opening": opening, "lasting": opening is _in_a_file})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=30))
