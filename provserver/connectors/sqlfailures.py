"""What a database's errors mean, and what may be said of them.

A driver's text quotes what was bound, or the whole row: it is passed on only where the database speaks to the
person who chose the password (its policy), and only when no password is in it. All else is told by its code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from provserver.connectors.contract import (
    AccessDenied,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    ObjectMissing,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordPolicyViolation,
    ServerDown,
    SettingsError,
)
from provserver.connectors.registry import Settings

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

SETTING_NAMES: Final[Mapping[str, str]] = {
    "policy_codes": "SQLSTATEs or error numbers, with commas between them, by which the database's own "
    "policy refuses a password; checks and raised errors when not given",
    "history_codes": "those by which it says that a password was used before; none when not given",
    "missing_codes": "those by which it says that there is no such account; none when not given",
}

_LONGEST: Final = 200

_CHECKS: Final = frozenset(
    (
        "23514",  # PostgreSQL check_violation
        "P0001",  # PostgreSQL RAISE
        "4025",  # MariaDB CONSTRAINT … failed
        "3819",  # MySQL CHECK
        "1644",  # MariaDB, MySQL SIGNAL
        "45000",
        "SQLITE_CONSTRAINT_CHECK",
        "SQLITE_CONSTRAINT_TRIGGER",  # RAISE(ABORT, …)
        "547",  # SQL Server CHECK
        "50000",  # SQL Server RAISERROR, THROW
        "2290",  # Oracle check constraint
        *(str(number) for number in range(20_000, 21_000)),  # Oracle raise_application_error
        "23513",  # DB2 check
    )
)

_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,40}")


class Meanings:
    """The codes of one endpoint's database."""

    def __init__(self, given: Settings, *, hashed: bool) -> None:
        self._policy = _codes(given, "policy_codes") or _CHECKS
        self._history = _codes(given, "history_codes")
        self._missing = _codes(given, "missing_codes")
        self._too_long = ConnectorError if hashed else PasswordIllFormed

    def of_connecting(self, error: DBAPIError) -> ConnectorFailure:
        """While no password of a user was sent."""
        found = _codes_of(error)
        said = _said(error)
        kind = _by_code(_CONNECTING, found)
        if kind is None:
            kind = next((kind for words, kind in _WORDS if words.search(said)), ServerDown)
        return kind(f"cannot connect{_shown(found)}: {said}")

    def of_setting(self, error: DBAPIError, hidden: Iterable[str]) -> ConnectorFailure:
        """While a password was being set. `hidden`: what must not be in the text."""
        if error.connection_invalidated:
            dropped = DroppedConnection("the connection was lost in the middle of a password")
            # Not even "before the commit" says that nothing happened: a table may know no transactions.
            dropped.outcome_unknown = True
            return dropped
        found = _codes_of(error)
        for codes, kind in (
            (self._missing, ObjectMissing),
            (self._history, PasswordInHistory),
            (self._policy, PasswordPolicyViolation),
        ):
            if found & codes:
                return kind(f"the database refuses it{_shown(found)}{_reason(error, hidden)}")
        if found & _TOO_LONG:
            what = "what is stored" if self._too_long is ConnectorError else "the password"
            return self._too_long(f"{what} does not fit its column{_shown(found)}")
        known = _by_code(_SETTING, found)
        return (known or ConnectorError)(f"the database reports an error{_shown(found)}")


def _codes(given: Settings, key: str) -> frozenset[str]:
    parts = [part.strip().upper() for part in given.text(key, "").split(",") if part.strip()]
    for part in parts:
        if _CODE.fullmatch(part) is None:
            raise SettingsError(key, f"expected codes with commas between them, got {part!r}")
    return frozenset(parts)


