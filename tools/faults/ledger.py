"""An endpoint that outlives the server: it writes down every password that it takes, in order, and now and
then makes the trouble that endpoints make.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from little_directory import LittleDirectory, answer
from racing import pause

from provserver.ldap.connection import Connection
from provserver.ldap.messages import Message
from provserver.ldap.results import ResultCode

BUSY: Final = 0.02
"""The part of the passwords that are refused as busy: to be sent again."""
HANGS_UP: Final = 0.01
"""The part that are taken, and the line is closed before the answer: the server cannot know."""
LATE: Final = 0.2
"""The part that are taken late, so that newer changes are committed meanwhile."""
LATEST: Final = 0.02
"""Seconds."""


class Ledger(LittleDirectory):
    """`received` has the passwords that each account was given, oldest first."""

    def __init__(self, reactor: Any, random: Random) -> None:
        super().__init__(reactor)
        self.received: dict[str, list[str]] = {}
        self._random = random

    async def take(self, connection: Connection, message: Message, account: str, password: str) -> bytes:
        fate = self._random.random()
        if fate < BUSY:
            return answer(message, ResultCode.BUSY)
        if fate > 1 - LATE:
            # A server that dies meanwhile cancels this.
            await pause(self._reactor, self._random.uniform(0, LATEST))
        self.received.setdefault(account, []).append(password)
        if fate < BUSY + HANGS_UP:
            connection.disconnect(ResultCode.UNAVAILABLE, "trouble")
        return answer(message, ResultCode.SUCCESS)
