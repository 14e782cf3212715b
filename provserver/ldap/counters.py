"""What the front has done since it was started: connections, operations, bytes; for `cn=monitor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, get_args

from provserver.ldap.messages import Request
from provserver.ldap.results import ResultCode

SEARCH_RESULT_ENTRY: Final = 0x64


class Open(Protocol):
    """A connection, as far as all of them are concerned."""

    @property
    def received(self) -> int: ...

    @property
    def sent(self) -> int: ...

    def disconnect(self, code: ResultCode, text: str) -> None: ...


class Counters:
    """Counts; belongs to one factory, which tells it of connections, and these of requests."""

    def __init__(self) -> None:
        self.connections: set[Open] = set()
        """Those that are open. To read, not to change."""
        self.total = 0
        """Connections that were taken."""
        self.refused = 0
        """Connections that were not."""
        self.operations: dict[type[Request], int] = dict.fromkeys(get_args(Request), 0)
        """Requests by kind, as they were begun."""
        self._received = 0
        self._sent = 0

    def opened(self, connection: Open) -> None:
        self.total += 1
        self.connections.add(connection)

    def closed(self, connection: Open) -> None:
        if connection in self.connections:
            self.connections.discard(connection)
            self._received += connection.received
            self._sent += connection.sent

    @property
    def received(self) -> int:
        """Bytes of requests, as they are inside of TLS."""
        return self._received + sum(connection.received for connection in self.connections)

    @property
    def sent(self) -> int:
        """Bytes of answers, likewise."""
        return self._sent + sum(connection.sent for connection in self.connections)


class EntriesSent:
    """How many entries each operation of a connection has sent. Told from the messages on their way: who
    sends them has other things to do, and few want to know.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._counts: dict[int, int] = {}

    def send(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            length = data[at + 1]
            start = at + 2  # of the message id, an INTEGER
            if length >= 128:
                start += length & 0x7F
                length = int.from_bytes(data[at + 2 : start], "big")
            end = start + 2 + data[start + 1]
            if data[end] == SEARCH_RESULT_ENTRY:
                message_id = int.from_bytes(data[start + 2 : end], "big")
                self._counts[message_id] = self._counts.get(message_id, 0) + 1
            at = start + length
        self._send(data)

    def of(self, message_id: int) -> int:
        """Of an operation that is over; it is forgotten then."""
        return self._counts.pop(message_id, 0)
