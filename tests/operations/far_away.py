"""Connections as operations see them, from wherever a test likes: requests go straight into the chain."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field

from cryptography.x509 import Certificate
from twisted.internet.defer import succeed

from provserver.ldap.codec import decode_message
from provserver.ldap.messages import BindRequest, Message, Request
from provserver.ldap.results import Result
from provserver.operations.chain import Chain
from provserver.testing.server import ADMINISTRATOR_PASSWORD, RunningServer, user_dn


@dataclass(eq=False)
class Line:
    """From far away and in clear unless said otherwise."""

    tls: bool = False
    is_loopback: bool = False
    peer: str = "192.0.2.7"
    port: int = 50_000
    number: int = 1
    identity: object = None
    peer_certificate: Certificate | None = None
    sent: list[bytes] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def drained(self) -> Awaitable[None]:
        return succeed(None)


async def asked(server: RunningServer, line: Line, operation: Request) -> Result:
    """One request on that line."""
    foundation = server.service.foundation
    house = server.service._house(foundation, _Facts)  # type: ignore[arg-type]
    answer = await Chain(house).handle(line, Message(1, operation))  # type: ignore[arg-type]
    return decode_message(answer, 0, len(answer)).operation.result  # type: ignore[union-attr,no-any-return]


class _Facts:
    @staticmethod
    def fold_of(endpoint: object) -> object:
        return lambda password: password

    @staticmethod
    def schemes_of(endpoint: object) -> tuple[str, ...]:
        return ()

    @staticmethod
    def connector(endpoint: object) -> object:
        raise LookupError


async def as_administrator(server: RunningServer, line: Line) -> None:
    """Bind, from nearby."""
    near = Line(is_loopback=True)
    assert (await asked(server, near, BindRequest(3, user_dn("etaadmin"), ADMINISTRATOR_PASSWORD))).code == 0
    line.identity = near.identity
