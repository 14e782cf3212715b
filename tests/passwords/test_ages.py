"""How old a password is: too young to be changed, or expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.passwords.ages import expiration_of_new, expires_at, interval_refusal
from provserver.passwords.profile import ProfileRules
from provserver.passwords.reasons import PolicyRule

NEVER = b"0000000000"


@pytest.mark.parametrize(
    ("changed_at", "now", "wait"),
    [
        (None, 1000.0, None),
        (0.0, 60.0, None),
        (1000.0, 999.0, None),
        (1000.0, 1000.0, "60 seconds"),
        (1000.0, 1058.5, "2 seconds"),
        (1000.0, 1059.9, "1 second"),
        (1000.0, 1060.0, None),
    ],
)
def test_a_change_too_soon_is_told_how_long_to_wait(
    changed_at: float | None, now: float, wait: str | None
) -> None:
    refusal = interval_refusal(ProfileRules(enabled=True, min_interval=60), changed_at, now)
    if wait is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.rule is PolicyRule.TOO_YOUNG
        assert refusal.text == f"the password was changed too recently; wait {wait} and try again"


def test_without_an_interval_or_a_profile_nothing_is_too_soon() -> None:
    assert interval_refusal(ProfileRules(enabled=True), 5.0, 5.0) is None
    assert interval_refusal(ProfileRules(enabled=False, min_interval=60), 5.0, 5.0) is None


# ---------------------------------------------------------------- expiry


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def user(expiration: bytes | None) -> Entry:
    attributes = {}
    if expiration is not None:
        attributes["etpasswordexpirationdate"] = Attribute("eTPasswordExpirationDate", (expiration,))
    return Entry(EntryId("ada"), DN.parse("cn=ada"), attributes)


def test_a_password_is_good_through_its_day() -> None:
    assert expires_at(user(b"0000124366")) == seconds("2025-01-01T00:00:00")


@pytest.mark.parametrize("expiration", [None, NEVER, b"nonsense", b""])
def test_a_password_without_a_day_never_expires(expiration: bytes | None) -> None:
    assert expires_at(user(expiration)) is None


AT = seconds("2024-12-30T15:00:00")
AGED = ProfileRules(enabled=True, max_age_days=2)


@pytest.mark.parametrize(
    ("old", "rules", "new"),
    [
        (b"", AGED, b"0000125001"),
        (b"0000099365", AGED, b"0000125001"),
        (NEVER, AGED, NEVER),
        (b"0", AGED, b"0"),
        (b"nonsense", AGED, b"0000125001"),
        (b"", ProfileRules(enabled=True), b""),
        (b"0000124366", ProfileRules(enabled=True), b""),
        (b"0000124366", ProfileRules(enabled=False, max_age_days=2), b""),
        (NEVER, ProfileRules(), NEVER),
        (b"", ProfileRules(enabled=True, max_age_days=9999), b"0000152137"),
    ],
)
def test_a_new_password_has_a_new_day_unless_it_never_expires(
    old: bytes, rules: ProfileRules, new: bytes
) -> None:
    assert expiration_of_new(old, rules, AT) == new


def test_no_day_is_behind_the_last_that_can_be_written() -> None:
    at = seconds("2090-01-01T00:00:00")
    assert expiration_of_new(b"", ProfileRules(enabled=True, max_age_days=9999), at) == b"0000199365"


@given(st.floats(0, 4e9), st.integers(1, 9999))
def test_a_password_lives_as_many_days_as_the_profile_says_and_the_rest_of_the_last(
    at: float, days: int
) -> None:
    new = expiration_of_new(b"", ProfileRules(enabled=True, max_age_days=days), at)
    ends = expires_at(user(new))
    assert ends is not None
    if ends < seconds("2100-01-01T00:00:00"):
        assert timedelta(days=days) < timedelta(seconds=ends - at) <= timedelta(days=days + 1)
