"""What every store tells of its change log, and to whom it tells that there is more of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest_twisted
from store_tree import BY, NOW, Opening, add, change, deliver, delivery, entry, plant, refused
from twisted.internet.defer import Deferred

from provserver.storage.contract import Commit, History, JournalEvent, Put, Store

test = pytest_twisted.ensureDeferred


async def turns(count: int = 3) -> None:
    from twisted.internet import reactor

    clock: Any = reactor
    for _ in range(count):
        turn: Deferred[None] = Deferred()
        clock.callLater(0, turn.callback, None)
        await turn


def heard(store: Store) -> tuple[list[int], Callable[[], None]]:
    """Grows by one whenever a follower is told, until the second is called."""
    told: list[int] = []
    return told, store.follow(lambda: told.append(len(told)))


@test
async def test_a_store_that_was_never_written_to_has_no_history(store: Store) -> None:
    assert await store.history() == History(0.0, 0, 0)


@test
async def test_the_history_begins_with_the_first_change_and_ends_with_the_last(store: Store) -> None:
    await add(store, entry("dc=im"))
    assert await store.history() == History(NOW, 1, 1)
    await change(store, Put(entry("cn=a,dc=im"), 0), Put(entry("cn=b,dc=im"), 0), at=NOW + 9)
    assert await store.history() == History(NOW, 1, 3)
    await refused(store, Put(entry("cn=a,dc=im", "other"), 0))
    await store.commit(Commit(NOW, BY))
    assert await store.history() == History(NOW, 1, 3)


@test
async def test_the_history_outlives_the_process(opening: Opening) -> None:
    if not opening.lasting:  # type: ignore[attr-defined]
        return
    store = await opening()
    await plant(store)
    known = await store.history()
    await store.close()
    again = await opening()
    assert await again.history() == known
    await again.close()


@test
async def test_who_follows_is_told_when_the_change_is_there_to_be_read(store: Store) -> None:
    seen: list[int] = []

    async def look() -> None:
        seen.append((await store.history()).last)

    def told() -> None:
        Deferred.fromCoroutine(look())

    store.follow(told)
    await add(store, entry("dc=im"))
    await turns()
    await add(store, entry("cn=a,dc=im"), entry("cn=b,dc=im"))
    await turns()
    assert seen == [1, 3]


@test
async def test_the_one_who_commits_has_the_answer_before_the_followers(store: Store) -> None:
    order: list[str] = []
    store.follow(lambda: order.append("follower"))
    await add(store, entry("dc=im"))
    order.append("committer")
    await turns()
    assert order == ["committer", "follower"]


@test
async def test_followers_are_told_once_of_all_that_came_meanwhile(store: Store) -> None:
    await add(store, entry("dc=im"))
    told, _ = heard(store)
    commits = [Deferred.fromCoroutine(add(store, entry(f"cn={name},dc=im"))) for name in "abcde"]
    for commit in commits:
        await commit
    await turns()
    assert 1 <= len(told) < len(commits)


@test
async def test_only_changes_of_the_tree_are_told(store: Store) -> None:
    await add(store, entry("dc=im"))
    await turns()
    told, _ = heard(store)
    await add(store, entry("cn=a,dc=im"))
    await turns()
    assert len(told) == 1
    await refused(store, Put(entry("cn=a,dc=im", "other"), 0))
    await deliver(store, delivery("one"), journal=(JournalEvent(NOW, 1, "said"),))
    await turns()
    assert len(told) == 1


@test
async def test_who_has_stopped_following_is_not_told_and_others_are(store: Store) -> None:
    gone, stop = heard(store)
    there, _ = heard(store)
    stop()
    stop()
    await add(store, entry("dc=im"))
    await turns()
    assert (len(gone), len(there)) == (0, 1)


@test
async def test_a_store_that_is_closed_tells_nobody(opening: Opening) -> None:
    store = await opening()
    told, _ = heard(store)
    await add(store, entry("dc=im"))
    await store.close()
    await turns()
    assert told == []


@test
async def test_between_full_pages_of_the_log_the_reactor_does_other_things(store: Store) -> None:
    from twisted.internet import reactor

    clock: Any = reactor
    await plant(store)
    done: list[str] = []
    clock.callLater(0, done.append, "other")
    assert len(await store.changes(0, 5)) == 5
    assert done == ["other"]
