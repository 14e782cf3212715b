"""A directory on a loopback port that says what a test has written; a client cannot tell it from another.

It lets everybody in. What it answers to other requests `say` decides; what it was asked it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.messages import (
    BindRequest,
    BindResponse,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
    Request,
    Response,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    UnbindRequest,
)
from provserver.ldap.results import SUCCESS, Result

Said = tuple[Response, tuple[Control, ...]]
Say = Callable[[Message], Sequence[Said] | None]
"""The answers to a request, the last one last; None: success, and nothing found."""

_ENDS = {BindRequest: BindResponse, SearchRequest: SearchResultDone, ModifyRequest: ModifyResponse}


def ended(request: Request, result: Result = SUCCESS, *controls: Control) -> Said:
    """The last answer to this request."""
    if isinstance(request, ExtendedRequest):
        return ExtendedResponse(result), controls
    return _ENDS[type(request)](result), controls


def entry(dn: str, **attributes: str | Sequence[str]) -> Said:
    values = {
        name: (value,) if isinstance(value, str) else tuple(value) for name, value in attributes.items()
    }
    listed = [PartialAttribute(name, tuple(one.encode() for one in each)) for name, each in values.items()]
    return SearchResultEntry(dn, tuple(listed)), ()


def root_dse(message: Message, **attributes: str | Sequence[str]) -> Sequence[Said] | None:
    """The answer to who reads the root DSE; None: this is another question."""
    asked = message.operation
    if isinstance(asked, SearchRequest) and not asked.base:
        return [entry("", **attributes), ended(asked)]
    return None


class _Line(Protocol):
    def __init__(self, directory: ScriptedDirectory) -> None:
        self._directory = directory
        self._heard = b""

    def connectionMade(self) -> None:
        self._directory.lines.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        self._directory.lines.discard(self)

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        while (end := _end(self._heard)) is not None:
            message = decode_message(self._heard, 0, end)
            self._heard = self._heard[end:]
            self._hear(message)

    def _hear(self, message: Message) -> None:
        if isinstance(message.operation, UnbindRequest):
            self.transport.loseConnection()  # type: ignore[union-attr]
            return
        self._directory.asked.append(message.operation)
        said = self._directory.say(message)
        for answer, controls in [ended(message.operation)] if said is None else said:
            self.transport.write(encode_message(Message(message.id, answer, controls)))  # type: ignore[union-attr]


class ScriptedDirectory:
    """`async with ScriptedDirectory(say) as directory: ... directory.url`."""

    def __init__(self, say: Say = lambda message: None) -> None:
        self.say = say
        self.asked: list[Request | Response] = []
        self.lines: set[_Line] = set()
        self._port: Any = None
        self._number = 0

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self._number}"

    @property
    def binds(self) -> int:
        return sum(isinstance(one, BindRequest) for one in self.asked)

    def begin(self) -> None:
        """Listen, on the port of the last time."""
        from twisted.internet import reactor

        factory = Factory.forProtocol(lambda: _Line(self))  # type: ignore[arg-type]
        factory.noisy = False
        self._port = reactor.listenTCP(self._number, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
        self._number = self._port.getHost().port

    async def end(self) -> None:
        """Be away: nobody listens, and the lines are gone."""
        port, self._port = self._port, None
        for line in list(self.lines):
            line.transport.abortConnection()  # type: ignore[union-attr]
        if port is not None:
            done: Deferred[Any] = maybeDeferred(port.stopListening)
            await done

    async def __aenter__(self) -> ScriptedDirectory:
        self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()


def _end(buffer: bytes) -> int | None:
    """Where the first message ends; None: not yet all of it is there."""
    if len(buffer) < 2:
        return None
    count = buffer[1] & 0x7F if buffer[1] & 0x80 else 0
    end = 2 + count + (int.from_bytes(buffer[2 : 2 + count]) if count else buffer[1])
    return end if len(buffer) >= max(end, 2 + count) else None
