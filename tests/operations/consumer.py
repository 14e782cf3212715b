"""The other side of a content synchronisation: a copy that does what it is told, and a client that keeps it.

The copy is as strict as a directory: at no time have two entries one name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from harbour import PASSWORDS
from twisted.internet.defer import Deferred

from provserver.directory.names import DN
from provserver.ldap.controls import (
    EntryState,
    NewCookie,
    RefreshDelete,
    RefreshPresent,
    SyncDone,
    SyncIdSet,
    SyncInfo,
    SyncMode,
    SyncRequest,
    SyncState,
    decode_response,
    encode_request,
)
from provserver.ldap.filters import Filter, Scope, parse_filter
from provserver.ldap.messages import (
    Control,
    DerefAliases,
    IntermediateResponse,
    Message,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
)
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient

_BESIDE: Final = frozenset({"entryUUID", "entryCSN"})

Attributes = dict[str, tuple[bytes, ...]]
Held = dict[UUID, tuple[str, Attributes]]


def request(
    base: str,
    filter: str | Filter = "(objectClass=*)",
    *attributes: str,
    scope: Scope = Scope.SUBTREE,
    deref: DerefAliases = DerefAliases.NEVER,
    size: int = 0,
    time: int = 0,
    types_only: bool = False,
) -> SearchRequest:
    wanted = parse_filter(filter) if isinstance(filter, str) else filter
    return SearchRequest(base, scope, deref, size, time, types_only, wanted, attributes)


def sync(
    mode: SyncMode = SyncMode.REFRESH_ONLY,
    cookie: bytes | None = None,
    *,
    reload: bool = False,
    critical: bool = True,
) -> Control:
    return encode_request(SyncRequest(mode, cookie, reload), critical=critical)


def attributes_of(entry: SearchResultEntry) -> Attributes:
    return {one.description: tuple(one.values) for one in entry.attributes}


def state_of(message: Message) -> SyncState:
    """The one Sync State Control of an entry."""
    states = [decode_response(one.oid, one.value) for one in message.controls if one.oid == SyncState.oid]
    assert len(states) == 1
    state = states[0]
    assert isinstance(state, SyncState)
    return state


class Copy:
    """What a consumer has, and the last cookie that it was given."""

    def __init__(self, *, strict: bool = True) -> None:
        self.held: Held = {}
        self.cookie: bytes | None = None
        self.refreshed = False
        """The refresh stage is over."""
        self.strict = strict
        self._mentioned: set[UUID] = set()

    def begin(self) -> None:
        """A new request is sent. What was told without a cookie is told again."""
        if self.cookie is None:
            self.held = {}
        self._mentioned = set()
        self.refreshed = False

    @property
    def names(self) -> list[str]:
        return sorted(name for name, _ in self.held.values())

    def take(self, message: Message) -> None:
        """Do what a message says."""
        operation = message.operation
        if isinstance(operation, SearchResultEntry):
            self._entry(operation, state_of(message))
        elif isinstance(operation, IntermediateResponse):
            assert operation.oid == SyncInfo.oid
            self._info(SyncInfo.decode(operation.value).choice)
        elif isinstance(operation, SearchResultDone):
            self._done(message, operation)

    def _entry(self, entry: SearchResultEntry, state: SyncState) -> None:
        assert self.refreshed or state.cookie is None, "no cookie with an entry of the refresh stage"
        self._new_cookie(state.cookie)
        if state.state is EntryState.DELETE:
            assert not entry.attributes
            self.held.pop(state.entry, None)
            return
        assert self.refreshed or state.state is EntryState.ADD
        if self.strict:
            self._check_name(entry.dn, state.entry)
        self._mentioned.add(state.entry)
        self.held[state.entry] = entry.dn, attributes_of(entry)

    def _check_name(self, name: str, entry: UUID) -> None:
        dn = DN.parse(name)
        for other, (there, _) in self.held.items():
            assert other == entry or DN.parse(there) != dn, f"{name} is the name of two entries"

    def _info(self, choice: NewCookie | RefreshDelete | RefreshPresent | SyncIdSet) -> None:
        self._new_cookie(choice.cookie)
        if isinstance(choice, SyncIdSet):
            assert choice.deletes
            for entry in choice.entries:
                self.held.pop(entry, None)
        elif not isinstance(choice, NewCookie):
            assert choice.done
            self._end_refresh(deletes=isinstance(choice, RefreshDelete))

    def _done(self, message: Message, done: SearchResultDone) -> None:
        found = [decode_response(one.oid, one.value) for one in message.controls]
        controls = [one for one in found if isinstance(one, SyncDone)]
        if done.result.code is ResultCode.SUCCESS:
            assert len(controls) == 1
            self._new_cookie(controls[0].cookie)
            self._end_refresh(deletes=controls[0].refresh_deletes)

    def _end_refresh(self, *, deletes: bool) -> None:
        assert not self.refreshed
        self.refreshed = True
        if not deletes:
            self.held = {entry: what for entry, what in self.held.items() if entry in self._mentioned}

    def _new_cookie(self, cookie: bytes | None) -> None:
        if cookie is not None:
            assert self.cookie is None or cookie >= self.cookie, "cookies are compared as text"
            self.cookie = cookie


class SyncClient(WireClient):
    """A client that keeps the messages that answer each of its requests."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[int, list[Message]] = {}
        self._awaited: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def _take(self, message: Message) -> None:
        self.said.setdefault(message.id, []).append(message)
        super()._take(message)
        ready = [one for one in self._awaited if one[0]()]
        self._awaited = [one for one in self._awaited if one not in ready]
        for _, waiting in ready:
            waiting.callback(None)

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait for messages that make it true."""
        if not what():
            waiting: Deferred[None] = Deferred()
            self._awaited.append((what, waiting))
            await waiting

    async def poll(
        self, copy: Copy, asked: SearchRequest, *more: Control, reload: bool = True
    ) -> list[Message]:
        """Bring a copy up to date; all that was said."""
        copy.begin()
        number = self.begin(asked, [sync(SyncMode.REFRESH_ONLY, copy.cookie, reload=reload), *more])
        await self.answer(number)
        for message in self.said[number]:
            copy.take(message)
        return self.said[number]

    def persist(self, copy: Copy, asked: SearchRequest, *more: Control, reload: bool = True) -> Persisting:
        """Keep a copy up to date from now on."""
        copy.begin()
        number = self.begin(asked, [sync(SyncMode.REFRESH_AND_PERSIST, copy.cookie, reload=reload), *more])
        return Persisting(self, number, copy)


async def consumer(server: RunningServer, user: str | None = "etaadmin") -> SyncClient:
    """A client bound as one of the demo's users; closed with the server."""
    host, _, port = server.ldap_url.removeprefix("ldap://").rpartition(":")
    client = await SyncClient.connect(server.reactor, host, int(port))
    assert isinstance(client, SyncClient)
    server._lines.append(client)
    if user is not None:
        assert (await client.bind(user, PASSWORDS[user])).code is ResultCode.SUCCESS
    return client


