"""What every store does: deliveries, echo marks, status."""

from __future__ import annotations

import pytest
import pytest_twisted
from store_tree import BY, NOW, Opening, change, claimed, deliver, delivery, entry, settle, settled
from twisted.internet.defer import Deferred

from provserver.directory.entries import EntryId
from provserver.storage.contract import Commit, Conflict, DeliveryState, Mark, MarkFate, Put, Store

test = pytest_twisted.ensureDeferred
EP = EntryId("ep")


async def rows(store: Store, **of: str) -> list[tuple[str, str]]:
    """The outbox: ids and states."""
    given = {name: EntryId(value) for name, value in of.items()}
    return [(row.id, row.state.value) for row in await store.deliveries(**given)]


@test
async def test_a_delivery_waits_until_it_is_claimed(store: Store) -> None:
    new = delivery("d", "u", "acc", options=3)
    await deliver(store, new)
    (row,) = await store.deliveries(user=EntryId("u"))
    assert (row.id, row.change, row.user, row.account, row.endpoint) == ("d", "change of d", "u", "acc", "ep")
    assert (row.sealed, row.mark, row.options, row.state) == (new.sealed, new.mark, 3, DeliveryState.PENDING)
    assert (row.attempts, row.created, row.due, row.event, row.text) == (0, NOW, NOW, 0, "")
    assert await store.marks(EntryId("acc")) == ()
    assert await claimed(store, now=NOW - 1) == []
    (taken,) = await store.claim(EP, 5, NOW + 1, 60.0, frozenset())
    assert (taken.id, taken.state, taken.sealed) == ("d", DeliveryState.CLAIMED, new.sealed)
    assert await claimed(store, now=NOW + 2) == []
    assert list(await store.marks(EntryId("acc"))) == [
        Mark(EntryId("acc"), new.mark, new.change, NOW + 1, None, 3)
    ]


@test
async def test_a_delivery_claimed_in_its_own_commit_has_its_mark_at_once(store: Store) -> None:
    new = delivery("d", "u", "acc", claimed=True)
    assert await store.marks(EntryId("acc")) == ()
    await deliver(store, new)
    assert await rows(store, user="u") == await rows(store, account="acc") == [("d", "claimed")]
    assert await claimed(store) == []
    assert list(await store.marks(EntryId("acc"))) == [Mark(EntryId("acc"), new.mark, new.change, NOW, None)]


@test
async def test_nobody_sees_a_password_in_a_repr(store: Store) -> None:
    await deliver(store, delivery("d"), delivery("e", claimed=True))
    shown = repr(await store.deliveries()) + repr(await store.marks(EntryId("account of e")))
    assert "sealed" not in shown
    assert "mark of" not in shown


@pytest.mark.parametrize(
    "state", [DeliveryState.UPDATED, DeliveryState.UNVERIFIED, DeliveryState.FAILED, DeliveryState.CANCELLED]
)
@pytest.mark.parametrize("fate", MarkFate)
@test
async def test_a_delivery_that_ended_is_gone_and_its_status_stays(
    store: Store, state: DeliveryState, fate: MarkFate
) -> None:
    new = delivery("d", "u", "acc", claimed=True)
    for warm in (True, False):
        if warm:
            await store.marks(EntryId("acc"))
        await deliver(store, new)
        await store.settle(settled(new, state, NOW + 2, mark=fate, text="so it went"))
        assert await store.outbox_size() == 0
        assert await rows(store) == await rows(store, user="u") == await rows(store, account="acc") == []
        status = await store.status(EntryId("acc"))
        assert status is not None
        assert (status.account, status.change, status.state, status.at, status.event, status.text) == (
            ("acc", new.change, state, NOW + 2, 6900, "so it went")
        )
        marks = [(mark.change, mark.ended) for mark in await store.marks(EntryId("acc"))]
        kept = [(new.change, NOW + 2)] if fate is MarkFate.ENDED else []
        assert marks == kept
        if not kept:
            break
        assert await store.forget_marks(NOW + 3) == 1


