"""Generalized Time and UTC Time (RFC 4517 3.3.13, 3.3.34): what a time is, and which instant it means.

Errors are ValueError whose text says what was expected, never what came.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_GENERALIZED: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?(?:Z|([+-])(\d\d)(\d\d)?)", re.ASCII
)
_GENERALIZED_EXPECTED: Final = "a generalized time such as 20240131235959Z"
_UTC: Final = re.compile(rb"([0-9]{10})([0-9]{2})?(?:Z|[+-](?:[01][0-9]|2[0-3])[0-5][0-9])?")
_UTC_EXPECTED: Final = "a UTC time such as 240131235959Z"


def generalized_time(value: bytes) -> str:
    """The instant as `YYYYMMDDHHMMSS[.fraction]` in UTC: one form for each instant, earlier ones first."""
    if len(value) == 15 and value.endswith(b"Z") and value[:14].isdigit():
        _instant(value[:14].decode(), 0, _GENERALIZED_EXPECTED)
        return value[:14].decode()
    try:
        match = _GENERALIZED.fullmatch(value.decode("ascii"))
    except UnicodeDecodeError:
        match = None
    if match is None or len(value) > 64:
        raise ValueError(_GENERALIZED_EXPECTED)
    year, month, day, hour, minute, second, fraction, sign, east_hours, east_minutes = match.groups()
    # A fraction is one of the last unit given: hours, minutes or seconds (RFC 4517 3.3.13).
    seconds, rest = 0, (fraction or "").rstrip("0")
    if rest and second is None:
        unit = 3600 if minute is None else 60
        scaled = int(rest) * unit
        seconds, remainder = divmod(scaled, 10 ** len(rest))
        rest = f"{remainder:0{len(rest)}d}".rstrip("0")
    if sign:
        hours, minutes = int(east_hours), int(east_minutes or 0)
        if hours > 23 or minutes > 59:
            raise ValueError(_GENERALIZED_EXPECTED)
        east = hours * 3600 + minutes * 60
        seconds += -east if sign == "+" else east
    whole = _instant(
        f"{year}{month}{day}{hour}{minute or '00'}{second or '00'}", seconds, _GENERALIZED_EXPECTED
    )
    return f"{whole}.{rest}" if rest else whole


def utc_time(value: bytes) -> None:
    """Whether it is a UTC Time. Its year has two digits: they are taken for those of this century."""
    match = _UTC.fullmatch(value)
    if match is None:
        raise ValueError(_UTC_EXPECTED)
    _instant(f"20{match[1].decode()}{(match[2] or b'00').decode()}", 0, _UTC_EXPECTED)


def _instant(digits: str, add: int, expected: str) -> str:
    # A leap second is kept as the second before it would end: datetime has none.
    leap = digits[12:] == "60"
    try:
        at = datetime(
            int(digits[:4]), int(digits[4:6]), int(digits[6:8]), int(digits[8:10]), int(digits[10:12]),
            59 if leap else int(digits[12:]), tzinfo=UTC,
        )  # fmt: skip
        at += timedelta(seconds=add)
    except (ValueError, OverflowError):
        raise ValueError(expected) from None
    # Not strftime: it does not pad years before 1000.
    second = 60 if leap else at.second
    return f"{at.year:04d}{at.month:02d}{at.day:02d}{at.hour:02d}{at.minute:02d}{second:02d}"
