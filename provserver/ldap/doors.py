"""Who is let in: connections in all and per address are counted, and beyond the limits nobody is served.

On the clear-text port whoever is turned away is told so (Notice of Disconnection, 51); on the TLS port the
connection is closed before a handshake is paid for.
"""

from __future__ import annotations

import resource
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from provserver.ldap.counters import Counters
from provserver.ldap.errors import notice_of_disconnection
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.peers import Addresses, source, who
from provserver.ldap.results import ResultCode

_OTHER_FILES: Final = 128
"""Open files beside clients' connections: the store, logs, connections to endpoints."""
_TOO_MANY: Final = "too many connections: try again later"


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """How many connections are served at the same time."""

    total: int = 10_000
    per_address: int = 500
    """From one IPv4 address, or one IPv6 network of 64 bits."""
    exempt: Addresses = field(default_factory=Addresses)
    """From here there may be as many as in all."""


def most_connections() -> int:
    """As many as the system lets this process have, less what it needs itself."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(files - _OTHER_FILES, 1)


class Doors:
    """Counts who is inside, and says who may come in."""

    def __init__(self, limits: DoorLimits, counters: Counters, offences: Offences) -> None:
        self._limits = limits
        self._counters = counters
        self._offences = offences
        self._inside = 0
        self._by_source: Counter[str] = Counter()

    def admit(self, address: IAddress | None) -> bool:
        """Whether a connection from there is to be served."""
        host, _, _ = who(address)
        limits = self._limits
        if self._inside >= limits.total:
            what = f"refused: {self._inside} connections are open already"
            self._offences.note(Offence.CONNECTIONS, host, what)
        elif self._by_source[source(host)] >= limits.per_address and host not in limits.exempt:
            what = f"refused: {limits.per_address} connections from there are open already"
            self._offences.note(Offence.PER_ADDRESS, host, what)
        else:
            return True
        self._counters.refused += 1
        return False

    def entered(self, host: str) -> None:
        self._inside += 1
        self._by_source[source(host)] += 1

    def left(self, host: str) -> None:
        self._inside -= 1
        where = source(host)
        self._by_source[where] -= 1
        if not self._by_source[where]:
            del self._by_source[where]


class PlainDoor(ServerFactory):
    """To the clear-text port."""

    noisy = False

    def __init__(self, doors: Doors, inside: ServerFactory) -> None:
        self._doors = doors
        self._inside = inside

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802  Twisted names it
        return self._inside.buildProtocol(addr) if self._doors.admit(addr) else _TurnedAway()


class TlsDoor(TLSMemoryBIOFactory):
    """To the TLS port."""

    def __init__(
        self, doors: Doors, tls: IOpenSSLServerConnectionCreator, inside: ServerFactory, clock: IReactorTime
    ) -> None:
        super().__init__(tls, False, inside, clock)
        self._doors = doors

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]  # noqa: N802  Twisted takes None, and closes
        return super().buildProtocol(addr) if self._doors.admit(addr) else None


class _TurnedAway(Protocol):
    """Says why, and closes."""

    def connectionMade(self) -> None:  # noqa: N802  Twisted names it
        transport: Any = self.transport
        transport.write(notice_of_disconnection(ResultCode.BUSY, _TOO_MANY))
        transport.loseConnection()
