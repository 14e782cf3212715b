"""StartTLS on real sockets: what is in clear text stays outside, what comes after is protected."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions

from provserver.ldap.codec import RESPONSE_TAGS, decode_message, encode_message, encode_result
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    BindRequest,
    CompareRequest,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    Request,
)
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.results import ResultCode
from provserver.ldap.server import Connection, LdapServerFactory
from provserver.ldap.tls import PemFiles, ServerTls
from provserver.testing.certificates import make_certificates
from provserver.testing.clock import TurnedClock
from provserver.vault.secret import Secret

REACTOR: Any = reactor
BIND = BindRequest(3, "cn=x", Secret(b"y"))
COMPARE = CompareRequest("cn=x", "cn", b"x")
STARTTLS = ExtendedRequest(START_TLS)


class Library:
    """Binds whoever asks, and starts TLS. A compare waits until it is `released`."""

    def __init__(self) -> None:
        self.connection: Connection
        self.done: list[str] = []
        self.released: Deferred[None] = Deferred()
        self.secured_one: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def connected(self, connection: Connection) -> None:
        self.connection = connection

    def secured(self, connection: Connection) -> None:
        self.secured_one.callback(None)

    def disconnected(self, connection: Connection) -> None:
        self.gone.callback(None)

    async def handle(self, connection: Connection, message: Message) -> bytes:
        operation = message.operation
        self.done.append(f"{type(operation).__name__} {message.id} as {connection.identity}")
        if isinstance(operation, BindRequest):
            connection.identity = operation.name
        elif isinstance(operation, ExtendedRequest):
            connection.start_tls()
        elif message.id == 7:
            await self.released
        return encode_result(message.id, RESPONSE_TAGS[type(operation)])


class Client(Protocol):
    def __init__(self) -> None:
        self.said = b""
        self.closed: Deferred[None] = Deferred()
        self._waiting: list[Deferred[None]] = []

    def ask(self, *operations: tuple[int, Request], then: bytes = b"") -> None:
        wire = b"".join(encode_message(Message(number, one)) for number, one in operations)
        self.transport.write(wire + then)

    async def answer(self) -> tuple[int, ResultCode, str]:
        """Message id, result code and text of the next message."""
        while len(self.said) < 2 or len(self.said) < 2 + self.said[1]:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting.addTimeout(10, REACTOR)
        end = 2 + self.said[1]
        message = decode_message(self.said, 0, end)
        self.said = self.said[end:]
        operation: Any = message.operation
        if isinstance(operation, ExtendedResponse) and operation.oid == NOTICE_OF_DISCONNECTION:
            assert message.id == 0
        return message.id, operation.result.code, operation.result.diagnostic

    def dataReceived(self, data: bytes) -> None:
        self.said += data
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)


class Scene:
    def __init__(self, library: Library, client: Client, clock: TurnedClock, offences: Offences) -> None:
        self.library = library
        self.client = client
        self.clock = clock
        self.offences = offences

    async def secure(self) -> None:
        """The client's side of the handshake."""
        self.client.transport.startTLS(CertificateOptions())
        await self.library.secured_one.addTimeout(10, REACTOR)


@asynccontextmanager
async def scene(directory: Path, *, tls: bool = True, limits: Limits | None = None) -> AsyncIterator[Scene]:
    library, clock = Library(), TurnedClock()
    offences = Offences(clock.seconds)
    pem = make_certificates(directory)
    factory = LdapServerFactory(
        library,
        clock=clock,
        randomness=os.urandom,
        limits=limits or Limits(),
        offences=offences,
        tls=ServerTls(PemFiles(pem.certificate, pem.key), clock) if tls else None,
    )
    port: Any = await TCP4ServerEndpoint(REACTOR, 0, interface="127.0.0.1").listen(factory)
    calling = TCP4ClientEndpoint(REACTOR, "127.0.0.1", port.getHost().port)
    client: Any = await connectProtocol(calling, Client())
    try:
        yield Scene(library, client, clock, offences)
    finally:
        client.transport.abortConnection()
        await client.closed.addTimeout(10, REACTOR)
        await library.gone.addTimeout(10, REACTOR)
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_the_connection_is_protected_and_nobody_s_from_then_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.client.ask((1, BIND))
        assert await it.client.answer() == (1, ResultCode.SUCCESS, "")
        assert it.library.connection.tls is False
        it.client.ask((2, STARTTLS))
        assert await it.client.answer() == (2, ResultCode.SUCCESS, "")
        await it.secure()
        assert it.library.connection.tls is True
        assert it.library.connection.tls_version.startswith("TLSv1.")
        it.client.ask((3, COMPARE), (4, BIND), (5, COMPARE))
        assert [(await it.client.answer())[0] for _ in range(3)] == [3, 4, 5]
        assert it.library.done[2:] == [
            "CompareRequest 3 as None",
            "BindRequest 4 as None",
            "CompareRequest 5 as cn=x",
        ]


