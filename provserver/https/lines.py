"""Lines to the places: HTTP/1.1 over TCP or TLS, kept open between calls, each broken off at once when its
call has gone wrong.

Twisted's Agent and its pool do the work. What is added: the connection of a request is known while it lasts,
so that an answer which is too long or too late is not waited for; whom to trust is worked out once; and
nothing is written to the log for each connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from provserver.ldap.trust import client_tls

_PATIENCE: Final = 30.0
"""Seconds for a connection by the reactor's own clock; a call ends sooner."""
_NEXT_ADDRESS: Final = 0.1
"""Seconds after which the next address of a host is tried too, or it is given up (RFC 8305 8 recommends 0.25,
and this at least): a place that is gone should not hold up those who wait.
"""


class TooLong(Exception):
    """The body of an answer is longer than it may be."""


class Lines:
    """Makes lines to the hosts of these URLs. `kept`: how many connections to each of them wait for the next
    call, at most `idle_time` seconds.
    """

    def __init__(
        self,
        urls: Iterable[str],
        ca_file: str | None,
        *,
        kept: int,
        idle_time: float,
        reactor: Any,
        clock: IReactorTime,
        shown: Mapping[str, Any] | None = None,
    ) -> None:
        """`shown`: our own certificate, as `client_tls` takes it. ValueError: the CA file cannot be used."""
        self.reactor = reactor
        places = [urlsplit(url) for url in urls]
        hosts = {place.hostname for place in places if place.scheme == "https"}
        self.tls = {host: client_tls(host, ca_file, shown) for host in hosts if host is not None}
        self.pool: Any = cast(Any, HTTPConnectionPool)(clock)
        # It would repeat requests without a body only: whoever calls knows better.
        self.pool.retryAutomatically = False
        self.pool.maxPersistentPerHost = kept
        self.pool.cachedConnectionTimeout = idle_time

    def line(self) -> Line:
        """For one request."""
        return Line(self)

    @property
    def has_kept(self) -> bool:
        """Whether a connection waits for the next call, and was not closed at the other end."""
        kept = self.pool._connections.values()  # Twisted has no other way to ask
        return any(protocol.state == "QUIESCENT" for waiting in kept for protocol in waiting)

    async def close_kept(self) -> None:
        """Close the connections that nobody uses just now."""
        await self.pool.closeCachedConnections()


@implementer(IAgentEndpointFactory)
class Line:
    """One request's way to its answer, over a connection that was kept or is new. Errors are Twisted's."""

    persistent = True
    """An Agent takes a line for its pool, and for what finds ways."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._way: _Way | None = None
        self._protocol: Protocol | None = None

    @property
    def was_kept(self) -> bool:
        """Whether it goes over a connection that had been used before."""
        return self._protocol is not None and self._way is not None and not self._way.taken

    @property
    def may_have_sent(self) -> bool:
        """Whether the other end may have seen something of the request: not before TLS has verified it."""
        transport: Any = self._protocol.transport if self._protocol is not None else None
        # Twisted tells only the protocol of it, and HTTP's does not listen. What is no TLS has none.
        return transport is not None and bool(getattr(transport, "_handshakeDone", True))

    async def post(self, url: str, headers: Headers, body: bytes) -> IResponse:
        """The answer up to its headers."""
        return await self.ask("POST", url, headers, body)

    async def ask(self, method: str, url: str, headers: Headers, body: bytes | None) -> IResponse:
        """The answer up to its headers; None: a request without a body."""
        agent: Agent = cast(Any, Agent).usingEndpointFactory(self._lines.reactor, self, pool=self)
        content = None if body is None else _Body(body)
        return await agent.request(method.encode(), url.encode(), headers, content)

    async def body_of(self, response: IResponse, limit: int) -> bytes:
        """The rest. TooLong."""
        if isinstance(response.length, int) and response.length > limit:
            raise TooLong
        collected: Deferred[bytes] = Deferred()
        cast(Any, response).deliverBody(_Collector(limit, collected))
        body = await collected
        if response.version[1:] < (1, 1):
            # RFC 9112 9.3: such a connection ends with its answer. Twisted would keep it.
            self.abort()
            await self._lines.close_kept()
        return body

    def abort(self) -> None:
        """End whatever is under way on it now; TLS would wait for the other end to take its leave."""
        transport: Any = self._protocol.transport if self._protocol is not None else None
        if transport is not None and transport.connected:
            transport.abortConnection()

    def getConnection(self, key: object, way: IStreamClientEndpoint) -> Deferred[Protocol]:  # noqa: N802
        """As the pool's."""
        waiting: Deferred[Protocol] = self._lines.pool.getConnection(key, way)
        return waiting.addCallback(self._had)

    def _had(self, protocol: Protocol) -> Protocol:
        self._protocol = protocol
        return protocol

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802  Twisted's
        """The way to a place, if no connection was kept."""
        reactor = self._lines.reactor
        way: IStreamClientEndpoint = HostnameEndpoint(
            reactor, uri.host, uri.port, timeout=_PATIENCE, attemptDelay=_NEXT_ADDRESS
        )
        if uri.scheme == b"https":
            way = wrapClientTLS(self._lines.tls[uri.host.decode().lower()], way)
        self._way = _Way(way)
        return self._way


@implementer(IStreamClientEndpoint)
class _Way:
    """Tells whether it was taken."""

    def __init__(self, way: IStreamClientEndpoint) -> None:
        self._way = way
        self.taken = False

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        self.taken = True
        cast(Any, factory).noisy = False
        return self._way.connect(factory)


@implementer(IBodyProducer)
class _Body:
    """A request's body, written at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:  # noqa: N802  Twisted's, as the others
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:  # noqa: N802
        """All is written already."""

    def resumeProducing(self) -> None:  # noqa: N802
        """All is written already."""

    def stopProducing(self) -> None:  # noqa: N802
        """All is written already."""


class _Collector(Protocol):
    """An answer's body, up to a limit."""

    def __init__(self, limit: int, collected: Deferred[bytes]) -> None:
        self._left = limit
        self._parts: list[bytes] = []
        self._collected = collected

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._left -= len(data)
        self._parts.append(data)
        if self._left < 0 and not self._collected.called:
            self._parts.clear()
            self._collected.errback(TooLong())

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._collected.called:
            return
        # A body without a length ends with the connection; whether it is whole, its signature tells.
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self._collected.callback(b"".join(self._parts))
        else:
            self._collected.errback(reason)
