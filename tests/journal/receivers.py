"""Those who are told of alerts: a receiver of webhooks and a mail server, over real sockets, in the test's
own process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.mail.imap4 import LOGINCredentials, PLAINCredentials
from twisted.mail.smtp import ESMTP, IMessage, IMessageDelivery, SMTPBadRcpt, SMTPFactory
from twisted.web.http import HTTPChannel, HTTPFactory, Request
from zope.interface import implementer

from provserver.https.signing import NONCE, SIGNATURE, TIME, SharedSecret
from provserver.ldap.tls import PemFiles, tls_options
from provserver.testing.certificates import Certificates

REACTOR: Any = installed
KEY: Final = b"Mooring-Lines-And-Fenders-0123456789"
SECRET: Final = SharedSecret(KEY)
USER: Final = "provserver"
PASSWORD: Final = "Harbour-Postman-77"


async def breath() -> None:
    """Let what is under way on sockets and in threads arrive."""
    waited: Deferred[None] = Deferred()
    REACTOR.callLater(0.002, waited.callback, None)
    await waited


async def until(what: Callable[[], object]) -> None:
    """Wait for something to come true. TimeoutError after many breaths."""
    for _ in range(4000):
        if what():
            return
        await breath()
    raise TimeoutError("it did not come true")


def options_of(tls: Certificates) -> Any:
    return tls_options(PemFiles(tls.certificate, tls.key))


class Receiver:
    """Of webhooks. Answers with `status`, or not at all when that is 0."""

    def __init__(self, tls: Certificates | None = None) -> None:
        self.status = 204
        self.answer = b""
        self.location = ""
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        factory: Any = HTTPFactory()
        factory.noisy = False
        factory.log = lambda request: None
        receiver = self

        class Taking(Request):
            def process(self) -> None:
                receiver._take(self)

        class Channel(HTTPChannel):
            requestFactory = Taking  # noqa: N815  Twisted's

            def connectionMade(self) -> None:
                receiver._open.append(self)
                super().connectionMade()

            def connectionLost(self, reason: Any) -> None:
                receiver._open.remove(self)
                super().connectionLost(reason)

        factory.protocol = Channel
        if tls is None:
            self._port = REACTOR.listenTCP(0, factory, interface="127.0.0.1")
        else:
            self._port = REACTOR.listenSSL(0, factory, options_of(tls), interface="127.0.0.1")
        self._scheme = "http" if tls is None else "https"
        self._open: list[Any] = []

    @property
    def documents(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self._port.getHost().port}/alerts?token=Quay-Token-5"

    def all_signed(self) -> bool:
        return all(
            headers[SIGNATURE.lower()] == SECRET.of_alert(headers[TIME.lower()], headers[NONCE.lower()], body)
            for headers, body in zip(self.headers, self.bodies, strict=True)
        )

    async def stop(self) -> None:
        await maybeDeferred(self._port.stopListening)
        for channel in list(self._open):
            channel.forceAbortClient()
        await breath()

    def _take(self, request: Any) -> None:
        raw = request.requestHeaders.getAllRawHeaders()
        self.headers.append({name.decode().lower(): values[0].decode() for name, values in raw})
        self.bodies.append(request.content.read())
        if not self.status:
            return
        request.setResponseCode(self.status)
        if self.location:
            request.setHeader("Location", self.location)
        request.setHeader("Content-Length", str(len(self.answer)))
        request.write(self.answer)
        request.finish()


class MailServer:
    """Of the real kind: ESMTP, with STARTTLS when it has a certificate, and a user who has to log in."""

    def __init__(
        self, tls: Certificates | None = None, *, log_in: bool = False, implicit: bool = False
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[str] = []
        """Recipients, as they were taken."""
        self.were_secure: list[bool] = []
        self.refused: set[str] = set()
        self.lines: list[bytes] = []
        """What came, outside of TLS."""
        server = self

        class Session(ESMTP):
            noisy = False

            def dataReceived(self, data: bytes) -> None:
                if not self.startedTLS and not implicit:
                    server.lines.append(data)
                super().dataReceived(data)

            def validateFrom(self, helo: Any, origin: Any) -> Any:
                if log_in and not self.authenticated:
                    return super().validateFrom(helo, origin)
                return origin

            def receivedHeader(self, helo: object, origin: object, recipients: object) -> bytes:
                return b"Received: from a test"

            def validateTo(self, user: Any) -> Any:
                address = str(user.dest)
                if address in server.refused:
                    raise SMTPBadRcpt(user)
                server.envelopes.append(address)
                server.were_secure.append(bool(self.startedTLS or implicit))
                return lambda: _Message(server)

        class Factory(SMTPFactory):
            noisy = False
            domain = b"mail.example.com"

            def buildProtocol(self, address: Any) -> Any:
                chal = {b"PLAIN": PLAINCredentials, b"LOGIN": LOGINCredentials} if log_in else {}
                session = Session(chal, options_of(tls) if tls and not implicit else None)
                session.factory = self
                session.portal = portal
                session.timeout = None
                server._open.append(session)
                return session

        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(USER.encode(), PASSWORD.encode())
        portal = Portal(_Realm(), [checker])
        self._open: list[Any] = []
        if implicit and tls is not None:
            self._port = REACTOR.listenSSL(0, Factory(), options_of(tls), interface="127.0.0.1")
        else:
            self._port = REACTOR.listenTCP(0, Factory(), interface="127.0.0.1")

    @property
    def port(self) -> int:
        number: int = self._port.getHost().port
        return number

    async def stop(self) -> None:
        await maybeDeferred(self._port.stopListening)
        for session in self._open:
            if session.transport is not None and session.transport.connected:
                session.transport.abortConnection()
        await breath()


@implementer(IRealm)
class _Realm:
    def requestAvatar(self, name: object, mind: object, *interfaces: object) -> Any:
        return IMessageDelivery, _Delivery(), lambda: None


@implementer(IMessageDelivery)
class _Delivery:
    def receivedHeader(self, helo: object, origin: object, recipients: object) -> bytes:
        return b"Received: from a test"


@implementer(IMessage)
class _Message:
    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)

    def eomReceived(self) -> Deferred[bytes]:
        made = message_from_bytes(b"\r\n".join(self._lines), policy=policy.default)
        assert isinstance(made, EmailMessage)
        self._server.mails.append(made)
        return succeed(b"taken")

    def connectionLost(self) -> None:
        self._lines.clear()
