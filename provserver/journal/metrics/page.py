"""GET /metrics over HTTP/1.1, and nothing else: no body is taken, no banner is shown, and few are answered at
the same time.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, HTTPFactory, Request

from provserver.journal.metrics.exposition import CONTENT_TYPE, Exposition

_log = Logger(__name__)

PATH: Final = "/metrics"
MOST_CONNECTIONS: Final = 16
_MOST_HEADERS: Final = 40
_MOST_HEADER_BYTES: Final = 8 * 1024
_PATIENCE: Final = 15
"""Seconds for a request, and between two of them."""
_PLAIN: Final = "text/plain; charset=utf-8"


class _Request(Request):
    """A request without a body, and its answer."""

    def gotLength(self, length: int | None) -> None:  # noqa: N802  Twisted's name
        """`length` is None of a body that comes in chunks."""
        super().gotLength(0)  # type: ignore[no-untyped-call]  # Twisted's
        if length != 0:
            transport: Any = self.channel.transport
            transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n")
            transport.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  Twisted's name
        """Nothing of it is kept."""

    def process(self) -> None:
        if self.path != PATH.encode():
            self._answer(404, _PLAIN, f"only {PATH} is here\n".encode())
        elif self.method not in (b"GET", b"HEAD"):
            self.responseHeaders.setRawHeaders(b"Allow", [b"GET, HEAD"])
            self._answer(405, _PLAIN, b"only GET and HEAD\n")
        else:
            scrape = Deferred.fromCoroutine(self.channel.factory.exposition.text())
            scrape.addCallbacks(self._scraped, self._failed)

    def _scraped(self, text: bytes) -> None:
        self._answer(200, CONTENT_TYPE, text)

    def _failed(self, failure: Failure) -> None:
        _log.error("the metrics could not be gathered: {kind}", kind=type(failure.value).__name__)
        self._answer(500, _PLAIN, b"the metrics could not be gathered\n")

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        if self._disconnected:
            return
        request: Any = self  # Twisted's requests have few types
        request.setResponseCode(code)
        request.setHeader(b"Content-Type", kind.encode())
        request.setHeader(b"Content-Length", str(len(body)).encode())
        request.write(body)  # of HEAD it writes the head alone
        request.finish()


class _Channel(HTTPChannel):
    """A connection with small limits."""

    maxHeaders = _MOST_HEADERS  # noqa: N815  Twisted's name, as the next ones
    totalHeadersSize = _MOST_HEADER_BYTES  # noqa: N815
    requestFactory = _Request  # noqa: N815

    def connectionMade(self) -> None:  # noqa: N802  Twisted's name
        self.factory.channels.add(self)
        super().connectionMade()  # type: ignore[no-untyped-call]  # Twisted's

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802  Twisted's name
        self.factory.channels.discard(self)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]  # Twisted's


class MetricsFactory(HTTPFactory):
    """Of the connections. `clock` is for their timeouts."""

    protocol: Any = _Channel

    def __init__(self, exposition: Exposition, clock: Any) -> None:
        super().__init__(timeout=_PATIENCE, reactor=clock)
        self.noisy = False
        self.exposition = exposition
        self.channels: set[_Channel] = set()
        """Those that are open."""

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802  Twisted's name
        """None, which closes it: there are enough."""
        return super().buildProtocol(addr) if len(self.channels) < MOST_CONNECTIONS else None

    def disconnect_all(self) -> None:
        channel: Any
        for channel in list(self.channels):
            channel.forceAbortClient()

    def startFactory(self) -> None:  # noqa: N802  Twisted's name
        """No access log, and no clock for it."""

    def stopFactory(self) -> None:  # noqa: N802  Twisted's name
        """Likewise."""

    def log(self, request: Request) -> None:
        """Likewise."""
