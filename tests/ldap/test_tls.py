"""TLS from files: resumed sessions, renewed certificates, client certificates."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from provserver.ldap.codec import decode_message, encode_message, encode_result
from provserver.ldap.counters import Counters
from provserver.ldap.doors import DoorLimits, Doors, TlsDoor
from provserver.ldap.messages import DeleteRequest, Message
from provserver.ldap.offences import Offences
from provserver.ldap.server import Connection, LdapServerFactory
from provserver.ldap.tls import PemFiles, ServerTls, tls_options
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.clock import TurnedClock

REACTOR: Any = reactor


@dataclass
class Seen:
    """What a client knows after a handshake."""

    version: str | None
    cipher: str
    certificate: bytes | None
    session: ssl.SSLSession | None
    resumed: bool | None


class Library:
    """Knows whom it has met, and answers."""

    def __init__(self) -> None:
        self.met: list[Connection] = []

    def connected(self, connection: Connection) -> None: ...

    def secured(self, connection: Connection) -> None:
        self.met.append(connection)

    def disconnected(self, connection: Connection) -> None: ...

    async def handle(self, connection: Connection, message: Message) -> bytes:
        return encode_result(message.id, 0x6B)


class House:
    def __init__(self, tls: ServerTls, clock: TurnedClock) -> None:
        self.tls = tls
        self.clock = clock
        self.library = Library()
        counters, offences = Counters(), Offences(clock.seconds)
        doors = Doors(DoorLimits(), counters, offences)
        factory = LdapServerFactory(
            self.library, clock=clock, randomness=os.urandom, doors=doors, counters=counters
        )
        self.port = REACTOR.listenTCP(0, TlsDoor(doors, tls, factory, REACTOR), interface="127.0.0.1")

    async def visit(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Seen:
        """A handshake, a question, its answer: the tickets have come then. ssl.SSLError."""
        return await deferToThread(visit, self.port.getHost().port, context, session)


def visit(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> Seen:
    with (
        socket.create_connection(("127.0.0.1", port), 20) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as line,
    ):
        line.sendall(encode_message(Message(1, DeleteRequest("cn=x"))))
        answer = line.recv(4096)
        assert decode_message(answer, 0, len(answer)).id == 1
        cipher = line.cipher()
        assert cipher is not None
        return Seen(line.version(), cipher[0], line.getpeercert(True), line.session, line.session_reused)


@asynccontextmanager
async def house(files: PemFiles, clock: TurnedClock | None = None) -> AsyncIterator[House]:
    clock = clock or TurnedClock()
    it = House(ServerTls(files, clock), clock)
    try:
        yield it
    finally:
        await it.port.stopListening()


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def told() -> Iterator[list[tuple[LogLevel, str]]]:
    lines: list[tuple[LogLevel, str]] = []

    def listen(event: Any) -> None:
        if event["log_namespace"] == "provserver.ldap.tls":
            lines.append((event["log_level"], formatEvent(event)))

    globalLogPublisher.addObserver(listen)
    yield lines
    globalLogPublisher.removeObserver(listen)


def files_of(pem: Certificates) -> PemFiles:
    return PemFiles(pem.certificate, pem.key)


def trusting(pem: Certificates, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pem.authority))
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
@pytest_twisted.ensureDeferred
async def test_a_session_is_resumed(pem: Certificates, version: ssl.TLSVersion) -> None:
    context = trusting(pem, version)
    async with house(files_of(pem)) as it:
        first = await it.visit(context)
        assert (first.version, first.resumed) == (version.name.replace("_", "."), False)
        again = await it.visit(context, first.session)
        assert again.resumed is True
        assert [met.tls_version for met in it.library.met] == [first.version] * 2


@pytest_twisted.ensureDeferred
async def test_what_is_offered_keeps_secrets_and_integrity(pem: Certificates) -> None:
    async with house(files_of(pem)) as it:
        seen = await it.visit(trusting(pem, ssl.TLSVersion.TLSv1_2))
        assert seen.cipher.startswith("ECDHE-ECDSA-AES")
        assert "GCM" in seen.cipher
        weak = trusting(pem, ssl.TLSVersion.TLSv1_2)
        weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError):
            await it.visit(weak)


def test_a_site_may_offer_other_ciphers(pem: Certificates) -> None:
    assert tls_options(files_of(pem), "ECDHE-ECDSA-AES128-SHA256")
    with pytest.raises(ValueError, match="ciphers"):
        tls_options(files_of(pem), "NONSENSE")


def replaced(pem: Certificates, directory: Path) -> tuple[PemFiles, Certificates]:
    """Files of our own, and others of the same authority's kind that may take their place."""
    here = directory / "in-force"
    here.mkdir()
    files = PemFiles(here / "server.pem", here / "server.key")
    shutil.copy(pem.certificate, files.certificate)
    shutil.copy(pem.key, files.key)
    (directory / "new").mkdir()
    return files, make_certificates(directory / "new")


