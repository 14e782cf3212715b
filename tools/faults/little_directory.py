"""A small LDAP directory in this process, which outlives the server: binds succeed, passwords are taken as
whoever derives from it likes.
"""

from __future__ import annotations

import os
from typing import Any, Final

from provserver.directory.names import DN
from provserver.imps.endpoints import leaf_value
from provserver.ldap.codec import RESPONSE_TAGS, encode_result
from provserver.ldap.connection import Connection
from provserver.ldap.messages import BindRequest, Message, ModifyRequest
from provserver.ldap.results import Result, ResultCode
from provserver.ldap.server import LdapServerFactory

HOST: Final = "127.0.0.1"


class LittleDirectory:
    """Listens from the beginning. A `provserver.ldap.connection.Handler`."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._factory = LdapServerFactory(self, clock=reactor, randomness=os.urandom)
        self._listening: Any = reactor.listenTCP(0, self._factory, interface=HOST)
        self._port: int = self._listening.getHost().port

    @property
    def url(self) -> str:
        return f"ldap://{HOST}:{self._port}"

    @property
    def lines(self) -> int:
        """Connections of a server, living or dead, whose bytes are not all read."""
        return len(self._factory.connections)

    async def take(self, connection: Connection, message: Message, account: str, password: str) -> bytes:
        """Answer somebody who sets the password of an account."""
        raise NotImplementedError

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
            (password,) = operation.changes[0].attribute.values
            account = leaf_value(DN.parse(operation.dn))
            return await self.take(connection, message, account, password.decode())
        return answer(message, ResultCode.SUCCESS)


def answer(message: Message, code: ResultCode) -> bytes:
    return encode_result(message.id, RESPONSE_TAGS[type(message.operation)], Result(code))
