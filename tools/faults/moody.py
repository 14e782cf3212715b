"""Endpoints with moods, which outlive the server. Each remembers what its accounts were sent and what they
set themselves, in order, and is now well, now in some kind of trouble.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any, Final

from little_directory import HOST, LittleDirectory, answer
from racing import pause
from twisted.internet.defer import maybeDeferred

from provserver.ldap.connection import Connection
from provserver.ldap.messages import Message
from provserver.ldap.results import ResultCode

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


class Moody(LittleDirectory):
    """One endpoint. `name` is the container's of its accounts, too."""

    def __init__(self, reactor: Any, random: Random, name: str) -> None:
        super().__init__(reactor)
        self.name = name
        self.mood = Mood.WELL
        self.taken: dict[str, list[Taken]] = {}
        self._random = random

    def set_at_home(self, account: str, password: str) -> None:
        """What an agent is about to report."""
        self._has(account, password, sent=False)

    async def turn(self, mood: Mood) -> None:
        """Be in another mood."""
        self.mood = mood
        if mood is Mood.DOWN and self._listening is not None:
            listening, self._listening = self._listening, None
            self._factory.disconnect_all("out of order")
            await maybeDeferred(listening.stopListening)
        elif mood is not Mood.DOWN and self._listening is None:
            self._listening = self._reactor.listenTCP(self._port, self._factory, interface=HOST)

    async def handle(self, connection: Connection, message: Message) -> bytes:
        if self.mood is not Mood.SILENT:
            return await super().handle(connection, message)
        while self.mood is Mood.SILENT:
            await pause(self._reactor, 0.02)
        connection.disconnect(ResultCode.UNAVAILABLE, "woke up")
        return b""

    async def take(self, connection: Connection, message: Message, account: str, password: str) -> bytes:
        mood = self.mood
        if mood is Mood.BUSY:
            return answer(message, ResultCode.BUSY)
        if mood is Mood.BABBLING:
            connection.send(self._random.randbytes(BABBLE))
            return b""
        self._has(account, password, sent=True)
        if mood is Mood.FORGETFUL:
            connection.disconnect(ResultCode.UNAVAILABLE, "who are you?")
            return b""
        if mood is Mood.SLOW:
            await pause(self._reactor, self._random.uniform(0, SLOW))
        return answer(message, ResultCode.SUCCESS)

    def _has(self, account: str, password: str, *, sent: bool) -> None:
        self.taken.setdefault(account, []).append(Taken(time.time(), password, sent))