@test
async def test_a_retry_waits_for_its_time_and_keeps_the_password(store: Store) -> None:
    new = delivery("d", "u", "acc", claimed=True)
    await deliver(store, new)
    await store.settle(
        settled(new, DeliveryState.RETRYING, NOW + 1, due=NOW + 60, event=6912, text="server down")
    )
    (row,) = await store.deliveries(account=EntryId("acc"))
    assert (row.state, row.attempts, row.due, row.event, row.text) == (
        (DeliveryState.RETRYING, 1, NOW + 60, 6912, "server down")
    )
    assert [mark.ended for mark in await store.marks(EntryId("acc"))] == [NOW + 1]
    assert await store.status(EntryId("acc")) is None
    assert await store.endpoints_due(NOW + 59) == ([], NOW + 60)
    assert await claimed(store, now=NOW + 59) == []
    assert await store.endpoints_due(NOW + 60) == ([EP], None)
    (again,) = await store.claim(EP, 1, NOW + 61, 60.0, frozenset())
    assert (again.attempts, again.sealed) == (1, new.sealed)
    assert [(mark.sent, mark.ended) for mark in await store.marks(EntryId("acc"))] == [(NOW + 61, None)]
    await store.settle(settled(new, DeliveryState.RETRYING, NOW + 62, due=NOW + 70, mark=MarkFate.REMOVED))
    assert await store.marks(EntryId("acc")) == ()
    (row,) = await store.deliveries()
    assert row.attempts == 2


@test
async def test_what_was_never_sent_uses_up_no_attempt(store: Store) -> None:
    new = delivery("d")
    await deliver(store, new)
    for charged in (True, False, False, True):
        assert await claimed(store) == ["d"]
        await store.settle(settled(new, DeliveryState.RETRYING, due=NOW, charged=charged))
    [row] = await store.deliveries()
    assert row.attempts == 2


@test
async def test_what_is_held_is_not_claimed_until_it_is_released(store: Store) -> None:
    new = delivery("d", claimed=True)
    await deliver(store, new)
    await store.settle(settled(new, DeliveryState.HELD, mark=MarkFate.REMOVED))
    assert await rows(store) == [("d", "held")]
    assert await store.outbox_size() == 1
    assert await claimed(store, now=NOW + 1e6) == []
    assert await store.endpoints_due(NOW + 1e6) == ([], None)
    await store.settle(settled(new, DeliveryState.RETRYING, due=NOW, mark=MarkFate.REMOVED))
    assert await claimed(store) == ["d"]


@test
async def test_a_commit_can_demand_that_nothing_is_on_its_way_to_an_account(store: Store) -> None:
    """On its way: claimed in whatever manner, and not settled; also within the same moment."""
    account, new = EntryId("acc"), delivery("d", "u", "acc", claimed=True)
    assert not await store.on_its_way(account)
    await change(store, quiet=account)
    together = [change(store, deliveries=(new,)), change(store, quiet=account)]
    first, second = [Deferred.fromCoroutine(one) for one in together]
    await first
    with pytest.raises(Conflict):
        await second
    assert await store.on_its_way(account)
    await change(store, quiet=EntryId("another"))
    await store.settle(settled(new, DeliveryState.RETRYING, due=NOW))
    assert not await store.on_its_way(account)
    await change(store, quiet=account)
    assert await claimed(store) == ["d"]
    with pytest.raises(Conflict):
        await change(store, quiet=account)
    await store.settle(settled(new, DeliveryState.UPDATED))
    await change(store, quiet=account)


@test
async def test_what_waits_can_be_given_up_without_being_claimed(store: Store) -> None:
    new = delivery("d", "u", "acc")
    await deliver(store, new)
    await store.settle(settled(new, DeliveryState.CANCELLED, mark=MarkFate.REMOVED))
    assert await store.outbox_size() == 0
    assert await claimed(store) == []
    status = await store.status(EntryId("acc"))
    assert status is not None
    assert status.state is DeliveryState.CANCELLED


@test
async def test_settling_what_is_gone_changes_nothing(store: Store) -> None:
    new = delivery("d", "u", "acc", claimed=True)
    await store.settle(settled(new))
    assert await store.status(EntryId("acc")) is None
    await deliver(store, new)
    await store.settle(settled(new, at=NOW + 1))
    await store.settle(settled(new, DeliveryState.FAILED, at=NOW + 2, mark=MarkFate.REMOVED))
    status = await store.status(EntryId("acc"))
    assert status is not None
    assert (status.state, status.at) == (DeliveryState.UPDATED, NOW + 1)
    assert len(await store.marks(EntryId("acc"))) == 1