def _codes_of(error: DBAPIError) -> frozenset[str]:
    """SQLSTATE, error number and symbol, as far as the driver has them."""
    original = error.orig
    found = [getattr(original, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorname")]
    first = original.args[0] if original is not None and original.args else None
    if isinstance(first, int) or (isinstance(first, str) and re.fullmatch(r"[0-9A-Z]{5}", first)):
        found.append(first)
    found.append(getattr(first, "code", None))  # Oracle
    return frozenset(str(code).upper() for code in found if isinstance(code, int | str) and code != "")


def _shown(codes: frozenset[str]) -> str:
    return f" ({', '.join(sorted(codes))})" if codes else ""


def _said(error: DBAPIError) -> str:
    """What the database said, in one line."""
    original = error.orig
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    arguments = original.args if original is not None else ()
    text = primary or (arguments[-1] if arguments else "")
    return " ".join(str(text).split())[:_LONGEST]


def _reason(error: DBAPIError, hidden: Iterable[str]) -> str:
    said = _said(error)
    folded = said.casefold()
    if not said or any(text and text.casefold() in folded for text in hidden):
        return ""
    return f": {said}"


def _by_code(
    table: Mapping[str, type[ConnectorFailure]], found: frozenset[str]
) -> type[ConnectorFailure] | None:
    for code in sorted(found):
        for known in (code, code[:2] if len(code) == 5 else code):
            if known in table:
                return table[known]
    return None


_CONNECTING: Final[Mapping[str, type[ConnectorFailure]]] = {
    "28": BadServerCredentials,
    "3D": ConnectorError,
    "53": Busy,
    "42501": AccessDenied,
    "1045": BadServerCredentials,
    "1698": BadServerCredentials,
    "1044": AccessDenied,
    "1049": ConnectorError,
    "1040": Busy,
    "1203": Busy,
    "1129": AccessDenied,
    "1130": AccessDenied,
    "1017": BadServerCredentials,  # Oracle
    "18456": BadServerCredentials,  # SQL Server
    "SQLITE_NOTADB": ConnectorError,
    "SQLITE_AUTH": AccessDenied,
    "SQLITE_PERM": AccessDenied,
}
"""By SQLSTATE, its class (its first two characters), or the number."""

_WORDS: Final[tuple[tuple[re.Pattern[str], type[ConnectorFailure]], ...]] = (
    # libpq has no code for what happens before the session.
    (
        re.compile(r"authentication failed|no password supplied|role .* (does not exist|is not permitted)"),
        BadServerCredentials,
    ),
    (re.compile("no pg_hba.conf entry|permission denied for database"), AccessDenied),
    (re.compile("database .* does not exist|root certificate file|sslrootcert"), ConnectorError),
    (re.compile("too many (clients|connections)|remaining connection slots"), Busy),
)

_TOO_LONG: Final = frozenset(("22001", "22021", "1406", "1366", "12899", "2628", "8152"))

_SETTING: Final[Mapping[str, type[ConnectorFailure]]] = {
    "28": BadServerCredentials,
    "42501": AccessDenied,
    "1044": AccessDenied,
    "1142": AccessDenied,
    "1143": AccessDenied,
    "1227": AccessDenied,
    "1370": AccessDenied,
    "229": AccessDenied,  # SQL Server
    "1031": AccessDenied,  # Oracle
    "SQLITE_READONLY": AccessDenied,
    "SQLITE_PERM": AccessDenied,
    "SQLITE_AUTH": AccessDenied,
    "40": Busy,  # serialisation, deadlock
    "53": Busy,
    "55": Busy,
    "57014": Busy,  # statement_timeout
    "1205": Busy,
    "1213": Busy,
    "1969": Busy,
    "3024": Busy,
    "SQLITE_BUSY": Busy,
    "SQLITE_LOCKED": Busy,
    "SQLITE_FULL": Busy,
    "SQLITE_IOERR": ServerDown,
    "25006": ServerDown,  # a stand-by that has not taken over yet
    "1290": ServerDown,
    "1836": ServerDown,
    "57": ServerDown,
}
