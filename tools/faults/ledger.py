"""An endpoint that outlives the server: a small LDAP directory in this process, which writes down every
password that it takes, in order, and now and then makes the trouble that endpoints make.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any, Final

from twisted.internet.defer import Deferred

from provserver.directory.names import DN
from provserver.imps.endpoints import leaf_value
from provserver.ldap.codec import RESPONSE_TAGS, encode_result
from provserver.ldap.connection import Connection
from provserver.ldap.messages import BindRequest, Message, ModifyRequest
from provserver.ldap.results import Result, ResultCode
from provserver.ldap.server import LdapServerFactory

HOST: Final = "127.0.0.1"
BUSY: Final = 0.02
"""The part of the passwords that are refused as busy: to be sent again."""
HANGS_UP: Final = 0.01
"""The part that are taken, and the line is closed before the answer: the server cannot know."""
LATE: Final = 0.2
"""The part that are taken late, so that newer changes are committed meanwhile."""
LATEST: Final = 0.02
"""Seconds."""


class Ledger:
    """`received` has the passwords that each account was given, oldest first."""

    def __init__(self, reactor: Any, random: Random) -> None:
        self.received: dict[str, list[str]] = {}
        self._reactor = reactor
        self._random = random
        self._factory = LdapServerFactory(self, clock=reactor, randomness=os.urandom)
        self._port = reactor.listenTCP(0, self._factory, interface=HOST)

    @property
    def url(self) -> str:
        return f"ldap://{HOST}:{self._port.getHost().port}"

    @property
    def lines(self) -> int:
        """Connections of a server, living or dead, whose bytes are not all read."""
        return len(self._factory.connections)

    # -- provserver.ldap.connection.Handler

    def connected(self, connection: Connection) -> None:
        pass

    def secured(self, connection: Connection) -> None:
        pass

    def disconnected(self, connection: Connection) -> None:
        pass

    async def handle(self, connection: Connection, message: Message) -> bytes:
        operation = message.operation
        if isinstance(operation, BindRequest):
            connection.identity = operation.name
        elif isinstance(operation, ModifyRequest):
            return await self._take(connection, message, operation)
        return answer(message, ResultCode.SUCCESS)

    async def _take(self, connection: Connection, message: Message, operation: ModifyRequest) -> bytes:
        fate = self._random.random()
        if fate < BUSY:
            return answer(message, ResultCode.BUSY)
        if fate > 1 - LATE:
            await self._pause(self._random.uniform(0, LATEST))  # a server that dies meanwhile cancels this
        account = leaf_value(DN.parse(operation.dn))
        (password,) = operation.changes[0].attribute.values
        self.received.setdefault(account, []).append(password.decode())
        if fate < BUSY + HANGS_UP:
            connection.disconnect(ResultCode.UNAVAILABLE, "trouble")
        return answer(message, ResultCode.SUCCESS)

    async def _pause(self, seconds: float) -> None:
        over: Deferred[None] = Deferred()
        self._reactor.callLater(seconds, over.callback, None)
        await over


def answer(message: Message, code: ResultCode) -> bytes:
    return encode_result(message.id, RESPONSE_TAGS[type(message.operation)], Result(code))
