"""Puts the ways of telling together, as the settings say; each is looked at before the server starts."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from provserver.https.lines import Lines
from provserver.https.signing import SharedSecret, SharedSecretError
from provserver.journal.alerts.channel import Channel
from provserver.journal.alerts.mail import NO_TLS, Mail, MailServer
from provserver.journal.alerts.rules import MAIL, WEBHOOK, RuleError, Rules, is_address, read_rules
from provserver.journal.alerts.webhook import Webhook
from provserver.journal.declared import Declarations
from provserver.vault.private import read_private
from provserver.vault.secret import Secret

_KEPT_OPEN = 5.0
"""Seconds that a connection to a receiver waits for the next alert."""


class AlertSettings(Protocol):
    """The section `alerts` of the settings."""

    @property
    def rules(self) -> tuple[str, ...]: ...
    @property
    def webhooks(self) -> tuple[str, ...]: ...
    @property
    def secret_file(self) -> str: ...
    @property
    def authority(self) -> str: ...
    @property
    def mail_server(self) -> str: ...
    @property
    def mail_port(self) -> int: ...
    @property
    def mail_security(self) -> str: ...
    @property
    def mail_user(self) -> str: ...
    @property
    def mail_password_file(self) -> str: ...
    @property
    def mail_from(self) -> str: ...
    @property
    def mail_to(self) -> tuple[str, ...]: ...
    @property
    def attempt_time(self) -> float: ...
    @property
    def cool_off(self) -> float: ...
    @property
    def unreachable_after(self) -> float: ...
    @property
    def outbox_percent(self) -> int: ...
    @property
    def disk_free(self) -> int: ...


class AlertsUnusable(ValueError):
    """A setting of the section that cannot be used: its key, and what was expected."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Ways:
    """Who is told of what, and by which ways."""

    rules: Rules
    channels: tuple[Channel, ...]


def open_ways(
    settings: AlertSettings,
    declared: Declarations,
    directory: Path,
    server: str,
    *,
    reactor: Any,
    clock: IReactorTime,
    wall: Callable[[], float],
    random: Callable[[int], bytes],
) -> Ways:
    """Files are relative to the directory. `server` names who tells. AlertsUnusable."""
    try:
        rules = read_rules(settings.rules, declared)
    except RuleError as error:
        raise AlertsUnusable("rules", str(error)) from None
    authority = str(directory / settings.authority) if settings.authority else None
    channels: list[Channel] = []
    if settings.webhooks:
        secret = _shared_secret(settings, directory)
        try:
            lines = Lines(
                settings.webhooks, authority, kept=1, idle_time=_KEPT_OPEN, reactor=reactor, clock=clock
            )
        except ValueError as error:
            raise AlertsUnusable("authority", str(error)) from None
        channels += [
            Webhook(
                url,
                number,
                lines,
                secret,
                server,
                patience=settings.attempt_time,
                clock=clock,
                wall=wall,
                random=random,
            )
            for number, url in enumerate(settings.webhooks, 1)
        ]
    listed = {MAIL: settings.mail_to} if settings.mail_to else {}
    listed |= {named: (named,) for named in rules.of if named not in (WEBHOOK, MAIL)}
    if listed and settings.mail_server:
        mail_server = _mail_server(settings, directory, authority)
        if not is_address(settings.mail_from):
            raise AlertsUnusable("mail_from", "expected an address, since mail is to be sent")
        for address in settings.mail_to:
            if not is_address(address):
                raise AlertsUnusable("mail_to", "expected a list of mail addresses")
        channels += [
            Mail(recipient, addresses, settings.mail_from, mail_server, server, reactor)
            for recipient, addresses in listed.items()
        ]
    elif listed:
        raise AlertsUnusable("mail_server", "expected a host, since mail is to be sent")
    return Ways(rules, tuple(channels))


def _shared_secret(settings: AlertSettings, directory: Path) -> SharedSecret:
    if not settings.secret_file:
        raise AlertsUnusable("secret_file", "expected a file, since there are webhooks to sign for")
    try:
        return SharedSecret.load(directory / settings.secret_file)
    except SharedSecretError as error:
        raise AlertsUnusable("secret_file", str(error)) from None


def _mail_server(settings: AlertSettings, directory: Path, authority: str | None) -> MailServer:
    if settings.mail_security == NO_TLS and not _is_this_machine(settings.mail_server):
        raise AlertsUnusable("mail_security", "expected starttls or tls, since the mail server is elsewhere")
    try:
        trust = ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError):
        raise AlertsUnusable("authority", f"{authority} holds no certificates in PEM form") from None
    password = Secret(b"")
    if settings.mail_user:
        path = directory / settings.mail_password_file
        content, problem = b"", "expected a file, since there is a mail_user"
        if settings.mail_password_file:
            content, problem = read_private(path, "password", "its first line is the password of mail_user")
            problem = f"{path}: {problem}" if problem else ""
        if problem:
            raise AlertsUnusable("mail_password_file", problem)
        password = Secret(content.partition(b"\n")[0].rstrip(b"\r"))
    return MailServer(
        settings.mail_server,
        settings.mail_port,
        settings.mail_security,
        trust,
        settings.mail_user,
        password,
        settings.attempt_time,
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
