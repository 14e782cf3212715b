"""Alerts as mail, to a real SMTP server: verified TLS, a log-in, and what each failure is called."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import receivers
from desk_house import ALERT
from receivers import PASSWORD, REACTOR, USER

from provserver.journal.alerts.channel import Undelivered
from provserver.journal.alerts.mail import NO_TLS, STARTTLS, TLS, Mail, MailServer
from provserver.testing.certificates import Certificates, make_certificates
from provserver.vault.secret import Secret

MailServers = Callable[..., receivers.MailServer]
ADDRESSES = ("ann@example.com", "bob@example.com")


async def send(
    port: int,
    security: str = NO_TLS,
    authority: Path | None = None,
    password: str = "",
    host: str = "localhost",
    patience: float = 10.0,
) -> str:
    """What is wrong, with all that the exception drags along; empty if it was sent."""
    trust = ssl.create_default_context(cafile=authority)
    user = USER if password else ""
    there = MailServer(host, port, security, trust, user, Secret.of_text(password), patience)
    mail = Mail("mail", ADDRESSES, "provserver@example.com", there, "im on host", REACTOR)
    try:
        await mail.send(ALERT)
    except Undelivered as undelivered:
        context = f"{undelivered.__context__!r}" if undelivered.__context__ else ""
        return f"{undelivered}{context}"
    return ""


@pytest_twisted.ensureDeferred
async def test_one_mail_goes_to_everybody(mail_server: MailServers) -> None:
    there = mail_server()
    assert await send(there.port) == ""
    mail = there.mails[0]
    assert there.envelopes == list(ADDRESSES)
    assert mail["Subject"] == "[provserver im on host] error: held at eTADSDirectoryName=AD-Corp"
    assert "A delivery is held." in mail.get_content()


@pytest_twisted.ensureDeferred
async def test_with_starttls_nothing_is_said_in_the_clear(
    mail_server: MailServers, certificates: Certificates
) -> None:
    there = mail_server(certificates, log_in=True)
    assert await send(there.port, STARTTLS, certificates.authority, PASSWORD) == ""
    assert there.were_secure == [True, True]
    assert [line.split()[0] for line in there.lines] == [b"ehlo", b"STARTTLS"]


@pytest_twisted.ensureDeferred
async def test_with_tls_from_the_beginning(mail_server: MailServers, certificates: Certificates) -> None:
    there = mail_server(certificates, implicit=True, log_in=True)
    assert await send(there.port, TLS, certificates.authority, PASSWORD) == ""
    assert there.were_secure == [True, True]


@pytest.mark.parametrize("security", [STARTTLS, TLS])
@pytest_twisted.ensureDeferred
async def test_a_certificate_that_is_not_right_ends_it(
    mail_server: MailServers, tmp_path: Path, certificates: Certificates, security: str
) -> None:
    folder = tmp_path / "stranger"
    folder.mkdir()
    stranger = make_certificates(folder, ["elsewhere.example.com"])
    there: Any = mail_server(stranger, implicit=security == TLS)
    assert "TLS failed: " in await send(there.port, security, certificates.authority)
    assert "Hostname mismatch" in await send(there.port, security, stranger.authority)
    assert there.mails == []


@pytest_twisted.ensureDeferred
async def test_a_server_without_starttls_gets_no_mail(
    mail_server: MailServers, certificates: Certificates
) -> None:
    there = mail_server()
    assert "offers no STARTTLS" in await send(there.port, STARTTLS, certificates.authority)
    assert there.envelopes == []


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_said_without_it(
    mail_server: MailServers, certificates: Certificates
) -> None:
    there = mail_server(certificates, log_in=True)
    problem = await send(there.port, STARTTLS, certificates.authority, "Wrong-Postman-11")
    assert problem == "the mail server refuses our user and password (535)"


@pytest_twisted.ensureDeferred
async def test_recipients_that_are_refused_are_named(mail_server: MailServers) -> None:
    there = mail_server()
    there.refused = {"bob@example.com"}
    assert await send(there.port) == "the mail server refuses bob@example.com, and took it for the others"
    there.refused = set(ADDRESSES)
    assert await send(there.port) == "the mail server refuses all recipients (550)"


@pytest_twisted.ensureDeferred
async def test_nobody_there_is_said_so(mail_server: MailServers) -> None:
    there = mail_server()
    port = there.port
    await there.stop()
    assert await send(port, host="127.0.0.1") == "no connection: Connection refused"


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nothing_is_given_up() -> None:
    from twisted.internet.protocol import Factory, Protocol

    factory = Factory.forProtocol(Protocol)
    factory.noisy = False
    port = REACTOR.listenTCP(0, factory, interface="127.0.0.1")
    try:
        assert await send(port.getHost().port, host="127.0.0.1", patience=0.1) == "no answer in time"
    finally:
        await port.stopListening()
        await receivers.breath()
