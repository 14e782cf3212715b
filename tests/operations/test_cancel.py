"""Cancel (RFC 3909): reading ends with `canceled`, changing does not end before it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, SUFFIX, administrator, holds, wire
from twisted.internet.defer import Deferred

from provserver.directory.entries import Entry
from provserver.ldap.extended import Cancel, encode_request
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    CANCEL,
    DerefAliases,
    ExtendedRequest,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer
from provserver.testing.wire import Told, WireClient

C = ResultCode

EVERYTHING = SearchRequest(
    SUFFIX, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ("*",)
)


async def cancelled(client: WireClient, number: int) -> Told:
    return await client.ask(encode_request(Cancel(number)))


@pytest_twisted.ensureDeferred
async def test_a_search_that_waits_is_called_off(
    provserver: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await administrator(provserver)
    store = provserver.service.foundation.store
    held: Deferred[None] = Deferred()
    search_at_once = store.search

    async def slowly(*asked: Any) -> AsyncIterator[Sequence[Entry]]:
        await held
        async for batch in search_at_once(*asked):
            yield batch

    monkeypatch.setattr(store, "search", slowly)
    search = client.begin(EVERYTHING)
    assert (await cancelled(client, search)).code is C.SUCCESS
    told = await client.answer(search)
    assert (told.code, told.entries) == (C.CANCELED, [])
    assert (await cancelled(client, search)).code is C.NO_SUCH_OPERATION
    monkeypatch.undo()
    assert (await client.ask(EVERYTHING)).code is C.SUCCESS


@pytest_twisted.ensureDeferred
async def test_an_exchange_that_has_begun_is_finished(provserver: RunningServer) -> None:
    client = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").delay(1)
    sync = client.begin_sync(ADA_AD, NEW)
    told = await cancelled(client, sync)
    assert told.code is C.TOO_LATE
    assert not client.is_answered(sync)
    while not client.is_answered(sync):
        await provserver.breathe()
        provserver.clock.turn(0.1)
    assert (await client.answer(sync)).code is C.SUCCESS
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_what_is_not_there_cannot_be_cancelled(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    told = await cancelled(client, 77)
    assert (told.code, told.text) == (C.NO_SUCH_OPERATION, "message 77 is not in progress")


@pytest_twisted.ensureDeferred
async def test_a_cancel_cannot_cancel_itself(provserver: RunningServer) -> None:
    client = await administrator(provserver)
    assert (await cancelled(client, client._last + 1)).code is C.CANNOT_CANCEL


@pytest.mark.parametrize("value", [None, b"", b"\x30\x00", b"\x02\x01\x01", b"\x30\x03\x04\x01\x01"])
@pytest_twisted.ensureDeferred
async def test_a_value_that_is_none_is_a_protocol_error(
    provserver: RunningServer, value: bytes | None
) -> None:
    client = await provserver.wire()
    assert (await client.ask(ExtendedRequest(CANCEL, value))).code is C.PROTOCOL_ERROR
