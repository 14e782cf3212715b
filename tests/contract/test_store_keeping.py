"""What every store does for those who look at the outbox and tidy up: pages, counts, released, dropped, held,
sealed anew, pruned.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from store_tree import (
    BY,
    NOW,
    Opening,
    add,
    claimed,
    deliver,
    delivery,
    entry,
    outbox,
    plant,
    settle,
    settled,
)

from provserver.directory.entries import EntryId
from provserver.storage.contract import (
    Commit,
    DeliveryId,
    DeliveryState,
    History,
    JournalEvent,
    MarkFate,
    NewDelivery,
    Pruned,
    Store,
    Tally,
)

test = pytest_twisted.ensureDeferred
EP = EntryId("ep")
PENDING, RETRYING, HELD, CLAIMED = (
    DeliveryState.PENDING,
    DeliveryState.RETRYING,
    DeliveryState.HELD,
    DeliveryState.CLAIMED,
)
FINAL = [DeliveryState.UPDATED, DeliveryState.UNVERIFIED, DeliveryState.FAILED, DeliveryState.CANCELLED]


def ids(*names: str) -> list[DeliveryId]:
    return [DeliveryId(name) for name in names]


async def one_of_each(store: Store) -> dict[str, NewDelivery]:
    """p pending, c claimed, r retrying (two attempts), h held since NOW + 5."""
    new = {name: delivery(name, f"user of {name}", claimed=name != "p") for name in "pcrh"}
    await deliver(store, *new.values())
    await store.settle(settled(new["r"], RETRYING, NOW + 1, due=NOW + 2))
    assert await claimed(store, now=NOW + 2, busy=["account of p"]) == ["r"]
    await store.settle(settled(new["r"], RETRYING, NOW + 3, due=NOW + 60, event=7013, text="lost"))
    await store.settle(settled(new["h"], HELD, NOW + 5, event=7010, text="denied"))
    return new


# -- looked at


@test
async def test_one_row_is_found_by_its_id_whatever_its_state(store: Store) -> None:
    await one_of_each(store)
    for name, state in (("p", PENDING), ("c", CLAIMED), ("r", RETRYING), ("h", HELD)):
        row = await store.delivery(DeliveryId(name))
        assert row is not None
        assert (row.id, row.state, row.sealed) == (name, state, b"sealed " + name.encode())
    assert await store.delivery(DeliveryId("nobody")) is None
    await store.settle(settled(delivery("c")))
    assert await store.delivery(DeliveryId("c")) is None


@test
async def test_pages_have_every_row_once_oldest_first(store: Store) -> None:
    for number in range(7):
        await deliver(store, delivery(f"d{number}", endpoint=f"ep{number % 2}", claimed=number == 3))
    assert await outbox(store, limit=3) == [f"d{number}" for number in range(7)]
    assert await outbox(store, limit=2, endpoint=EntryId("ep1")) == ["d1", "d3", "d5"]
    assert await outbox(store, limit=2, state=PENDING) == ["d0", "d1", "d2", "d4", "d5", "d6"]
    assert await outbox(store, limit=2, state=CLAIMED) == ["d3"]
    assert await outbox(store, limit=2, endpoint=EntryId("ep0"), state=CLAIMED) == []
    assert await outbox(store, limit=2, endpoint=EntryId("ep0"), state=PENDING) == ["d0", "d2", "d4", "d6"]
    for state in (HELD, RETRYING, *FINAL):
        assert await outbox(store, state=state) == []


@test
async def test_between_full_pages_the_reactor_does_other_things(store: Store) -> None:
    from twisted.internet import reactor

    clock: Any = reactor
    await deliver(store, *[delivery(f"d{number}") for number in range(5)])
    done: list[str] = []
    clock.callLater(0, done.append, "other")
    assert len(await store.outbox(0, 5)) == 5
    assert done == ["other"]


@test
async def test_a_row_keeps_its_number_through_its_states(store: Store) -> None:
    new = delivery("d", claimed=True)
    await deliver(store, delivery("first"), new)
    before = [number for number, row in await store.outbox(0, 10) if row.id == "d"]
    await store.settle(settled(new, HELD))
    await store.release(ids("d"), NOW + 1)
    assert await claimed(store, now=NOW + 1, busy=["account of first"]) == ["d"]
    for of in ({}, {"endpoint": EP}, {"state": CLAIMED}):
        page = await store.outbox(0, 10, **of)  # type: ignore[arg-type]  # as named
        assert [number for number, row in page if row.id == "d"] == before


@test
async def test_a_claimed_row_is_shown_as_claimed_and_whole(store: Store) -> None:
    await one_of_each(store)
    for of in ({}, {"endpoint": EP}, {"state": CLAIMED}):
        shown = {row.id: row for _, row in await store.outbox(0, 10, **of)}  # type: ignore[arg-type]
        assert (shown[DeliveryId("c")].state, shown[DeliveryId("c")].sealed) == (CLAIMED, b"sealed c")
        assert shown[DeliveryId("c")] == await store.delivery(DeliveryId("c"))


@test
async def test_tallies_count_by_endpoint_and_state_and_know_the_oldest(store: Store) -> None:
    assert list(await store.tallies()) == []
    await one_of_each(store)
    await deliver(store, delivery("p2"), delivery("c2", claimed=True), at=NOW + 9)
    await deliver(store, delivery("z", endpoint="another"), at=NOW + 7)
    assert list(await store.tallies()) == [
        Tally(EntryId("another"), PENDING, 1, NOW + 7),
        Tally(EP, PENDING, 2, NOW),
        Tally(EP, RETRYING, 1, NOW),
        Tally(EP, HELD, 1, NOW),
        Tally(EP, CLAIMED, 2, NOW),
    ]


@test
async def test_tallies_are_right_after_everything_that_can_happen(store: Store) -> None:
    new = await one_of_each(store)
    await store.release(ids("h"), NOW + 10)
    await store.drop(ids("r"), DeliveryState.CANCELLED, NOW + 10, 7031, "")
    await deliver(store, cancel_for=(EntryId("user of p"),), at=NOW + 11)
    assert list(await store.tallies()) == [Tally(EP, PENDING, 1, NOW), Tally(EP, CLAIMED, 1, NOW)]
    assert await claimed(store, now=NOW + 12) == ["h"]
    await store.settle(settled(new["h"]))
    await store.settle(settled(new["c"], RETRYING, NOW, due=NOW + 20))
    assert list(await store.tallies()) == [Tally(EP, RETRYING, 1, NOW)]
    assert await store.outbox_size() == 1
    await store.settle(settled(new["c"], DeliveryState.CANCELLED, mark=MarkFate.REMOVED))
    assert list(await store.tallies()) == []
    assert await store.outbox_size() == 0


@test
async def test_what_waits_is_counted_when_a_store_is_opened_again(opening: Opening) -> None:
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await one_of_each(store)
    await store.close()
    store = await opening()
    try:
        counted = {(tally.state, tally.count) for tally in await store.tallies()}
        assert counted == {(PENDING, 1), (RETRYING, 2), (HELD, 1)}, "c is an orphan now"
        assert await store.outbox_size() == 4
        assert await outbox(store) == ["p", "c", "r", "h"]
    finally:
        await store.close()


# -- released and dropped


@test
async def test_what_is_released_is_pending_due_at_once_with_all_its_retries(store: Store) -> None:
    await one_of_each(store)
    rows = await store.release(ids("r", "h", "h", "c", "p", "nobody"), NOW + 10)
    assert [(row.id, row.state, row.attempts) for row in rows] == [("r", RETRYING, 2), ("h", HELD, 1)]
    for name, event, text in (("r", 7013, "lost"), ("h", 7010, "denied")):
        row = await store.delivery(DeliveryId(name))
        assert row is not None
        assert (row.state, row.attempts, row.due) == (PENDING, 0, NOW + 10)
        assert (row.event, row.text) == (event, text), "what is known of its last attempt stays known"
    assert (await store.endpoints_due(NOW + 10))[0] == [EP]
    assert await claimed(store, now=NOW + 10) == ["p", "r", "h"]
    assert list(await store.release(ids("r"), NOW + 11)) == []


@pytest.mark.parametrize("state", FINAL)
@test
async def test_what_is_dropped_has_ended_and_its_password_is_gone(store: Store, state: DeliveryState) -> None:
    new = await one_of_each(store)
    await store.status(new["h"].account)
    rows = await store.drop(ids("p", "r", "h", "c", "nobody"), state, NOW + 10, 7031, "given up")
    assert [(row.id, row.state) for row in rows] == [("p", PENDING), ("r", RETRYING), ("h", HELD)]
    assert await outbox(store) == ["c"]
    for name in "prh":
        status = await store.status(new[name].account)
        assert status is not None
        assert (status.change, status.state, status.at) == (new[name].change, state, NOW + 10)
        assert (status.event, status.text) == (7031, "given up")
    assert await store.marks(new["p"].account) == (), "nothing was ever sent"
    assert [mark.ended for mark in await store.marks(new["h"].account)] == [NOW + 5], "it may have been set"
    await store.settle(settled(new["c"]))
    assert await store.forget_marks(NOW + 100) == 3
    assert await store.outbox_size() == 0


@test
async def test_a_delivery_is_not_dropped_into_a_state_that_is_no_end(store: Store) -> None:
    await deliver(store, delivery("d"))
    with pytest.raises(ValueError, match="does not end held"):
        await store.drop(ids("d"), HELD, NOW, 7031, "")
    assert await outbox(store) == ["d"]


@test
async def test_many_are_released_and_dropped_in_short_transactions(store: Store) -> None:
    news = [delivery(f"d{number:04}", claimed=True) for number in range(1200)]
    await deliver(store, *news)
    await settle(store, *[settled(new, HELD) for new in news])
    half = [new.id for new in news[:600]]
    assert len(await store.release(half, NOW)) == 600
    assert len(await store.drop([new.id for new in news], DeliveryState.FAILED, NOW, 7031, "")) == 1200
    assert list(await store.tallies()) == []


# -- held


@test
async def test_a_held_row_knows_since_when_it_is(store: Store) -> None:
    for number, name in enumerate(["a", "b", "c"]):
        new = delivery(name, claimed=True)
        await deliver(store, new)
        await store.settle(settled(new, HELD, NOW + 10 - number))
    await deliver(store, delivery("waits"))
    assert [row.id for row in await store.held_before(NOW + 10, 10)] == ["c", "b"]
    assert [row.due for row in await store.held_before(NOW + 11, 1)] == [NOW + 8]
    await store.release(ids("c"), NOW + 20)
    assert [row.id for row in await store.held_before(NOW + 99, 10)] == ["b", "a"]


@test
async def test_everything_that_waits_can_be_held(store: Store) -> None:
    new = await one_of_each(store)
    assert await store.hold_all(NOW + 50, 7033, "restored") == 2
    for name in "pr":
        row = await store.delivery(DeliveryId(name))
        assert row is not None
        assert (row.state, row.due, row.event, row.text) == (HELD, NOW + 50, 7033, "restored")
        assert row.sealed == new[name].sealed
    row = await store.delivery(DeliveryId("h"))
    assert row is not None
    assert (row.due, row.text) == (NOW + 5, "denied"), "what was held before stays as it is"
    assert list(await store.tallies()) == [Tally(EP, HELD, 3, NOW), Tally(EP, CLAIMED, 1, NOW)]
    assert await claimed(store, now=NOW + 100) == []
    assert await store.hold_all(NOW + 60, 7033, "") == 0


@test
async def test_holding_ends_the_mark_of_an_attempt_that_nobody_will_end(opening: Opening) -> None:
    """Else its account's agent would be refused for as long as it is held."""
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await deliver(store, delivery("d", "u", "a", claimed=True))
    await store.close()
    store = await opening()
    try:
        assert [mark.ended for mark in await store.marks(EntryId("a"))] == [None]
        await store.hold_all(NOW + 50, 7033, "restored")
        assert [mark.ended for mark in await store.marks(EntryId("a"))] == [NOW + 50]
    finally:
        await store.close()