@pytest_twisted.ensureDeferred
async def test_a_second_start_is_an_operations_error_and_harmless(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.client.ask((1, STARTTLS))
        await it.client.answer()
        await it.secure()
        it.client.ask((2, BIND), (3, STARTTLS), (4, COMPARE))
        codes = [(await it.client.answer())[1] for _ in range(3)]
        assert codes == [ResultCode.SUCCESS, ResultCode.OPERATIONS_ERROR, ResultCode.SUCCESS]
        assert it.library.done[-1] == "CompareRequest 4 as cn=x"


@pytest_twisted.ensureDeferred
async def test_it_is_refused_while_something_else_is_in_progress(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.client.ask((7, COMPARE), (8, STARTTLS), (9, COMPARE))
        number, code, text = await it.client.answer()
        assert (number, code) == (8, ResultCode.OPERATIONS_ERROR)
        assert "in progress" in text
        assert (await it.client.answer())[0] == 9, "the connection goes on in clear text"
        it.library.released.callback(None)
        assert (await it.client.answer())[0] == 7
        it.client.ask((10, STARTTLS))
        assert (await it.client.answer())[:2] == (10, ResultCode.SUCCESS)


@pytest_twisted.ensureDeferred
async def test_without_a_certificate_it_is_unavailable(tmp_path: Path) -> None:
    async with scene(tmp_path, tls=False) as it:
        it.client.ask((1, STARTTLS), (2, COMPARE))
        assert (await it.client.answer())[:2] == (1, ResultCode.UNAVAILABLE)
        assert (await it.client.answer())[0] == 2


@pytest.mark.parametrize(
    "injected",
    [encode_message(Message(2, BIND)), encode_message(Message(2, COMPARE))[:5], b"\x16\x03\x01"],
    ids=["a request", "a piece of one", "a handshake"],
)
@pytest_twisted.ensureDeferred
async def test_clear_text_behind_it_ends_the_connection_and_is_never_a_request(
    tmp_path: Path, injected: bytes
) -> None:
    # CVE-2011-0411 and its kin: what an attacker writes into the clear-text line must not be carried out
    # inside of TLS, as the one who authenticates there.
    async with scene(tmp_path) as it:
        it.client.ask((1, STARTTLS), then=injected)
        number, code, text = await it.client.answer()
        assert (number, code) == (0, ResultCode.PROTOCOL_ERROR)
        assert "StartTLS" in text
        await it.client.closed.addTimeout(10, REACTOR)
        assert it.library.done == ["ExtendedRequest 1 as None"]
        assert it.library.connection.tls is False
        assert it.offences.counts == {Offence.CLEAR_TEXT_BEHIND_START_TLS: 1}


@pytest_twisted.ensureDeferred
async def test_clear_text_in_the_place_of_the_handshake_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.client.ask((1, STARTTLS))
        assert (await it.client.answer())[0] == 1
        it.client.ask((2, BIND))
        await it.library.gone.addTimeout(10, REACTOR)
        assert it.library.done == ["ExtendedRequest 1 as None"]
        assert it.offences.counts == {Offence.HANDSHAKE: 1}
        assert it.library.connection.ending.startswith("the TLS handshake failed: ")


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_does_not_come_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path, limits=Limits(handshake_time=10)) as it:
        it.clock.turn(30)
        it.client.ask((1, STARTTLS))
        assert (await it.client.answer())[0] == 1
        it.clock.turn(9)
        assert it.offences.counts == {}
        it.clock.turn(1)
        assert it.offences.counts == {Offence.HANDSHAKE_TIME: 1}
        await it.client.closed.addTimeout(10, REACTOR)
        assert it.client.said == b"", "in clear text nothing more can be said"
