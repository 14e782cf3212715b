"""Web services that do as a test says, over real sockets, in the test's own process."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import directlyProvides, providedBy

from provserver.ldap.tls import PemFiles, tls_options
from provserver.testing.certificates import Certificates

REACTOR: Any = installed


class TurnedReactor:
    """The running reactor, with another time."""

    def __init__(self) -> None:
        self.ahead = 0.0
        directlyProvides(self, *providedBy(REACTOR))

    def seconds(self) -> float:
        return float(REACTOR.seconds()) + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(REACTOR, name)


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    target: str
    body: bytes
    headers: dict[str, str]
    """By their names in lower case."""
    certificate: object
    """The client's."""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    code: int = 200
    document: object = None
    headers: dict[str, str] = field(default_factory=dict)


class Cut:
    """The connection breaks instead of an answer."""


class Silence:
    """No answer comes."""


Said = Reply | Cut | Silence


class WebService:
    """One listener. `instead` answers in its place, as long as it says something."""

    def __init__(self, certificates: Certificates | None, client_authority: Any = None) -> None:
        self.seen: list[Seen] = []
        self.instead: Callable[[Seen], Said | None] = lambda seen: None
        self._open: list[Any] = []
        self._silent: list[Any] = []
        site = _Site(_Everything(self))
        site.noisy = False
        site.service = self
        if certificates is None:
            self._port = REACTOR.listenTCP(0, site, interface="127.0.0.1")
        else:
            options = tls_options(PemFiles(certificates.certificate, certificates.key, client_authority))
            self._port = REACTOR.listenSSL(0, site, options, interface="127.0.0.1")
        self.scheme = "http" if certificates is None else "https"
        self.port = self._port.getHost().port

    def answer(self, seen: Seen) -> Said:
        raise NotImplementedError

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    async def stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        await self.cut()

    async def cut(self) -> None:
        """All connections."""
        for line in self._open:
            if line.transport is not None and line.transport.connected:
                line.transport.abortConnection()
        self._open.clear()
        await breath()

    async def lines(self) -> int:
        await breath()
        return sum(line.transport is not None and bool(line.transport.connected) for line in self._open)

    def opened(self, line: Any) -> None:
        self._open.append(line)

    def take(self, seen: Seen, request: Request) -> None:
        self.seen.append(seen)
        said = self.instead(seen) or self.answer(seen)
        if isinstance(said, Cut):
            request.transport.abortConnection()
        elif isinstance(said, Reply):
            request.setResponseCode(said.code)
            for name, value in said.headers.items():
                request.setHeader(name, value)
            if said.document is not None and seen.method != "HEAD":
                body = said.document
                request.write(body if isinstance(body, bytes) else json.dumps(body).encode())
            request.finish()


class _Everything(Resource):
    isLeaf = True  # noqa: N815  Twisted's

    def __init__(self, service: WebService) -> None:
        super().__init__()
        self._service = service

    def render(self, request: Request) -> int:
        headers = {
            name.decode().lower(): ", ".join([value.decode() for value in values])
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        certificate = getattr(request.transport, "getPeerCertificate", lambda: None)()
        seen = Seen(
            request.method.decode(), request.uri.decode(), request.content.read(), headers, certificate
        )
        self._service.take(seen, request)
        return NOT_DONE_YET


class _Site(Site):
    service: WebService

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource, timeout=None)

    def log(self, request: Request) -> None:
        """Nothing: logs are looked at by tests."""

    def buildProtocol(self, address: object) -> Any:
        channel = super().buildProtocol(address)
        self.service.opened(channel._channel)  # which requests are given
        return channel


async def breath() -> None:
    """Let what is under way on sockets arrive."""
    for _ in range(5):
        waited: Deferred[None] = Deferred()
        REACTOR.callLater(0.001, waited.callback, None)
        await waited


def refusal(code: int, kind: str = "", detail: str = "", **headers: str) -> Reply:
    """An error as SCIM has it."""
    schema = "urn:ietf:params:scim:api:messages:2.0:Error"
    document = {"schemas": [schema], "status": str(code), "scimType": kind, "detail": detail}
    return Reply(code, {name: value for name, value in document.items() if value}, headers)