@test
async def test_a_store_is_no_backup_unless_it_is_one(store: Store) -> None:
    assert not await store.restored()
    await store.hold_all(NOW, 7033, "")
    assert not await store.restored()


@test
async def test_what_was_released_and_held_anew_is_cancelled_by_a_newer_change(store: Store) -> None:
    await deliver(store, delivery("d", "u"))
    await store.hold_all(NOW, 7033, "")
    assert [row.id for row in (await deliver(store, cancel_for=(EntryId("u"),))).cancelled] == ["d"]
    assert list(await store.tallies()) == []


# -- sealed anew


@test
async def test_what_waits_is_sealed_anew_and_what_is_claimed_is_not(store: Store) -> None:
    new = await one_of_each(store)
    renewed = [(DeliveryId(name), b"anew " + name.encode()) for name in [*"prhc", "nobody"]]
    assert await store.reseal(renewed) == 3
    for name in "prh":
        row = await store.delivery(DeliveryId(name))
        assert row is not None
        assert row.sealed == b"anew " + name.encode()
    await store.settle(settled(new["c"], RETRYING, due=NOW))
    row = await store.delivery(DeliveryId("c"))
    assert row is not None
    assert row.sealed == b"sealed c"
    (taken,) = await store.claim(EP, 1, NOW, 60.0, frozenset())
    assert taken.sealed in (b"anew p", b"sealed c")