async def everything(client: WireClient, asked: SearchRequest) -> Held:
    """What a search finds, as a copy of it would hold it."""
    told = await client.ask(replace(asked, attributes=(*(asked.attributes or ("*",)), "entryUUID")))
    assert told.code is ResultCode.SUCCESS, told.text
    found: Held = {}
    for entry in told.entries:
        attributes = attributes_of(entry)
        found[UUID(attributes["entryUUID"][0].decode())] = entry.dn, attributes
    return found


def same(copy: Copy, found: Held) -> bool:
    """Whether a copy holds what was found, by what both were told of it."""
    return {entry: _compared(what) for entry, what in copy.held.items()} == {
        entry: _compared(what) for entry, what in found.items()
    }


def _compared(what: tuple[str, Attributes]) -> tuple[str, Attributes]:
    name, attributes = what
    return name, {one: values for one, values in attributes.items() if one not in _BESIDE}


class Persisting:
    """A persistent search, and the copy that it keeps."""

    def __init__(self, client: SyncClient, number: int, copy: Copy) -> None:
        self.client = client
        self.number = number
        self.copy = copy
        self._taken = 0

    @property
    def said(self) -> Sequence[Message]:
        return self.client.said.get(self.number, ())

    async def until(self, what: Callable[[Copy], bool]) -> Copy:
        """Wait until the copy is as wanted."""

        def looked() -> bool:
            said = self.said
            while self._taken < len(said):
                self.copy.take(said[self._taken])
                self._taken += 1
            return what(self.copy)

        await self.client.until(looked)
        return self.copy

    async def refreshed(self) -> Copy:
        """Wait for the end of the refresh stage."""
        return await self.until(lambda copy: copy.refreshed)