class FakeScim(WebService):
    """A SCIM service and the authorization server that belongs to it."""

    token = "Fake-Token-Of-Ours-73"
    client = ("provserver", "Client-Hush:94 %")

    def __init__(self, certificates: Certificates | None, client_authority: Any = None) -> None:
        super().__init__(certificates, client_authority)
        self.users: dict[str, dict[str, Any]] = {}
        self.passwords: dict[str, list[str]] = {}
        self.config: dict[str, Any] | None = {
            "patch": {"supported": True},
            "changePassword": {"supported": True},
        }
        self.tokens: list[str] = []
        """That were given out."""
        self.good_tokens = {self.token}
        self.token_answer: dict[str, Any] = {"token_type": "Bearer", "expires_in": 300}

    @property
    def url(self) -> str:
        return f"{self.origin}/scim/v2"

    def add(self, name: str, **more: object) -> str:
        found = f"id/{len(self.users)} {name[:3]}"
        self.users[found] = {"id": found, "userName": name, "active": True, **more}
        self.passwords[found] = []
        return found

    def lets_in(self, name: str, password: str) -> bool:
        found = [key for key, user in self.users.items() if user["userName"] == name]
        return bool(found) and self.passwords[found[0]][-1:] == [password]

    def answer(self, seen: Seen) -> Said:
        if seen.path == "/token":
            return self._token(seen)
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.good_tokens:
            return refusal(401)
        if seen.path == "/scim/v2/ServiceProviderConfig":
            return Reply(404) if self.config is None else Reply(200, self.config)
        if seen.path == "/scim/v2/Users":
            return self._search(seen.query)
        found = unquote(urlsplit(seen.target).path.removeprefix("/scim/v2/Users/"))
        if found not in self.users:
            return refusal(404, detail=f"Resource {found} not found")
        return Reply(200, self.users[found]) if seen.method == "GET" else self._patch(found, seen.document)

    def _token(self, seen: Seen) -> Said:
        form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        scheme, _, pair = seen.headers.get("authorization", "").partition(" ")
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        if scheme == "Basic":
            name, secret = (parse_qs(f"x={part}")["x"][0] for part in decoded(pair).split(":"))
        if (name, secret) != self.client or form["grant_type"] != "client_credentials":
            return Reply(401, {"error": "invalid_client", "error_description": f"no {secret}"})
        self.tokens.append(f"token-{len(self.tokens)}")
        self.good_tokens = {self.tokens[-1]}
        return Reply(200, {"access_token": self.tokens[-1], **self.token_answer})

    def _search(self, query: dict[str, str]) -> Reply:
        users = list(self.users.values())
        if "filter" in query:
            attribute, value = re.fullmatch(r"(\S+) eq (.+)", query["filter"], re.DOTALL).groups()  # type: ignore[union-attr]
            users = [user for user in users if user.get(attribute) == json.loads(value)]
        begin, count = int(query.get("startIndex", "1")) - 1, int(query.get("count", "100"))
        return Reply(200, {"totalResults": len(users), "Resources": users[begin : begin + count]})

    def _patch(self, found: str, document: Any) -> Reply:
        changes: dict[str, Any] = {}
        for operation in document["Operations"]:
            assert operation["op"] == "replace"
            value = operation["value"]
            changes |= {operation["path"]: value} if "path" in operation else value
        password, had = changes.pop("password"), self.passwords[found]
        if len(password) < 8:
            return refusal(400, "invalidValue", f"Password too short: {password}")
        if password in had[:-1]:
            return refusal(400, "invalidValue", "This password was used before.")
        if had[-1:] != [password]:
            had.append(password)
        self.users[found] |= changes
        return Reply(204)


def decoded(pair: str) -> str:
    return base64.b64decode(pair).decode()


class FakeDoor(WebService):
    """An application with a way of its own to set passwords: PUT /people/NAME/password, in JSON."""

    key = "Door-Key-Of-Ours-17"

    def __init__(self, certificates: Certificates | None, client_authority: Any = None) -> None:
        super().__init__(certificates, client_authority)
        self.people: dict[str, list[str]] = {}
        self.must_change: set[str] = set()
        self.locked: set[str] = set()

    def lets_in(self, name: str, password: str) -> bool:
        return self.people.get(name, [])[-1:] == [password]

    def answer(self, seen: Seen) -> Said:
        if seen.headers.get("x-api-key") != self.key:
            return Reply(401, b"who are you?")
        parts = [unquote(part) for part in urlsplit(seen.target).path.split("/")]
        if len(parts) != 4 or parts[1] != "people" or seen.method != "PUT":
            return Reply(200 if seen.path in ("/", "/health") else 405)
        name, asked = parts[2], seen.document
        if name not in self.people:
            return Reply(404, {"message": f"no {name}"})
        had, password = self.people[name], asked["new"]
        if len(password) < 8:
            return Reply(422, {"message": f"'{password}' is too short"})
        if password in had[:-1]:
            return Reply(422, {"message": "reused"})
        if had[-1:] != [password]:
            had.append(password)
        (self.must_change.add if asked["expire"] else self.must_change.discard)(name)
        if asked["unlock"]:
            self.locked.discard(name)
        return Reply(200, {"ok": True})