# -- leases


@test
async def test_a_claim_that_ran_out_and_was_taken_again_keeps_its_mark_and_is_settled_once(
    store: Store,
) -> None:
    new = delivery("d", "u", "a")
    await deliver(store, new)
    assert await claimed(store, lease=10.0) == ["d"]
    assert await claimed(store, now=NOW + 10, lease=10.0) == ["d"]
    assert await claimed(store, now=NOW + 20, lease=10.0) == ["d"]
    assert [(mark.sent, mark.ended) for mark in await store.marks(EntryId("a"))] == [(NOW + 20, None)]
    assert await store.on_its_way(EntryId("a"))
    await store.settle(settled(new, at=NOW + 21))
    assert not await store.on_its_way(EntryId("a"))
    assert await claimed(store, now=NOW + 99) == []
    await store.settle(settled(new, DeliveryState.FAILED, NOW + 22, mark=MarkFate.REMOVED))
    status = await store.status(EntryId("a"))
    assert status is not None
    assert status.state is DeliveryState.UPDATED, "the slower one comes too late"
    assert [mark.ended for mark in await store.marks(EntryId("a"))] == [NOW + 21]


@test
async def test_a_claim_in_its_own_commit_runs_out_too(store: Store) -> None:
    await deliver(store, delivery("d", "u", "a", claimed=True))
    assert await claimed(store, now=NOW + 500) == []
    assert await claimed(store, now=NOW + 601) == ["d"]
    assert len(await store.marks(EntryId("a"))) == 1


