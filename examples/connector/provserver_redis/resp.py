"""The protocol that Redis speaks (RESP 2): commands out, one reply each, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from provserver.connectors import Secret


@dataclass(frozen=True)
class ErrorReply:
    code: str
    """The first word, e.g. NOPERM. The rest may repeat what was sent, so it is not kept."""


Reply = bytes | int | ErrorReply | list[Any] | None
"""A list is one of replies."""


class Resp(Protocol):
    """One connection. Who cancels what `ask` returned ends it: the replies would no longer fit."""

    def __init__(self) -> None:
        self.up = False
        self._received = b""
        self._waiting: deque[Deferred[Reply]] = deque()
        self._closed: Deferred[None] = Deferred()
        self._reading = _reply()
        self._wanted = next(self._reading)

    def ask(self, words: Sequence[str | Secret]) -> Deferred[Reply]:
        sent = [word.reveal() if isinstance(word, Secret) else word.encode() for word in words]
        parts = [b"*%d\r\n" % len(sent), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in sent)]
        reply: Deferred[Reply] = Deferred(lambda _: self._abort())
        self._waiting.append(reply)
        self.transport.write(b"".join(parts))
        return reply

    async def close(self) -> None:
        """Returns when it is closed."""
        self._abort()
        await self._closed

    def connectionMade(self) -> None:  # noqa: N802
        self.up = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self.up = False
        waiting, self._waiting = self._waiting, deque()
        for reply in waiting:
            if not reply.called:  # it was cancelled
                reply.errback(reason)
        self._closed.callback(None)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._received += data
        while (piece := self._piece()) is not None:
            try:
                self._wanted = self._reading.send(piece)
            except StopIteration as ended:
                self._reading = _reply()
                self._wanted = next(self._reading)
                self._waiting.popleft().callback(ended.value)
            except ValueError:  # this is no Redis
                self._abort()
                return

    def _piece(self) -> bytes | None:
        """The next line, or so many octets, without the line end; None: it has not all arrived."""
        end = self._received.find(b"\r\n") if self._wanted is None else self._wanted
        if end < 0 or len(self._received) < end + 2:
            return None
        piece, self._received = self._received[:end], self._received[end + 2 :]
        return piece

    def _abort(self) -> None:
        self.up = False
        if self.transport is not None:
            self.transport.abortConnection()


def _reply() -> Generator[int | None, bytes, Reply]:
    """Reads one reply: asks for a line (None), or for so many octets. ValueError: this is no Redis."""
    line = yield None
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b"-":
        return ErrorReply(rest.partition(b" ")[0].decode("ascii", "replace"))
    size = int(rest)
    if kind == b":":
        return size
    if size < 0:
        return None
    if kind == b"$":
        return (yield size)
    if kind != b"*":
        raise ValueError("expected a reply")
    replies = []
    for _ in range(size):
        replies.append((yield from _reply()))
    return replies
