"""Texts as rules compare them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.rules.folding import folded, read_as_letters


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ADA", "ada"),
        ("Zoë", "ZOE"),
        ("Łódź", "ŁÓDŹ"),
        ("straße", "STRASSE"),
        ("Ǆ", "dž"),
        ("ﬁsh", "FISH"),
        ("𝓐da", "ada"),
    ],
)
def test_case_and_accents_do_not_matter(text: str, same: str) -> None:
    assert folded(text) == folded(same)


@pytest.mark.parametrize(
    "text",
    ["p4ssw0rd", "P@$$W0RD", "pa55word", "P4$5w0Rd"],
)
def test_digits_and_signs_are_read_as_the_letters_they_stand_for(text: str) -> None:
    assert read_as_letters(folded(text)) == read_as_letters("password")


@pytest.mark.parametrize(("text", "word"), [("h3ll0", "hello"), ("1llness", "illness"), ("b!g", "big")])
def test_a_one_stands_for_either_letter(text: str, word: str) -> None:
    assert read_as_letters(text) == read_as_letters(word)


@given(st.text())
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    once = folded(text)
    assert folded(once) == once
    assert len(read_as_letters(once)) == len(once)