# -- pruned


def lines(*ats: float) -> tuple[JournalEvent, ...]:
    return tuple([JournalEvent(at, 8001, f"at {at}") for at in ats])


@test
async def test_old_lines_go_and_younger_ones_keep_their_numbers(store: Store) -> None:
    for number, name in enumerate(["dc=im", "cn=a,dc=im", "cn=b,dc=im", "cn=c,dc=im"]):
        await store.commit(Commit(NOW + number, BY, journal=lines(NOW + number)))
        await add(store, entry(name))
    log, journal = list(await store.changes(0, 99)), list(await store.journal(0, 99))
    assert await store.prune(0.0, 0.0) == Pruned(0, 0)
    assert await store.prune(NOW + 2, 0.0) == Pruned(2, 0)
    assert list(await store.journal(0, 99)) == journal[2:]
    assert list(await store.changes(0, 99)) == log
    assert await store.prune(0.0, NOW + 1) == Pruned(0, 3), "all were made at NOW; the last line stays"
    assert list(await store.changes(0, 99)) == log[3:]
    assert await store.history() == History(NOW, 4, 4)
    await add(store, entry("cn=d,dc=im"))
    assert [line.sequence for line in await store.changes(0, 99)] == [4, 5]


@test
async def test_the_last_line_of_a_log_stays_so_that_numbers_go_on(opening: Opening) -> None:
    store = await opening()
    await plant(store)
    await store.commit(Commit(NOW, BY, journal=lines(NOW, NOW + 1)))
    last = (await store.history()).last
    for _ in range(2):
        assert await store.prune(NOW + 1e9, NOW + 1e9) in (Pruned(1, last - 1), Pruned(0, 0))
        assert await store.history() == History(NOW, last, last)
        if not opening.lasting:  # type: ignore[attr-defined]
            break
        await store.close()
        store = await opening()
    await add(store, entry("cn=new,dc=im"))
    await store.commit(Commit(NOW, BY, journal=lines(NOW + 9)))
    assert (await store.history()).last == last + 1
    assert [number for number, _ in await store.journal(0, 9)] == [2, 3]
    await store.close()


@test
async def test_an_old_line_behind_a_young_one_stays(store: Store) -> None:
    """A log has no gaps, whatever the clock did."""
    await store.commit(Commit(NOW, BY, journal=lines(NOW, NOW + 50, NOW + 1, NOW + 60)))
    assert await store.prune(NOW + 10, 0.0) == Pruned(1, 0)
    assert [line.at for _, line in await store.journal(0, 9)] == [NOW + 50, NOW + 1, NOW + 60]


@test
async def test_long_logs_are_pruned_in_short_transactions(store: Store) -> None:
    await store.commit(Commit(NOW, BY, journal=lines(*[NOW] * 1700)))
    assert await store.prune(NOW + 1, 0.0) == Pruned(1699, 0)
    assert len(await store.journal(0, 9)) == 1


@test
async def test_an_empty_log_is_pruned_of_nothing(store: Store) -> None:
    assert await store.prune(NOW, NOW) == Pruned(0, 0)
    assert await store.history() == History(0.0, 0, 0)
