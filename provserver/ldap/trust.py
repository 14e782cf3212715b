"""What a client demands of a server under TLS: a certificate from an authority it believes, for the right
name.
"""

from __future__ import annotations

from typing import Any, Final, cast

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates

_MARKER: Final = b"-----BEGIN CERTIFICATE-----"


def client_tls(name: str, ca_file: str | None) -> IOpenSSLClientConnectionCreator:
    """Verifies the chain, up to an authority of the PEM file or, without one, of the system; and the name,
    which may be an address. TLS 1.2 or later (Twisted's default). ValueError names the CA file.
    """
    if ca_file is None:
        return optionsForClientTLS(name, trustRoot=cast(Any, platformTrust)())
    try:
        with open(ca_file, "rb") as file:
            pem = file.read()
    except OSError as error:
        raise ValueError(f"the CA file {ca_file} cannot be read: {error.strerror}") from None
    try:
        authorities = [Certificate.loadPEM(_MARKER + block) for block in pem.split(_MARKER)[1:]]
    except Exception:
        authorities = []
    if not authorities:
        raise ValueError(f"the CA file {ca_file} holds no certificate in PEM form")
    return optionsForClientTLS(name, trustRoot=cast(Any, trustRootFromCertificates)(authorities))
