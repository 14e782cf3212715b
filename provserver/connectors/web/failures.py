"""What an answer means that is no success, and what may be said of it.

What a service says is passed on where it speaks to the person who chose the password, and only when no part
of a secret is in it: a service may repeat what it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from provserver.connectors.contract import (
    AccessDenied,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    NotSupported,
    ObjectMissing,
    ServerDown,
)
from provserver.connectors.web.calling import Answer, Unanswered
from provserver.vault.secret import Secret

HISTORY: Final = re.compile(
    r"in (the |its |your )?history|password history|(already|previously|recently) (been )?used|used "
    r"(\w+ )?(before|previously|recently)|re-?us(e|ed|ing)\b|same as (the |your )?(old|current|previous)",
    re.IGNORECASE,
)
"""By which services say that the account has or had this password."""

_LONGEST: Final = 300
_TELLING: Final = 6
"""So many characters of a secret in a row are too many."""

_BY_STATUS: Final[dict[int, type[ConnectorFailure]]] = {
    401: BadServerCredentials,
    403: AccessDenied,
    404: ObjectMissing,
    407: BadServerCredentials,
    408: Busy,
    410: ObjectMissing,
    425: Busy,
    429: Busy,
    501: NotSupported,
    503: Busy,
}
"""RFC 9110 15, RFC 6585 4; 501 and the others as RFC 7644 3.12 means them."""


def unanswered(error: Unanswered, *, opening: bool = False, sending: bool = False) -> ConnectorFailure:
    """`opening`: a line is just being opened; later on it is lost, and whoever has it looks for another one.
    `sending`: a password was in the request.
    """
    if opening:
        return ServerDown(str(error))
    dropped = DroppedConnection(str(error))
    dropped.outcome_unknown = sending and error.sent
    return dropped


def of_status(answer: Answer, *, sending: bool, detail: str = "") -> ConnectorFailure:
    """By the status alone."""
    code, text = answer.code, f": {detail}" if detail else ""
    if code in _BY_STATUS:
        kind = _BY_STATUS[code]
        if kind is Busy and answer.retry_after.isdigit():
            text += f" (to be asked again in {int(answer.retry_after)} s)"
        return kind(f"HTTP status {code}{text}")
    if code >= 500:
        # Also a gateway's, which has lost track of what is behind it.
        down = ServerDown(f"HTTP status {code}{text}")
        down.outcome_unknown = sending
        return down
    if 300 <= code < 400:
        return ConnectorError(f"HTTP status {code}: redirections are not followed")
    return ConnectorError(f"HTTP status {code}{text}")


def placed(where: str, failure: ConnectorFailure) -> ConnectorFailure:
    """The same, with the place before its text."""
    told = type(failure)(f"{where}: {failure}")
    told.outcome_unknown = failure.outcome_unknown
    return told


def said(text: str, hidden: Sequence[Secret]) -> str:
    """What may be passed on: one short line, or nothing."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    folded = line.casefold()
    return "" if any(_gives_away(secret, folded) for secret in hidden) else line[:_LONGEST]


def _gives_away(secret: Secret, folded: str) -> bool:
    password = " ".join(secret.reveal().decode(errors="replace").split()).casefold()
    size = min(len(password), _TELLING)
    return size > 0 and any(password[at : at + size] in folded for at in range(len(password) - size + 1))
