"""What the running server tells of itself: `cn=monitor`, and whether an emulated endpoint holds a password.

For administrators only. What is counted begins with the server's start. What is below it is in `monitoring`.
The emulator's question is how tests, labs and the benchmark see, over LDAP, that a password has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from provserver.directory.access import Identity, Role
from provserver.directory.entries import Entry
from provserver.imps.endpoints import Endpoints
from provserver.imps.messages import Message
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.accesses import kind_of
from provserver.operations.context import House, Line, demand_confidentiality
from provserver.operations.monitoring.deliveries import Deliveries
from provserver.operations.monitoring.endpoints import EndpointList
from provserver.operations.monitoring.tree import MONITOR, MonitorTree
from provserver.operations.subschema import made
from provserver.vault.secret import Secret

HELD_PASSWORD_KEY: Final = "provheldpassword"


def monitor_of(house: House) -> MonitorTree:
    """`cn=monitor` of a running server."""
    rooms = house.rooms
    endpoints = Endpoints(rooms.store, rooms.views.domain)
    branches = (
        Deliveries(rooms),
        EndpointList(rooms, endpoints, lambda endpoint: house.standing(endpoint)),
    )
    return MonitorTree(rooms, lambda: _top(house), branches)


async def _top(house: House) -> Entry:
    counters = house.counters
    figures = {
        "provOutboxSize": await house.rooms.store.outbox_size(),
        "provConnections": len(counters.connections),
        "provConnectionsTotal": counters.total,
        "provConnectionsRefused": counters.refused,
        "provBytesReceived": counters.received,
        "provBytesSent": counters.sent,
    }
    operations = [(kind_of(request), count) for request, count in counters.operations.items()]
    return made(
        MONITOR,
        {
            "objectClass": ["top", "extensibleObject"],
            "cn": ["monitor"],
            **{name: [str(figure)] for name, figure in figures.items()},
            "provOperations": _by_name(operations),
            "provLimitsReached": _by_name(house.offences.counts.items()),
            "hasSubordinates": ["TRUE"],
        },
    )


async def compare_held(account: Entry, value: bytes, identity: Identity, line: Line, house: House) -> Result:
    """compareTrue when the account's emulated endpoint holds this password."""
    demand_administrator(identity, str(account.dn))
    demand_confidentiality(line, house)
    held = await house.held(account, Secret(value))
    if held is None:
        raise Refusal(ResultCode.NO_SUCH_ATTRIBUTE, "only emulated endpoints tell what they hold")
    return Result(ResultCode.COMPARE_TRUE if held else ResultCode.COMPARE_FALSE)


def _by_name(counts: Iterable[tuple[str, int]]) -> list[str]:
    return [f"{name}={count}" for name, count in sorted(counts)]


def demand_administrator(identity: Identity, name: str) -> None:
    """Refusal INSUFFICIENT_ACCESS_RIGHTS."""
    if identity.role is not Role.DOMAIN_ADMINISTRATOR:
        text = Message.NOT_ALLOWED.say(who=identity.name(), what="ask about", dn=name)
        raise Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, text)
