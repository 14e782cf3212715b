"""What a server says about a password, and what its answer means to an agent. The only place that knows the
result codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from provserver.ldap.results import Result, ResultCode


class Verdict(Enum):
    """How a question or a report ended."""

    ACCEPTED = auto()
    REFUSED = auto()
    """The policy refuses this password."""
    NOT_TAKEN = auto()
    """The server will not, for a reason that is not the password: the account is unknown, not correlated,
    suspended, in the middle of another change."""
    NOBODY = auto()
    """No server was asked."""
    UNCONFIRMED = auto()
    """It was sent, and no answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` is a sentence for a person; `server` who said it, "" where nobody did."""

    verdict: Verdict
    text: str
    server: str = ""


_NOT_NOW: Final = frozenset(
    {
        ResultCode.TIME_LIMIT_EXCEEDED,
        ResultCode.ADMIN_LIMIT_EXCEEDED,
        ResultCode.BUSY,
        ResultCode.UNAVAILABLE,
        ResultCode.OTHER,
        ResultCode.CONFIDENTIALITY_REQUIRED,
        ResultCode.STRONGER_AUTH_REQUIRED,
    }
)


def is_not_now(result: Result) -> bool:
    """Whether the server may answer another time, or another server may."""
    return result.code in _NOT_NOW


def verdict_of(result: Result) -> Verdict:
    """What the answer to a test or a change means."""
    if result.code is ResultCode.SUCCESS:
        return Verdict.ACCEPTED
    if result.code is ResultCode.CONSTRAINT_VIOLATION:
        return Verdict.REFUSED
    return Verdict.NOT_TAKEN


def said(result: Result) -> str:
    """The server's words."""
    return result.diagnostic or f"{result.code.name.lower()} ({int(result.code)})"
