"""String preparation: the steps of RFC 4518, and the forms that substrings are looked for in."""

from __future__ import annotations

import pytest

from provserver.directory.preparation import (
    approximate,
    prepare,
    prepare_numeric,
    prepare_part,
    prepare_telephone,
    spaced,
)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("", ""),
        ("   ", ""),
        ("Foo  Bar ", "foo bar"),
        ("a\tb\nc", "a b c"),
        ("soft\u00adhyphen", "softhyphen"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\u3000wide\u3000", "wide"),
        ("ﬁ", "fi"),
        ("Ⅷ", "viii"),
        ("ẞ", "ss"),
        ("İ", "i̇"),
        ("e\u0301", "é"),
        ("\x00a\x1f", "a"),
    ],
)
def test_text_is_mapped_normalised_and_folded(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


def test_without_folding_case_stays_and_spaces_are_still_folded() -> None:
    assert prepare(" Foo  Bar ", False) == "Foo Bar"
    assert prepare("Ünï  Ç", False) == "Ünï Ç"


@pytest.mark.parametrize("text", ["a\ue000", "\ufffd", "\ufdd0", "\U0001fffe", "\U0010ffff", chr(0xD800)])
def test_characters_that_mean_nothing_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="private-use") as caught:
        prepare(text)
    assert text not in str(caught.value)


def test_a_character_newer_than_our_tables_is_kept() -> None:
    assert prepare("\U0001fbff") == "\U0001fbff"
    assert prepare("a\u0378b") == "a\u0378b"  # unassigned in Unicode 15


def test_a_space_with_a_combining_mark_is_a_character() -> None:
    assert prepare(" \u0301x") == " \u0301x"
    assert prepare("é  \u0301x") == "é  \u0301x"


def test_a_mark_without_a_combining_class_makes_a_space_a_character_too() -> None:
    """RFC 4518 appendix A lists marks by their category: U+0903 combines though its class is 0."""
    assert prepare("a  \u0903b") == "a  \u0903b"
    assert spaced("a  \u0903b") == " a   \u0903b "


def test_values_and_parts_are_spaced_as_rfc_4518_2_6_1_says() -> None:
    assert spaced(prepare("foo bar  ")) == " foo  bar "
    assert prepare_part("foo bar  ", True, first=True) == " foo  bar "
    assert prepare_part("foo bar  ", True) == prepare_part("foo bar  ", True, last=True) == "foo  bar "
    assert spaced(prepare("foo bar  baz")) == " foo  bar  baz "
    assert spaced("") == "  "
    assert prepare_part("Foo ", True, first=True) == " foo "
    assert prepare_part("o b", True) == "o  b"
    assert prepare_part(" b", True) == " b"
    assert prepare_part("baz  ", True, last=True) == "baz "
    assert prepare_part("   ", True) == " "
    assert prepare_part("é\u00a0", True) == "é "


def test_what_is_mapped_to_nothing_is_no_space_at_the_ends_of_a_part() -> None:
    assert prepare_part("\x1ca\x1f", True) == "a"
    assert prepare_part("\x00 a", True) == " a"
    assert prepare_part("\u00ad", True) == " "
    assert prepare_part(" \u0301x", True) == " \u0301x"


def test_numbers_and_telephone_numbers_have_no_spaces_or_hyphens() -> None:
    assert prepare_numeric(" 1 2  3 ") == "123"
    assert prepare_telephone("+49 (0)30-123\u2010X") == "+49(0)30123x"


def test_approximation_compares_letters_and_digits_alone() -> None:
    assert approximate("Müller-Lüdenscheidt, H.") == approximate("mullerludenscheidt h")
    assert approximate("--") == "--"
    assert approximate("a") != approximate("b")
