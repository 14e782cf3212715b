"""The line of an LDAP client: where the server is, TLS that verifies it, questions and answers by their ids.

A line that should be protected and is not is closed before anything is said on it. Many questions may be on
the way; when the line is lost, or one of them has no answer in time, all of them fail. Only `client` uses
this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionClosed
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from provserver.ldap.ber import element, integer
from provserver.ldap.ber_writing import ENUMERATED, INTEGER, SEQUENCE
from provserver.ldap.codec import MAX_INT, decode_message, encode_message
from provserver.ldap.controls.password_policy import PasswordPolicyResponse
from provserver.ldap.errors import RemoteProtocolError
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    START_TLS,
    BindResponse,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    Request,
    SearchResultEntry,
    SearchResultReference,
    UnbindRequest,
)
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.ldap.trust import client_tls
from provserver.ldap.values import MalformedValue

MAX_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of one answer; more is no answer but an attack."""
_LIMITS: Final = Limits(message_before_bind=MAX_ANSWER, message_after_bind=MAX_ANSWER, values=1_000_000)

Take = Callable[[Message], None]
"""Takes an answer that is not the last one: an entry of a search."""


class _Asked(NamedTuple):
    """A question without its last answer."""

    answer: Deferred[Message]
    since: float
    take: Take | None


class LineError(Exception):
    """The line to a server cannot be had, or is gone. The text never holds a value that was sent."""


class Unreachable(LineError):
    """Nobody answers at this address, or not in time, or the line is closed already. Nothing was sent."""


class NotTrusted(LineError):
    """The server's certificate, or its name, was not verified. Nothing was sent."""


class LineLost(LineError):
    """The line broke; whether the operation took place is not known."""


