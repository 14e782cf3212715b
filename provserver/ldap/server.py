"""The Twisted factory of LDAP connections; `connection` says what is kept on each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.protocol import ServerFactory

from provserver.ldap.connection import Connection, Front, Handler
from provserver.ldap.counters import Counters
from provserver.ldap.doors import DoorLimits, Doors
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.offences import Offences
from provserver.ldap.results import ResultCode


class LdapServerFactory(ServerFactory):
    """Makes a Connection for each client.

    `clock` is a monotonic IReactorTime; `randomness` gives that many random bytes (`os.urandom`). `tls` is
    for StartTLS. It is listened with through `doors.PlainDoor` and `doors.TlsDoor`, or by itself where
    connections need no counting.
    """

    noisy = False

    def __init__(
        self,
        handler: Handler,
        *,
        clock: IReactorTime,
        randomness: Callable[[int], bytes],
        limits: Limits = DEFAULT_LIMITS,
        doors: Doors | None = None,
        counters: Counters | None = None,
        offences: Offences | None = None,
        tls: IOpenSSLServerConnectionCreator | None = None,
    ) -> None:
        counters = counters or Counters()
        offences = offences or Offences(clock.seconds)
        doors = doors or Doors(DoorLimits(), counters, offences)
        self._front: Final = Front(handler, limits, clock, randomness, offences, counters, doors, tls)
        self._made = 0
        self.connections = counters.connections
        """Those that are open. To read, not to change."""

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # noqa: N802  Twisted names it
        self._made += 1
        connection = Connection(self._front, self._made)
        connection.factory = self
        return connection

    def disconnect_all(self, text: str) -> None:
        """Tell all clients that the server goes away (52, RFC 4511 4.4.1), and close."""
        for connection in list(self.connections):
            connection.disconnect(ResultCode.UNAVAILABLE, text)


__all__ = ["Connection", "Handler", "LdapServerFactory"]