@pytest_twisted.ensureDeferred
async def test_a_renewed_certificate_is_shown_to_the_next_who_comes(
    pem: Certificates, tmp_path: Path, told: list[tuple[LogLevel, str]]
) -> None:
    files, new = replaced(pem, tmp_path)
    async with house(files) as it:
        old_one = await it.visit(trusting(pem))
        shutil.copy(new.certificate, files.certificate)
        shutil.copy(new.key, files.key)
        assert (await it.visit(trusting(pem))).certificate == old_one.certificate, "not looked at yet"
        it.clock.turn(1)
        seen = await it.visit(trusting(new))
        assert seen.certificate not in (None, old_one.certificate)
    assert [level for level, _ in told] == [LogLevel.info]


@pytest_twisted.ensureDeferred
async def test_a_broken_file_is_told_of_once_and_the_old_certificate_stays(
    pem: Certificates, tmp_path: Path, told: list[tuple[LogLevel, str]]
) -> None:
    files, new = replaced(pem, tmp_path)
    async with house(files) as it:
        for content, said in (
            (b"half a certificate", str(files.certificate)),
            (new.certificate.read_bytes(), "do not belong together"),
            (None, str(files.certificate)),
        ):
            files.certificate.unlink()
            if content is not None:
                files.certificate.write_bytes(content)
            for _ in range(3):
                it.clock.turn(1)
                await it.visit(trusting(pem))
            (told_now,) = told
            assert told_now[0] is LogLevel.error
            assert said in told_now[1]
            told.clear()
            files.certificate.touch()
        shutil.copy(new.certificate, files.certificate)
        shutil.copy(new.key, files.key)
        it.tls.renew()
        await it.visit(trusting(new))


def test_files_that_cannot_be_used_are_named(pem: Certificates, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pem"):
        ServerTls(PemFiles(tmp_path / "none.pem", pem.key), TurnedClock())
    with pytest.raises(ValueError, match=r"server\.pem"):
        ServerTls(PemFiles(pem.certificate, pem.certificate), TurnedClock())
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(pem.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ValueError, match=r"locked\.key"):
        ServerTls(PemFiles(pem.certificate, locked), TurnedClock())


# Client certificates


def clients_of(name: str, directory: Path) -> Certificates:
    """An authority of that name, and a certificate of it for a client."""
    directory.mkdir()
    key, issuer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    client = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"a client of {name}")])
    now = datetime.datetime.now(datetime.UTC)
    found = Certificates(directory / "authority.pem", directory / "client.pem", directory / "client.key")
    for file, subject, public in (
        (found.authority, issuer, issuer_key.public_key()),
        (found.certificate, client, key.public_key()),
    ):
        made = (
            x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=subject is issuer, path_length=None), critical=True)
            .sign(issuer_key, hashes.SHA256())
        )
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return found


def showing(client: Certificates, server: Certificates) -> ssl.SSLContext:
    context = trusting(server)
    context.load_cert_chain(client.certificate, client.key)
    return context


@pytest_twisted.ensureDeferred
async def test_clients_are_not_asked_for_certificates_unless_the_site_wants_it(
    pem: Certificates, tmp_path: Path
) -> None:
    async with house(files_of(pem)) as it:
        await it.visit(showing(clients_of("us", tmp_path / "us"), pem))
        assert it.library.met[0].peer_certificate is None


@pytest_twisted.ensureDeferred
async def test_a_client_certificate_of_the_named_authority_is_known(
    pem: Certificates, tmp_path: Path
) -> None:
    us = clients_of("us", tmp_path / "us")
    async with house(PemFiles(pem.certificate, pem.key, us.authority)) as it:
        context = showing(us, pem)
        first = await it.visit(context)
        await it.visit(context, first.session)
        await it.visit(trusting(pem))
        shown = [met.peer_certificate for met in it.library.met]
        names = [one.subject.rfc4514_string() if one is not None else None for one in shown]
        assert names == ["CN=a client of us"] * 2 + [None], "also when the session is resumed"


@pytest_twisted.ensureDeferred
async def test_a_client_certificate_of_somebody_else_is_refused(pem: Certificates, tmp_path: Path) -> None:
    us, them = clients_of("us", tmp_path / "us"), clients_of("them", tmp_path / "them")
    async with house(PemFiles(pem.certificate, pem.key, us.authority)) as it:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await it.visit(showing(them, pem))
        assert it.library.met == []
