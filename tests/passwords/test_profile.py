"""The Password Profile's entry: what it says, and what makes no sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.passwords.lists import Lists
from provserver.passwords.profile import ProfileError, ProfileRules, profile_dn, sense_of_profile

DOMAIN = DN.parse("dc=im")
LISTS = Lists(Path("words.txt"), Path("breached.txt"))


def entry(dn: DN | None = None, **values: str) -> Entry:
    attributes = {name.lower(): Attribute(name, (value.encode(),)) for name, value in values.items()}
    return Entry(EntryId("profile"), dn or profile_dn(DOMAIN), attributes)


def test_no_entry_is_a_disabled_profile() -> None:
    assert ProfileRules.of(None) == ProfileRules()
    assert not ProfileRules().enabled


WHOLE = {
    "provProfileEnabled": "true",
    "provMinLength": "1",
    "provMaxLength": "200",
    "provMinUpper": "3",
    "provMinLower": "4",
    "provMinDigits": "5",
    "provMinSpecial": "6",
    "provHistoryCount": "7",
    "provHistoryDays": "8",
    "provMinInterval": "9",
    "provMinClasses": "2",
    "provMaxRepeated": "11",
    "provMaxOccurrences": "12",
    "provMaxSequence": "13",
    "provNameLength": "14",
    "provWordLength": "15",
    "provBreachCount": "16",
    "provMaxAgeDays": "20",
    "provWarningDays": "18",
    "provGraceBinds": "19",
}


def test_the_rules_are_read_from_the_entry() -> None:
    found = ProfileRules.of(entry(**WHOLE), LISTS)
    assert found == ProfileRules(True, 1, 200, 3, 4, 5, 6, 7, 8, 9, 2, 11, 12, 13, 14, 15, 16, 20, 18, 19)
    assert found.remembers
    assert len(WHOLE) == len(fields(ProfileRules))


def test_a_rule_that_is_absent_is_not_used() -> None:
    assert ProfileRules.of(entry(provProfileEnabled="TRUE")) == ProfileRules(True)
    assert not ProfileRules.of(entry(provProfileEnabled="TRUE")).remembers


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "provProfileEnabled"])
@pytest.mark.parametrize("value", ["ten", "-1", "", "1" * 5000, "1000000000", "٣", "1.5"])
def test_what_is_no_number_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ProfileError, match=rf"^{name} is (0, or )?a whole number from \d+ to \d+$"):
        ProfileRules.of(entry(**WHOLE | {name: value}), LISTS)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"provProfileEnabled": "yes"}, "provProfileEnabled is TRUE or FALSE"),
        ({"provMinLength": "9", "provMaxLength": "8"}, "provMaxLength is 8"),
        ({"provMinUpper": "5", "provMinDigits": "5", "provMaxLength": "8"}, "need 10 characters"),
        ({"provMinUpper": "2", "provMinClasses": "4", "provMaxLength": "4"}, "need 5 characters"),
        ({"provMinClasses": "5"}, "provMinClasses is a whole number from 0 to 4"),
        ({"provHistoryCount": "101"}, "provHistoryCount is a whole number from 0 to 100"),
        ({"provMaxSequence": "1"}, "provMaxSequence is 0, or a whole number from 2"),
        ({"provNameLength": "2"}, "provNameLength is 0, or a whole number from 3"),
        ({"provWordLength": "3"}, "provWordLength is 0, or a whole number from 4 to 64"),
        ({"provWordLength": "65"}, "provWordLength is 0, or a whole number from 4 to 64"),
        ({"provMaxAgeDays": "10000"}, "provMaxAgeDays is a whole number from 0 to 9999"),
        ({"provMaxAgeDays": "1", "provMinInterval": "86400"}, "provMinInterval is 86400, less than"),
        ({"provMaxAgeDays": "7", "provWarningDays": "7"}, "provWarningDays is 7, less than"),
    ],
)
def test_a_profile_that_makes_no_sense_names_the_attribute(values: Mapping[str, str], problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        ProfileRules.of(entry(**values), LISTS)


@pytest.mark.parametrize(
    "values",
    [
        {"provMaxLength": "0", "provMinLength": "20"},
        {"provMinUpper": "2", "provMinClasses": "4", "provMaxLength": "5"},
        {"provMaxAgeDays": "0", "provWarningDays": "7", "provMinInterval": "999999999"},
        {"provMaxAgeDays": "1", "provMinInterval": "86399"},
        {"provWordLength": "4"},
    ],
)
def test_a_profile_at_the_edge_of_sense_is_taken(values: Mapping[str, str]) -> None:
    ProfileRules.of(entry(**values), LISTS)


@pytest.mark.parametrize(
    ("name", "lists", "setting"),
    [
        ("provWordLength", Lists(None, Path("breached.txt")), "passwords.dictionary"),
        ("provBreachCount", Lists(Path("words.txt")), "passwords.breached"),
    ],
)
def test_a_rule_about_a_list_that_there_is_not_names_the_setting(
    name: str, lists: Lists, setting: str
) -> None:
    with pytest.raises(ProfileError, match=f"{name} is not 0, .* set {setting}"):
        ProfileRules.of(entry(**{name: "9"}), lists)
    assert ProfileRules.of(entry(**{name: "0"}), Lists()) == ProfileRules()


# ---------------------------------------------------------------- before it is written


def test_what_is_wrong_with_a_profile_is_said_before_it_is_written() -> None:
    problem_of = sense_of_profile(DOMAIN, Lists())
    assert problem_of(entry(provMinLength="12")) is None
    assert problem_of(entry(provMinLength="-1")) == "provMinLength is a whole number from 0 to 999999999"


def test_an_entry_elsewhere_is_no_profile() -> None:
    elsewhere = DN.parse("eTPasswordProfileName=Other,dc=im")
    assert sense_of_profile(DOMAIN, Lists())(entry(elsewhere, provMinLength="-1")) is None
