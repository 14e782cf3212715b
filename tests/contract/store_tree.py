"""A small schema and a small tree for tests of stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.ldap.filters import Filter, Present, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import (
    ChangeId,
    Commit,
    Committed,
    DeliveryId,
    DeliveryState,
    MarkFate,
    NewDelivery,
    Put,
    SearchLimits,
    Settlement,
    Store,
    Write,
)

_STRING = "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
SCHEMA = Schema.parse(
    [
        (
            "test.schema",
            f"""
attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 X-PROV-INDEX 'eq' )
attributetype ( 0.9.2342.19200300.100.1.25 NAME 'dc' {_STRING} )
attributetype ( 2.5.4.41 NAME 'name' {_STRING} X-PROV-INDEX 'eq' )
attributetype ( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name X-PROV-INDEX 'eq' )
attributetype ( 2.5.4.11 NAME 'ou' {_STRING} )
attributetype ( 1.2.3.1 NAME 'badge' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 X-PROV-INDEX 'eq' )
attributetype ( 2.5.4.13 NAME 'description' {_STRING} )
objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
objectclass ( 1.2.3.2 NAME 'thing' SUP top STRUCTURAL MAY ( dc $ cn $ ou $ badge $ description ) )
objectclass ( 1.2.3.3 NAME 'box' SUP top STRUCTURAL MAY ( ou $ description ) )
""",
        )
    ]
)

Opening = Callable[[], Awaitable[Store]]
"""Opens the store of a test."""

TOP = DN.parse("dc=im")
BY = "cn=tester,dc=im"
NOW = 1_000_000.0


def entry(
    dn: str | DN, id: str = "", version: int = 0, /, **values: str | bytes | Sequence[str | bytes]
) -> Entry:
    """An entry whose id is its name unless one is given; its RDN and class are added when not named."""
    name = DN.parse(dn) if isinstance(dn, str) else dn
    type, value = name.rdns[0].pairs[0]
    shown: dict[str, Any] = {"objectClass": "box" if type == "ou" else "thing", type: value, **values}
    attributes = {}
    for description, given in shown.items():
        description = description.replace("_", ";lang-")
        several = [given] if isinstance(given, str | bytes) else list(given)
        octets = tuple(value.encode() if isinstance(value, str) else value for value in several)
        attributes[SCHEMA.key(description)] = Attribute(description, octets)
    return Entry(EntryId(id or name.text.lower()), name, attributes, version)


async def change(store: Store, *writes: Write, at: float = NOW, **more: Any) -> Committed:
    return await store.commit(Commit(at, BY, writes, **more))


async def add(store: Store, *entries: Entry) -> Committed:
    """New entries, in one commit."""
    return await change(store, *[Put(entry, 0) for entry in entries])


async def refused(store: Store, *writes: Write) -> ResultCode:
    """The code with which these are refused, in one commit that changes nothing."""
    before = await names(store), list(await store.changes(0, 1000))
    with pytest.raises(Refusal) as caught:
        await change(store, *writes)
    assert (await names(store), list(await store.changes(0, 1000))) == before
    return caught.value.code


async def plant(store: Store) -> None:
    """dc=im · ou=boxes · cn=a … cn=e below it · ou=inner with cn=x and cn=y."""
    await add(
        store,
        entry("dc=im"),
        entry("ou=boxes,dc=im"),
        *[
            entry(f"cn={name},ou=boxes,dc=im", badge=str(number))
            for number, name in enumerate(["a", "b", "c", "d", "e"])
        ],
        entry("ou=inner,ou=boxes,dc=im"),
        entry("cn=x,ou=inner,ou=boxes,dc=im", description="deep"),
        entry("cn=y,ou=inner,ou=boxes,dc=im", badge="7"),
    )


async def names(
    store: Store,
    wanted: Filter = Present("objectClass"),  # noqa: B008 -- a value that never changes
    base: DN | str = TOP,
    scope: Scope = Scope.SUBTREE,
    limits: SearchLimits = SearchLimits(),  # noqa: B008
) -> list[str]:
    """What a search finds, in its order."""
    found = []
    top = DN.parse(base) if isinstance(base, str) else base
    async for batch in store.search(top, scope, wanted, limits):
        assert len(batch) <= limits.batch
        found.extend([entry.dn.text for entry in batch])
    return found


def delivery(name: str, user: str = "u", account: str = "", endpoint: str = "ep", **more: Any) -> NewDelivery:
    """A delivery whose account is its own unless one is named."""
    return NewDelivery(
        DeliveryId(name),
        ChangeId(more.pop("change", f"change of {name}")),
        EntryId(user),
        EntryId(account or f"account of {name}"),
        EntryId(endpoint),
        sealed=more.pop("sealed", b"sealed " + name.encode()),
        mark=more.pop("mark", b"mark " + name.encode()),
        **more,
    )


def settled(
    new: NewDelivery, state: DeliveryState = DeliveryState.UPDATED, at: float = NOW, **more: Any
) -> Settlement:
    """How an attempt at this delivery ended."""
    return Settlement(
        new.id,
        new.account,
        new.change,
        state,
        more.pop("mark", MarkFate.ENDED),
        at,
        more.pop("event", 6900),
        **more,
    )


async def deliver(store: Store, *new: NewDelivery, at: float = NOW, **more: Any) -> Committed:
    """A commit of deliveries."""
    return await store.commit(Commit(at, BY, deliveries=new, **more))


async def settle(store: Store, *settlements: Settlement) -> None:
    """All at once, as couriers do: one after the other each would wait for company."""
    await gatherResults([Deferred.fromCoroutine(store.settle(one)) for one in settlements])


async def claimed(
    store: Store, endpoint: str = "ep", limit: int = 100, now: float = NOW, **more: Any
) -> list[str]:
    """Ids of what a claim takes."""
    busy = frozenset(EntryId(account) for account in more.pop("busy", ()))
    rows = await store.claim(EntryId(endpoint), limit, now, more.pop("lease", 60.0), busy)
    assert all(row.state is DeliveryState.CLAIMED for row in rows)
    return [row.id for row in rows]


async def outbox(store: Store, *, limit: int = 100, **of: Any) -> list[str]:
    """Ids of all pages of the outbox, each as long as it may be."""
    found: list[str] = []
    after = 0
    while page := await store.outbox(after, limit, **of):
        assert len(page) <= limit
        numbers = [number for number, _ in page]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > after
        found += [row.id for _, row in page]
        after = numbers[-1]
    return found
