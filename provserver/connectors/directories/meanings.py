"""What a directory's words mean: each refusal becomes one of the contract's failures.

Source of the texts: OpenLDAP's, 389-ds's, FreeIPA's and Samba's sources, and what administrators report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

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
from provserver.ldap.client import LineError, LineLost
from provserver.ldap.controls.password_policy import PolicyError
from provserver.ldap.results import Refusal, ResultCode


class Words(NamedTuple):
    """A result code with these words in its diagnostic (a regular expression, in any case) means this."""

    code: ResultCode
    pattern: str
    kind: type[ConnectorFailure]


_BY_CODE: Final[Mapping[ResultCode, type[ConnectorFailure]]] = {
    ResultCode.OPERATIONS_ERROR: ConnectorError,
    ResultCode.PROTOCOL_ERROR: NotSupported,  # an extended operation that the server does not know (OpenLDAP)
    ResultCode.TIME_LIMIT_EXCEEDED: Busy,
    ResultCode.ADMIN_LIMIT_EXCEEDED: Busy,
    ResultCode.AUTH_METHOD_NOT_SUPPORTED: NotSupported,
    ResultCode.STRONGER_AUTH_REQUIRED: AccessDenied,
    ResultCode.UNAVAILABLE_CRITICAL_EXTENSION: NotSupported,
    ResultCode.CONFIDENTIALITY_REQUIRED: AccessDenied,
    ResultCode.CONSTRAINT_VIOLATION: PasswordPolicyViolation,
    ResultCode.INVALID_ATTRIBUTE_SYNTAX: PasswordIllFormed,
    ResultCode.NO_SUCH_OBJECT: ObjectMissing,
    ResultCode.INAPPROPRIATE_AUTHENTICATION: BadServerCredentials,
    ResultCode.INVALID_CREDENTIALS: BadServerCredentials,
    ResultCode.INSUFFICIENT_ACCESS_RIGHTS: AccessDenied,
    ResultCode.BUSY: Busy,
    ResultCode.UNAVAILABLE: ServerDown,
    ResultCode.UNWILLING_TO_PERFORM: ConnectorError,
}

_COMMON: Final = (
    # AD: a bind must be completed on this connection. It lost its bind: connect again.
    Words(ResultCode.OPERATIONS_ERROR, "000004DC", DroppedConnection),
    # OpenLDAP ppolicy; 389-ds.
    Words(ResultCode.CONSTRAINT_VIOLATION, "in history|not being changed from existing", PasswordInHistory),
    # AD: reset (replace) refused by policy; Samba says it in words.
    Words(
        ResultCode.UNWILLING_TO_PERFORM,
        "0000052D|too short|complexity|quality|polic(y|ies)",
        PasswordPolicyViolation,
    ),
    Words(ResultCode.UNWILLING_TO_PERFORM, "not allowed to", AccessDenied),
    # AD: not encrypted, or badly encoded.
    Words(ResultCode.UNWILLING_TO_PERFORM, "0000001F", PasswordIllFormed),
)

_BY_POLICY_ERROR: Final[Mapping[int, type[ConnectorFailure]]] = {
    PolicyError.PASSWORD_MOD_NOT_ALLOWED: AccessDenied,
    PolicyError.INSUFFICIENT_PASSWORD_QUALITY: PasswordPolicyViolation,
    PolicyError.PASSWORD_TOO_SHORT: PasswordPolicyViolation,
    PolicyError.PASSWORD_TOO_YOUNG: PasswordPolicyViolation,
    PolicyError.PASSWORD_TOO_LONG: PasswordPolicyViolation,
    PolicyError.PASSWORD_IN_HISTORY: PasswordInHistory,
}
"""Of the password policy control, where a server was asked with it."""

_OLD_WRONG: Final = "00000056|0000056A|old password|unable to verify|current password"


class Meanings:
    """The table of one family. `words` come before those that all have in common."""

    def __init__(self, words: Sequence[Words] = (), *, old_wrong: str = _OLD_WRONG) -> None:
        self._words = [
            (one.code, re.compile(one.pattern, re.IGNORECASE), one.kind) for one in (*words, *_COMMON)
        ]
        self._old_wrong = re.compile(old_wrong, re.IGNORECASE)

    def of_set(self, refusal: Refusal, dn: str) -> ConnectorFailure:
        """Why a password was not set, or an entry not found."""
        text = f"{dn}: {' '.join(str(refusal).split())}"
        if refusal.code is ResultCode.REFERRAL:
            where = ", ".join(refusal.result.referrals) or "nowhere"
            # RFC 4511 4.1.10 lets a client follow. What the answer names is not what was configured: neither
            # our login nor somebody's password goes there.
            return ConnectorError(
                f"{text}: the server does not do this itself and points to {where}, which is never followed; "
                "give a server that takes writes as url"
            )
        policy_error = refusal.policy_error
        if policy_error is not None and policy_error in _BY_POLICY_ERROR:
            said = PolicyError(policy_error).name.lower().replace("_", " ")
            return _BY_POLICY_ERROR[policy_error](f"{text} ({said})")
        diagnostic = refusal.result.diagnostic
        for code, pattern, kind in self._words:
            if refusal.code is code and pattern.search(diagnostic):
                return kind(text)
        return _BY_CODE.get(refusal.code, ConnectorError)(text)

    def of_change(self, refusal: Refusal, dn: str) -> ConnectorFailure:
        """As for setting, and: OpenLDAP answers a wrong old password with 53, AD with 19, others with 49."""
        wrong = refusal.code is ResultCode.INVALID_CREDENTIALS or (
            refusal.code in (ResultCode.UNWILLING_TO_PERFORM, ResultCode.CONSTRAINT_VIOLATION)
            and self._old_wrong.search(refusal.result.diagnostic)
        )
        return OldPasswordIncorrect(f"{dn}: {refusal}") if wrong else self.of_set(refusal, dn)

    def of_bind(self, refusal: Refusal, bind_dn: str) -> ConnectorFailure:
        """Why we were not let in."""
        text = f"{bind_dn} cannot bind: {refusal}"
        if refusal.code in (ResultCode.BUSY, ResultCode.UNAVAILABLE):
            return _BY_CODE[refusal.code](text)
        if refusal.code in (ResultCode.CONFIDENTIALITY_REQUIRED, ResultCode.STRONGER_AUTH_REQUIRED):
            return AccessDenied(text)
        # Locked, expired, wrong, unknown: whatever the words, a person must look at our credentials there.
        return BadServerCredentials(text)


def lost(error: LineError) -> DroppedConnection:
    """A line that broke in the middle; its outcome is unknown when something was on the way."""
    failure = DroppedConnection(str(error))
    failure.outcome_unknown = isinstance(error, LineLost)
    return failure
