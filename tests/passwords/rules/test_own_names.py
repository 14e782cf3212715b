"""The user's own names and ids in a password."""

from __future__ import annotations

import pytest

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.passwords.rules.folding import folded
from provserver.passwords.rules.names import has_own_name, own_names


def entry(**values: str) -> Entry:
    attributes = {name.lower(): Attribute(name, (value.encode(),)) for name, value in values.items()}
    return Entry(EntryId("ada"), DN.parse("cn=ada"), attributes)


ADA = entry(
    eTGlobalUserName="aokafor",
    eTUserid="u4711",
    eTFullName="Ada N. Okafor-Lindqvist",
    eTEmailAddress="ada.okafor@harbour.example",
    eTTitle="Harbourmaster",
)
ACCOUNT = entry(
    eTADSAccountName="Okafor, Ada", eTADSsAMAccountName="adok", eTADSuserPrincipalName="adao@corp"
)


def test_names_are_whole_and_in_parts() -> None:
    assert own_names([ADA], 3) == {
        "aokafor",
        "u4711",
        "ada n. okafor-lindqvist",
        "ada",
        "okafor",
        "lindqvist",
        "ada.okafor",
    }


def test_an_account_has_names_of_its_own() -> None:
    assert own_names([ACCOUNT], 4) == {"okafor, ada", "okafor", "adok", "adao"}


@pytest.mark.parametrize(
    "password",
    ["AOKAFOR-1999", "My-u4711!", "xLiNdQvIsTx", "1ada1", "kelp-Okáfor"],
)
def test_a_name_anywhere_in_the_password_is_found(password: str) -> None:
    assert has_own_name(folded(password), [ADA], 3)


@pytest.mark.parametrize("password", ["Kelp-Compass-88", "Harbourmaster-1", "harbour.example", "adok", "n."])
def test_what_is_no_name_of_the_user_passes(password: str) -> None:
    assert not has_own_name(folded(password), [ADA], 3)


def test_short_names_count_only_as_far_as_asked() -> None:
    assert not has_own_name("1ada1", [ADA], 4)


def test_a_user_without_names_has_none() -> None:
    assert own_names([entry(eTTitle="Nobody")], 3) == set()
    assert own_names([], 3) == set()
