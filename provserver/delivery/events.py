"""How an attempt to deliver a password can end: the closed set, with event ids, in one table.

6919 to 6928 are MIIS's ids with MIIS's meaning (seed 003; its full list is not public, nothing is made up
in that range). 7000 to 7099 are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
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
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordPolicyViolation,
    ServerDown,
)
from provserver.journal.declared import Severity
from provserver.ldap.results import ResultCode
from provserver.storage.contract import LOST_TRACK


class ConnectorBroken(ConnectorFailure):
    """A connector raised what no connector may raise. Tried again like a passing failure, and in the end
    held."""

    transient = True


class Outcome(IntEnum):
    """How an attempt ended; the value is the event id."""

    UPDATED = 7000
    UNVERIFIED = 7001
    OUT_OF_DATE = 6919
    NOT_ENABLED = 6921
    NOT_CONFIGURED = 6922
    OBJECT_MISSING = 6923
    POLICY_VIOLATION = 6927
    NOT_SUPPORTED = 6928
    ACCESS_DENIED = 7010
    BAD_CREDENTIALS = 7011
    LINE_LOST = 7012
    OUTCOME_UNKNOWN = LOST_TRACK
    SERVER_DOWN = 7014
    BUSY = 7015
    OLD_PASSWORD_INCORRECT = 7016
    ILL_FORMED = 7017
    CONNECTOR_ERROR = 7018
    NOT_SECURE = 7020
    SEAL_BROKEN = 7021
    CONNECTOR_BROKEN = 7022
    NEEDS_CLEAR_TEXT = 7023
    RELEASED = 7030
    DROPPED = 7031
    KEPT_TOO_LONG = 7032
    RESTORED = 7033
    PAUSED = 7034


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an outcome means: `text` is a sentence, `line_is_good` whether the connection may be used again,
    `code` what the transaction log calls it, in LDAP's terms (ours: IMPS has its connector server's code)."""

    severity: Severity
    text: str
    line_is_good: bool = True
    code: ResultCode = ResultCode.OTHER


_INFO, _WARNING, _ERROR = Severity.INFORMATION, Severity.WARNING, Severity.ERROR

