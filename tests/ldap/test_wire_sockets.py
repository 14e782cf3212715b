"""The server on real sockets, plain and TLS: what test transports cannot show."""

from __future__ import annotations

import datetime
import os
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
)
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate

from provserver.ldap.codec import RESPONSE_TAGS, encode_message, encode_result, encode_search_entry
from provserver.ldap.limits import Limits
from provserver.ldap.messages import BindRequest, CompareRequest, DeleteRequest, Message, UnbindRequest
from provserver.ldap.server import Connection, LdapServerFactory
from provserver.vault.secret import Secret

# Twisted's own CertificateOptions hands pyOpenSSL what pyOpenSSL no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

CLOCK: Any = reactor
ENTRIES = 3_000


class Library:
    """Answers a delete with many large entries, everything else with success."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.gone: Deferred[None] = Deferred()

    def connected(self, connection: Connection) -> None:
        self.connections.append(connection)

    def secured(self, connection: Connection) -> None:
        pass

    def disconnected(self, connection: Connection) -> None:
        self.gone.callback(None)

    async def handle(self, connection: Connection, message: Message) -> bytes:
        if isinstance(message.operation, DeleteRequest):
            for _ in range(ENTRIES):
                connection.send(encode_search_entry(message.id, "cn=x", [("cn", (b"v" * 1000,))]))
                await connection.drained()
        return encode_result(message.id, RESPONSE_TAGS[type(message.operation)])


class Client(Protocol):
    """Collects what the server says until it closes."""

    def __init__(self) -> None:
        self.said = bytearray()
        self.closed: Deferred[bytes] = Deferred()
        self._expected = b""
        self._heard: Deferred[None] = Deferred()

    def heard(self, expected: bytes) -> Deferred[None]:
        """Fires when that is the last thing that was said."""
        self._expected = expected
        return self._heard

    def dataReceived(self, data: bytes) -> None:
        self.said += data
        if self._expected and self.said.endswith(self._expected):
            self._expected = b""
            self._heard.callback(None)

    def connectionLost(self, reason: object = None) -> None:
        self.closed.callback(bytes(self.said))


def certificate() -> PrivateCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair = KeyPair.load(pem, 1)
    public = Certificate.loadPEM(made.public_bytes(serialization.Encoding.PEM))
    return PrivateCertificate.fromCertificateAndKeyPair(public, pair)


async def meet(factory: LdapServerFactory, tls: bool) -> tuple[Any, Client]:
    """A listening port and a client connected to it."""
    calling: Any
    if tls:
        port = await SSL4ServerEndpoint(CLOCK, 0, certificate().options(), interface="127.0.0.1").listen(
            factory
        )
        calling = SSL4ClientEndpoint(CLOCK, "127.0.0.1", port.getHost().port, CertificateOptions())
    else:
        port = await TCP4ServerEndpoint(CLOCK, 0, interface="127.0.0.1").listen(factory)
        calling = TCP4ClientEndpoint(CLOCK, "127.0.0.1", port.getHost().port)
    return port, await connectProtocol(calling, Client())


@pytest.mark.parametrize("tls", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_client_that_pipelines_gets_all_answers_and_the_connection_closes(tls: bool) -> None:
    library = Library()
    factory = LdapServerFactory(library, clock=CLOCK, randomness=os.urandom, limits=Limits(write_buffer=2000))
    port, client = await meet(factory, tls)
    try:
        operations = [BindRequest(3, "cn=x", Secret(b"y")), CompareRequest("", "cn", b""), DeleteRequest("x")]
        client.transport.write(
            b"".join(encode_message(Message(at, operation)) for at, operation in enumerate(operations, 1))
        )
        client.closed.addTimeout(10, CLOCK)
        await client.heard(encode_result(3, 0x6B)).addTimeout(10, CLOCK)
        assert len(client.said) > ENTRIES * 1000
        (connection,) = library.connections
        assert (connection.peer, connection.tls, connection.is_loopback) == ("127.0.0.1", tls, True)
        client.transport.write(encode_message(Message(4, UnbindRequest())))
        said = await client.closed
        assert said.startswith(encode_result(1, 0x61) + encode_result(2, 0x6F))
        await library.gone.addTimeout(4, CLOCK)  # less than Limits.closing_time: it was not cut
        assert factory.connections == set()
    finally:
        await port.stopListening()


@pytest.mark.parametrize("tls", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_peer_that_speaks_something_else_is_told_and_closed_at_once(tls: bool) -> None:
    factory = LdapServerFactory(Library(), clock=CLOCK, randomness=os.urandom)
    port, client = await meet(factory, tls)
    try:
        client.transport.write(b"GET / HTTP/1.1\r\n\r\n")
        client.closed.addTimeout(4, CLOCK)  # less than Limits.closing_time: the close is a real one
        said = await client.closed
        assert b"1.3.6.1.4.1.1466.20036" in said
    finally:
        await port.stopListening()
