"""The instance's own certificate authority and its server certificate: TLS from the first start.

EC P-256 keys; the authority is good for 10 years, the server's certificate for 825 days (the longest that
Apple's and others' TLS stacks accept from a private authority). Clients are handed `ca.pem`. A site with a
PKI of its own points `server.tls_certificate` and `server.tls_key` at its files instead.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3652
SERVER_DAYS = 825
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_EARLIER = datetime.timedelta(hours=1)
"""Valid from a little before now, for clients whose clock is behind."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificates and keys of an instance are."""

    directory: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate: what clients are given."""
        return self.directory / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.directory / "ca.key"

    @property
    def server(self) -> Path:
        return self.directory / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.directory / "server.key"


def make_certificates(directory: Path, *, owner: str, host: str, clock: Callable[[], float]) -> TlsFiles:
    """Write a new authority and a server certificate signed by it, into a directory that holds none.

    `owner` names the authority to people; `host` is this machine's name or address, beside loopback.
    `clock` is the wall clock, in seconds since the epoch. Raises OSError; FileExistsError rather than
    overwrite a key.
    """
    files = TlsFiles(directory)
    now = datetime.datetime.fromtimestamp(int(clock()), datetime.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(owner, ca_key, now)
    _write_key(files.ca_key, ca_key)
    _write(files.ca, _pem(ca), 0o644)
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key(files.server_key, key)
    _write(files.server, _pem(_server(ca, ca_key, key.public_key(), (host, *LOOPBACK), now)), 0o644)
    return files


def _authority(owner: str, key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # The key's identifier in the name tells two authorities of one owner apart: after another init, a
    # client that trusts the old one says "unknown authority", not "bad signature". A common name has at
    # most 64 characters.
    name = _name(f"{owner[:50]} CA {identifier.digest[:4].hex()}")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    return builder.sign(key, SHA256())


def _server(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    hosts: Iterable[str],
    now: datetime.datetime,
) -> x509.Certificate:
    names = [_general_name(host) for host in dict.fromkeys(hosts) if host]
    authority = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(str(names[0].value)[:64]))
        .issuer_name(ca.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now - _EARLIER + datetime.timedelta(days=SERVER_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False
        )
    )
    return builder.sign(ca_key, SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "provserver"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general_name(host: str) -> x509.DNSName | x509.IPAddress:
    """A host as RFC 6125 looks for it: an address as an address, a name in its ASCII form."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host if host.isascii() else host.encode("idna").decode())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    content = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(path, content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """A new file with exactly this mode from its first moment (the umask can only take away)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
