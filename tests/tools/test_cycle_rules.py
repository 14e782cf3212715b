"""The password cycle with every rule on: the profile has them all, and the benchmark's passwords pass."""

from __future__ import annotations

import dataclasses
import itertools
import random
from pathlib import Path

import pytest
import rules
from fresh import Passwords, former_password
from hashing import ARGON2, HASHINGS
from side import HISTORY, TOO_SHORT, user_name

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.ldif import read_ldif
from provserver.directory.names import DN
from provserver.foundation import lists_of
from provserver.passwords.lists import Lists
from provserver.passwords.profile import ProfileRules
from provserver.passwords.quality import refusals
from provserver.passwords.reasons import PolicyRule
from provserver.settings import Settings
from provserver.vault.secret import Secret

NAMES = ("eTGlobalUserName", "eTFullName", "eTADSsAMAccountName")


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    """The lists that the benchmark writes, named by the settings that it gives, and read."""
    settings = Settings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "BREACHED_HASHES", 1000)
        for assignment in rules.list_settings(rules.ALL, tmp_path_factory.mktemp("lists")):
            settings = settings.override(assignment)
    lists = lists_of(settings)
    lists.take(lists.read())
    return lists


@pytest.fixture
def profile(lists: Lists) -> ProfileRules:
    """What our server makes of the LDIF."""
    (record,) = read_ldif(rules.profile_ldif(rules.ALL).encode().splitlines(keepends=True))
    attributes = {name.lower(): Attribute(name, tuple(values)) for _, name, values in record.changes}
    return ProfileRules.of(Entry(EntryId("profile"), DN.parse(record.dn), attributes, 1), lists)


def user(number: int) -> Entry:
    name = user_name(number).encode()
    attributes = {
        key.lower(): Attribute(key, (name if key != "eTFullName" else b"User " + name,)) for key in NAMES
    }
    return Entry(EntryId("user"), DN.parse(f"eTGlobalUserName={name.decode()}"), attributes, 1)


def test_every_rule_is_on_but_the_history_by_days(profile: ProfileRules) -> None:
    off = [field.name for field in dataclasses.fields(ProfileRules) if not getattr(profile, field.name)]
    assert off == ["history_days"]


def test_the_passwords_pass_every_rule(profile: ProfileRules, lists: Lists) -> None:
    fresh = Passwords(random.Random(1))
    for number in range(2000):
        former = former_password(number, number % (HISTORY + 1))
        for password in (fresh.fresh(), former):
            assert refusals(profile, Secret(password), (user(number),), lists) == ()


def test_the_rules_refuse_what_they_should(profile: ProfileRules, lists: Lists) -> None:
    def found(password: bytes) -> set[PolicyRule]:
        return {one.rule for one in refusals(profile, Secret(password), (user(7),), lists)}

    assert PolicyRule.TOO_SHORT in found(TOO_SHORT)
    assert found(b"Bc2-Df5.Babe8:Xz") == {PolicyRule.DICTIONARY_WORD}
    assert PolicyRule.OWN_NAME in found(b"Bc2-U00007.8:Xz")
    assert PolicyRule.BREACHED in found(b"77")


def test_no_two_passwords_are_alike() -> None:
    fresh = Passwords(random.Random(1))
    former = [
        former_password(number, age) for number, age in itertools.product(range(5000), range(HISTORY + 1))
    ]
    many = [*former, *[fresh.fresh() for _ in range(50_000)]]
    assert len(set(many)) == len(many)
    assert {len(password) for password in many} == {16}


def test_without_rules_that_need_them_no_lists_are_written(tmp_path: Path) -> None:
    assert rules.list_settings(rules.FEW, tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_both_sides_spend_the_same_on_a_hash() -> None:
    settings = Settings()
    for assignment in ARGON2.ours:
        settings = settings.override(assignment)
    ours = settings.passwords
    told = dict(part.split("=") for part in ARGON2.parameters.split())
    assert told == {
        "m": str(ours.argon2_memory),
        "t": str(ours.argon2_iterations),
        "p": str(ours.argon2_lanes),
    }


def test_slapds_module_is_found_by_either_name_and_missed_by_both(tmp_path: Path) -> None:
    from generator import BenchFailed

    assert HASHINGS["cheap"].module_in(tmp_path) == ""
    with pytest.raises(BenchFailed, match=r"argon2\.so or pw-argon2\.so.*slapd-contrib"):
        ARGON2.module_in(tmp_path)
    (tmp_path / "pw-argon2.so").touch()
    assert ARGON2.module_in(tmp_path) == "pw-argon2 m=4096 t=3 p=1"
    (tmp_path / "argon2.la").touch()
    assert ARGON2.module_in(tmp_path) == "argon2 m=4096 t=3 p=1"
