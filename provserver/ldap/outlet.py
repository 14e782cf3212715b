"""What is on its way to one peer: gathered, handed to the transport in few pieces, and never more than the
peer is ready to read.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from socket import socket as Socket  # noqa: N812  a type
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.tcp import Server as TcpTransport
from zope.interface import implementer

from provserver.ldap.limits import Limits
from provserver.ldap.offences import Offence

UNSENT: Final = 256 * 1024
"""Octets that the kernel takes of us ahead of what the peer's window has room for. By itself it would take
megabytes, and somebody who asks for everything and reads nothing would cost ten times as much."""


def keep_little_unsent(port: Any) -> None:
    """Have all connections that will come in on a listening port bounded by `UNSENT`, where the system can:
    they take the option over from it. What is on its way to a fast reader is not bounded by this.
    """
    listening = getattr(port, "socket", None)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if listening is not None and option is not None:
        listening.setsockopt(socket.IPPROTO_TCP, option, UNSENT)


@implementer(IPushProducer)
class Outlet:
    """The transport's producer. `changed` is called when the peer begins or ceases to read, `late` when it
    has not read for too long or left too much.
    """

    __slots__ = (
        "_alarm",
        "_changed",
        "_clock",
        "_gathered",
        "_gathered_size",
        "_late",
        "_limits",
        "_socket",
        "_unsent",
        "_waiters",
        "_wire",
        "closed",
        "held",
        "sent",
        "writable",
    )

    def __init__(
        self,
        limits: Limits,
        clock: IReactorTime,
        changed: Callable[[], None],
        late: Callable[[str, Offence], None],
    ) -> None:
        self.writable = True
        """Whether the peer reads what it is sent."""
        self.held = False
        """Whether answers are gathered: more are to be expected at once."""
        self.closed = False
        self.sent = 0
        """Bytes."""
        self._limits = limits
        self._clock = clock
        self._changed = changed
        self._late = late
        self._wire: Any = None  # the transport; its interfaces depend on the endpoint
        self._socket: Socket | None = None
        """Of a clear-text TCP transport, to which small answers can be given past its buffer."""
        self._gathered: list[bytes] = []
        self._gathered_size = 0
        self._unsent = 0
        self._waiters: list[Deferred[None]] = []
        self._alarm: IDelayedCall | None = None

    def open(self, transport: Any) -> None:
        self._wire = transport
        if type(transport) is TcpTransport:
            self._socket = transport.getHandle()
        transport.registerProducer(self, True)

    def send(self, data: bytes) -> None:
        """Send encoded messages; after the end they are dropped."""
        if self.closed:
            return
        self._gathered.append(data)
        self._gathered_size += len(data)
        if not self.held or self._gathered_size >= self._limits.write_chunk:
            self.flush()

    async def drained(self) -> None:
        """Wait until the peer has read what was sent. CancelledError when there is no peer any more."""
        self.flush()
        while not self.writable and not self.closed:
            waiter: Deferred[None] = Deferred()
            self._waiters.append(waiter)
            await waiter
        if self.closed:
            raise CancelledError

    def flush(self) -> None:
        if not self._gathered:
            return
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._gathered_size = 0
        self.sent += len(data)
        if not self.writable:
            self._unsent += len(data)
            if self._unsent > self._limits.write_buffer:
                self._late("does not read its answers", Offence.WRITE_BUFFER)
                return
        if self._socket is not None and not (self._wire.dataBuffer or self._wire._tempDataBuffer):
            data = self._sent_at_once(self._socket, data)
            if not data:
                return
        self._wire.write(data)

    def _sent_at_once(self, socket: Socket, data: bytes) -> bytes:
        """Offer the data to the kernel; what it did not take. The transport would only do so in the
        reactor's next round, with two changes of what epoll watches (measured: a tenth more password
        cycles a second)."""
        try:
            return data[socket.send(data) :]
        except OSError:
            return data  # full, or broken: the transport finds out which, and says so

    def begin_tls(self) -> None:
        """All that was sent is on its way; what follows goes through TLS, which knows of no pause yet."""
        self._socket = None
        self.writable = True
        self._disarm()

    def close(self) -> None:
        """Take nothing any more; what was handed to the transport is the transport's."""
        self.closed = True
        self._gathered.clear()
        self._disarm()

    def wake(self) -> None:
        """Let all who wait in `drained` see what has become of the peer."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    # For the transport.

    def pauseProducing(self) -> None:  # noqa: N802  Twisted names it
        """The transport's buffer is full."""
        if self.writable and not self.closed:
            self.writable = False
            self._unsent = 0
            if self._limits.slow_reader_time:
                self._alarm = self._clock.callLater(
                    self._limits.slow_reader_time,
                    self._late,
                    "reads its answers too slowly",
                    Offence.SLOW_READER_TIME,
                )
            self._changed()

    def resumeProducing(self) -> None:  # noqa: N802  Twisted names it
        """The transport's buffer is empty."""
        if self.writable or self.closed:
            return
        self.writable = True
        self._disarm()
        self.wake()
        self._changed()

    def stopProducing(self) -> None:  # noqa: N802  Twisted names it
        """The transport will say `connectionLost` next."""

    def _disarm(self) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
