"""The journal read behind its end: each reader is told each event once, in order."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from provserver.journal.tail import Tail, last_number
from provserver.storage.contract import JournalEvent


class Kept:
    """A store that has a journal with these numbers: lines at its beginning may have been removed."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = list(numbers)
        self.asked = 0

    async def journal(self, after: int, limit: int) -> Sequence[tuple[int, JournalEvent]]:
        self.asked += 1
        return [(number, JournalEvent(0.0, 8026, "")) for number in self.numbers if number > after][:limit]


class Noting:
    def __init__(self, after: int = 0, most: int = 10_000) -> None:
        self.after = after
        self.most = most
        """How many events it takes; then its disk is full."""
        self.taken: list[int] = []

    def take(self, events: Sequence[tuple[int, JournalEvent]]) -> None:
        numbers = [number for number, _ in events]
        if len(self.taken) + len(numbers) <= self.most:
            self.taken += numbers
            self.after = numbers[-1]


def done(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def read_all(store: Any, *readers: Noting) -> None:
    tail = Tail(store, readers)
    while done(tail.read_page()):
        pass


@given(st.integers(0, 5000), st.integers(0, 50))
def test_the_last_number_is_found_in_few_questions(last: int, removed: int) -> None:
    store: Any = Kept(range(min(removed, max(last - 1, 0)) + 1, last + 1))
    assert done(last_number(store)) == last
    assert store.asked <= 30


@given(st.sets(st.integers(1, 900)), st.lists(st.integers(0, 1000), min_size=1, max_size=3))
def test_each_reader_is_told_what_comes_after_its_own_place(numbers: set[int], places: list[int]) -> None:
    readers = [Noting(after) for after in places]
    read_all(Kept(sorted(numbers)), *readers)
    for reader, after in zip(readers, places, strict=True):
        assert reader.taken == [number for number in sorted(numbers) if number > after]


def test_what_is_new_is_told_next_time() -> None:
    store, reader = Kept([1, 2]), Noting()
    read_all(store, reader)
    store.numbers += [3, 5]
    read_all(store, reader)
    assert reader.taken == [1, 2, 3, 5]


def test_a_reader_that_cannot_take_more_holds_up_nobody_and_is_offered_it_again() -> None:
    store, full, other = Kept(range(1, 1001)), Noting(most=256), Noting()
    read_all(store, full, other)
    assert full.after == 256
    assert other.taken == list(range(1, 1001))
    full.most = 10_000
    read_all(store, full, other)
    assert full.taken == other.taken == list(range(1, 1001))
