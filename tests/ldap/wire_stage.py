"""A handler that plays a script, the server under test, and what a client sees of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import alsoProvides

from provserver.ldap.codec import (
    RESPONSE_TAGS,
    decode_message,
    encode_message,
    encode_result,
)
from provserver.ldap.counters import Counters
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    ExtendedResponse,
    Message,
    Request,
)
from provserver.ldap.offences import Offences
from provserver.ldap.results import ResultCode
from provserver.ldap.server import Connection, LdapServerFactory
from provserver.vault.secret import Secret

BIND = BindRequest(3, "cn=x", Secret(b"y"))
COMPARE = CompareRequest("cn=x", "cn", b"x")
DELETE = DeleteRequest("cn=x")


class Wire(StringTransport):
    """A transport that counts writes and remembers that it was cut."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        super().write(data)

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def getHandle(self) -> Any:
        """TLS as it is after the handshake."""
        return TlsInName()

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"


class TlsInName:
    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_peer_certificate(self, *, as_cryptography: bool) -> None:
        pass


class Stage:
    """A handler that plays a script, the server under test, and what the client sees of it."""

    def __init__(self, limits: Limits | None = None, *, tls: bool = False, **wire: Any) -> None:
        self.script: dict[int, Callable[[Connection, Message], Awaitable[bytes]]] = {}
        self.happened: list[Any] = []
        self.clock = Clock()
        self.counters = Counters()
        self.offences = Offences(self.clock.seconds)
        self.factory = LdapServerFactory(
            self,
            clock=self.clock,
            randomness=lambda size: bytes(range(0xA0, 0xA0 + size)),
            limits=limits or Limits(),
            counters=self.counters,
            offences=self.offences,
        )
        self.wire = Wire(**wire)
        if tls:
            alsoProvides(self.wire, ISSLTransport)
        self.connection = self.factory.buildProtocol(None)
        self.connection.makeConnection(self.wire)

    def connected(self, connection: Connection) -> None:
        self.happened.append("connected")

    def secured(self, connection: Connection) -> None:
        self.happened.append("secured")

    def disconnected(self, connection: Connection) -> None:
        self.happened.append("disconnected")

    async def handle(self, connection: Connection, message: Message) -> bytes:
        self.happened.append(message.id)
        if message.id in self.script:
            return await self.script[message.id](connection, message)
        if isinstance(message.operation, BindRequest):
            connection.identity = message.operation.name
        return success(message)

    def wait(self, message_id: int) -> Deferred[bytes]:
        """Have that request wait for the returned Deferred, which gives the answer."""
        deferred: Deferred[bytes] = Deferred()

        async def waits(connection: Connection, message: Message) -> bytes:
            try:
                return await deferred
            except CancelledError:
                self.happened.append(f"{message.id} cancelled")
                raise

        self.script[message_id] = waits
        return deferred

    def ask(self, *operations: Request, start: int = 1) -> None:
        self.connection.dataReceived(
            b"".join(encode_message(Message(number, one)) for number, one in enumerate(operations, start))
        )

    def answers(self) -> list[Message]:
        """The answers since the last call."""
        data, position, found = self.wire.value(), 0, []
        self.wire.clear()
        while position < len(data):
            assert data[position + 1] < 128
            end = position + 2 + data[position + 1]
            found.append(decode_message(data, position, end))
            position = end
        return found

    def answered(self) -> list[int]:
        return [message.id for message in self.answers()]

    def pause(self) -> None:
        """The transport's buffer is full."""
        self.wire.producer.pauseProducing()

    def resume(self) -> None:
        """It is empty."""
        self.wire.producer.resumeProducing()

    def lose(self) -> None:
        self.connection.connectionLost(None)


def success(message: Message) -> bytes:
    return encode_result(message.id, RESPONSE_TAGS[type(message.operation)])


def notice(message: Message) -> tuple[ResultCode, str]:
    assert message.id == 0
    assert isinstance(message.operation, ExtendedResponse)
    assert message.operation.oid == NOTICE_OF_DISCONNECTION
    return message.operation.result.code, message.operation.result.diagnostic
