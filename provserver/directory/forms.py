"""Forms that values have beyond their syntax: an attribute type names one by X-PROV-FORM, and no value of
another form is stored.

A form takes the octets and returns, or raises ValueError whose text says what was expected, never what came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from provserver.directory.syntaxes import Validator

LAST_DAY: Final = date(2099, 12, 31)
"""The last one that can be written: C is 0 for 19xx and 1 for 20xx."""
NO_DAY: Final = b"0000000000"
_DIGITS: Final = re.compile(rb"[0-9]{1,10}")
_EXPECTED: Final = "a day as CYYDDD, padded with zeros to 10 digits (2024-12-31 is 0000124366), or only zeros"


def century_day(value: bytes) -> date | None:
    """The day that `CYYDDD` says (facts/imps.md 2); zeros say none. Padding may be missing. ValueError."""
    if _DIGITS.fullmatch(value) is None:
        raise ValueError(_EXPECTED)
    number = int(value)
    if not number:
        return None
    years, day = divmod(number, 1000)
    if years > 199 or not day:
        raise ValueError(_EXPECTED)
    found = date(1900 + years, 1, 1) + timedelta(days=day - 1)
    if found.year != 1900 + years:
        raise ValueError(_EXPECTED)
    return found


def as_century_day(day: date) -> bytes:
    """A day from 1900 to LAST_DAY, as it is written."""
    return f"{(day.year - 1900) * 1000 + day.timetuple().tm_yday:010d}".encode()


def _century_day(value: bytes) -> None:
    century_day(value)


FORMS: Final[Mapping[str, Validator]] = MappingProxyType({"CYYDDD": _century_day})
"""By name."""
