"""What every store does with a delivery that is on its way when a newer change of its user is committed: its
attempt may end, and no other one is ever made, not by the process that comes after a crash either.
"""

from __future__ import annotations

import pytest
import pytest_twisted
from store_tree import NOW, Opening, claimed, deliver, delivery, settled

from provserver.directory.entries import EntryId
from provserver.storage.contract import LOST_TRACK, DeliveryState, Store

test = pytest_twisted.ensureDeferred
U, ACC = EntryId("u"), EntryId("acc")


async def superseded(store: Store, *, by_courier: bool = False) -> None:
    """`old` is on its way to the account, `new` waits behind it."""
    old = delivery("old", account="acc", claimed=not by_courier)
    await deliver(store, old)
    if by_courier:
        assert await claimed(store) == ["old"]
    await deliver(store, delivery("new", account="acc"), cancel_for=(U,))


@pytest.mark.parametrize("by_courier", [False, True], ids=["with its commit", "by a courier"])
@pytest.mark.parametrize("state", [DeliveryState.RETRYING, DeliveryState.HELD])
@test
async def test_an_attempt_that_failed_is_not_made_again(
    store: Store, state: DeliveryState, by_courier: bool
) -> None:
    await superseded(store, by_courier=by_courier)
    await store.settle(settled(delivery("old", account="acc"), state, NOW + 1, due=NOW + 1))
    assert [row.id for row in await store.deliveries(account=ACC)] == ["new"]
    status = await store.status(ACC)
    assert status is not None
    assert (status.change, status.state) == ("change of old", DeliveryState.CANCELLED)
    assert await claimed(store, now=NOW + 600) == ["new"]


@pytest.mark.parametrize("by_courier", [False, True], ids=["with its commit", "by a courier"])
@test
async def test_one_that_succeeded_is_told_as_it_was(store: Store, by_courier: bool) -> None:
    await superseded(store, by_courier=by_courier)
    await store.settle(settled(delivery("old", account="acc"), DeliveryState.UPDATED, NOW + 1))
    status = await store.status(ACC)
    assert status is not None
    assert status.state is DeliveryState.UPDATED


@pytest.mark.parametrize("by_courier", [False, True], ids=["with its commit", "by a courier"])
@test
async def test_a_lease_that_ran_out_is_not_taken_over(store: Store, by_courier: bool) -> None:
    await superseded(store, by_courier=by_courier)
    assert await claimed(store, now=NOW + 10_000) == ["new"]
    assert await claimed(store, now=NOW + 20_000) == ["new"]
    assert await store.outbox_size() == 1
    old, _ = await store.marks(ACC)
    assert old.ended is not None


@pytest.mark.parametrize("by_courier", [False, True], ids=["with its commit", "by a courier"])
@test
async def test_what_a_dead_process_had_on_its_way_is_not_sent_by_the_next_one(
    opening: Opening, by_courier: bool
) -> None:
    if not opening.lasting:
        pytest.skip("nothing outlives this store")
    store = await opening()
    await superseded(store, by_courier=by_courier)
    await store.close()
    store = await opening()
    try:
        assert [row.id for row in await store.deliveries(account=ACC)] == ["new"]
        assert await claimed(store, now=NOW + 1) == ["new"]
        (old, new) = await store.marks(ACC)
        assert (old.change, old.ended is None, new.ended) == ("change of old", False, None)
        status = await store.status(ACC)
        assert status is not None
        assert status.state is DeliveryState.CANCELLED
    finally:
        await store.close()


@test
async def test_another_users_deliveries_go_on(store: Store) -> None:
    await deliver(store, delivery("mine", user="v", account="acc", claimed=True))
    await deliver(store, delivery("new", account="acc"), cancel_for=(U,))
    await store.settle(settled(delivery("mine", account="acc"), DeliveryState.RETRYING, NOW + 1, due=NOW + 1))
    assert await claimed(store, now=NOW + 1) in (["mine"], ["new"])
    assert await store.outbox_size() == 2


@pytest.mark.parametrize("died", [False, True], ids=["its lease ran out", "its process died"])
@test
async def test_who_takes_up_what_somebody_had_on_its_way_is_told_so(opening: Opening, died: bool) -> None:
    if died and not opening.lasting:
        pytest.skip("nothing outlives this store")
    store = await opening()
    await deliver(store, delivery("d", account="acc", claimed=True))
    if died:
        await store.close()
        store = await opening()
    try:
        (row,) = await store.claim(EntryId("ep"), 1, NOW + 10_000, 60.0, frozenset())
        assert (row.id, row.event) == ("d", LOST_TRACK)
    finally:
        await store.close()
