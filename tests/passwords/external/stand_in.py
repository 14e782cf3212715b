"""A policy service that answers as a test says, over real sockets, in the test's own process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from provserver.https.signing import NONCE, SIGNATURE, TIME, SharedSecret
from provserver.ldap.tls import PemFiles, tls_options
from provserver.testing.certificates import Certificates

REACTOR: Any = installed
KEY: Final = b"Mooring-Lines-And-Fenders-0123456789"
SECRET: Final = SharedSecret(KEY)

Document = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    body: bytes
    headers: dict[str, str]
    """By their names in lower case."""
    connection: int
    """Which one it came on: the first is 1."""

    @property
    def document(self) -> Document:
        document: Document = json.loads(self.body)
        return document

    @property
    def nonce(self) -> str:
        return self.headers[NONCE.lower()]

    @property
    def is_signed(self) -> bool:
        time, signature = self.headers[TIME.lower()], self.headers[SIGNATURE.lower()]
        return signature == SECRET.of_request(time, self.nonce, self.body)


Behaviour = Callable[[Asked, Request], object]
"""Answers a request; what it does not finish stays open."""


def saying(document: object, *, secret: SharedSecret = SECRET) -> Behaviour:
    """Answers with this, properly signed (or with another secret)."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    def say(asked: Asked, request: Request) -> None:
        request.setHeader(SIGNATURE, secret.of_answer(asked.nonce, body))
        request.write(body)
        request.finish()

    return say


def refusing(*reasons: tuple[str, str]) -> Behaviour:
    """Refuses: (code, text) each."""
    listed = [{"code": code, "text": text} for code, text in reasons]
    return saying({"verdict": "refuse", "reasons": listed})


def with_status(code: int, location: str = "") -> Behaviour:
    """Accepts, signed, but with another status."""

    def say(asked: Asked, request: Request) -> None:
        request.setResponseCode(code)
        if location:
            request.setHeader("Location", location)
        accepting(asked, request)

    return say


def silent(asked: Asked, request: Request) -> None:
    """Never answers."""


accepting: Final = saying({"verdict": "accept"})


class StandIn:
    """One listener. `behave` may be changed at any time."""

    def __init__(self, behave: Behaviour = accepting, tls: Certificates | None = None) -> None:
        self.behave = behave
        self.asked: list[Asked] = []
        self.lines = 0
        """Connections so far."""
        self._tls = tls
        self._open: list[Any] = []
        self._port: Any = None
        self._number = 0

    def listen(self) -> StandIn:
        """On the same port again, after it was stopped."""
        site = _Site(_Everything(self))
        site.noisy = False
        site.stand_in = self
        if self._tls is None:
            self._port = REACTOR.listenTCP(self._number, site, interface="127.0.0.1")
        else:
            options = tls_options(PemFiles(self._tls.certificate, self._tls.key))
            self._port = REACTOR.listenSSL(self._number, site, options, interface="127.0.0.1")
        self._number = self._port.getHost().port
        return self

    async def stop(self) -> None:
        """Nobody answers any more, and those who are connected are cut off."""
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        self.cut_off()
        await breath()

    def cut_off(self) -> None:
        for line in self._open:
            if line.transport is not None and line.transport.connected:
                line.transport.abortConnection()
        self._open.clear()

    @property
    def is_left_alone(self) -> bool:
        """Whether every connection was closed by the other end."""
        return not any(line.transport is not None and line.transport.connected for line in self._open)

    def opened(self, line: Any) -> int:
        self._open.append(line)
        self.lines += 1
        return self.lines

    @property
    def port(self) -> int:
        return self._number

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{'http' if self._tls is None else 'https'}://{host}:{self._number}/judge?tenant=quay"


class _Everything(Resource):
    isLeaf = True  # noqa: N815  Twisted's

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self._stand_in = stand_in

    def render_POST(self, request: Request) -> int:
        headers = {
            name.decode().lower(): values[0].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        number = request.channel.number
        asked = Asked(request.content.read(), headers, number)
        self._stand_in.asked.append(asked)
        self._stand_in.behave(asked, request)
        return NOT_DONE_YET


class _Site(Site):
    stand_in: StandIn

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource, timeout=None)

    def log(self, request: Request) -> None:
        """Nothing: logs are looked at by tests."""

    def buildProtocol(self, address: object) -> Any:
        channel = super().buildProtocol(address)
        inner = channel._channel  # which requests are given
        inner.number = self.stand_in.opened(inner)
        return channel


class Blurting(Protocol):
    """Answers whatever comes with the same bytes, and may hang up then."""

    said: bytes
    hangs_up: bool

    def dataReceived(self, data: bytes) -> None:
        self.factory.heard += data  # type: ignore[attr-defined]
        self.transport.write(self.said)
        if self.hangs_up:
            self.transport.loseConnection()


class Blurters:
    """A listener that speaks no HTTP, or a wrong one."""

    def __init__(self, said: bytes, *, hangs_up: bool = False) -> None:
        factory = Factory.forProtocol(type("One", (Blurting,), {"said": said, "hangs_up": hangs_up}))
        factory.noisy = False
        factory.heard = b""
        self._factory = factory
        self._port = REACTOR.listenTCP(0, factory, interface="127.0.0.1")

    @property
    def heard(self) -> bytes:
        return bytes(self._factory.heard)

    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.getHost().port}/"

    async def stop(self) -> None:
        await maybeDeferred(self._port.stopListening)


async def breath() -> None:
    """Let what is under way on sockets arrive."""
    for _ in range(5):
        waited: Deferred[None] = Deferred()
        REACTOR.callLater(0.001, waited.callback, None)
        await waited


async def until(what: Callable[[], object]) -> None:
    """Wait for something to come true. TimeoutError after many breaths."""
    for _ in range(2000):
        if what():
            return
        await breath()
    raise TimeoutError("it did not come true")


def secret_file(folder: Path, key: bytes = KEY, mode: int = 0o600) -> Path:
    path = folder / "policy.secret"
    path.write_bytes(key + b"\n")
    path.chmod(mode)
    return path


def settings(folder: Path, urls: Sequence[str], **more: object) -> list[str]:
    """Of a server that asks there."""
    return [
        f"external_policy.urls={','.join(urls)}",
        f"external_policy.secret_file={secret_file(folder)}",
        *[f"external_policy.{key}={value}" for key, value in more.items()],
    ]
