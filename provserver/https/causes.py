"""Why a place gave no answer that counts, in our words. Nothing that came from there is in them: a broken or
hostile service may send back what it was sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from OpenSSL.SSL import Error as TlsError
from service_identity import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed, DNSLookupError
from twisted.web._newclient import RequestNotSent  # in no public module
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)


class NoAnswer(Exception):
    """Why there is none; half a sentence."""


class ClosedBefore(NoAnswer):
    """The connection was closed before a byte of the answer came."""


def told(error: Exception) -> Exception:
    """The NoAnswer for an error of Twisted's; or CancelledError, when it was called off."""
    reasons = list(_reasons(error))
    for reason in reasons:
        if isinstance(reason, CancelledError | ConnectingCancelledError):
            return CancelledError()
        if isinstance(reason, TlsError):
            return NoAnswer(f"TLS failed: {_of_tls(reason)}")
        if isinstance(reason, VerificationError):
            return NoAnswer("TLS failed: the certificate is not for this host")
        if isinstance(reason, ConnectError):
            return NoAnswer(f"no connection: {reason}".rstrip("."))
        if isinstance(reason, DNSLookupError):
            return NoAnswer("no connection: no such host")
    if isinstance(error, ResponseNeverReceived | RequestTransmissionFailed | RequestNotSent):
        return ClosedBefore("the connection was closed before an answer came")
    if any(isinstance(reason, ConnectionClosed) for reason in reasons):
        return NoAnswer("the connection was closed within the answer")
    kinds = ", ".join([type(reason).__name__ for reason in reasons])
    return NoAnswer(f"no HTTP answer ({kinds})")


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """The errors that one of Twisted's HTTP errors is made of; another error is its own reason."""
    if isinstance(error, ResponseFailed | RequestGenerationFailed | RequestTransmissionFailed):
        for failure in error.reasons:
            yield from _reasons(failure.value)
    else:
        yield error


def _of_tls(error: TlsError) -> str:
    """OpenSSL's reasons, which are texts of its own."""
    parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join([part[-1] for part in parts if part[-1]]) or "the connection was closed"
