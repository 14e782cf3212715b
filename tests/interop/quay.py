"""Where clients land: one running server with entries of the usual classes beside the demo domain, and what a
client needs to know of it. Tests add what they change, under names of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from operations.client_certificates import ClientAuthority, Shown
from plugins.served_instance import ServedInstance, command, user_dn

TOP: Final = "ou=interop,dc=im,dc=eta"
INTEROP: Final = f"ou=quays,{TOP}"
"""Low enough in the tree for its entries to be moved about."""
EAST: Final = f"ou=east,{INTEROP}"
WEST: Final = f"ou=west,{INTEROP}"
FLEET: Final = f"ou=fleet,{INTEROP}"
"""Ships in plenty, nothing else; nobody changes them."""
SIGNS: Final = f"ou=signs,{INTEROP}"
"""An alias that leads to the first ship, and a referral that leads to another server."""
SHIPS: Final = 1200
ELSEWHERE: Final = "ldap://elsewhere.example/ou=abroad,dc=example"
ADMINISTRATOR: Final = user_dn("etaadmin")
CERTIFIED: Final = "bnovak"
"""The global user whose client certificate there is."""
PASSWORD: Final = "Copper-Bollard-27"
"""Of whoever a test admits."""
SASL_PLAIN: Final = "SASL PLAIN for OpenLDAP's clients"
"""A package of its own; EXTERNAL needs none."""
UNICODE: Final = "Zoë Østergård 港湾 ⚓"
BINARY: Final = bytes(range(256))


def ship_dn(number: int) -> str:
    return f"cn=ship {number:04},{FLEET}"


def ship_weight(number: int) -> str:
    """The `sn` of a ship: all are different, and in another order than the names."""
    return f"{number * 7 % SHIPS:04} t"


def _ldif() -> str:
    units = [
        f"dn: {dn}\nobjectClass: organizationalUnit\n" for dn in (TOP, INTEROP, EAST, WEST, FLEET, SIGNS)
    ]
    ships = [
        f"dn: {ship_dn(number)}\nobjectClass: inetOrgPerson\nsn: {ship_weight(number)}\n"
        for number in range(SHIPS)
    ]
    signs = [
        f"dn: cn=flagship,{SIGNS}\nobjectClass: alias\nobjectClass: extensibleObject\n"
        f"aliasedObjectName: {ship_dn(0)}\n",
        f"dn: ou=abroad,{SIGNS}\nobjectClass: referral\nobjectClass: extensibleObject\nref: {ELSEWHERE}\n",
    ]
    return "\n".join([*units, *ships, *signs])


def require_client(name: str, *, is_here: bool) -> None:
    """Skip, or with CI=true fail, where a client is not installed."""
    if is_here:
        return
    reason = f"{name} is not here; install it: make .venv/.installed-clients"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@dataclass(frozen=True)
class Quay:
    """The server, and files that clients need."""

    served: ServedInstance
    certificate: Path
    """Of CERTIFIED, for SASL EXTERNAL; `key` is its key."""
    key: Path
    stranger: Path
    """An authority that did not sign the server's certificate."""

    @property
    def ldap(self) -> str:
        return self.served.url("ldap")

    @property
    def ldaps(self) -> str:
        return self.served.url("ldaps")

    @property
    def authority(self) -> str:
        return str(self.served.authority)


def lay_quay(directory: Path, serve: Callable[..., ServedInstance]) -> Quay:
    """Serve an instance with the demo domain, to which our entries are added."""
    loaded = command("load", directory, "-", stdin=_ldif())
    assert loaded.returncode == 0, loaded.stderr
    authority = ClientAuthority(directory / "tls")
    shown = authority.vouches_for((NameOID.COMMON_NAME, CERTIFIED))
    served = serve(directory, "--set", f"server.tls_client_authority={authority.file}")
    return Quay(served, *_written(shown, directory / "tls"), authority.file)


def _written(shown: Shown, directory: Path) -> tuple[Path, Path]:
    certificate, key = directory / "client.pem", directory / "client.key"
    certificate.write_bytes(shown.certificate.public_bytes(serialization.Encoding.PEM))
    key.touch(mode=0o600)
    key.write_bytes(
        shown.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key
