"""Coroutines that wait while they handle an exception keep it to themselves, compiled or not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from delivery_house import House
from twisted.internet.defer import Deferred

from provserver.connectors.contract import Security, ServerDown
from provserver.delivery.attempt import Attempts
from provserver.delivery.driving import drive
from provserver.delivery.lines import Courier, Line
from provserver.delivery.parcels import Newest, Parcel
from provserver.directory.entries import EntryId
from provserver.ldap.running import run
from provserver.storage.contract import ChangeId

Begin = Callable[[Coroutine[Any, Any, Any]], object]


class Connector:
    """Fails, and takes its time to close."""

    security = Security.SECURE

    def __init__(self) -> None:
        self.closed: Deferred[None] = Deferred()

    async def open(self) -> None:
        pass

    async def set_password(self, account: object, secret: object, options: object) -> None:
        raise ServerDown("nobody answers")

    async def close(self) -> None:
        await self.closed


def ignore(key: str, value: object, error: Exception | None) -> None:
    assert error is None


@pytest.mark.parametrize(
    "begin",
    [lambda work: drive(work, pytest.fail), lambda work: run(work, ignore, "key")],
    ids=["drive", "run"],
)
def test_what_waits_while_it_handles_an_exception_leaves_none_behind(begin: Begin) -> None:
    house = House()
    attempts = Attempts(house, house.open_seal, house.wall, lambda: 1.0)
    connectors = [Connector(), Connector()]
    for connector in connectors:
        parcel = Parcel(house.delivery("unix", "ada-unix"), Newest(ChangeId("change-1")))
        courier = Courier(lambda: None)
        made: Any = connector
        courier.line = Line(made, house.endpoints[EntryId("unix")].version)
        begin(attempts.make(EntryId("unix"), courier, parcel))
        assert sys.exc_info() == (None, None, None)
    for connector in connectors:
        connector.closed.callback(None)
        assert sys.exc_info() == (None, None, None)
