"""Remembered passwords: found again, forgotten in time, and not to be read from a stolen store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.history import LONGEST, History
from provserver.vault.keyring import KeyRing
from provserver.vault.schemes import Argon2, Derived, Recipe, SaltedSha256, SaltedSha512
from provserver.vault.secret import Secret

KEYS = KeyRing.generate()
SALT = b"0123456789abcdef"
OTHER_SALT = b"fedcba9876543210"
DAY = 86400
NOW = 1_700_000_000.0


def key_of(password: str, salt: bytes = SALT, recipe: Recipe | None = None) -> Derived:
    chosen = recipe or SaltedSha512()
    return Derived(chosen, salt, chosen.derive(salt, Secret.of_text(password)))


def history(*passwords: str, count: int = 100, days: int = 0, keys: KeyRing = KEYS) -> History:
    """What remains of passwords set one day after another, the last one now."""
    found = History((), keys)
    for place, password in enumerate(reversed(range(len(passwords)))):
        found = found.with_new(key_of(passwords[place]), NOW - password * DAY, count, days)
    return found


@given(st.lists(st.text(max_size=8), max_size=8), st.text(max_size=8))
def test_what_was_set_is_remembered_and_nothing_else(passwords: list[str], asked: str) -> None:
    stored = history(*passwords).values
    assert History.parse(stored, KEYS).contains(key_of(asked)) is (asked in passwords)


@given(st.lists(st.text(max_size=8), max_size=8))
def test_the_stored_values_are_the_history(passwords: list[str]) -> None:
    written = history(*passwords)
    read = History.parse(written.values, KEYS)
    assert read.remembered == written.remembered
    assert read.values == written.values
    assert read.unreadable == 0


@given(st.permutations(range(6)))
def test_the_order_of_the_stored_values_does_not_matter(order: list[int]) -> None:
    values = history(*"abcdef").values
    assert History.parse([values[place] for place in order], KEYS).values == values


def test_passwords_set_within_one_second_keep_their_order() -> None:
    found = History((), KEYS)
    for password in "abc":
        found = found.with_new(key_of(password), NOW, 2, 0)
    found = History.parse(found.values, KEYS)
    assert [found.contains(key_of(password)) for password in "abc"] == [False, True, True]


def test_the_count_includes_the_password_in_force() -> None:
    found = history("a", "b", "c", "d", count=3)
    assert [found.contains(key_of(password)) for password in "abcd"] == [False, True, True, True]


def test_a_profile_that_remembers_less_today_is_obeyed_before_the_next_write() -> None:
    found = history("a", "b", "c", "d").within(NOW, 2, 0)
    assert [found.contains(key_of(password)) for password in "abcd"] == [False, False, True, True]


def test_days_keep_what_was_set_within_them() -> None:
    found = history("a", "b", "c", "d").within(NOW, 0, 2)  # set 3, 2, 1 and 0 days ago
    assert [found.contains(key_of(password)) for password in "abcd"] == [False, True, True, True]


def test_count_and_days_together_keep_what_either_keeps() -> None:
    found = history("a", "b", "c", "d").within(NOW + 10 * DAY, 2, 12)
    assert [found.contains(key_of(password)) for password in "abcd"] == [False, True, True, True]
    found = history("a", "b", "c", "d").within(NOW + 10 * DAY, 2, 1)
    assert [found.contains(key_of(password)) for password in "abcd"] == [False, False, True, True]


def test_without_count_and_days_nothing_is_remembered() -> None:
    found = history("a", "b").with_new(key_of("c"), NOW, 0, 0)
    assert found.values == ()
    assert not history("a").within(NOW, 0, 0).contains(key_of("a"))


def test_a_history_by_days_alone_does_not_grow_without_end() -> None:
    found = History((), KEYS)
    for number in range(LONGEST + 5):
        found = found.with_new(key_of(str(number)), NOW, 0, 365)
    assert len(found.values) == LONGEST
    assert found.contains(key_of(str(LONGEST + 4)))


def test_the_hash_in_force_is_remembered_when_it_goes_even_if_it_was_loaded() -> None:
    loaded = key_of("loaded", OTHER_SALT, SaltedSha256())
    found = History((), KEYS).with_new(key_of("new"), NOW, 5, 0, outgoing=loaded)
    assert len(found.values) == 2
    assert found.contains(key_of("new"))
    assert found.contains(loaded)
    again = found.with_new(key_of("newer"), NOW, 5, 0, outgoing=key_of("new"))
    assert len(again.values) == 3


def test_a_foreign_value_is_named_once_and_found_with_its_own_derivation() -> None:
    argon2 = Argon2(64, 1, 1)
    found = history("mine")
    for password in ("early", "earlier"):
        found = found.with_new(key_of(password, OTHER_SALT, argon2), NOW, 10, 0)
    found = History.parse(found.values, KEYS)
    assert not found.contains(key_of("early"))
    assert found.foreign(key_of("early")) == ((argon2, OTHER_SALT),)
    for recipe, salt in found.foreign(key_of("early")):
        assert found.contains(key_of("early", salt, recipe))
        assert not found.contains(key_of("never", salt, recipe))
    assert history("mine").foreign(key_of("x")) == ()


def test_after_a_rotation_older_values_still_count() -> None:
    found = History.parse(history("a", "b").values, KEYS.rotated())
    assert found.contains(key_of("a"))
    found = found.with_new(key_of("c"), NOW, 10, 0)
    assert all(found.contains(key_of(password)) for password in "abc")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "1$2$3",
        "2$1$00000000$aa$bb$c",
        "1$1$deadbeef$aa$bb$c",
        "1$soon$%s$aa$bb$c",
        "$$$$$",
        "{SSHA}eA==",
    ],
)
def test_a_value_that_cannot_be_used_is_counted_not_fatal_and_dropped(value: str) -> None:
    value = value.replace("%s", KEYS.current)
    found = History.parse([*history("a").values, value], KEYS)
    assert found.unreadable == 1
    assert found.contains(key_of("a"))
    assert value not in found.with_new(key_of("b"), NOW, 5, 0).values


@given(st.lists(st.text(max_size=60), max_size=3), st.text(max_size=20), st.text(max_size=20))
def test_whatever_values_come_there_is_an_answer(values: list[str], mac: str, source: str) -> None:
    asked = key_of("x")
    almost = [f"1$7${KEYS.current}$ü${mac}${source}", f"1$7${KEYS.current}$ü${mac}${asked.source}"]
    found = History.parse([*values, *almost], KEYS)
    assert not found.contains(asked)
    found.foreign(asked)
    found.with_new(asked, NOW, 5, 5)


def test_a_stolen_store_shows_no_reuse_and_no_derived_key() -> None:
    """The same password twice, of two users with the same salt: four different values, none holds the key."""
    values = [*history("same", "same").values, *history("same", "same").values]
    macs = {value.split("$")[4] for value in values}
    assert len(macs) == 4
    for form in (key_of("same").key.hex(), key_of("same").text[9:40]):
        assert all(form not in value for value in values)


def test_without_the_key_file_a_guess_is_not_confirmed() -> None:
    assert History.parse(history("a").values, KeyRing.generate()).unreadable == 1
    other = KeyRing({KEYS.current: bytes(32)}, KEYS.current)
    assert not History.parse(history("a").values, other).contains(key_of("a"))


def test_what_shows_a_history_shows_no_value() -> None:
    found = history("a")
    shown = f"{found!r} {found.remembered!r}"
    assert found.remembered[0].mac not in shown
    assert found.remembered[0].nonce not in shown
    assert found.remembered[0].source not in shown
