"""The doors: who comes in, who is turned away, and that it costs nothing."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.testing import StringTransport

from provserver.ldap.codec import decode_message
from provserver.ldap.counters import Counters
from provserver.ldap.doors import DoorLimits, Doors, PlainDoor, TlsDoor, most_connections
from provserver.ldap.messages import NOTICE_OF_DISCONNECTION, ExtendedResponse
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.peers import Addresses
from provserver.ldap.results import ResultCode
from provserver.testing.clock import TurnedClock


class House:
    """Doors, and what they count."""

    def __init__(self, **limits: Any) -> None:
        self.counters = Counters()
        self.offences = Offences(TurnedClock().seconds)
        self.doors = Doors(DoorLimits(**limits), self.counters, self.offences)

    def comes(self, host: str) -> bool:
        """Whether a peer gets in, who then stays."""
        let_in = self.doors.admit(address(host))
        if let_in:
            self.doors.entered(host)
        return let_in


def address(host: str) -> Any:
    return IPv6Address("TCP", host, 7) if ":" in host else IPv4Address("TCP", host, 7)


def test_there_is_a_limit_for_all() -> None:
    house = House(total=2)
    assert [house.comes(f"192.0.2.{number}") for number in range(3)] == [True, True, False]
    house.doors.left("192.0.2.0")
    assert house.comes("192.0.2.3")
    assert house.counters.refused == 1
    assert house.offences.counts == {Offence.CONNECTIONS: 1}


def test_there_is_a_limit_for_each_address_and_each_ipv6_network() -> None:
    house = House(per_address=1)
    assert [house.comes(host) for host in ("192.0.2.7", "192.0.2.7", "192.0.2.8")] == [True, False, True]
    assert [house.comes(host) for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [
        True,
        False,
        True,
    ]
    assert house.offences.counts == {Offence.PER_ADDRESS: 2}
    house.doors.left("192.0.2.7")
    assert house.comes("192.0.2.7")


def test_exempt_addresses_may_have_as_many_as_all() -> None:
    house = House(total=3, per_address=1, exempt=Addresses(["10.0.0.0/8"]))
    assert [house.comes("10.1.1.1") for _ in range(4)] == [True, True, True, False]
    assert house.offences.counts == {Offence.CONNECTIONS: 1}


def test_those_who_left_are_forgotten() -> None:
    house = House()
    for number in range(1_000):
        host = f"10.0.{number // 256}.{number % 256}"
        assert house.comes(host)
        house.doors.left(host)
    assert not house.doors._by_source


class Inside(ServerFactory):
    def buildProtocol(self, addr: Any) -> Protocol:
        return Protocol()


def test_on_the_clear_text_port_one_is_told() -> None:
    house = House(total=1)
    door = PlainDoor(house.doors, Inside())
    assert type(door.buildProtocol(address("192.0.2.7"))) is Protocol
    house.doors.entered("192.0.2.7")
    turned_away = door.buildProtocol(address("192.0.2.7"))
    wire = StringTransport()
    turned_away.makeConnection(wire)
    said = wire.value()
    message = decode_message(said, 0, len(said))
    assert isinstance(message.operation, ExtendedResponse)
    assert (message.id, message.operation.oid) == (0, NOTICE_OF_DISCONNECTION)
    assert message.operation.result.code is ResultCode.BUSY
    assert wire.disconnecting


def test_on_the_tls_port_no_handshake_is_paid_for() -> None:
    class NoTls:
        def serverConnectionForTLS(self, protocol: Any) -> Any:
            raise AssertionError("a handshake was begun")

    from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
    from zope.interface import directlyProvides

    tls: Any = NoTls()
    directlyProvides(tls, IOpenSSLServerConnectionCreator)
    house = House(total=1)
    door = TlsDoor(house.doors, tls, Inside(), TurnedClock())
    assert door.buildProtocol(address("192.0.2.7")) is not None
    house.doors.entered("192.0.2.7")
    assert door.buildProtocol(address("192.0.2.7")) is None, "Twisted closes then"


def test_there_are_never_more_connections_than_the_system_lets_us_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert 800 < most_connections() < 1024
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert most_connections() > 10**9
