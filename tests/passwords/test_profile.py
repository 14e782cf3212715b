"""The Password Profile: every refusal at once, in words for a person, never with the password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.passwords.profile import (
    PolicyRule,
    ProfileError,
    ProfileRules,
    history_refusal,
    interval_refusal,
    refusals,
)
from provserver.vault.secret import Secret

STRICT = ProfileRules(
    enabled=True, min_length=10, max_length=20, min_upper=1, min_lower=2, min_digits=1, min_special=1
)


def entry(**values: str) -> Entry:
    attributes = {name.lower(): Attribute(name, (value.encode(),)) for name, value in values.items()}
    return Entry(EntryId("profile"), DN.parse("cn=profile"), attributes)


def texts(rules: ProfileRules, password: str) -> list[str]:
    return [refusal.text for refusal in refusals(rules, Secret.of_text(password))]


def test_a_good_password_passes() -> None:
    assert refusals(STRICT, Secret(b"Correct-Horse-9")) == ()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert texts(STRICT, "x") == [
        "at least 10 characters are needed, 1 was given",
        "at least 1 upper-case letter is needed, none were given",
        "at least 2 lower-case letters are needed, 1 was given",
        "at least 1 digit is needed, none were given",
        "at least 1 special character is needed, none were given",
    ]


def test_a_long_one_is_told_how_long_it_may_be() -> None:
    assert texts(STRICT, "Correct-Horse-9" * 2) == ["at most 20 characters are allowed, 30 were given"]
    assert texts(ProfileRules(enabled=True, max_length=1), "ab") == [
        "at most 1 character is allowed, 2 were given"
    ]


def test_a_disabled_profile_refuses_nothing() -> None:
    assert refusals(ProfileRules(enabled=False, min_length=10), Secret(b"")) == ()


def test_an_empty_password_is_too_short_when_there_is_a_length() -> None:
    assert texts(ProfileRules(enabled=True, min_length=7), "") == [
        "at least 7 characters are needed, none were given"
    ]


def test_lengths_count_characters_not_bytes() -> None:
    assert texts(ProfileRules(enabled=True, min_length=4), "äöü") == [
        "at least 4 characters are needed, 3 were given"
    ]
    assert texts(ProfileRules(enabled=True, min_length=4, max_length=4), "äöüß") == []


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("ÄÖ", {PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_DIGITS, PolicyRule.TOO_FEW_SPECIAL}),
        ("äß", {PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_DIGITS, PolicyRule.TOO_FEW_SPECIAL}),
        ("٣", {PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_SPECIAL}),
        ("€ ", {PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_DIGITS}),
        ("漢字", set(PolicyRule) - {
            PolicyRule.TOO_SHORT, PolicyRule.TOO_LONG, PolicyRule.NOT_TEXT, PolicyRule.IN_HISTORY,
            PolicyRule.TOO_YOUNG,
        }),
    ],
)  # fmt: skip
def test_classes_are_those_of_unicode(password: str, missing: set[PolicyRule]) -> None:
    rules = ProfileRules(enabled=True, min_upper=1, min_lower=1, min_digits=1, min_special=1)
    assert {refusal.rule for refusal in refusals(rules, Secret.of_text(password))} == missing


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_the_short_way_for_ascii_agrees_with_the_long_way(password: str) -> None:
    """A letter without case, appended, changes no class: it only leads the same characters the other way."""
    rules = ProfileRules(enabled=True, min_upper=3, min_lower=3, min_digits=3, min_special=3)
    assert texts(rules, password) == texts(rules, password + "漢")


def test_a_password_that_is_not_utf_8_is_refused_as_such() -> None:
    (refusal,) = refusals(STRICT, Secret(b"\xff\xfe"))
    assert refusal.rule is PolicyRule.NOT_TEXT


@given(st.text(min_size=4, max_size=30))
def test_no_sentence_holds_the_password(password: str) -> None:
    rules = ProfileRules(enabled=True, min_length=100, min_upper=99, min_digits=99, min_special=99)
    sentences = " ".join(texts(rules, password))
    expected = " ".join(texts(rules, "?" * len(password)))
    assert password not in sentences or password in expected


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (PolicyRule.TOO_SHORT, 6),
        (PolicyRule.TOO_LONG, 9),
        (PolicyRule.TOO_FEW_DIGITS, 5),
        (PolicyRule.NOT_TEXT, 5),
        (PolicyRule.IN_HISTORY, 8),
        (PolicyRule.TOO_YOUNG, 7),
    ],
)
def test_each_rule_has_its_error_in_the_policy_control(rule: PolicyRule, error: int) -> None:
    assert rule.behera_error == error


def test_a_used_password_is_refused_with_the_span_of_the_memory() -> None:
    both = ProfileRules(enabled=True, history_count=5, history_days=1)
    assert history_refusal(both).text == (
        "the password was used before (among the last 5 passwords or in the last 1 day)"
    )
    assert history_refusal(ProfileRules(enabled=True, history_count=5)).rule is PolicyRule.IN_HISTORY


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


# The entry


def test_no_entry_is_a_disabled_profile() -> None:
    assert ProfileRules.of(None) == ProfileRules()
    assert not ProfileRules().enabled


def test_the_rules_are_read_from_the_entry() -> None:
    found = ProfileRules.of(
        entry(
            provProfileEnabled="true",
            provMinLength="1",
            provMaxLength="200",
            provMinUpper="3",
            provMinLower="4",
            provMinDigits="5",
            provMinSpecial="6",
            provHistoryCount="7",
            provHistoryDays="8",
            provMinInterval="9",
        )
    )
    assert found == ProfileRules(True, 1, 200, 3, 4, 5, 6, 7, 8, 9)
    assert found.remembers


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"provMinLength": "ten"}, "provMinLength is a whole number"),
        ({"provMinLength": "-1"}, "provMinLength is a whole number"),
        ({"provMinLength": ""}, "provMinLength is a whole number"),
        ({"provMinLength": "1" * 5000}, "provMinLength is a whole number"),
        ({"provProfileEnabled": "yes"}, "provProfileEnabled is TRUE or FALSE"),
        ({"provMinLength": "9", "provMaxLength": "8"}, "provMaxLength is 8"),
        ({"provMinUpper": "5", "provMinDigits": "5", "provMaxLength": "8"}, "need 10 characters"),
    ],
)
def test_a_profile_that_makes_no_sense_names_the_attribute(values: dict[str, str], problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        ProfileRules.of(entry(**values))
