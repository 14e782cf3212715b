"""A client that keeps everything it was told: result, matched DN, diagnostic, entries, notices.

For tests that look at the wire: requests are typed messages, several may be in flight, the line can be cut at
any moment. Over clear text, which the server allows on loopback; for TLS see `RunningServer.client`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from provserver.ldap.ber import long_length
from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.controls import ControlValue
from provserver.ldap.filters import Filter, Scope, parse_filter
from provserver.ldap.messages import (
    AbandonRequest,
    AddRequest,
    BindRequest,
    Change,
    ChangeKind,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
    SearchResultEntry,
    SearchResultReference,
    UnbindRequest,
)
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

C = TypeVar("C", bound=ControlValue)


class Hung(Exception):
    """The server closed the line before it answered."""


@dataclass(slots=True)
class Told:
    """What a request was answered with."""

    result: Result = field(default_factory=Result)
    entries: list[SearchResultEntry] = field(default_factory=list)
    references: list[tuple[str, ...]] = field(default_factory=list)
    """The URIs of each search result reference."""
    controls: tuple[Control, ...] = ()
    """Of the final answer."""
    value: bytes | None = field(default=None, repr=False)
    """Of an extended response."""

    @property
    def code(self) -> ResultCode:
        return self.result.code

    @property
    def text(self) -> str:
        """The diagnostic message."""
        return self.result.diagnostic

    @property
    def names(self) -> list[str]:
        """The DNs of the entries, as the server spells them."""
        return [entry.dn for entry in self.entries]

    def control(self, kind: type[C]) -> C | None:
        """What a control of the final answer says; None: it has none of this kind. ControlError."""
        return next((kind.decode(one.value) for one in self.controls if one.oid == kind.oid), None)

    def values(self, description: str) -> list[str]:
        """The values of an attribute of the first entry; none if it is not there."""
        wanted = description.lower()
        for attribute in self.entries[0].attributes if self.entries else ():
            if attribute.description.lower() == wanted:
                return [value.decode() for value in attribute.values]
        return []


class WireClient(Protocol):
    """One connection, made by `connect`."""

    def __init__(self) -> None:
        self.notices: list[ExtendedResponse] = []
        """Unsolicited notifications (RFC 4511 4.4)."""
        self.late: list[Told] = []
        """Answers to what was abandoned: a fault of the server (RFC 4511 4.11), or a race."""
        self.closed: Deferred[None] = Deferred()
        """Fires when the line is gone."""
        self._buffer = b""
        self._last = 0
        self._told: dict[int, Told] = {}
        self._waiting: dict[int, Deferred[Told | None]] = {}
        self._done: set[int] = set()

    @classmethod
    async def connect(cls, reactor: Any, host: str, port: int) -> WireClient:
        factory = Factory.forProtocol(cls)
        factory.noisy = False
        endpoint: Any = TCP4ClientEndpoint(reactor, host, port)
        client: WireClient = await endpoint.connect(factory)
        return client

    # -- requests

    def begin(self, operation: Request, controls: Sequence[Control] = ()) -> int:
        """Send a request; its message id. Hung: the line is closed."""
        if self.closed.called:
            raise Hung("the line was closed before")
        self._last += 1
        number = self._last
        self._told[number] = Told()
        self._waiting[number] = Deferred()
        self._wire.write(encode_message(Message(number, operation, tuple(controls))))
        return number

    async def answer(self, number: int) -> Told:
        """The answer to a request that was begun. Hung."""
        told = await self._waiting[number]
        if told is None:
            raise Hung("the line was closed before the answer")
        return told

    async def ask(self, operation: Request, controls: Sequence[Control] = ()) -> Told:
        """Send a request, and its answer. Hung."""
        return await self.answer(self.begin(operation, controls))

    def abandon(self, number: int) -> None:
        """Send an Abandon; an answer that comes all the same is kept in `late`."""
        self.begin(AbandonRequest(number))
        del self._waiting[self._last], self._waiting[number]

    def is_answered(self, number: int) -> bool:
        """Whether the answer to that request has come."""
        return number in self._done

    def hang_up(self) -> None:
        """Close without unbind, after what was sent has left; harmless when closed already."""
        if not self.closed.called:
            self._wire.loseConnection()

    def cut(self) -> None:
        """Cut the line; what was not sent yet is lost."""
        if not self.closed.called:
            self._wire.abortConnection()

    def unbind(self) -> None:
        """Send an Unbind; the server closes."""
        self.begin(UnbindRequest())
        del self._waiting[self._last]

    # -- the usual requests, in short

    async def bind(self, name: str, password: str | Secret) -> Told:
        """Simple bind. `name` is a DN, or a global user's bare name."""
        secret = password if isinstance(password, Secret) else Secret.of_text(password)
        return await self.ask(BindRequest(3, name, secret))

    async def search(
        self,
        base: str,
        filter: str | Filter = "(objectClass=*)",
        *attributes: str,
        scope: Scope = Scope.SUBTREE,
        size: int = 0,
        types_only: bool = False,
    ) -> Told:
        wanted = parse_filter(filter) if isinstance(filter, str) else filter
        return await self.ask(
            SearchRequest(base, scope, DerefAliases.NEVER, size, 0, types_only, wanted, attributes)
        )

    async def modify(self, dn: str, *changes: Change, controls: Sequence[Control] = ()) -> Told:
        return await self.ask(ModifyRequest(dn, changes), controls)

    async def add(self, dn: str, attributes: Mapping[str, Sequence[str | bytes]]) -> Told:
        listed = tuple(PartialAttribute(name, _octets(values)) for name, values in attributes.items())
        return await self.ask(AddRequest(dn, listed))

    async def delete(self, dn: str) -> Told:
        return await self.ask(DeleteRequest(dn))

    async def compare(self, dn: str, description: str, value: str | bytes) -> Told:
        return await self.ask(CompareRequest(dn, description, *_octets([value])))

    async def test(self, account: str, password: str | bytes) -> Told:
        """`eTTestPassword`."""
        return await self.modify(account, replace("eTTestPassword", password))

    async def sync(self, account: str, password: str | bytes) -> Told:
        """`eTSyncPassword`."""
        return await self.modify(account, replace("eTSyncPassword", password))

    def begin_sync(self, account: str, password: str | bytes) -> int:
        """Send `eTSyncPassword`; the message id, for `answer`."""
        return self.begin(ModifyRequest(account, (replace("eTSyncPassword", password),)))

    # -- the line

    @property
    def _wire(self) -> Any:
        return self.transport

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  Twisted's name
        buffer = self._buffer + data
        pos = 0
        while (end := _end(buffer, pos)) is not None and end <= len(buffer):
            self._take(decode_message(buffer, pos, end))
            pos = end
        self._buffer = buffer[pos:]

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802  Twisted's name
        for answer in self._waiting.values():
            if not answer.called:
                answer.callback(None)
        self.closed.callback(None)

    def _take(self, message: Message) -> None:
        operation = message.operation
        if message.id == 0 and isinstance(operation, ExtendedResponse):
            self.notices.append(operation)
            return
        told = self._told[message.id]
        if isinstance(operation, SearchResultEntry):
            told.entries.append(operation)
        elif isinstance(operation, SearchResultReference):
            told.references.append(operation.uris)
        elif not isinstance(operation, IntermediateResponse):
            told.result = operation.result  # type: ignore[union-attr]  # every other response has one
            told.controls = message.controls
            told.value = operation.value if isinstance(operation, ExtendedResponse) else None
            self._done.add(message.id)
            waiting = self._waiting.get(message.id)
            if waiting is None:
                self.late.append(told)
            else:
                waiting.callback(told)


def replace(description: str, *values: str | bytes) -> Change:
    """A change of a modify request: these values instead of all others."""
    return Change(ChangeKind.REPLACE, PartialAttribute(description, _octets(values)))


def add(description: str, *values: str | bytes) -> Change:
    """A change of a modify request: these values too."""
    return Change(ChangeKind.ADD, PartialAttribute(description, _octets(values)))


def delete(description: str, *values: str | bytes) -> Change:
    """A change of a modify request: without these values; without values, without the attribute."""
    return Change(ChangeKind.DELETE, PartialAttribute(description, _octets(values)))


def _octets(values: Sequence[str | bytes]) -> tuple[bytes, ...]:
    return tuple(value if isinstance(value, bytes) else value.encode() for value in values)


def _end(buffer: bytes, pos: int) -> int | None:
    """Where the message that begins at `pos` ends; None: its header is not complete."""
    if len(buffer) < pos + 2:
        return None
    length = buffer[pos + 1]
    if length < 0x80:
        return pos + 2 + length
    if len(buffer) < pos + 2 + (length & 0x7F):
        return None
    length, start = long_length(buffer, pos + 2, len(buffer), length, "LDAPMessage")
    return start + length
