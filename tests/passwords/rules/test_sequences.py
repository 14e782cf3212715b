"""Characters in an order that everybody knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.rules.sequences import ROWS, runs_on


@pytest.mark.parametrize(
    "text",
    ["abcd", "xxstuvxx", "dcba", "1234", "4321", "7890", "qwer", "-rewq", "asdf", "zxcv", "!@#$", "vcxz"],
)
def test_four_in_a_row_are_one_too_many_for_three(text: str) -> None:
    assert runs_on(text, 3)
    assert not runs_on(text, 4)


@pytest.mark.parametrize("text", ["wertz", "qsdfg", "yxcvb", "hjklm"])
def test_keyboards_of_other_countries_are_known(text: str) -> None:
    assert runs_on(text, 4)


@pytest.mark.parametrize("text", ["", "a", "abc", "abcabc", "cbabc", "ab12", "zab", "aceg", "abdc", "hello"])
def test_what_is_no_run_of_four_passes(text: str) -> None:
    assert not runs_on(text, 3)


def test_a_run_does_not_turn_round_or_change_the_row() -> None:
    assert not runs_on("abcba", 3)
    assert not runs_on("abc123", 3)
    assert not runs_on("opasd", 3), "the end of one row of keys and the beginning of the next"


def longest_run(text: str) -> int:
    """The slow way: from every place, along every row, both ways."""
    best = min(len(text), 1)
    for row in [*ROWS, *[row[::-1] for row in ROWS]]:
        for start in range(len(text)):
            for begin in range(len(row)):
                length = 0
                while (
                    start + length < len(text)
                    and begin + length < len(row)
                    and text[start + length] == row[begin + length]
                ):
                    length += 1
                best = max(best, length)
    return best


PIECES = st.lists(
    st.sampled_from([*ROWS, *[row[::-1] for row in ROWS], "xay1"]).flatmap(
        lambda row: st.tuples(st.integers(0, 9), st.integers(1, 6)).map(
            lambda cut: row[cut[0] : cut[0] + cut[1]]
        )
    ),
    max_size=4,
).map("".join)


@given(PIECES, st.integers(2, 6))
def test_the_longest_run_decides(text: str, most: int) -> None:
    assert runs_on(text, most) == (longest_run(text) > most)
