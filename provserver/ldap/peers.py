"""Who is at the other end: addresses, which of them belong together, and lists of them in settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

UNIX: Final = "unix"
"""The host of a peer without an address."""
_SITE_BITS: Final = 64
"""Of an IPv6 address: who has one has all of its network, so they are counted together (RFC 6177)."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def who(address: object) -> tuple[str, int, bool]:
    """Host, port and whether it is this machine, of a transport's peer."""
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return UNIX, 0, True
    ip = _parsed(host)
    if ip is None:
        return host, 0, False
    return host, int(getattr(address, "port", 0)), ip.is_loopback


def source(host: str) -> str:
    """What a host is counted under: its IPv4 address, or the network of its IPv6 address."""
    ip = _parsed(host)
    if ip is None:
        return host
    if ip.version == 6:
        return str(ipaddress.ip_network((ip, _SITE_BITS), strict=False))
    return str(ip)


class Addresses:
    """Addresses and networks (`10.1.2.3`, `10.0.0.0/8`, `::1`), to ask whether a host is among them."""

    def __init__(self, listed: Iterable[str] = ()) -> None:
        """ValueError names what is no address."""
        self._networks: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(one, strict=False) for one in listed
        )

    def __contains__(self, host: str) -> bool:
        if not self._networks:
            return False
        ip = _parsed(host)
        return ip is not None and any(ip in network for network in self._networks)


def _parsed(host: str) -> _Address | None:
    """The address, without its zone; an IPv4 address that came as an IPv6 one is IPv4."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