MEANINGS: Final[Mapping[Outcome, Meaning]] = {
    Outcome.UPDATED: Meaning(_INFO, "The password was set.", code=ResultCode.SUCCESS),
    Outcome.UNVERIFIED: Meaning(
        _WARNING,
        "The password was sent twice, and refused the second time because it is there: updated, unverified.",
        code=ResultCode.SUCCESS,
    ),
    Outcome.OUT_OF_DATE: Meaning(
        _INFO,
        "The password was not sent because a newer one has been accepted since.",
        code=ResultCode.CANCELED,
    ),
    Outcome.NOT_ENABLED: Meaning(
        _ERROR, "Propagation is disabled on the endpoint.", code=ResultCode.UNWILLING_TO_PERFORM
    ),
    Outcome.NOT_CONFIGURED: Meaning(
        _ERROR, "The endpoint has no usable connector.", code=ResultCode.UNAVAILABLE
    ),
    Outcome.OBJECT_MISSING: Meaning(
        _WARNING, "The account could not be found.", code=ResultCode.NO_SUCH_OBJECT
    ),
    Outcome.POLICY_VIOLATION: Meaning(
        _ERROR, "The endpoint's password policy refuses the password.", code=ResultCode.CONSTRAINT_VIOLATION
    ),
    Outcome.NOT_SUPPORTED: Meaning(
        _ERROR, "The endpoint cannot set passwords.", code=ResultCode.UNWILLING_TO_PERFORM
    ),
    Outcome.ACCESS_DENIED: Meaning(
        _ERROR, "The server has no right to set this password.", code=ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    ),
    Outcome.BAD_CREDENTIALS: Meaning(
        _ERROR,
        "The endpoint refuses the server's credentials.",
        line_is_good=False,
        code=ResultCode.INVALID_CREDENTIALS,
    ),
    Outcome.LINE_LOST: Meaning(
        _WARNING,
        "The line was lost before the password was sent.",
        line_is_good=False,
        code=ResultCode.UNAVAILABLE,
    ),
    Outcome.OUTCOME_UNKNOWN: Meaning(
        _WARNING, "The line was lost, and the password may have been set.", line_is_good=False
    ),
    Outcome.SERVER_DOWN: Meaning(
        _WARNING, "The endpoint cannot be reached.", line_is_good=False, code=ResultCode.UNAVAILABLE
    ),
    Outcome.BUSY: Meaning(_WARNING, "The endpoint is busy.", code=ResultCode.BUSY),
    Outcome.OLD_PASSWORD_INCORRECT: Meaning(
        _ERROR, "The old password is not the account's.", code=ResultCode.CONSTRAINT_VIOLATION
    ),
    Outcome.ILL_FORMED: Meaning(
        _ERROR, "The endpoint cannot take this password.", code=ResultCode.CONSTRAINT_VIOLATION
    ),
    Outcome.CONNECTOR_ERROR: Meaning(
        _ERROR, "The endpoint refuses, and repeating will not help.", code=ResultCode.UNWILLING_TO_PERFORM
    ),
    Outcome.NOT_SECURE: Meaning(
        _ERROR,
        "The endpoint requires a secure connection and the connector has none: nothing was sent.",
        code=ResultCode.CONFIDENTIALITY_REQUIRED,
    ),
    Outcome.SEAL_BROKEN: Meaning(_ERROR, "The sealed password cannot be opened: nothing was sent."),
    Outcome.CONNECTOR_BROKEN: Meaning(_ERROR, "The connector has a fault.", line_is_good=False),
    Outcome.NEEDS_CLEAR_TEXT: Meaning(
        _ERROR,
        "Not deliverable: needs clear text. The password came encoded, and the endpoint does not take that.",
        code=ResultCode.UNWILLING_TO_PERFORM,
    ),
    Outcome.RELEASED: Meaning(
        _INFO, "The server stopped before the password was sent.", code=ResultCode.CANCELED
    ),
    Outcome.DROPPED: Meaning(
        _WARNING, "An administrator dropped the delivery: nothing more is sent.", code=ResultCode.CANCELED
    ),
    Outcome.KEPT_TOO_LONG: Meaning(
        _ERROR,
        "The delivery was held for too long: its password was destroyed.",
        code=ResultCode.TIME_LIMIT_EXCEEDED,
    ),
    Outcome.RESTORED: Meaning(
        _WARNING,
        "The store was restored from a backup: held, since the account may have a newer password.",
        code=ResultCode.CANCELED,
    ),
    Outcome.PAUSED: Meaning(
        _INFO, "Deliveries to the endpoint are paused: nothing was sent.", code=ResultCode.CANCELED
    ),
}


class EndpointEvent(IntEnum):
    """What becomes of a whole endpoint; the value is the event id."""

    UNREACHABLE = 7040
    BACK = 7041


ENDPOINT_MEANINGS: Final[Mapping[EndpointEvent, Meaning]] = {
    EndpointEvent.UNREACHABLE: Meaning(_ERROR, "The endpoint cannot be reached, or fails: deliveries wait."),
    EndpointEvent.BACK: Meaning(_INFO, "The endpoint is back: deliveries go on."),
}

_BY_FAILURE: Final[Mapping[type[ConnectorFailure], Outcome]] = {
    AccessDenied: Outcome.ACCESS_DENIED,
    BadServerCredentials: Outcome.BAD_CREDENTIALS,
    DroppedConnection: Outcome.LINE_LOST,
    ServerDown: Outcome.SERVER_DOWN,
    Busy: Outcome.BUSY,
    ObjectMissing: Outcome.OBJECT_MISSING,
    OldPasswordIncorrect: Outcome.OLD_PASSWORD_INCORRECT,
    PasswordIllFormed: Outcome.ILL_FORMED,
    PasswordPolicyViolation: Outcome.POLICY_VIOLATION,
    PasswordInHistory: Outcome.POLICY_VIOLATION,
    NotSupported: Outcome.NOT_SUPPORTED,
    ConnectorError: Outcome.CONNECTOR_ERROR,
    ConnectorBroken: Outcome.CONNECTOR_BROKEN,
}


def outcome_of(failure: ConnectorFailure) -> Outcome:
    """The outcome that a connector's failure is; a class of a third party counts as the one it is derived
    from."""
    if failure.outcome_unknown:
        return Outcome.OUTCOME_UNKNOWN
    for kind in type(failure).__mro__:
        outcome = _BY_FAILURE.get(kind)
        if outcome is not None:
            return outcome
    return Outcome.CONNECTOR_ERROR


def sentence(outcome: Outcome, detail: str = "") -> str:
    """What is written down: the meaning, and what the endpoint said (never a secret)."""
    text = MEANINGS[outcome].text
    return f"{text} {detail}" if detail else text