@test
async def test_a_claim_takes_the_oldest_first_one_an_account_and_none_that_is_busy(store: Store) -> None:
    for number, account in enumerate(["a", "b", "a", "c", "d"]):
        await deliver(store, delivery(f"d{number}", account=account), at=NOW + number)
    await deliver(store, delivery("other", endpoint="elsewhere"))
    assert await claimed(store, now=NOW + 9, limit=0) == []
    assert await claimed(store, now=NOW + 9, limit=2, busy=["b"]) == ["d0", "d3"]
    assert await claimed(store, now=NOW + 9, busy=["a"]) == ["d1", "d4"]
    assert await claimed(store, now=NOW + 9) == ["d2"]
    assert await claimed(store, now=NOW + 9, endpoint="elsewhere") == ["other"]


@test
async def test_a_claim_whose_lease_has_run_out_can_be_taken_again(store: Store) -> None:
    await deliver(store, delivery("d"))
    assert await claimed(store, lease=10.0) == ["d"]
    assert await store.endpoints_due(NOW) == ([], NOW + 10)
    assert await claimed(store, now=NOW + 9) == []
    assert await store.endpoints_due(NOW + 10) == ([EP], None)
    assert await claimed(store, now=NOW + 10) == ["d"]
    assert await store.outbox_size() == 1
    assert [mark.sent for mark in await store.marks(EntryId("account of d"))] == [NOW + 10]


@test
async def test_endpoints_due_names_who_has_work_and_when_there_will_be_more(store: Store) -> None:
    assert await store.endpoints_due(NOW) == ([], None)
    await deliver(store, delivery("a", endpoint="one"), delivery("b", endpoint="two"), at=NOW)
    await deliver(store, delivery("c", endpoint="one"), delivery("d", endpoint="three"), at=NOW + 5)
    due, following = await store.endpoints_due(NOW)
    assert (sorted(due), following) == (["one", "two"], NOW + 5)
    due, following = await store.endpoints_due(NOW + 5)
    assert (sorted(due), following) == (["one", "three", "two"], None)
    assert await store.endpoints_due(NOW - 1) == ([], NOW)


@test
async def test_a_new_password_cancels_what_waits_for_its_user_but_not_what_is_on_its_way(
    store: Store,
) -> None:
    pending, on_its_way = delivery("p", "u", "a"), delivery("w", "u", "b", claimed=True)
    retrying, held = delivery("r", "u", "c", claimed=True), delivery("h", "u", "d", claimed=True)
    another = delivery("x", "other user", "e")
    await deliver(store, pending, on_its_way, retrying, held, another)
    await store.settle(settled(retrying, DeliveryState.RETRYING, NOW + 1, due=NOW + 2))
    await store.settle(settled(held, DeliveryState.HELD, NOW + 1, mark=MarkFate.REMOVED))
    mine = delivery("mine", "u", "a")
    done = await deliver(store, mine, at=NOW + 3, cancel_for=(EntryId("u"), EntryId("nobody")))
    assert [(row.id, row.state) for row in done.cancelled] == [
        (name, DeliveryState.CANCELLED) for name in ("p", "r", "h")
    ]
    assert all(not row.sealed for row in done.cancelled)
    assert await rows(store, user="u") == [("w", "claimed"), ("mine", "pending")]
    assert await rows(store, user="other user") == [("x", "pending")]
    assert await store.outbox_size() == 3
    assert [mark.ended for mark in await store.marks(EntryId("c"))] == [NOW + 1]
    status = await store.status(EntryId("c"))
    assert status is not None
    assert (status.state, status.at, status.change) == (DeliveryState.CANCELLED, NOW + 3, "change of r")
    await store.settle(settled(retrying, DeliveryState.UPDATED, NOW + 4))
    status = await store.status(EntryId("c"))
    assert status is not None
    assert status.state is DeliveryState.CANCELLED


@test
async def test_a_commit_that_conflicts_neither_cancels_nor_sends(store: Store) -> None:
    await deliver(store, delivery("old", "u"))
    with pytest.raises(Conflict):
        await store.commit(
            Commit(
                NOW,
                BY,
                reads=((EntryId("nobody"), 1),),
                deliveries=(delivery("new", "u", claimed=True),),
                cancel_for=(EntryId("u"),),
            )
        )
    assert await rows(store) == [("old", "pending")]


