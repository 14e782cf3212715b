"""Passwords that the server makes up."""

from __future__ import annotations

import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.generating import LENGTH, LONGEST, generated
from provserver.passwords.profile import ProfileRules, refusals

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
