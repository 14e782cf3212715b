"""A protected connection to a server, in the time that there is.

TLS by the standard library, certificates verified. Whatever goes wrong is a NoAnswer, whose text is a
sentence.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable

from provserver.agents.conf import Server, Trust


class NoAnswer(Exception):
    """The server did not answer; the text says why."""


class Unreachable(NoAnswer):
    """Nobody listens there, or not in this language."""


class NotTrusted(NoAnswer):
    """The server's certificate does not prove that it is the one that was meant."""


class LineLost(NoAnswer):
    """The line broke before the answer: what was asked may have been done."""


class TimedOut(NoAnswer):
    """Time is up: what was asked may still be done."""


class Deadline:
    """A point of time in the future, on the monotonic clock."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds; 0 when it has passed."""
        return max(0.0, self._end - self._clock())

    def share(self, of: int) -> Deadline:
        """One that leaves as much time to each of so many who follow one another."""
        return Deadline(self.left / of, self._clock)

    def demand(self) -> float:
        """Seconds that are left. TimedOut: none."""
        left = self.left
        if left <= 0:
            raise TimedOut("no answer in time")
        return left


def open_wire(
    server: Server, trust: Trust | None, deadline: Deadline, context: ssl.SSLContext | None = None
) -> socket.socket:
    """Connect, and verify the certificate. `context`: `context_of(trust)`, from whoever connects often.
    Unreachable, NotTrusted, TimedOut.
    """
    if context is None and trust is not None:
        context = context_of(trust)
    try:
        wire = _connected(server, deadline)
    except TimeoutError:
        raise TimedOut("nobody answered in time") from None
    except OSError as error:
        raise Unreachable(error.strerror or str(error)) from None
    if context is None or trust is None:
        return wire
    try:
        wire.settimeout(deadline.demand())
        return context.wrap_socket(wire, server_hostname=trust.server_name or server.host)
    except ssl.SSLCertVerificationError as error:
        wire.close()
        raise NotTrusted(error.verify_message or "its certificate is refused") from None
    except TimeoutError:
        wire.close()
        raise TimedOut("no TLS handshake in time") from None
    except TimedOut:
        wire.close()
        raise
    except (OSError, ValueError) as error:
        wire.close()
        raise Unreachable(f"no TLS: {reason_of(error)}") from None


def reason_of(error: Exception) -> str:
    """What a failed call of the socket or of TLS says."""
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def context_of(trust: Trust) -> ssl.SSLContext:
    """What verifies a server's certificate. NotTrusted: a file of it cannot be used."""
    try:
        context = ssl.create_default_context(cafile=trust.ca_file)
    except OSError as error:
        raise NotTrusted(f"ca_file {trust.ca_file} cannot be used: {reason_of(error)}") from None
    if trust.cert_file is not None:
        try:
            context.load_cert_chain(trust.cert_file, trust.key_file)
        except OSError as error:
            raise NotTrusted(f"cert_file {trust.cert_file} cannot be used: {reason_of(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _connected(server: Server, deadline: Deadline) -> socket.socket:
    """The first address of the host that answers. OSError."""
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, address in _addresses(server, deadline):
        wire = socket.socket(family, kind, protocol)
        try:
            wire.settimeout(deadline.demand())
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.connect(address)
        except OSError as error:
            wire.close()
            failure = error
        except TimedOut:
            wire.close()
            raise
        else:
            return wire
    raise failure


_Addresses = list[
    tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]
]


def _addresses(server: Server, deadline: Deadline) -> _Addresses:
    """What a resolver says, in a thread of its own: it knows no time-out. OSError."""
    found: list[_Addresses] = []
    failures: list[OSError] = []

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM))  # type: ignore[arg-type]  # typeshed allows bytes in addresses of families that are not asked for
        except OSError as error:
            failures.append(error)

    try:
        return socket.getaddrinfo(  # type: ignore[return-value]  # as above
            server.host, server.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except OSError:
        resolving = threading.Thread(target=resolve, daemon=True)
        resolving.start()
        resolving.join(deadline.demand())
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError
    return found[0]
