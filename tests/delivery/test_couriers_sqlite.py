"""Couriers on the real embedded store: what was acknowledged is delivered, also by the next process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest_twisted
from delivery_house import START, House

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.directory.entries import EntryId
from provserver.directory.schema import Schema
from provserver.foundation import load_schema
from provserver.storage.contract import (
    ChangeId,
    Commit,
    Delivery,
    DeliveryId,
    DeliveryState,
    NewDelivery,
)
from provserver.storage.sqlite import SqliteStore

SCHEMA: Schema = load_schema()


def new(house: House, account: str, change: str, password: str, *, claimed: bool = True) -> NewDelivery:
    house.add_endpoint("unix")
    return NewDelivery(
        id=DeliveryId(f"{change}-{account}"),
        change=ChangeId(change),
        user=EntryId("ada"),
        account=EntryId(account),
        endpoint=EntryId("unix"),
        sealed=password.encode(),
        mark=b"mark of " + password.encode(),
        claimed=claimed,
    )


def in_flight(delivery: NewDelivery) -> Delivery:
    state = DeliveryState.CLAIMED if delivery.claimed else DeliveryState.PENDING
    return Delivery(
        delivery.id,
        delivery.change,
        delivery.user,
        delivery.account,
        delivery.endpoint,
        delivery.sealed,
        delivery.mark,
        0,
        state,
        0,
        START,
        START,
        0,
        "",
    )


async def commit(store: SqliteStore, *deliveries: NewDelivery) -> Any:
    return await store.commit(
        Commit(at=START, by="cn=test", deliveries=deliveries, cancel_for=(EntryId("ada"),))
    )


async def a_store(path: Path) -> SqliteStore:
    from twisted.internet import reactor

    opened = SqliteStore.open if os.path.exists(path) else SqliteStore.create  # noqa: ASYNC240  a test
    return await opened(path, SCHEMA, reactor=reactor, durable=False)


@pytest_twisted.ensureDeferred
async def test_a_handed_over_delivery_leaves_its_status_and_its_mark(tmp_path: Path) -> None:
    store = await a_store(tmp_path / "store")
    house = House(store=store)
    house.couriers.startService()
    delivery = new(house, "ada", "change-1", "Harbour-Light-21")
    await commit(store, delivery)
    first = house.couriers.hand_over([in_flight(delivery)])
    assert (first.updated, house.holds("unix", "ada")) == (1, True)
    await house.couriers.drained()
    assert await store.outbox_size() == 0
    status = await store.status(EntryId("ada"))
    assert status is not None
    assert (status.state, status.change, status.event) == (DeliveryState.UPDATED, "change-1", 7000)
    [mark] = await store.marks(EntryId("ada"))
    assert mark.ended == house.wall()
    await house.couriers.stopService()
    await store.close()


@pytest_twisted.ensureDeferred
async def test_what_one_process_had_claimed_and_not_sent_the_next_one_delivers(tmp_path: Path) -> None:
    store = await a_store(tmp_path / "store")
    house = House(store=store)
    await commit(store, new(house, "ada", "change-1", "Harbour-Light-21"))
    await store.close()  # nothing was handed over: the process died right after the commit
    store = await a_store(tmp_path / "store")
    house = House(store=store)
    house.add_endpoint("unix")
    house.couriers.startService()
    await house.couriers.drained()
    assert house.holds("unix", "ada")
    assert await store.outbox_size() == 0
    await house.couriers.stopService()
    await store.close()


@pytest_twisted.ensureDeferred
async def test_a_retry_waits_in_the_store_and_is_cancelled_by_a_newer_commit(tmp_path: Path) -> None:
    store = await a_store(tmp_path / "store")
    house = House(store=store)
    house.couriers.startService()
    house.emulated["unix"].down()
    old = new(house, "ada", "change-1", "Harbour-Light-21")
    await commit(store, old)
    first = house.couriers.hand_over([in_flight(old)])
    assert (first.updated, first.pending) == (0, 1)
    await house.couriers.drained()
    assert await store.marks(EntryId("ada")) == ()
    house.emulated["unix"].mend()
    newer = new(house, "ada", "change-2", "Lantern-Bay-73", claimed=False)
    committed = await commit(store, newer)
    assert [delivery.id for delivery in committed.cancelled] == [old.id]
    house.couriers.hand_over([in_flight(newer)], committed.cancelled)
    await house.couriers.drained()
    house.turn(600)
    await house.couriers.drained()
    assert house.holds("unix", "ada", "Lantern-Bay-73")
    assert house.emulated["unix"].received == 1
    await house.couriers.stopService()
    await store.close()


@pytest_twisted.ensureDeferred
async def test_a_retry_is_taken_up_when_its_time_has_come(tmp_path: Path) -> None:
    store = await a_store(tmp_path / "store")
    house = House(store=store)
    house.couriers.startService()
    house.emulated["unix"].down(times=3)
    delivery = new(house, "ada", "change-1", "Harbour-Light-21")
    await commit(store, delivery)
    house.couriers.hand_over([in_flight(delivery)])
    await house.couriers.drained()
    for _ in range(5):
        house.emulated["unix"].mend()
        house.turn(61)
        await house.couriers.drained()
    assert house.holds("unix", "ada")
    assert house.emulated["unix"].received == 1
    await house.couriers.stopService()
    await store.close()


@pytest_twisted.ensureDeferred
async def test_what_is_held_keeps_its_row_and_says_why(tmp_path: Path) -> None:
    store = await a_store(tmp_path / "store")
    house = House(store=store)
    house.couriers.startService()
    house.emulated["unix"].refuse(lambda: PasswordPolicyViolation("19: too short"))
    delivery = new(house, "ada", "change-1", "Harbour-Light-21")
    await commit(store, delivery)
    house.couriers.hand_over([in_flight(delivery)])
    await house.couriers.drained()
    [row] = await store.deliveries(user=EntryId("ada"))
    assert (row.state, row.event, row.attempts) == (DeliveryState.HELD, 6927, 1)
    assert "19: too short" in row.text
    await house.couriers.stopService()
    await store.close()
