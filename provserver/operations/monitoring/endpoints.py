"""`cn=endpoints,cn=monitor`: an entry for each endpoint, with what waits for it and what its couriers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from provserver.delivery.breaker import Gate
from provserver.delivery.gate import Standing
from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint, Endpoints
from provserver.ldap.filters import Filter
from provserver.ldap.results import Refusal
from provserver.operations.edits import Rooms
from provserver.operations.endpoint_names import all_endpoints, endpoint_named, name_of
from provserver.operations.monitoring.branches import Page
from provserver.operations.subschema import made
from provserver.passwords.stamps import stamp
from provserver.storage.contract import DeliveryState, Tally

ENDPOINTS: Final = DN.parse("cn=endpoints,cn=monitor")
_ID: Final = "endpoints/"
_PAUSED: Final = "paused"
_DISABLED: Final = "disabled"
_STATES: Final = {
    Gate.CLOSED: "ready",
    Gate.OPEN: "down",
    Gate.HALF_OPEN: "trying",
    Gate.PAUSED: _PAUSED,
}
_COUNTED: Final = {
    DeliveryState.PENDING: "provEndpointPending",
    DeliveryState.RETRYING: "provEndpointRetrying",
    DeliveryState.HELD: "provEndpointHeld",
    DeliveryState.CLAIMED: "provEndpointClaimed",
}


Standings = Callable[[EntryId], Standing]
"""How it stands with an endpoint, as its couriers know."""


def nobody_at_work(endpoint: EntryId) -> Standing:
    """The standings where no server runs."""
    return Standing(endpoint, Gate.CLOSED)


class EndpointList:
    """The endpoints as a branch of the monitor."""

    def __init__(self, rooms: Rooms, endpoints: Endpoints, standing: Standings) -> None:
        self.dn: Final = ENDPOINTS
        self._rooms = rooms
        self._endpoints = endpoints
        self._standing = standing

    async def entry(self) -> Entry:
        attributes = {
            "objectClass": ["top", "extensibleObject"],
            "cn": ["endpoints"],
            "hasSubordinates": ["TRUE"],
        }
        return made(ENDPOINTS, attributes, _ID)

    async def child(self, name: str) -> Entry | None:
        try:
            endpoint = await endpoint_named(name, self._rooms, self._endpoints)
        except Refusal:
            return None
        return self._entry(endpoint, await self._rooms.store.tallies())

    async def again(self, id: str) -> Entry | None:
        if not id.startswith(_ID):
            return None
        endpoint = await self._endpoints.get(EntryId(id.removeprefix(_ID)))
        return None if endpoint is None else self._entry(endpoint, await self._rooms.store.tallies())

    async def page(self, after: int, wanted: Filter) -> Page:
        """All at once: there are some hundreds at most."""
        tallies = await self._rooms.store.tallies()
        endpoints = await all_endpoints(self._rooms, self._endpoints)
        return None, [self._entry(endpoint, tallies) for endpoint in endpoints]

    def _entry(self, endpoint: Endpoint, tallies: Sequence[Tally]) -> Entry:
        mine = [tally for tally in tallies if tally.endpoint == endpoint.id]
        counts = {tally.state: tally.count for tally in mine}
        standing = self._standing(endpoint.id)
        attributes: Mapping[str, Sequence[str]] = {
            "objectClass": ["top", "extensibleObject"],
            "cn": [name_of(endpoint)],
            "provEndpointName": [str(endpoint.dn)],
            "eTNamespaceName": [endpoint.namespace],
            "eTDirectoryName": [endpoint.name],
            "provConnector": [endpoint.connector] if endpoint.connector else [],
            "provEndpointState": [_state(endpoint, standing)],
            **{name: [str(counts.get(state, 0))] for state, name in _COUNTED.items()},
            "provEndpointOldest": [stamp(min(tally.oldest for tally in mine))] if mine else [],
            "provEndpointLines": [str(standing.lines)],
            "provEndpointSince": [stamp(standing.since)] if standing.since else [],
            "provEndpointFailure": [standing.text] if standing.text else [],
            "provEndpointFailed": [stamp(standing.failed)] if standing.failed else [],
            "provEndpointNext": [stamp(standing.next_probe)] if standing.next_probe is not None else [],
            "hasSubordinates": ["FALSE"],
        }
        return made(ENDPOINTS.child("cn", name_of(endpoint)), attributes, _ID + endpoint.id)


def _state(endpoint: Endpoint, standing: Standing) -> str:
    """What an administrator has said comes first."""
    if endpoint.propagation_disabled:
        return _DISABLED
    return _PAUSED if endpoint.paused else _STATES[standing.gate]
