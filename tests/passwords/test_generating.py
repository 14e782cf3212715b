"""Passwords that the server makes up."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.generating import LENGTH, LONGEST, generated
from provserver.passwords.profile import ProfileRules
from provserver.passwords.quality import refusals
from provserver.vault.secret import Secret

COUNT = st.integers(0, 40)


@given(st.booleans(), COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, st.binary(min_size=1, max_size=64).map(list))
def test_the_profile_accepts_them_whatever_it_asks_for(
    enabled: bool,
    shortest: int,
    longest: int,
    upper: int,
    lower: int,
    digits: int,
    special: int,
    octets: list[int],
) -> None:
    classes = upper + lower + digits + special
    assume(not longest or longest >= max(shortest, classes))
    rules = ProfileRules(enabled, shortest, longest, upper, lower, digits, special)
    made = generated(rules, Stream(octets))
    assert refusals(rules, made) == ()
    text = made.reveal().decode("ascii")
    assert len(text) >= (min(LENGTH, longest) if enabled and longest else LENGTH)
    assert not set("lIO01 \\\"'") & set(text), "nothing that is taken for something else"


NARROW = st.builds(
    ProfileRules,
    enabled=st.just(True),
    min_length=st.integers(0, 40),
    min_upper=st.integers(0, 6),
    min_lower=st.integers(0, 6),
    min_digits=st.integers(0, 6),
    min_special=st.integers(0, 5),
    min_classes=st.integers(0, 4),
    max_repeated=st.integers(0, 3),
    max_occurrences=st.integers(0, 3),
    max_sequence=st.sampled_from([0, 2, 3, 5]),
)


@given(NARROW, st.booleans(), st.integers(0))
def test_repeats_sequences_and_classes_are_kept_to(rules: ProfileRules, tight: bool, seed: int) -> None:
    """Also in as few characters as the profile demands."""
    if tight:
        classes = [rules.min_upper, rules.min_lower, rules.min_digits, rules.min_special]
        missing = max(0, rules.min_classes - sum(count > 0 for count in classes))
        rules = replace(rules, max_length=max(rules.min_length, sum(classes) + missing, 1))
    assert refusals(rules, generated(rules, Random(seed).randbytes)) == ()


def test_the_last_word_has_whoever_asks() -> None:
    tried: list[Secret] = []

    def third(made: Secret) -> bool:
        tried.append(made)
        return len(tried) == 3

    assert generated(ProfileRules(), os.urandom, third) is tried[2]


@pytest.mark.parametrize(
    "rules",
    [
        ProfileRules(True, min_length=65, max_occurrences=1),
        ProfileRules(True, min_digits=9, max_occurrences=1),
    ],
)
def test_what_there_are_not_enough_characters_for_is_not_made(rules: ProfileRules) -> None:
    with pytest.raises(Refusal) as caught:
        generated(rules, os.urandom)
    assert caught.value.code is ResultCode.UNWILLING_TO_PERFORM
    assert "give the new password" in str(caught.value)


class Stream:
    """Chosen bytes over and over, and those that a generator may not use made harmless in the end."""

    def __init__(self, octets: list[int]) -> None:
        self._octets = octets
        self._at = 0

    def __call__(self, size: int) -> bytes:
        self._at += size
        # A stream of nothing but 255 would be refused for ever; real ones are not like that.
        return bytes(
            (self._octets[(self._at + number) % len(self._octets)] + self._at) % 256 for number in range(size)
        )


def test_they_are_different_each_time_and_have_every_class() -> None:
    made = {generated(ProfileRules(), os.urandom).reveal().decode() for _ in range(100)}
    assert len(made) == 100
    for text in made:
        assert all(
            any(kind(character) for character in text) for kind in (str.isupper, str.islower, str.isdigit)
        )
        assert not text.isalnum()


def test_every_character_of_an_alphabet_comes_up() -> None:
    """Also those at its end: no bias by a remainder that is thrown away at the wrong side."""
    seen = set("".join(generated(ProfileRules(), os.urandom).reveal().decode() for _ in range(1_000)))
    assert seen >= set("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-+_.:,!")


def test_a_profile_that_no_person_could_satisfy_is_no_reason_to_fill_the_memory() -> None:
    with pytest.raises(Refusal) as caught:
        generated(ProfileRules(True, LONGEST + 1), os.urandom)
    assert caught.value.code is ResultCode.UNWILLING_TO_PERFORM
    assert len(generated(ProfileRules(True, LONGEST), os.urandom).reveal()) == LONGEST