@test
async def test_the_status_is_that_of_the_last_delivery(store: Store) -> None:
    first, second = delivery("1", account="a", claimed=True), delivery("2", account="a", claimed=True)
    await deliver(store, first)
    await store.settle(settled(first, at=NOW + 1))
    await deliver(store, second)
    status = await store.status(EntryId("a"))
    assert status is not None
    assert status.change == first.change
    await store.settle(settled(second, DeliveryState.FAILED, NOW + 2, mark=MarkFate.REMOVED))
    for _ in range(2):
        status = await store.status(EntryId("a"))
        assert status is not None
        assert (status.change, status.state) == (second.change, DeliveryState.FAILED)
        assert [mark.change for mark in await store.marks(EntryId("a"))] in ([first.change], [])
        await store.forget_marks(NOW + 10)


@test
async def test_marks_are_forgotten_when_their_time_is_over_and_not_before(store: Store) -> None:
    news = [delivery(str(n), account=f"a{n % 3}", claimed=True) for n in range(6)]
    await deliver(store, *news)
    for number, new in enumerate(news[:5]):
        await store.settle(settled(new, at=NOW + number))
    assert await store.forget_marks(NOW) == 0
    assert await store.forget_marks(NOW + 3) == 3
    marks = [mark.change for n in range(3) for mark in await store.marks(EntryId(f"a{n}"))]
    assert marks == ["change of 3", "change of 4", "change of 5"]
    assert await store.forget_marks(NOW + 1e9) == 2
    assert [mark.change for mark in await store.marks(EntryId("a2"))] == ["change of 5"]
    status = await store.status(EntryId("a0"))
    assert status is not None
    assert status.change == "change of 3"


@test
async def test_forgetting_the_mark_of_what_is_retried_keeps_the_delivery(store: Store) -> None:
    new = delivery("d", account="a", claimed=True)
    await deliver(store, new)
    await store.settle(settled(new, DeliveryState.RETRYING, NOW, due=NOW))
    assert await store.forget_marks(NOW + 1) == 1
    assert await store.marks(EntryId("a")) == ()
    assert await claimed(store) == ["d"]


@test
async def test_many_marks_are_forgotten_in_short_transactions(store: Store) -> None:
    news = [delivery(str(n), claimed=True) for n in range(1200)]
    await deliver(store, *news)
    await settle(store, *[settled(new) for new in news[:-1]])
    assert await store.forget_marks(NOW + 1) == 1199
    assert await store.outbox_size() == 1


@test
async def test_what_a_dead_process_had_claimed_is_due_again_and_keeps_its_mark(opening: Opening) -> None:
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await store.commit(Commit(NOW, BY, (Put(entry("dc=im"), 0),)))
    orphan, done, held = (delivery(name, "u", name, claimed=True) for name in ("orphan", "done", "held"))
    await deliver(store, orphan, done, held, delivery("pending", "u", "pending"))
    await store.settle(settled(done))
    await store.settle(settled(held, DeliveryState.HELD))
    await store.close()
    store = await opening()
    try:
        assert await store.outbox_size() == 3
        assert await rows(store, user="u") == [
            ("orphan", "retrying"),
            ("held", "held"),
            ("pending", "pending"),
        ]
        (mark,) = await store.marks(EntryId("orphan"))
        assert (mark.digest, mark.sent, mark.ended) == (orphan.mark, NOW, None)
        assert await store.endpoints_due(NOW - 1) == ([EP], NOW)
        status = await store.status(EntryId("done"))
        assert status is not None
        assert status.state is DeliveryState.UPDATED
        assert await claimed(store, now=NOW) == ["orphan", "pending"]
        await deliver(store, delivery("again", "u", "done", claimed=True))
        await store.settle(settled(orphan, at=NOW + 3))
        assert [mark.ended for mark in await store.marks(EntryId("orphan"))] == [NOW + 3]
    finally:
        await store.close()


@test
async def test_an_orphan_that_is_cancelled_ends_its_mark(opening: Opening) -> None:
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await deliver(store, delivery("d", "u", "a", claimed=True))
    await store.close()
    store = await opening()
    try:
        assert len((await deliver(store, at=NOW + 5, cancel_for=(EntryId("u"),))).cancelled) == 1
        assert [mark.ended for mark in await store.marks(EntryId("a"))] == [NOW + 5]
    finally:
        await store.close()
