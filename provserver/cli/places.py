"""Where an administrator asks and changes things: a server that runs, over LDAP, or the store where none
does. What the one shows, the other shows: what is below `cn=monitor`, and what is made at reading, too.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

from provserver.connectors.registry import ConnectorKinds
from provserver.directory.names import DN
from provserver.endpoint_facts import EndpointFacts
from provserver.foundation import (
    Foundation,
    clearing_of,
    endpoint_checks_of,
    explainer_of,
    exploring_of,
    gates_of,
    outbox_acts_of,
)
from provserver.imps.accounts import account_of, read_account_name
from provserver.imps.views import View
from provserver.ldap.client import Found, LdapClient
from provserver.ldap.controls import PagedResults
from provserver.ldap.controls import encode_request as encode_control
from provserver.ldap.extended import (
    CheckEndpoint,
    CheckTree,
    ClearGuard,
    DropDeliveries,
    Explain,
    Explained,
    ExploreEndpoint,
    ExtendedValue,
    RetryDeliveries,
    decode_response,
    encode_request,
)
from provserver.ldap.filters import Filter, Present, Scope
from provserver.ldap.messages import Change, Control, DerefAliases, SearchRequest
from provserver.operations.asked import NOTHING_ASKED
from provserver.operations.edits import Edits
from provserver.operations.inside import filter_inside
from provserver.operations.monitoring.deliveries import Deliveries
from provserver.operations.monitoring.endpoints import EndpointList, nobody_at_work
from provserver.operations.monitoring.tree import MonitorTree, is_of_monitor
from provserver.operations.selection import Selection
from provserver.operations.statuses import Statuses
from provserver.operations.subschema import made
from provserver.passwords.explaining import Json
from provserver.storage.contract import SearchLimits

_PAGE: Final = 500
ANYTHING: Final = Present("objectClass")

Answer = dict[str, Json]
"""What an extended operation of ours is answered with (JSON)."""


class Place(Protocol):
    """Names end in the domain, and in nothing more. What cannot be done raises a Refusal."""

    async def domain(self) -> str:
        """The DN of the domain."""

    def search(
        self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str]
    ) -> AsyncIterator[Found]:
        """What is found, one after the other."""

    async def ask(self, request: ExtendedValue) -> Answer:
        """The answer to an extended operation of ours."""

    async def add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None: ...

    async def modify(self, dn: str, *changes: Change) -> None: ...

    async def delete(self, dn: str) -> None: ...


class ServedPlace:
    """A running server; `client` is bound."""

    def __init__(self, client: LdapClient) -> None:
        self._client = client

    async def domain(self) -> str:
        found = await self._client.search("", Scope.BASE, ANYTHING, ["namingContexts"])
        return found[0].values("namingContexts")[0].decode().removesuffix(View.SERVER.value)

    async def search(
        self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str]
    ) -> AsyncIterator[Found]:
        cookie, more = b"", True
        while more:
            last: list[Control] = []
            page = encode_control(PagedResults(_PAGE, cookie), critical=True)
            found = await self._client.search(
                base, scope, wanted, attributes, controls=[page], told=last.append
            )
            for one in found:
                yield one
            cookie = b"".join([PagedResults.decode(one.value).cookie for one in last if one.oid == page.oid])
            more = bool(cookie)

    async def ask(self, request: ExtendedValue) -> Answer:
        asked = encode_request(request)
        answer = await self._client.extended(asked.oid, asked.value)
        explained = decode_response(asked.oid, answer.value)
        assert isinstance(explained, Explained)  # noqa: S101 -- by its object identifier
        return json.loads(explained.explanation or "{}")  # type: ignore[no-any-return]  # what we have encoded

    async def add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        await self._client.add(dn, attributes)

    async def modify(self, dn: str, *changes: Change) -> None:
        await self._client.modify(dn, changes)

    async def delete(self, dn: str) -> None:
        await self._client.delete(dn)


class StorePlace:
    """A store that nobody serves. `command`: what the journal says that something was done by."""

    def __init__(self, foundation: Foundation, command: str, reactor: Any) -> None:
        self._foundation = foundation
        self._who = {"by": command, "system user": getpass.getuser()}
        self._reactor = reactor
        rooms = foundation.rooms
        self._statuses = Statuses.of(rooms)
        facts = EndpointFacts(foundation, ConnectorKinds(), reactor)
        self._exploring = exploring_of(foundation, facts.connector, reactor, reactor)
        branches = Deliveries(rooms), EndpointList(rooms, foundation.endpoints, nobody_at_work)
        self._monitor = MonitorTree(rooms, _nobody_counts, branches)

    async def domain(self) -> str:
        return str(self._foundation.views.domain)

    async def search(
        self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str]
    ) -> AsyncIterator[Found]:
        rooms = self._foundation.rooms
        selection = Selection(attributes, rooms.schema)
        if is_of_monitor(base):
            request = SearchRequest(base, scope, DerefAliases.NEVER, 0, 0, False, wanted, tuple(attributes))
            search = (await self._monitor.walk(request, NOTHING_ASKED)).entries()
        else:
            dn, _ = rooms.views.resolve(base)
            search = rooms.store.search(dn, scope, filter_inside(wanted, rooms), SearchLimits())
        async with aclosing(search) as batches:
            async for batch in batches:
                for entry in batch:
                    taken = selection.of(entry, View.BARE)
                    if entry.version:
                        taken += await self._statuses.about(entry, selection.of_deliveries)
                    yield Found(entry.dn.text, {name: list(values) for name, values in taken})

    async def ask(self, request: ExtendedValue) -> Answer:
        foundation = self._foundation
        if isinstance(request, DropDeliveries):
            return await outbox_acts_of(foundation, _nobody_looks).drop(request, self._who)
        if isinstance(request, RetryDeliveries):
            return await outbox_acts_of(foundation, _nobody_looks).retry(request, self._who)
        if isinstance(request, CheckEndpoint):
            facts = EndpointFacts(foundation, ConnectorKinds(), self._reactor)
            checks = endpoint_checks_of(foundation, facts.connector, self._reactor)
            return await checks.check(request, self._who)
        if isinstance(request, ExploreEndpoint):
            return {**await self._exploring.explore(request, self._who)}
        if isinstance(request, CheckTree):
            return await self._exploring.explorations.check(self._who, repair=request.repair)
        assert isinstance(request, Explain)  # noqa: S101 -- there are no others of ours
        views, gates = foundation.views, gates_of(foundation)
        dn = await account_of(read_account_name(request.account, views), views, foundation.store)
        first: Answer = {}
        if isinstance(request, ClearGuard):
            first = {"cleared": await clearing_of(foundation, gates).clear(dn, self._who)}
        return {**first, **await explainer_of(foundation, gates).explain(dn)}

    async def add(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        edits, inside = self._edits(dn)
        await edits.add(inside, list(attributes.items()))
        await self._commit(edits)

    async def modify(self, dn: str, *changes: Change) -> None:
        edits, inside = self._edits(dn)
        before = await edits.read(inside)
        plain = [(int(one.kind), one.attribute.description, one.attribute.values) for one in changes]
        after = await edits.modify(inside, plain)
        edits.pausing(before, after, lambda: self._who)
        await self._commit(edits)

    async def delete(self, dn: str) -> None:
        edits, inside = self._edits(dn)
        await edits.delete(inside)
        await self._commit(edits)

    def _edits(self, dn: str) -> tuple[Edits, DN]:
        rooms = self._foundation.rooms
        return Edits(rooms, self._who["by"]), rooms.views.resolve(dn)[0]

    async def _commit(self, edits: Edits) -> None:
        await self._foundation.rooms.store.commit(edits.commit())


def _nobody_looks(endpoint: object) -> None:
    """No courier is there; the server looks when it starts."""


async def _nobody_counts() -> Any:
    return made(DN.parse("cn=monitor"), {"objectClass": ["top", "extensibleObject"], "cn": ["monitor"]})
