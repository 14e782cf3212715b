"""An authority that vouches for clients, and lines that show what it signed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS

from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient


@dataclass(frozen=True)
class Shown:
    """What a client shows: its certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class ClientAuthority:
    """Signs for anybody; `file` is what a server is told to trust."""

    def __init__(self, folder: Path, name: str = "clients") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = _signed(
            self._name, self._name, self._key.public_key(), self._key, x509.BasicConstraints(True, 0)
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def vouches_for(self, *subject: tuple[x509.ObjectIdentifier, str], mail: Sequence[str] = ()) -> Shown:
        """A client's certificate with this subject, and e-mail addresses as alternative names."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
        names = x509.SubjectAlternativeName([x509.RFC822Name(one) for one in mail])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        more = (usage, names) if mail else (usage,)
        return Shown(_signed(name, self._name, key.public_key(), self._key, *more), key)


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    by: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(by, hashes.SHA256())


async def under_tls(server: RunningServer, shown: Shown | None = None) -> WireClient:
    """A line over LDAPS, with the server's certificate verified; closed with the server."""
    host, _, port = server.ldaps_url.removeprefix("ldaps://").rpartition(":")
    trust = Certificate.loadPEM(server.authority.read_bytes())  # type: ignore[no-untyped-call]
    own = {} if shown is None else {"certificate": shown.certificate, "privateKey": shown.key}
    options: Any = optionsForClientTLS("localhost", trust, extraCertificateOptions=own)
    factory = Factory.forProtocol(WireClient)
    factory.noisy = False
    endpoint: Any = wrapClientTLS(options, TCP4ClientEndpoint(server.reactor, host, int(port)))
    client: WireClient = await endpoint.connect(factory)
    server._lines.append(client)
    return client
