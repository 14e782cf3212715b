"""Who is asked after a race: the server, while it still runs; and the store, when it has stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from ledger import Ledger
from racetrack import ADMINISTRATOR, RACER, Account, Track, on_wire
from racing import Attempt, pause
from verdict import Accepted, Seen, Stored

from provserver.cli.running import at_once
from provserver.directory.names import DN
from provserver.foundation import Foundation
from provserver.journal.events import Event
from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.passwords.credentials import Credentials
from provserver.storage.contract import DeliveryState, Store
from provserver.testing.wire import WireClient
from provserver.vault.secret import Secret

T = TypeVar("T")

DRAINED_WITHIN: Final = 120.0
"""Seconds after the last answer."""
LOOKED_EVERY: Final = 0.1
PAGE: Final = 10_000


async def look(
    reactor: Any, track: Track, attempts: Sequence[Attempt], riders: Sequence[Account], ledger: Ledger
) -> Seen:
    """Wait until all is delivered, and see who has which password."""
    client = await _line(reactor, track, ADMINISTRATOR)
    for _ in range(int(DRAINED_WITHIN / LOOKED_EVERY)):
        if not await _outbox_size(client):
            break
        await pause(reactor, LOOKED_EVERY)
    # The last change of all is the last one of its account.
    lasts = {attempt.account: attempt.password for attempt in attempts if attempt.acknowledged}
    bind = [password for password in lasts.values() if await _logs_in(reactor, track, password)]
    unheld = []
    for rider in riders:
        if not rider.in_ledger and bind and not await _holds(client, rider.dn, bind[0]):
            unheld.append(rider.dn)
    client.hang_up()
    return Seen(attempts, ledger.received, bind, unheld)


async def read(foundation: Foundation, riders: Sequence[Account]) -> Stored:
    store = foundation.store
    user = await store.read(DN.parse(RACER))
    assert user is not None  # noqa: S101  it was loaded
    credentials = Credentials.of(user, foundation.keys)
    hasher = foundation.hasher

    def remembers(password: str) -> bool:
        salt = hasher.salt_for(credentials.current)
        return credentials.history.contains(at_once(hasher.derive(Secret.of_text(password), salt)))

    lines = [line async for line in _all(store.changes, lambda line: line.sequence)]
    happened = [line async for line in _all(store.journal, lambda line: line[0])]
    return Stored(
        accepted=[
            Accepted(event.at, event.fields["account"], event.fields["change"])
            for _, event in happened
            if event.event == Event.SYNC_ACCEPTED
        ],
        lines=[line.sequence for line in lines],
        versions=[line.version for line in lines if line.id == user.id and line.kind == "modify"],
        change=credentials.change,
        remembered=len(credentials.history.remembered),
        remembers=remembers,
        statuses={rider.dn: await _status(store, rider.dn) for rider in riders},
        waiting=await store.outbox_size(),
    )


# -- of the server


async def _line(reactor: Any, track: Track, who: str) -> WireClient:
    client = await track.line(reactor, who)
    assert client is not None  # noqa: S101  nobody kills it any more
    return client


async def _outbox_size(client: WireClient) -> int:
    told = await client.search("cn=monitor", "(objectClass=*)", "provOutboxSize", scope=Scope.BASE)
    return int(told.values("provOutboxSize")[0])


async def _logs_in(reactor: Any, track: Track, password: str) -> bool:
    client = await _line(reactor, track, ADMINISTRATOR)
    told = await client.bind(on_wire(RACER), password)
    client.hang_up()
    return told.code is ResultCode.SUCCESS


async def _holds(client: WireClient, account: str, password: str) -> bool:
    told = await client.compare(on_wire(account), "provHeldPassword", password)
    return told.code is ResultCode.COMPARE_TRUE


# -- of the store


async def _status(store: Store, account: str) -> tuple[str, DeliveryState] | None:
    entry = await store.read(DN.parse(account))
    status = await store.status(entry.id) if entry is not None else None
    return None if status is None else (status.change, status.state)


async def _all(
    page: Callable[[int, int], Awaitable[Sequence[T]]], number: Callable[[T], int]
) -> AsyncIterator[T]:
    after = 0
    while lines := await page(after, PAGE):
        for line in lines:
            yield line
        after = number(lines[-1])
