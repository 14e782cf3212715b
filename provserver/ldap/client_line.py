"""The line of an LDAP client: where the server is, TLS that verifies it, ldaptor's protocol with its doors
closed.

ldaptor 21.2.0 frames and bounds nothing, has one counter of message ids for the whole process, prints
passwords when it debugs, and its StartTLS checks neither certificate nor name (ldaptor issue 251). Here a
line that should be protected and is not is closed before anything is said on it. Only `client` uses this
module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

from ldaptor.protocols import pureber, pureldap
from ldaptor.protocols.ldap import ldapclient
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionClosed
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from provserver.ldap.messages import Control
from provserver.ldap.results import Refusal, ResultCode
from provserver.ldap.trust import client_tls

MAX_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of one answer; more is no answer but an attack (ldaptor would buffer 2 GiB, facts/ldaptor.md 7.3)."""

Take = Callable[[Any, Callable[[Any], None]], bool]
"""Takes one of several answers; with the last one it calls the second argument and returns True."""


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
class Line(ldapclient.LDAPClient):  # type: ignore[misc]  # ldaptor has no types
    """One connection, from its first byte. Errors are LineError; none of them holds a value."""

    debug = False  # its debug lines print requests, passwords included
    buffer: bytes
    connected: int | None
    onwire: dict[int, tuple[Any, ...]]

    def __init__(self, *, tls_from_the_start: bool) -> None:
        super().__init__()
        self.secured = False
        self._waiting_for_tls: Deferred[None] | None = None
        self._handshaking = tls_from_the_start
        self._next_id = 0
        self._why: LineError | None = None

    @property
    def is_up(self) -> bool:
        return bool(self.connected)

    # -- the line

    def connectionMade(self) -> None:  # noqa: N802  Twisted's name
        super().connectionMade()
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
        if not self.secured and self.connected:
            self._waiting_for_tls = Deferred()
            await self._waiting_for_tls
        if not self.secured or not self.connected:
            raise self._why or LineLost("the line is closed")

    def begin_tls(self, tls: IOpenSSLClientConnectionCreator) -> None:
        if self.buffer:
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
        if self.connected:
            cast(ITCPTransport, self.transport).abortConnection()

    def hang_up(self) -> None:
        if self.connected:
            self.connected = 0
            unbind = pureldap.LDAPMessage(pureldap.LDAPUnbindRequest(), id=self._new_id())
            transport = cast(ITCPTransport, self.transport)
            with suppress(Exception):
                transport.write(unbind.toWire())
            transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802  Twisted's name
        self.connected = 0
        why = self._why = self._why or _why_lost(reason, self._handshaking)
        waiting, self.onwire = self.onwire, {}
        for done, *_ in waiting.values():
            done.errback(type(why)(str(why)))  # each its own: a shared one would gather everybody's frames
        handshake, self._waiting_for_tls = self._waiting_for_tls, None
        if handshake is not None:
            handshake.errback(why)

    # -- what is said

    def say(
        self, request: Callable[[], Any], controls: Sequence[Control] = (), take: Take | None = None
    ) -> Deferred[Any]:
        """Send, and give a Deferred of the last answer. The request is made here and not kept: it may hold a
        password."""
        if not self.connected:
            raise Unreachable(f"the line was closed before ({self._why or 'by us'})")
        encoded = [(control.oid, control.critical, control.value) for control in controls] or None
        if take is None:
            return cast("Deferred[Any]", self.send(request(), encoded))
        done: Deferred[Any] = Deferred()
        on_loss = self.send_multiResponse_ex(
            request(), encoded, lambda answer, _controls: take(answer, done.callback)
        )
        on_loss.addErrback(done.errback)
        return done

    def _send(self, op: Any, controls: Any = None) -> Any:
        """ldaptor's ids are one counter for the whole process, which overruns 2**31 (RFC 4511 4.1.1.1)."""
        return pureldap.LDAPMessage(op, controls=controls, id=self._new_id())

    def _new_id(self) -> int:
        self._next_id = self._next_id % 0x7FFFFFFF + 1
        return self._next_id

    # -- what is heard

    def dataReceived(self, recd: bytes) -> None:  # noqa: N802  Twisted's name
        self.buffer += recd
        try:
            while self.connected:
                length = _message_length(self.buffer)
                if length is None or len(self.buffer) < length:
                    return
                message, self.buffer = self.buffer[:length], self.buffer[length:]
                decoded, _ = pureber.berDecodeObject(self.berdecoder, message)
                self.handle(decoded)
        except Exception as error:
            # The text of a decoding error can hold what was decoded: only its kind is told.
            self.fail(LineLost(f"the server's answer makes no sense ({type(error).__name__})"))

    def handle(self, msg: Any) -> None:
        if not isinstance(msg.value, pureldap.LDAPProtocolResponse):
            raise TypeError("no response")
        if msg.id == 0:
            self.unsolicitedNotification(msg.value)
        elif msg.id in self.onwire:  # else: the answer to something given up
            super().handle(msg)

    def unsolicitedNotification(self, msg: Any) -> None:  # noqa: N802  ldaptor's name
        text = text_of(getattr(msg, "errorMessage", b""))
        self.fail(LineLost(f"the server closes the line: {text}" if text else "the server closes the line"))


async def open_line(
    address: Address, trust: Trust | None, reactor: object, clock: IReactorTime, patience: float
) -> Line:
    """A line on which something may be said: verified when there is `trust`. ValueError, LineError,
    Refusal."""
    tls = client_tls(trust.server_name or address.host, trust.ca_file) if trust is not None else None
    line = Line(tls_from_the_start=address.ldaps)
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

    def begin(answer: Any) -> Any:
        if answer.resultCode == ResultCode.SUCCESS:
            line.begin_tls(tls)
        return answer

    waiting = line.say(pureldap.LDAPStartTLSRequest)
    waiting.addCallback(begin)
    demand_success(await waiting)


def demand_success(answer: Any) -> str:
    """The diagnostic text of a success; or raise the refusal that the server gave."""
    code = answer.resultCode
    text = text_of(answer.errorMessage)
    if code == ResultCode.SUCCESS:
        return text
    try:
        known = ResultCode(code)
    except ValueError:
        raise Refusal(ResultCode.OTHER, f"result {code}: {text}") from None
    raise Refusal(known, text, matched_dn=text_of(answer.matchedDN))


def _why_lost(reason: Failure, handshaking: bool) -> LineError:
    error = reason.value
    if isinstance(error, SSL.Error):
        parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
        texts = [part[-1] for part in parts if part[-1]]
        return NotTrusted(f"TLS failed: {', '.join(texts) or 'the peer closed the line'}")
    if isinstance(error, ConnectionClosed):
        return LineLost("the server closed the line" + (" during the TLS handshake" if handshaking else ""))
    # service_identity's errors, which Twisted hands on as they are.
    return NotTrusted(f"the certificate is not for this server ({type(error).__name__})")


def _message_length(buffer: bytes) -> int | None:
    """Bytes of the LDAPMessage that begins the buffer; None: its header is not complete. ValueError."""
    if not buffer:
        return None
    if buffer[0] != 0x30:
        raise ValueError("no LDAPMessage")
    if len(buffer) < 2:
        return None
    first = buffer[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4:
        raise ValueError("length")
    if len(buffer) < 2 + count:
        return None
    length = int.from_bytes(buffer[2 : 2 + count], "big")
    if length > MAX_ANSWER:
        raise ValueError("too long")
    return 2 + count + length


def text_of(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
