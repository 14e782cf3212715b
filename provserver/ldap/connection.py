"""One client's connection: requests to a handler, answers to the transport.

A `Handler` is given each request, and answers with the bytes that its coroutine returns
(`codec.encode_result`); what it sends before (`Connection.send`) are entries. So an operation has exactly one
final answer, or none when it was abandoned, and its message id is free at that moment.

What is kept here (RFC 4511 in brackets): operations run concurrently except around a bind [4.2.1]; Abandon is
silent and cancels [4.11]; Unbind and a lost connection cancel everything; a fault of the peer gets the Notice
of Disconnection and the connection is closed [4.1.1]; TLS begins right behind the answer to StartTLS, and
what came before it in clear text is not carried over [4.14]. Reading stops while too much is in progress or
while the peer does not read our answers, so nothing grows without bound. Handlers' bugs are answered with 80
and an incident id.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cryptography.x509 import Certificate
from OpenSSL.SSL import Connection as TlsConnection
from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from provserver.ldap.codec import RESPONSE_TAGS, encode_result
from provserver.ldap.counters import Counters, EntriesSent
from provserver.ldap.deadlines import Deadlines
from provserver.ldap.doors import Doors
from provserver.ldap.errors import LocalProtocolError, RemoteProtocolError, notice_of_disconnection
from provserver.ldap.limits import Limits
from provserver.ldap.messages import AbandonRequest, BindRequest, Message, Request, UnbindRequest
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.outlet import Outlet
from provserver.ldap.peers import who
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.ldap.running import Recalled, Task, run
from provserver.ldap.session import Session

_log = Logger(__name__)

BY_PEER: Final = "closed by the peer"
"""How a connection ends unless we say otherwise."""


class Handler(Protocol):
    """What the server does with requests."""

    def connected(self, connection: Connection) -> None:
        """A connection was made."""

    def secured(self, connection: Connection) -> None:
        """Its TLS handshake is done."""

    def handle(self, connection: Connection, message: Message) -> Coroutine[Any, Any, bytes]:
        """Carry out one request (never Abandon or Unbind) and return its final answer, `b""` for none.

        A Refusal is answered with its result, any other exception with 80. CancelledError is raised where the
        coroutine waits when its answer is no longer wanted; what must go on awaits `running.shielded`.
        Recalled, which is one, is answered with 118 (RFC 3909). After a bind, `connection.identity` says
        whether somebody is known (not None).
        """

    def disconnected(self, connection: Connection) -> None:
        """The connection is gone; its operations were cancelled before this."""


@dataclass(frozen=True, slots=True)
class Front:
    """What all connections of a server share."""

    handler: Handler
    limits: Limits
    clock: IReactorTime
    """Monotonic."""
    randomness: Callable[[int], bytes]
    offences: Offences
    counters: Counters
    doors: Doors
    tls: IOpenSSLServerConnectionCreator | None = None
    """For StartTLS; without it there is none."""


@implementer(IHandshakeListener)
class Connection(TwistedProtocol):
    """One client. Handlers use what has no Twisted name; the rest is for the transport."""

    identity: object = None
    """Who is bound, for the handler to set and read; None is nobody, and decides the limits."""
    peer: str = ""
    """The host of the other side, or `unix`."""
    port: int = 0
    """The port of the other side; 0 if there are none."""
    tls: bool = False
    """Whether nothing travels in clear text any more."""
    tls_version: str = ""
    """Once the handshake is done: `TLSv1.3`."""
    peer_certificate: Certificate | None = None
    """What the client showed then, verified; clients are asked for one where an authority is configured."""
    is_loopback: bool = False
    ending: str = BY_PEER
    """Why it ended, for the handler's `disconnected`."""
    ever_bound: bool = False

    def __init__(self, front: Front, number: int) -> None:
        self.number = number
        """Of this connection, among all since the server was started."""
        self.received = 0
        """Bytes, inside of TLS."""
        self._front = front
        self._handler = front.handler
        self._limits = front.limits
        self._clock = front.clock
        self._begun = front.counters.operations
        self._session = Session(front.limits)
        self._wire: Any = None  # the transport; its interfaces depend on the endpoint
        self._tasks: dict[int, Task[Message, bytes]] = {}
        self._recalls: dict[int, Deferred[bool]] = {}
        self._outlet = Outlet(front.limits, front.clock, self._reader_changed, self._drop)
        self.send = self._outlet.send
        """Send an encoded message. Within a received chunk answers are gathered; after the end, dropped."""
        self.entries_of: Callable[[int], int] = _not_counted
        """Entries that an operation has sent; asked once, at its end, of what `count_entries`."""
        self._reading = True
        self._closing = False
        self._tls_granted = False
        self._handshaking = False
        self._deadlines = Deadlines(front.limits, front.clock, self)
        self._closing_alarm: IDelayedCall | None = None

    # For handlers.

    async def drained(self) -> None:
        """Wait until the peer has read what was sent. CancelledError when there is no peer any more."""
        await self._outlet.drained()

    def count_entries(self) -> None:
        """From now on, know how many entries each operation sends (`entries_of`)."""
        counted = EntriesSent(self._outlet.send)
        self.send = counted.send
        self.entries_of = counted.of

    def disconnect(self, code: ResultCode, text: str) -> None:
        """Say why (Notice of Disconnection) and close; operations in progress are cancelled."""
        if self._handshaking:
            self._drop(text)  # nothing can be said yet
        elif not self._closing:
            self.send(notice_of_disconnection(code, text))
            self._close(text)

    def cancel(self, message_id: int) -> bool:
        """Cancel an operation that waits, silently; False when there is none with that id."""
        task = self._tasks.get(message_id)
        if task is None:
            return False
        task.cancel()
        return True

    def in_progress(self, message_id: int) -> Request | None:
        """The request of that id, if it waits; None if there is none, it runs just now, or was cancelled."""
        task = self._tasks.get(message_id)
        if task is None or task.cancelled:
            return None
        return task.key.operation  # type: ignore[return-value]  # never a response

    def recall(self, message_id: int) -> Deferred[bool]:
        """Have an operation that waits end with `canceled` (RFC 3909). Fires when it has ended, with False
        when it ended otherwise. KeyError: it is not `in_progress`.
        """
        task = self._tasks[message_id]
        ended: Deferred[bool] = Deferred()
        self._recalls[message_id] = ended
        task.recall()
        return ended

    def start_tls(self) -> None:
        """Have TLS begin behind the answer to the operation that asks for this, if that is a success; the
        connection is nobody's from now on. Refusal OPERATIONS_ERROR, UNAVAILABLE.
        """
        if self.tls:
            raise Refusal(ResultCode.OPERATIONS_ERROR, "TLS is established already")
        if len(self._session.outstanding) > 1:
            raise Refusal(ResultCode.OPERATIONS_ERROR, "StartTLS while other operations are in progress")
        if self._front.tls is None or not ITLSTransport.providedBy(self._wire):
            raise Refusal(ResultCode.UNAVAILABLE, "there is no TLS on this connection")
        self.identity = None
        self._tls_granted = True

    # Requests.

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  Twisted names it
        """Bytes from the transport."""
        if not self._closing:
            self.received += len(data)
            self._session.feed(data)
            self._pump()

    def _pump(self) -> None:
        """Start all requests that may start now, then hand their answers to the transport at once."""
        outlet = self._outlet
        if outlet.held or self._closing:
            return
        outlet.held = True
        started = False
        try:
            while outlet.writable and not self._closing and (message := self._session.next()) is not None:
                started = True
                self._start(message)
        except RemoteProtocolError as failure:
            offence = Offence(f"limits.{failure.limit}") if failure.limit else Offence.MALFORMED
            self._front.offences.note(offence, self.peer, str(failure))
            self.send(failure.notice)
            self._close(str(failure))
        finally:
            outlet.held = False
        outlet.flush()
        if started:
            self._deadlines.activity = self._clock.seconds()
        if self._tasks or not self._reading:  # with nothing in progress the session is never full
            self._read_or_not()

    def _start(self, message: Message) -> None:
        operation = message.operation
        kind = type(operation)
        self._begun[kind] += 1  # type: ignore[index]  # the session hands out requests only
        if kind is AbandonRequest:
            self.cancel(operation.message_id)  # type: ignore[union-attr]  # by its kind
        elif kind is UnbindRequest:
            self._close("unbind")
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
            self.ever_bound = self.ever_bound or self._session.bound
        if task is None or not task.cancelled or task.recalled:
            if error is not None:
                answer = self._answer_to(error, message)
            if answer:
                if self._tls_granted:
                    self._secure(answer, granted=error is None)
                else:
                    self.send(answer)
        if task is not None:
            if message.id in self._recalls:
                self._recalls.pop(message.id).callback(isinstance(error, Recalled))
            self._deadlines.activity = self._clock.seconds()
            self._pump()

    def _answer_to(self, error: Exception, message: Message) -> bytes:
        tag = RESPONSE_TAGS[type(message.operation)]
        if isinstance(error, Refusal):
            try:
                return encode_result(message.id, tag, error.result)
            except LocalProtocolError as unspeakable:
                error = unspeakable
        if isinstance(error, Recalled):
            return encode_result(message.id, tag, Result(ResultCode.CANCELED, "called off by its client"))
        if isinstance(error, CancelledError) and self._closing:
            return b""
        incident = self._front.randomness(4).hex()
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

    def _secure(self, answer: bytes, *, granted: bool) -> None:
        """Answer StartTLS, in clear text, and begin TLS if it is granted."""
        self._tls_granted = False
        if not granted:
            self.send(answer)
        elif self._session.buffered:
            # Whoever can write into the clear-text line may have written it: it must never be taken for a
            # request of the one who is authenticated afterwards.
            what = "clear text followed StartTLS"
            self._front.offences.note(Offence.CLEAR_TEXT_BEHIND_START_TLS, self.peer, what)
            self.disconnect(ResultCode.PROTOCOL_ERROR, "nothing may follow StartTLS before its answer")
        else:
            self.send(answer)
            self._outlet.flush()
            self._begin_tls()

    def _begin_tls(self) -> None:
        if self._closing:
            return
        self._outlet.begin_tls()
        self._session.bound = False
        self.tls = self._handshaking = True
        self._deadlines.start(handshake=True)
        self._wire.startTLS(self._front.tls)

    # Reading no more than can be answered.

    def _reader_changed(self) -> None:
        """The peer begins or ceases to read our answers."""
        self._pump()
        self._read_or_not()

    def _read_or_not(self) -> None:
        reading = self._outlet.writable and not self._session.full
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
        self.peer, self.port, self.is_loopback = who(transport.getPeer())
        self.tls = self._handshaking = bool(ISSLTransport.providedBy(transport))
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)  # small answers to a client that waits for each
        self._outlet.open(transport)
        self._deadlines.start(handshake=self._handshaking)
        self._front.doors.entered(self.peer)
        self._front.counters.opened(self)
        self._handler.connected(self)

    def handshakeCompleted(self) -> None:  # noqa: N802  Twisted names it
        """TLS is established."""
        self._handshaking = False
        self._deadlines.handshaken()
        handle: TlsConnection = self._wire.getHandle()
        self.tls_version = handle.get_protocol_version_name()
        self.peer_certificate = handle.get_peer_certificate(as_cryptography=True)
        self._handler.secured(self)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802  Twisted names it
        """The transport is gone."""
        if self._handshaking and reason is not None and isinstance(reason.value, TlsError):
            what = f"the TLS handshake failed: {_said(reason.value)}"
            self.ending = what
            self._front.offences.note(Offence.HANDSHAKE, self.peer, what)
        self._end()
        if self._closing_alarm is not None and self._closing_alarm.active():
            self._closing_alarm.cancel()
        self._cancel_all()
        self._front.counters.closed(self)
        self._front.doors.left(self.peer)
        self._handler.disconnected(self)

    @property
    def sent(self) -> int:
        """Bytes, likewise."""
        return self._outlet.sent

    @property
    def binding(self) -> bool:
        """Whether somebody is authenticating."""
        return self._session.binding

    @property
    def busy(self) -> bool:
        """Whether an operation is in progress."""
        return bool(self._tasks)

    def overdue(self, offence: Offence, what: str) -> None:
        """A time limit was reached."""
        self._front.offences.note(offence, self.peer, what)
        self.disconnect(ResultCode.TIME_LIMIT_EXCEEDED, what)

    def _close(self, why: str) -> None:
        """Let the last answers leave, then close; after a time cut, since a peer may read nothing."""
        self._outlet.flush()  # which may find that the peer does not read, and cut the connection
        if self._closing:
            return
        self.ending = why
        self._end()
        if self._limits.closing_time:
            self._closing_alarm = self._clock.callLater(self._limits.closing_time, self._wire.abortConnection)
        self._wire.unregisterProducer()  # with a producer, the transport would wait for it
        self._wire.loseConnection()
        self._cancel_all()

    def _drop(self, why: str, offence: Offence | None = None) -> None:
        """Cut the connection: what was sent is not read anyway."""
        if self._closing:
            return
        self.ending = why
        self._end()
        if offence is not None:
            self._front.offences.note(offence, self.peer, f"{why}; connection cut")
        self._wire.abortConnection()
        self._cancel_all()

    def _end(self) -> None:
        """Take no more requests, and answer none."""
        self._closing = True
        self._deadlines.stop()
        self._outlet.close()

    def _cancel_all(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        self._outlet.wake()


def _not_counted(message_id: int) -> int:
    return 0


def _said(error: TlsError) -> str:
    """OpenSSL's reason, which is what is wrong with the peer or with its trust in us."""
    reasons = error.args[0] if error.args else ()
    return str(reasons[-1][-1]) if isinstance(reasons, list | tuple) and reasons else "no reason given"
