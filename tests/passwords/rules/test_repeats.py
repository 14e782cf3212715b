"""The same character again and again."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.rules.repeats import occurs_too_often, repeats_in_a_row

TEXTS = st.text("abA1é漢", max_size=20)
MOST = st.integers(1, 5)


@given(TEXTS, MOST)
def test_a_row_is_as_long_as_it_is_counted(text: str, most: int) -> None:
    longest = max((len(list(row)) for _, row in groupby(text)), default=0)
    assert repeats_in_a_row(text, most) == (longest > most)


@given(TEXTS, MOST)
def test_a_character_occurs_as_often_as_it_is_counted(text: str, most: int) -> None:
    assert occurs_too_often(text, most) == (max(Counter(text).values(), default=0) > most)


def test_case_counts() -> None:
    assert not repeats_in_a_row("aAaA", 1)
    assert repeats_in_a_row("aA11aA", 1)
