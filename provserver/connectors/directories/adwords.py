"""What Active Directory's words mean, and what a person should do about them.

Its diagnostics begin with a Windows error code of eight hexadecimal digits, which says more than LDAP's
result; those of binds have it further on, as "data". Samba answers with the same codes. Sources: MS-ERREF,
MS-ADTS 3.1.1.3.1.5.1, Samba's `password_hash.c` and its tests, which run against Windows too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from provserver.connectors.contract import (
    AccessDenied,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordPolicyViolation,
)
from provserver.connectors.directories.meanings import Meanings
from provserver.ldap.results import Refusal, ResultCode


class Meaning(NamedTuple):
    """What a code says of a password, and what to do where the words of the server do not tell."""

    kind: type[ConnectorFailure]
    advice: str = ""


_ACCESS_DENIED: Final = 0x05
_OF_SET: Final[Mapping[int, Meaning]] = {
    _ACCESS_DENIED: Meaning(
        AccessDenied,
        'our login needs the right "Reset password" on this account, and to write lockoutTime and pwdLastSet '
        "for resets that unlock or must be changed",
    ),
    0x1F: Meaning(
        PasswordIllFormed,
        "the server takes the value for badly encoded, or the line for not protected enough",
    ),
    0x4DC: Meaning(DroppedConnection, "the server forgot who we are"),
    # Windows has result 53 for a reset and 19 for a change, Samba 19 for both.
    0x52D: Meaning(PasswordPolicyViolation),
    0x56: Meaning(OldPasswordIncorrect),
    0x56A: Meaning(OldPasswordIncorrect),
    0x775: Meaning(ConnectorError, "the account is locked out, and takes no change until it is unlocked"),
}

_OF_BIND: Final[Mapping[int, str]] = {
    0x525: "there is no such user: look at bind_dn",
    0x52E: "the name or the password is wrong: look at bind_dn, and write bind_password anew",
    0x530: "it may not log in at this hour: lift its logon hours",
    0x531: "it may not log in from this machine: lift its list of workstations",
    0x532: "its password has expired: give it a new one that never expires, and write bind_password anew",
    0x533: "the account is disabled: enable it",
    0x701: "the account has expired: take its end away",
    0x773: "it must change its password first: give it one without that wish, and write bind_password anew",
    0x775: "the account is locked out: unlock it, and find out who tries wrong passwords",
}

_CODE: Final = re.compile(r"\s*([0-9A-F]{8})\b", re.IGNORECASE)
_BIND_CODE: Final = re.compile(r"AcceptSecurityContext error, data ([0-9a-f]+)\b", re.IGNORECASE)
# Windows does not tell a history from other rules; Samba does, in words.
_HISTORY: Final = re.compile("already used|history", re.IGNORECASE)


def sub_code(diagnostic: str) -> int | None:
    """The Windows error code that a diagnostic begins with."""
    found = _CODE.match(diagnostic)
    return int(found[1], 16) if found else None


def bind_code(diagnostic: str) -> int | None:
    """The Windows error code in the diagnostic of a refused bind."""
    found = _BIND_CODE.search(diagnostic)
    return int(found[1], 16) if found else None


class ActiveDirectoryMeanings(Meanings):
    """Codes first; what has none is told by its result, as elsewhere."""

    def of_set(self, refusal: Refusal, dn: str) -> ConnectorFailure:
        return _told(refusal, dn) or super().of_set(refusal, dn)

    def of_change(self, refusal: Refusal, dn: str) -> ConnectorFailure:
        return _told(refusal, dn) or super().of_change(refusal, dn)

    def of_bind(self, refusal: Refusal, bind_dn: str) -> ConnectorFailure:
        failure = super().of_bind(refusal, bind_dn)
        advice = _OF_BIND.get(bind_code(refusal.result.diagnostic) or 0)
        return type(failure)(f"{failure}; {advice}") if advice else failure


def _told(refusal: Refusal, dn: str) -> ConnectorFailure | None:
    diagnostic = refusal.result.diagnostic
    code = sub_code(diagnostic)
    if code is None and refusal.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS:
        code = _ACCESS_DENIED  # Samba says it without a code
    meaning = _OF_SET.get(code) if code is not None else None
    if meaning is None:
        return None
    kind = meaning.kind
    if kind is PasswordPolicyViolation and _HISTORY.search(diagnostic):
        kind = PasswordInHistory
    return kind("; ".join(filter(None, (f"{dn}: {refusal}", meaning.advice))))
