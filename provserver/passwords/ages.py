"""How old a password is: too young to be changed by its user, or so old that it has expired.

The day of expiry is in `eTPasswordExpirationDate` (facts/imps.md 2): the password is good through that day,
in UTC. The profile writes it at each change (`provMaxAgeDays`), an administrator may write any. Ours: one
that says never stays through all changes, so that the users of agents can be exempted; any other is
forgotten when the profile has no age.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from provserver.directory.entries import Entry
from provserver.directory.forms import LAST_DAY, as_century_day, century_day
from provserver.passwords.profile import ProfileRules
from provserver.passwords.reasons import PolicyRefusal, too_young

EXPIRATION: Final = "eTPasswordExpirationDate"
EXPIRATION_KEY: Final = EXPIRATION.lower()
_DAY: Final = timedelta(days=1)


def interval_refusal(rules: ProfileRules, changed_at: float | None, now: float) -> PolicyRefusal | None:
    """The refusal of a change by the user that comes too soon after the last one; None: it may pass.

    A last change that lies in the future (the clock was put back) does not refuse: it would do so for no
    one knows how long.
    """
    if not rules.enabled or not rules.min_interval or changed_at is None:
        return None
    since = now - changed_at
    if not 0 <= since < rules.min_interval:
        return None
    return too_young(rules.min_interval - since)


def expires_at(user: Entry) -> float | None:
    """When a global user's password expires, or has expired: wall-clock seconds, the end of the day; None:
    never.
    """
    values = user.values(EXPIRATION_KEY)
    day = _day(values[0]) if values else None
    if day is None:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + _DAY.total_seconds()


def expiration_of_new(old: bytes, rules: ProfileRules, at: float) -> bytes:
    """The value for a password that is set now, in the place of `old`; empty: none."""
    if old and _says_never(old):
        return old
    if not rules.enabled or not rules.max_age_days:
        return b""
    day = datetime.fromtimestamp(at, UTC).date() + rules.max_age_days * _DAY
    return as_century_day(min(day, LAST_DAY))


def _says_never(value: bytes) -> bool:
    return value.isdigit() and not int(value)


def _day(value: bytes) -> date | None:
    """None: none. Nor does a value that nobody can read say one; only an old store could have it."""
    try:
        return century_day(value)
    except ValueError:
        return None
