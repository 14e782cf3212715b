"""Alerts as mail: a message to everybody who is to know, over SMTP with verified TLS.

The standard library's client does the work, in a thread of its own for each message: it blocks, and nothing
of ours waits for it.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from provserver.journal.alerts.channel import Undelivered
from provserver.journal.alerts.forms import Alert, as_mail
from provserver.vault.secret import Secret

STARTTLS: Final = "starttls"
TLS: Final = "tls"
NO_TLS: Final = "none"


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. `security`: one of the three above; `user`: empty, if it wants to know of
    nobody; `patience`: seconds for each step."""

    host: str
    port: int
    security: str
    trust: ssl.SSLContext
    user: str
    password: Secret
    patience: float

    def hand_in(self, message: EmailMessage) -> list[str]:
        """Blocks. The recipients that the server refused, if it took the mail for others. Undelivered."""
        try:
            with self._connected() as client:
                if self.security == STARTTLS:
                    client.starttls(context=self.trust)
                if self.user:
                    client.login(self.user, self.password.reveal_text())
                return list(client.send_message(message))
        except Exception as error:
            problem = _told(error)
        raise Undelivered(problem)  # outside of `except`: what the server said does not come along

    def _connected(self) -> smtplib.SMTP:
        name = socket.gethostname()  # not its full name: that may ask the network
        if self.security == TLS:
            return smtplib.SMTP_SSL(
                self.host, self.port, local_hostname=name, timeout=self.patience, context=self.trust
            )
        return smtplib.SMTP(self.host, self.port, local_hostname=name, timeout=self.patience)


class Mail:
    """One mail for all its addresses. `recipient` is what rules call them."""

    def __init__(
        self,
        recipient: str,
        addresses: tuple[str, ...],
        sender: str,
        mail_server: MailServer,
        server: str,
        reactor: Any,
    ) -> None:
        self.recipient = recipient
        self.name = "mail" if len(addresses) != 1 else f"mail to {addresses[0]}"
        self._addresses = addresses
        self._sender = sender
        self._mail_server = mail_server
        self._server = server
        self._reactor = reactor

    async def send(self, alert: Alert) -> None:
        """Undelivered, also when some of several recipients were refused: nobody should believe that they
        know."""
        message = as_mail(alert, self._server, self._sender, self._addresses)
        refused = await self._in_thread(lambda: self._mail_server.hand_in(message))
        if refused:
            raise Undelivered(f"the mail server refuses {', '.join(refused)}, and took it for the others")

    def _in_thread(self, work: Callable[[], list[str]]) -> Deferred[list[str]]:
        """A daemon: a mail server that hangs does not keep the process."""
        done: Deferred[list[str]] = Deferred(lambda _: None)
        tell = self._reactor.callFromThread

        def run() -> None:
            try:
                refused = work()
            except Exception:
                tell(_end, Failure())  # type: ignore[no-untyped-call]  # Twisted's
            else:
                tell(_end, refused)

        def _end(result: list[str] | Failure) -> None:
            if not done.called:
                done.callback(result)

        threading.Thread(target=run, name="provserver-mail", daemon=True).start()
        return done


def _told(error: Exception) -> str:
    """In our words: a server may repeat what it was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the connection was closed'}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the mail server refuses our user and password ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "the mail server offers no STARTTLS, or no way to log in that we know"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        return f"the mail server refuses all recipients ({', '.join(map(str, codes))})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answers {error.smtp_code}"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the connection was closed"
    if isinstance(error, socket.gaierror):
        return "no connection: no such host"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    return f"a fault: {type(error).__name__}"
