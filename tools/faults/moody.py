"""Endpoints with moods: small LDAP directories in this process, which outlive the server. Each remembers what
its accounts were sent and what they set themselves, in order, and is now well, now in some kind of trouble.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any, Final

from ledger import HOST, answer
from racing import pause
from twisted.internet.defer import maybeDeferred

from provserver.directory.names import DN
from provserver.imps.endpoints import leaf_value
from provserver.ldap.connection import Connection
from provserver.ldap.messages import BindRequest, Message, ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.ldap.server import LdapServerFactory

SLOW: Final = 0.3
"""Seconds that a slow endpoint takes at most."""
BABBLE: Final = 64


class Mood(Enum):
    WELL = "well"
    BUSY = "asks for patience"
    SLOW = "slow"
    SILENT = "takes connections and says nothing"
    FORGETFUL = "sets passwords and hangs up before it says so"
    BABBLING = "answers with garbage"
    DOWN = "not there"


@dataclass(frozen=True, slots=True)
class Taken:
    """An account has a password since then: it was sent by the server, or set at the endpoint itself."""

    at: float
    password: str = field(repr=False)
    sent: bool


class Moody:
    """One endpoint. `name` is the container's of its accounts, too."""

    def __init__(self, reactor: Any, random: Random, name: str) -> None:
        self.name = name
        self.mood = Mood.WELL
        self.taken: dict[str, list[Taken]] = {}
        self._reactor = reactor
        self._random = random
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

    def set_at_home(self, account: str, password: str) -> None:
        """What an agent is about to report."""
        self._take(account, password, sent=False)

    def holds(self, account: str) -> str:
        """The password that the account has."""
        return self.taken[account][-1].password

    async def turn(self, mood: Mood) -> None:
        """Be in another mood."""
        self.mood = mood
        if mood is Mood.DOWN and self._listening is not None:
            listening, self._listening = self._listening, None
            self._factory.disconnect_all("out of order")
            await maybeDeferred(listening.stopListening)
        elif mood is not Mood.DOWN and self._listening is None:
            self._listening = self._reactor.listenTCP(self._port, self._factory, interface=HOST)

    # -- provserver.ldap.connection.Handler

    def connected(self, connection: Connection) -> None:
        pass

    def secured(self, connection: Connection) -> None:
        pass

    def disconnected(self, connection: Connection) -> None:
        pass

    async def handle(self, connection: Connection, message: Message) -> bytes:
        operation = message.operation
        if self.mood is Mood.SILENT:
            while self.mood is Mood.SILENT:
                await pause(self._reactor, 0.02)
            connection.disconnect(ResultCode.UNAVAILABLE, "woke up")
            return b""
        if isinstance(operation, BindRequest):
            connection.identity = operation.name
        elif isinstance(operation, ModifyRequest):
            return await self._asked(connection, message, operation)
        return answer(message, ResultCode.SUCCESS)

    async def _asked(self, connection: Connection, message: Message, operation: ModifyRequest) -> bytes:
        mood = self.mood
        if mood is Mood.BUSY:
            return answer(message, ResultCode.BUSY)
        if mood is Mood.BABBLING:
            connection.send(self._random.randbytes(BABBLE))
            return b""
        (password,) = operation.changes[0].attribute.values
        self._take(leaf_value(DN.parse(operation.dn)), password.decode(), sent=True)
        if mood is Mood.FORGETFUL:
            connection.disconnect(ResultCode.UNAVAILABLE, "who are you?")
            return b""
        if mood is Mood.SLOW:
            await pause(self._reactor, self._random.uniform(0, SLOW))
        return answer(message, ResultCode.SUCCESS)

    def _take(self, account: str, password: str, *, sent: bool) -> None:
        self.taken.setdefault(account, []).append(Taken(time.time(), password, sent))
