"""What a client demands of a server under TLS: a certificate from an authority it believes, for the right
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates

_MARKER: Final = b"-----BEGIN CERTIFICATE-----"


def client_tls(
    name: str, ca_file: str | None, shown: Mapping[str, Any] | None = None
) -> IOpenSSLClientConnectionCreator:
    """Verifies the chain, up to an authority of the PEM file or, without one, of the system; and the name,
    which may be an address. TLS 1.2 or later (Twisted's default). `shown`: our own certificate, for a server
    that asks for one, as Twisted's CertificateOptions takes it. ValueError names the CA file.
    """
    extra = dict(shown) if shown is not None else None
    if ca_file is None:
        return optionsForClientTLS(name, trustRoot=cast(Any, platformTrust)(), extraCertificateOptions=extra)
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
    trust = cast(Any, trustRootFromCertificates)(authorities)
    return optionsForClientTLS(name, trustRoot=trust, extraCertificateOptions=extra)