class TimedOut(LineLost):
    """No answer in time. The line is closed: a late answer must not be taken for another one."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how the line to it is protected."""

    host: str
    port: int
    ldaps: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """`ldaps://host[:port]` or `ldap://host[:port]`. ValueError says what was expected."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            raise ValueError(f"expected a port up to 65535, got {url!r}") from None
        if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
            raise ValueError(f"expected ldaps://host[:port] or ldap://host[:port], got {url!r}")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"expected nothing but a host and a port, got {url!r}")
        ldaps = parts.scheme == "ldaps"
        return cls(parts.hostname, port or (636 if ldaps else 389), ldaps)


@dataclass(frozen=True, slots=True)
class Trust:
    """What a server must prove: a certificate from this CA file (PEM; None: the system's), for this name."""

    ca_file: str | None = None
    server_name: str | None = None
    """The name in the certificate, when it is not the host of the address."""


@implementer(IHandshakeListener)
class Line(Protocol):
    """One connection, from its first byte. Errors are LineError; none of them holds a value."""

    def __init__(self, clock: IReactorTime, patience: float, *, tls_from_the_start: bool) -> None:
        self.secured = False
        self.is_up = False
        self._clock = clock
        self._patience = patience
        self._waiting_for_tls: Deferred[None] | None = None
        self._handshaking = tls_from_the_start
        self._next_id = 0
        self._why: LineError | None = None
        self._asked: dict[int, _Asked] = {}
        """By message id, the oldest first."""
        self._alarm: IDelayedCall | None = None
        self._heard = bytearray()
        self._needed = 0
        self._more = False
        """Whether anything had followed the answer that was handed on last."""

    # -- the line

    def connectionMade(self) -> None:  # noqa: N802  Twisted's name
        self.is_up = True
        transport = ITCPTransport(self.transport, None)
        if transport is not None:
            transport.setTcpNoDelay(True)
        if self._why is not None:
            self.abort()

    def handshakeCompleted(self) -> None:  # noqa: N802  Twisted's name
        """TLS stands. Versions of Twisted that verify the name after the handshake abort the line first,
        and call this all the same: then nothing is secured, and connectionLost follows."""
        self._handshaking = False
        if not cast(Any, self.transport).disconnecting:
            self.secured = True
            waiting, self._waiting_for_tls = self._waiting_for_tls, None
            if waiting is not None:
                waiting.callback(None)

    async def tls_stands(self) -> None:
        """Return when the line is verified and protected, and in no other case. LineError."""
        if not self.secured and self.is_up:
            self._waiting_for_tls = Deferred()
            await self._waiting_for_tls
        if not self.secured or not self.is_up:
            raise self._why or LineLost("the line is closed")

    def begin_tls(self, tls: IOpenSSLClientConnectionCreator) -> None:
        if self._more:
            # RFC 4511 4.14: what came in clear after the answer was not sent by the server that we verify.
            self.fail(NotTrusted("data in clear followed the answer to StartTLS"))
            return
        self._handshaking = True
        cast(ITLSTransport, self.transport).startTLS(cast(Any, tls))

    def out_of_time(self) -> None:
        self.fail(TimedOut("no answer in time"))

    def fail(self, why: LineError) -> None:
        """Close now, for this reason; whoever waits is told it."""
        if self._why is None:
            self._why = why
        self.abort()

    def abort(self) -> None:
        if self.is_up:
            cast(ITCPTransport, self.transport).abortConnection()

    def hang_up(self) -> None:
        if self.is_up:
            self.is_up = False
            unbind = encode_message(Message(self._new_id(), UnbindRequest()))
            transport = cast(ITCPTransport, self.transport)
            with suppress(Exception):
                transport.write(unbind)
            transport.loseConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802  Twisted's name
        self.is_up = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        why = self._why = self._why or _why_lost(reason, self._handshaking)
        asked, self._asked = self._asked, {}
        for one in asked.values():
            one.answer.errback(type(why)(str(why)))  # each its own: a shared one would gather all frames
        handshake, self._waiting_for_tls = self._waiting_for_tls, None
        if handshake is not None:
            handshake.errback(why)

    # -- what is said

    def say(
        self, request: Callable[[], Request], controls: Sequence[Control] = (), take: Take | None = None
    ) -> Deferred[Message]:
        """Send, and give a Deferred of the last answer. The request is made here and not kept: it may hold a
        password. LineError.
        """
        if not self.is_up:
            raise Unreachable(f"the line was closed before ({self._why or 'by us'})")
        message_id = self._new_id()
        cast(ITCPTransport, self.transport).write(
            encode_message(Message(message_id, request(), tuple(controls)))
        )
        answer: Deferred[Message] = Deferred()
        self._asked[message_id] = _Asked(answer, self._clock.seconds(), take)
        if self._alarm is None:
            self._alarm = self._clock.callLater(self._patience, self._look_at_the_clock)
        return answer

    def _look_at_the_clock(self) -> None:
        """One timer for the line, set for its oldest question: one each would cost more."""
        self._alarm = None
        if self._asked:
            oldest = next(iter(self._asked.values()))
            left = oldest.since + self._patience - self._clock.seconds()
            if left <= 0:
                self.out_of_time()
            else:
                self._alarm = self._clock.callLater(left, self._look_at_the_clock)

    def _new_id(self) -> int:
        self._next_id = self._next_id % MAX_INT + 1
        return self._next_id

    # -- what is heard

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  Twisted's name
        heard = self._heard
        heard += data
        if len(heard) < self._needed:
            return
        buffer, pos = bytes(heard), 0
        heard.clear()
        try:
            while self.is_up:
                length = _message_length(buffer, pos)
                self._needed = length or 0
                if length is None or len(buffer) - pos < length:
                    break
                end = pos + length
                message = decode_message(buffer, pos, end, _LIMITS)
                start, pos = pos, end
                self._more = end < len(buffer)
                self._hear(message, buffer, start, end)
        except Exception as error:
            # The text of an error can hold what was decoded: only its kind is told.
            self.fail(LineLost(f"the server's answer makes no sense ({type(error).__name__})"))
            return
        heard += buffer[pos:]

    def _hear(self, message: Message, buffer: bytes, start: int, end: int) -> None:
        operation = message.operation
        if message.id == 0:
            self._notice(operation)
            return
        asked = self._asked.get(message.id)
        if asked is None:
            return  # the answer to something given up
        if isinstance(operation, (SearchResultEntry, SearchResultReference)):
            if asked.take is None:
                raise RemoteProtocolError("LDAPMessage.protocolOp", "is an entry that nobody searched")
            asked.take(message)
            return
        result = getattr(operation, "result", None)
        if not isinstance(result, Result):
            raise RemoteProtocolError("LDAPMessage.protocolOp", "is no final response")
        del self._asked[message.id]
        if result.code is ResultCode.OTHER:
            number = _code_number(buffer, start, end)
            if number != ResultCode.OTHER:
                text = f"result {number}: {result.diagnostic}"
                asked.answer.errback(Refusal(ResultCode.OTHER, text, matched_dn=result.matched_dn))
                return
        asked.answer.callback(message)

    def _notice(self, operation: object) -> None:
        if not isinstance(operation, ExtendedResponse):
            raise RemoteProtocolError("LDAPMessage.protocolOp", "is no notice")
        text = operation.result.diagnostic
        self.fail(LineLost(f"the server closes the line: {text}" if text else "the server closes the line"))


async def open_line(
    address: Address, trust: Trust | None, reactor: object, clock: IReactorTime, patience: float
) -> Line:
    """A line on which something may be said: verified when there is `trust`. ValueError, LineError,
    Refusal."""
    tls = client_tls(trust.server_name or address.host, trust.ca_file) if trust is not None else None
    line = Line(clock, patience, tls_from_the_start=address.ldaps)
    endpoint: Any = HostnameEndpoint(cast(Any, reactor), address.host, address.port, timeout=patience)
    if tls is not None and address.ldaps:
        endpoint = wrapClientTLS(tls, endpoint)
    deadline = clock.callLater(patience, line.out_of_time)
    try:
        await _connected(endpoint, line)
        if tls is not None:
            if not address.ldaps:
                await _start_tls(line, tls)
            await line.tls_stands()
    except BaseException as error:
        line.abort()
        if isinstance(error, LineLost):  # nothing was asked yet: nothing is unknown
            raise Unreachable(str(error)) from None
        raise
    finally:
        if deadline.active():
            deadline.cancel()
    return line


async def _connected(endpoint: Any, line: Line) -> None:
    factory = Factory.forProtocol(cast(Any, lambda: line))
    factory.noisy = False
    try:
        await endpoint.connect(factory)
    except ConnectTimeout:
        raise Unreachable("no answer in time") from None
    except CancelledError:
        raise
    except Exception as error:
        raise Unreachable(str(error) or type(error).__name__) from None


async def _start_tls(line: Line, tls: IOpenSSLClientConnectionCreator) -> None:
    """Ask for TLS and begin it in the very turn in which the answer came, before anything else is read."""

    def begin(answer: Message) -> Message:
        if result_of(answer).code is ResultCode.SUCCESS:
            line.begin_tls(tls)
        return answer

    waiting = line.say(lambda: ExtendedRequest(START_TLS))
    waiting.addCallback(begin)
    demand_success(await waiting)


def result_of(answer: Message) -> Result:
    """The result that a final response has."""
    result: Result = cast(BindResponse, answer.operation).result
    return result


def demand_success(answer: Message) -> str:
    """The diagnostic text of a success; or raise the refusal that the server gave."""
    result = result_of(answer)
    if result.code is ResultCode.SUCCESS:
        return result.diagnostic
    raise Refusal(
        result.code,
        result.diagnostic,
        matched_dn=result.matched_dn,
        referrals=result.referrals,
        policy_error=_policy_error(answer),
    )


def _policy_error(answer: Message) -> int | None:
    """What the server's password policy says, to who asked with the control. One that makes no sense says
    nothing: the result stands without it."""
    for control in answer.controls:
        if control.oid == PasswordPolicyResponse.oid:
            with suppress(MalformedValue):
                return PasswordPolicyResponse.decode(control.value).error
    return None


def _code_number(buffer: bytes, start: int, end: int) -> int:
    """The result code of a response as it was sent: ours has only those that it knows."""
    pos, _ = element(buffer, start, end, SEQUENCE, "LDAPMessage")
    _, pos = integer(buffer, pos, end, INTEGER, MAX_INT, "LDAPMessage.messageID")
    pos, _ = element(buffer, pos, end, buffer[pos], "LDAPMessage.protocolOp")
    return integer(buffer, pos, end, ENUMERATED, MAX_INT, "LDAPResult.resultCode")[0]


def _why_lost(reason: Failure | None, handshaking: bool) -> LineError:
    error = reason.value if reason is not None else None
    if isinstance(error, SSL.Error):
        parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
        texts = [part[-1] for part in parts if part[-1]]
        return NotTrusted(f"TLS failed: {', '.join(texts) or 'the peer closed the line'}")
    if isinstance(error, ConnectionClosed):
        return LineLost("the server closed the line" + (" during the TLS handshake" if handshaking else ""))
    # service_identity's errors, which Twisted hands on as they are.
    return NotTrusted(f"the certificate is not for this server ({type(error).__name__})")


def _message_length(buffer: bytes, pos: int) -> int | None:
    """Bytes of the LDAPMessage that begins there; None: its header is not complete. ValueError."""
    there = len(buffer) - pos
    if not there:
        return None
    if buffer[pos] != SEQUENCE:
        raise ValueError("no LDAPMessage")
    if there < 2:
        return None
    first = buffer[pos + 1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4:
        raise ValueError("length")
    if there < 2 + count:
        return None
    length = int.from_bytes(buffer[pos + 2 : pos + 2 + count], "big")
    if length > MAX_ANSWER:
        raise ValueError("too long")
    return 2 + count + length
