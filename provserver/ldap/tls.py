"""The server's side of TLS: from PEM files, which may be renewed while the server runs.

TLS 1.2 and newer, forward secrecy and authenticated encryption only, the server's order of ciphers. Clients
may resume sessions with tickets (RFC 8446 2.2, RFC 5077): nothing is kept for them here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.SSL import VERIFY_PEER, Context
from OpenSSL.SSL import Connection as TlsConnection
from OpenSSL.SSL import Error as TlsError
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

_log = Logger(__name__)

T = TypeVar("T")

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2, as OpenSSL lists them; those of TLS 1.3 are all good, and not to be chosen this way."""
_LOOK_AGAIN: Final = 1.0
"""Seconds for which the files are taken to be as they were."""


@dataclass(frozen=True, slots=True)
class PemFiles:
    """PEM files. `client_authority`: of those whose client certificates are taken; None: clients are not
    asked for one.
    """

    certificate: Path
    """With the rest of its chain, if any."""
    key: Path
    client_authority: Path | None = None


def tls_options(files: PemFiles, ciphers: str = CIPHERS) -> CertificateOptions:
    """A server's TLS. OSError, ValueError."""
    first, *rest = _read(files.certificate, load_pem_x509_certificates)
    private = _read(files.key, lambda pem: load_pem_private_key(pem, password=None))
    acceptable = AcceptableCiphers.fromOpenSSLCipherString(ciphers)  # type: ignore[no-untyped-call]
    # pyOpenSSL takes cryptography's own objects, and warns of all others; Twisted's types do not know it yet.
    options = CertificateOptions(
        privateKey=cast(Any, private),
        certificate=cast(Any, first),
        extraCertChain=cast(Any, rest),
        raiseMinimumTo=TLSVersion.TLSv1_2,
        acceptableCiphers=acceptable,
        enableSessionTickets=True,
    )
    try:
        context = options.getContext()  # made now, so that a wrong key is found before a client finds it
    except TlsError as error:
        raise ValueError(f"{files.certificate} and {files.key} do not belong together: {error}") from None
    if files.client_authority is not None:
        _ask_clients(context, files.client_authority)
    return options


def _ask_clients(context: Context, authority: Path) -> None:
    """Whoever has no certificate may come without one; one that is not of this authority is refused."""
    _read(authority, load_pem_x509_certificates)  # OpenSSL would not say what is wrong
    context.load_verify_locations(str(authority))
    context.load_client_ca(bytes(authority))
    context.set_verify(VERIFY_PEER)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """TLS by the files as they are now: looked at once a second at most, when a connection comes."""

    def __init__(self, files: PemFiles, clock: IReactorTime, ciphers: str = CIPHERS) -> None:
        """OSError and ValueError when the files cannot be used."""
        self._files = files
        self._clock = clock
        self._ciphers = ciphers
        self._seen = self._as_they_are()
        self._looked = clock.seconds()
        self._options = tls_options(files, ciphers)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> TlsConnection:  # noqa: N802  Twisted's
        """A connection's TLS, with the certificate of this moment."""
        if self._clock.seconds() - self._looked >= _LOOK_AGAIN:
            self.renew()
        return self._options.serverConnectionForTLS(protocol)

    def renew(self) -> None:
        """Read the files again if they have changed. Those that cannot be used are told of in the log, once,
        and the ones before them stay in force: a half-written pair is no reason to turn clients away.
        """
        self._looked = self._clock.seconds()
        now = self._as_they_are()
        if now == self._seen:
            return
        self._seen = now
        try:
            self._options = tls_options(self._files, self._ciphers)
        except (OSError, ValueError) as error:
            _log.error(
                "the renewed certificate cannot be used, the one before stays in force: {error}", error=error
            )
        else:
            _log.info("the certificate {files.certificate} was renewed", files=self._files)

    def _as_they_are(self) -> tuple[object, ...]:
        """What tells a changed file from an unchanged one; of one that is missing, that it is."""
        files = self._files
        return tuple(map(_identity, (files.certificate, files.key, files.client_authority)))


def _read(path: Path, load: Callable[[bytes], T]) -> T:
    """What is in a PEM file; the error names it."""
    try:
        return load(path.read_bytes())
    except (ValueError, TypeError) as error:  # TypeError: the key is encrypted
        raise ValueError(f"{path}: {error}") from None


def _identity(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
