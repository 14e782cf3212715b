"""Where a web service is, and how the line to it is protected."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from provserver.connectors.contract import ConnectorError, Security, SettingsError
from provserver.connectors.registry import Settings
from provserver.https.lines import Lines
from provserver.vault.private import read_private

IDLE: Final = 30.0
"""Seconds that a connection is kept between calls; many servers close theirs after a minute."""

SETTING_NAMES: Final[Mapping[str, str]] = {
    "ca_file": "PEM file of the authorities that may vouch for the server; the system's when not given",
    "client_certificate": "PEM file of our own certificate and its chain, for a server that asks for one",
    "client_key": "PEM file of its key, which nobody else may read; not encrypted",
    "timeout": "seconds for each call, with the connection it may need; 10 when not given",
}

_EXPECTED: Final = "expected https://host[:port]/path; http:// is in clear, and not secure"


@dataclass(frozen=True, slots=True)
class Place:
    """The urls that are called, and what is needed for a line to them."""

    urls: tuple[str, ...]
    ca_file: str | None
    own: tuple[Path, Path] | None
    """Our certificate and its key."""
    patience: float

    @property
    def security(self) -> Security:
        """TLS is always verified; what is in clear is secure only if it stays on this machine."""
        places = [urlsplit(url) for url in self.urls]
        good = [place.scheme == "https" or _is_loopback(place.hostname or "") for place in places]
        return Security.SECURE if all(good) else Security.NOT_SECURE

    def lines(self, reactor: Any) -> Lines:
        """Reads the files. ConnectorError."""
        try:
            shown = None if self.own is None else _certificate(*self.own)
            return Lines(
                self.urls, self.ca_file, kept=1, idle_time=IDLE, reactor=reactor, clock=reactor, shown=shown
            )
        except ValueError as error:
            raise ConnectorError(str(error)) from None


def read_place(given: Settings, *urls: str) -> Place:
    """SettingsError."""
    certificate, key = given.text("client_certificate", ""), given.text("client_key", "")
    if bool(certificate) != bool(key):
        missing = "client_key" if certificate else "client_certificate"
        raise SettingsError(missing, "must be given: a certificate and its key belong together")
    return Place(
        urls,
        given.text("ca_file", "") or None,
        (Path(certificate), Path(key)) if certificate else None,
        given.number("timeout", 10.0, least=0.1, most=600.0),
    )


def checked_url(key: str, text: str, *, with_query: bool = True) -> str:
    """The url, if it is one that can be called. SettingsError."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(key, f"{_EXPECTED}; got {text!r}") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError(key, "expected no name or password in it: settings and secrets say who we are")
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "<>\\')
    if not plain or not host or parts.scheme not in ("http", "https"):
        raise SettingsError(key, f"{_EXPECTED}; got {text!r}")
    if parts.fragment or "#" in text:
        raise SettingsError(key, "expected no #: what follows it is never sent")
    if parts.query and not with_query:
        raise SettingsError(key, "expected no ? in it")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _certificate(certificate: Path, key: Path) -> dict[str, Any]:
    """As Twisted's CertificateOptions takes it. ValueError names the file."""
    try:
        first, *rest = load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        raise ValueError(f"{certificate}: the certificate cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{certificate}: expected a certificate in PEM form") from None
    pem, problem = read_private(key, "key", "client_key names it")
    if problem:
        raise ValueError(f"{key}: {problem}")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # Not the error's own text: it may show what is in the file.
        raise ValueError(f"{key}: expected a key in PEM form that is not encrypted") from None
    if private.public_key() != first.public_key():
        raise ValueError(f"{certificate} and {key} do not belong together")
    return {"privateKey": private, "certificate": first, "extraCertChain": rest}
