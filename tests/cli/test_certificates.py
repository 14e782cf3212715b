"""The certificates that init makes: who trusts ca.pem accepts the server, by each of its names."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from provserver.cli.certificates import CA_DAYS, SERVER_DAYS, TlsFiles, make_certificates

START = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
"""Python's TLS reads the real clock: so the certificates of the handshakes must hold now."""


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return make_certificates(tmp_path, owner="provserver im", host="hub.example.com", clock=START.timestamp)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def shake_hands(files: TlsFiles, trusted: Path, name: str) -> None:
    """A handshake in memory, without a socket. ssl.SSLError."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(files.server, files.server_key)
    client_side = ssl.create_default_context(cafile=str(trusted))
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["hub.example.com", "localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_authority_accepts_the_server(files: TlsFiles, name: str) -> None:
    shake_hands(files, files.ca, name)


def test_another_name_is_not_accepted(files: TlsFiles) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(files, files.ca, "elsewhere.example.com")


def test_another_authority_of_the_same_owner_is_not_mistaken_for_ours(
    files: TlsFiles, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_certificates(
        tmp_path / "other", owner="provserver im", host="hub.example.com", clock=START.timestamp
    )
    assert read(other.ca).subject != read(files.ca).subject
    with pytest.raises(ssl.SSLCertVerificationError, match="issuer"):
        shake_hands(files, other.ca, "localhost")


def test_they_hold_from_a_little_before_now_for_their_time(files: TlsFiles) -> None:
    ca, server = read(files.ca), read(files.server)
    assert START - datetime.timedelta(hours=2) < ca.not_valid_before_utc < START
    assert server.not_valid_before_utc < START
    assert ca.not_valid_after_utc - START == datetime.timedelta(days=CA_DAYS)
    life = server.not_valid_after_utc - server.not_valid_before_utc
    assert life == datetime.timedelta(days=SERVER_DAYS)


def test_the_authority_signs_certificates_only_and_the_server_only_serves(files: TlsFiles) -> None:
    ca, server = read(files.ca), read(files.server)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(
        True, 0
    )
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    server.verify_directly_issued_by(ca)


def test_the_keys_are_private(files: TlsFiles) -> None:
    assert stat.S_IMODE(files.ca_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.server_key.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.1.2.3", x509.IPAddress(ipaddress.ip_address("10.1.2.3"))),
        ("bücher.example", x509.DNSName("xn--bcher-kva.example")),
        ("localhost", x509.DNSName("localhost")),
        ("x" * 63 + ".example.com", x509.DNSName("x" * 63 + ".example.com")),
    ],
)
def test_the_host_is_named_as_clients_look_for_it(
    tmp_path: Path, host: str, expected: x509.GeneralName
) -> None:
    made = make_certificates(tmp_path, owner="x" * 300, host=host, clock=START.timestamp)
    names = read(made.server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert expected in list(names)
    assert len(set(names)) == len(list(names))


def test_a_key_is_never_overwritten(files: TlsFiles) -> None:
    before = files.ca_key.read_bytes()
    with pytest.raises(FileExistsError):
        make_certificates(files.directory, owner="x", host="hub", clock=START.timestamp)
    assert files.ca_key.read_bytes() == before
