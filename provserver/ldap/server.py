"""The Twisted server around the session: requests to a handler, answers to the transport.

A `Handler` is given each request, and answers with the bytes that its coroutine returns
(`codec.encode_result`); what it sends before (`Connection.send`) are entries. So an operation has exactly one
final answer, or none when it was abandoned, and its message id is free at that moment.

What is kept here (RFC 4511 in brackets): operations run concurrently except around a bind [4.2.1]; Abandon is
silent and cancels [4.11]; Unbind and a lost connection cancel everything; a fault of the peer gets the Notice
of Disconnection and the connection is closed [4.1.1]. Reading stops while too much is in progress or while
the peer does not read our answers, so nothing grows without bound. Handlers' bugs are answered with 80 and an
incident id.

TLS belongs to the endpoint. The clock, `seconds()` and `callLater`, should be monotonic.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Coroutine
from socket import socket as Socket  # noqa: N812  a type
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Server as TcpTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from provserver.ldap.codec import RESPONSE_TAGS, encode_result
from provserver.ldap.errors import LocalProtocolError, RemoteProtocolError, notice_of_disconnection
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import AbandonRequest, BindRequest, Message, UnbindRequest
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.ldap.running import Task, run
from provserver.ldap.session import Session

_log = Logger()

_LOOK_AGAIN: Final = 1.0
"""Seconds until a time limit that could not be applied (something is in progress) is looked at again."""


class Handler(Protocol):
    """What the server does with requests."""

    def connected(self, connection: Connection) -> None:
        """A connection was made."""

    def handle(self, connection: Connection, message: Message) -> Coroutine[Any, Any, bytes]:
        """Carry out one request (never Abandon or Unbind) and return its final answer, `b""` for none.

        A Refusal is answered with its result, any other exception with 80. CancelledError is raised where the
        coroutine waits when its answer is no longer wanted; what must go on awaits `running.shielded`.
        After a bind, `connection.identity` says whether somebody is known (not None).
        """

    def disconnected(self, connection: Connection) -> None:
        """The connection is gone; its operations were cancelled before this."""


@implementer(IPushProducer)
class Connection(TwistedProtocol):
    """One client. Handlers use what has no Twisted name; the rest is for the transport."""

    identity: object = None
    """Who is bound, for the handler to set and read; None is nobody, and decides the limits."""
    peer: str = ""
    """The host of the other side, or `unix`."""
    port: int = 0
    """The port of the other side; 0 if there are none."""
    tls: bool = False
    is_loopback: bool = False

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        clock: IReactorTime,
        randomness: Callable[[int], bytes],
        gone: Callable[[Connection], None],
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._clock = clock
        self._randomness = randomness
        self._gone = gone
        self._session = Session(limits)
        self._wire: Any = None  # the transport; its interfaces depend on the endpoint
        self._socket: Socket | None = None
        """Of a clear-text TCP transport, to which small answers can be given past its buffer."""
        self._tasks: dict[int, Task[Message, bytes]] = {}
        self._gathered: list[bytes] = []
        self._gathered_size = 0
        self._pumping = False
        self._reading = True
        self._writable = True
        self._unsent = 0
        self._waiters: list[Deferred[None]] = []
        self._closing = False
        self._ever_bound = False
        self._connected_at = self._last_activity = clock.seconds()
        self._alarm: IDelayedCall | None = None
        self._slow_alarm: IDelayedCall | None = None

    # For handlers.

    def send(self, data: bytes) -> None:
        """Send an encoded message. Within a received chunk answers are gathered; after the end, dropped."""
        if self._closing:
            return
        self._gathered.append(data)
        self._gathered_size += len(data)
        if not self._pumping or self._gathered_size >= self._limits.write_chunk:
            self._flush()

    async def drained(self) -> None:
        """Wait until the peer has read what was sent. CancelledError when there is no peer any more."""
        self._flush()
        while not self._writable and not self._closing:
            waiter: Deferred[None] = Deferred()
            self._waiters.append(waiter)
            await waiter
        if self._closing:
            raise CancelledError

    def disconnect(self, code: ResultCode, text: str) -> None:
        """Say why (Notice of Disconnection) and close; operations in progress are cancelled."""
        if not self._closing:
            self.send(notice_of_disconnection(code, text))
            self._close()

    def cancel(self, message_id: int) -> bool:
        """Cancel an operation that waits, silently; False when there is none with that id."""
        task = self._tasks.get(message_id)
        if task is None:
            return False
        task.cancel()
        return True

    # Requests.

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  Twisted names it
        """Bytes from the transport."""
        if not self._closing:
            self._session.feed(data)
            self._pump()

    def _pump(self) -> None:
        """Start all requests that may start now, then hand their answers to the transport at once."""
        if self._pumping or self._closing:
            return
        self._pumping = True
        started = False
        try:
            while self._writable and not self._closing and (message := self._session.next()) is not None:
                started = True
                self._start(message)
        except RemoteProtocolError as failure:
            _log.info("{peer}: {failure}", peer=self.peer, failure=failure)
            self.send(failure.notice)
            self._close()
        finally:
            self._pumping = False
        self._flush()
        if started:
            self._last_activity = self._clock.seconds()
        self._read_or_not()

    def _start(self, message: Message) -> None:
        operation = message.operation
        if isinstance(operation, AbandonRequest):
            self.cancel(operation.message_id)
        elif isinstance(operation, UnbindRequest):
            self._close()
        else:
            task = run(self._handler.handle(self, message), self._ended, message)
            if task is not None:
                self._tasks[message.id] = task
                if self._closing:
                    task.cancel()

    def _ended(self, message: Message, answer: bytes | None, error: Exception | None) -> None:
        """An operation is over and its id free. An answer that nobody wants any more is dropped."""
        task = self._tasks.pop(message.id, None)
        self._session.answered(message.id)
        if type(message.operation) is BindRequest:
            self._session.bound = self.identity is not None
            self._ever_bound = self._ever_bound or self._session.bound
        if task is None or not task.cancelled:
            if error is not None:
                answer = self._answer_to(error, message)
            if answer:
                self.send(answer)
        if task is not None:
            self._last_activity = self._clock.seconds()
            self._pump()

    def _answer_to(self, error: Exception, message: Message) -> bytes:
        tag = RESPONSE_TAGS[type(message.operation)]
        if isinstance(error, Refusal):
            try:
                return encode_result(message.id, tag, error.result)
            except LocalProtocolError as unspeakable:
                error = unspeakable
        incident = self._randomness(4).hex()
        _log.failure(
            "incident {incident}: {operation} from {peer} failed",
            Failure(error, type(error), error.__traceback__),  # type: ignore[no-untyped-call]
            incident=incident,
            operation=type(message.operation).__name__,
            peer=self.peer,
        )
        return encode_result(
            message.id, tag, Result(ResultCode.OTHER, f"internal error, incident {incident}")
        )

    # Writing, and reading no more than can be answered.

    def _flush(self) -> None:
        if not self._gathered:
            return
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._gathered_size = 0
        if not self._writable:
            self._unsent += len(data)
            if self._unsent > self._limits.write_buffer:
                self._drop("does not read its answers")
                return
        if self._socket is not None and not (self._wire.dataBuffer or self._wire._tempDataBuffer):
            data = self._sent_at_once(self._socket, data)
            if not data:
                return
        self._wire.write(data)

    def _sent_at_once(self, socket: Socket, data: bytes) -> bytes:
        """Offer the data to the kernel; what it did not take. The transport would only do so in the
        reactor's next round, with two changes of what epoll watches (measured: a tenth more password
        cycles a second)."""
        try:
            return data[socket.send(data) :]
        except OSError:
            return data  # full, or broken: the transport finds out which, and says so

    def pauseProducing(self) -> None:  # noqa: N802  Twisted names it
        """The transport's buffer is full."""
        if self._writable and not self._closing:
            self._writable = False
            self._unsent = 0
            if self._limits.slow_reader_time:
                self._slow_alarm = self._clock.callLater(
                    self._limits.slow_reader_time, self._drop, "reads its answers too slowly"
                )
            self._read_or_not()

    def resumeProducing(self) -> None:  # noqa: N802  Twisted names it
        """The transport's buffer is empty."""
        if self._writable or self._closing:
            return
        self._writable = True
        _stop(self._slow_alarm)
        self._wake()
        self._pump()
        self._read_or_not()

    def stopProducing(self) -> None:  # noqa: N802  Twisted names it
        """The transport will say `connectionLost` next."""

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _read_or_not(self) -> None:
        reading = self._writable and not self._session.full
        if reading is self._reading or self._closing:
            return
        self._reading = reading
        if reading:
            self._wire.resumeProducing()
        else:
            self._wire.pauseProducing()

    # The connection's life.

    def connectionMade(self) -> None:  # noqa: N802  Twisted names it
        """The transport is there."""
        transport: Any = self.transport
        self._wire = transport
        self.peer, self.port, self.is_loopback = _who(transport.getPeer())
        self.tls = bool(ISSLTransport.providedBy(transport))
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)  # small answers to a client that waits for each
        if type(transport) is TcpTransport:
            self._socket = transport.getHandle()
        transport.registerProducer(self, True)
        self._arm(self._connected_at)
        self._handler.connected(self)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802  Twisted names it
        """The transport is gone."""
        self._closing = True
        _stop(self._alarm)
        _stop(self._slow_alarm)
        self._cancel_all()
        self._gone(self)
        self._handler.disconnected(self)

    def _arm(self, now: float) -> None:
        """Look at the clock when the first time limit may be reached; a timer per request would cost more."""
        limits = self._limits
        waits = []
        if limits.time_to_first_bind and not self._ever_bound:
            waits.append(self._connected_at + limits.time_to_first_bind - now)
        if limits.idle_time:
            waits.append(self._last_activity + limits.idle_time - now)
        if waits:
            self._alarm = self._clock.callLater(max(min(waits), _LOOK_AGAIN), self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._alarm = None
        now = self._clock.seconds()
        limits = self._limits
        late = limits.time_to_first_bind and now - self._connected_at >= limits.time_to_first_bind
        if late and not self._ever_bound and not self._session.binding:
            self.disconnect(ResultCode.TIME_LIMIT_EXCEEDED, "nobody has authenticated in time")
        elif limits.idle_time and not self._tasks and now - self._last_activity >= limits.idle_time:
            self.disconnect(ResultCode.TIME_LIMIT_EXCEEDED, "the connection was idle for too long")
        else:
            self._arm(now)

    def _close(self) -> None:
        """Let the last answers leave, then close; after a time cut, since a peer may read nothing."""
        self._flush()  # which may find that the peer does not read, and cut the connection
        if self._closing:
            return
        self._closing = True
        _stop(self._slow_alarm)
        _stop(self._alarm)
        if self._limits.closing_time:
            self._alarm = self._clock.callLater(self._limits.closing_time, self._wire.abortConnection)
        self._wire.unregisterProducer()  # with a producer, the transport would wait for it
        self._wire.loseConnection()
        self._cancel_all()

    def _drop(self, why: str) -> None:
        """Cut the connection: what was sent is not read anyway."""
        if self._closing:
            return
        self._closing = True
        _log.info("{peer}: {why}; connection cut", peer=self.peer, why=why)
        self._gathered.clear()
        self._wire.abortConnection()
        self._cancel_all()

    def _cancel_all(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        self._wake()


class LdapServerFactory(ServerFactory):
    """Makes a Connection for each client.

    `clock` is a monotonic IReactorTime; `randomness` gives that many random bytes (`os.urandom`).
    """

    noisy = False

    def __init__(
        self,
        handler: Handler,
        *,
        clock: IReactorTime,
        randomness: Callable[[int], bytes],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._randomness = randomness
        self._limits = limits
        self.connections: set[Connection] = set()
        """Those that are open. To read, not to change."""

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # noqa: N802  Twisted names it
        connection = Connection(
            self._handler, self._limits, self._clock, self._randomness, self.connections.discard
        )
        connection.factory = self
        self.connections.add(connection)
        return connection

    def disconnect_all(self, text: str) -> None:
        """Tell all clients that the server goes away (52, RFC 4511 4.4.1), and close."""
        for connection in list(self.connections):
            connection.disconnect(ResultCode.UNAVAILABLE, text)


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()


def _who(address: object) -> tuple[str, int, bool]:
    """Host, port and whether it is this machine, of a transport's peer."""
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return "unix", 0, True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host, 0, False
    mapped = getattr(ip, "ipv4_mapped", None)
    return host, int(getattr(address, "port", 0)), (mapped or ip).is_loopback
