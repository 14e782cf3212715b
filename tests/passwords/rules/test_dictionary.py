"""Words that everybody tries."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.rules.dictionary import LARGEST, LONGEST, MOST, SHORTEST, Dictionary
from provserver.passwords.rules.folding import folded, read_as_letters
from provserver.passwords.rules.listing import ListError

WORDS = Dictionary(["Password", "dragon", "sun", "sunshine", "Zürich", "hello1", "drag"])


def found(password: str, shortest: int = SHORTEST) -> bool:
    return WORDS.has_word_in(read_as_letters(folded(password)), shortest)


@pytest.mark.parametrize(
    "password",
    ["password", "xxP4$$w0rdxx", "MyDragon99", "DRAG", "zurich-1", "ZÜRICH", "HELL0L", "9sunsh!ne9"],
)
def test_a_word_anywhere_in_the_password_is_found(password: str) -> None:
    assert found(password)


@pytest.mark.parametrize("password", ["", "pass", "sun", "sunny", "dra", "Kelp-Compass-88", "drogan"])
def test_what_has_no_word_in_it_passes(password: str) -> None:
    assert not found(password)


def test_words_that_are_shorter_than_the_profile_says_do_not_count() -> None:
    assert found("xdragx", 4)
    assert not found("xdragx", 5)
    assert found("xdragonx", 6)
    assert not found("xdragonx", 7)


@given(
    st.lists(st.text("abcß0é", min_size=1, max_size=9), max_size=12),
    st.text("abcßsoe0é", max_size=14),
    st.integers(SHORTEST, 8),
)
def test_it_is_as_if_each_word_were_looked_for(words: list[str], password: str, shortest: int) -> None:
    text = read_as_letters(folded(password))
    counting = [word for word in map(folded, words) if len(word) >= shortest]
    wanted = any(read_as_letters(word) in text for word in counting)
    assert Dictionary(words).has_word_in(text, shortest) == wanted


def written(folder: Path, content: bytes) -> Path:
    path = folder / "words.txt"
    path.write_bytes(content)
    return path


def test_a_file_has_a_word_a_line_and_comments(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff# our words\n\nharbour\r\n  Anchor \n#winter\nZoë123\n".encode())
    words = Dictionary.read(path)
    assert len(words) == 3
    assert all(
        words.has_word_in(read_as_letters(folded(text)), 4) for text in ("HARBOUR", "anchor", "zoe123")
    )
    assert not words.has_word_in("winter", 4)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"harbour\nanch\xf6r\n", "words.txt:2: expected words in UTF-8"),
        (b"harbour\nan\0chor\n", "words.txt:2: expected words, one a line, and no NUL"),
        (b"", "words.txt: expected words of 4 to 64 characters, found none"),
        (b"# nothing\nsun\n" + b"x" * (LONGEST + 1), "found none"),
        (b"word\n" * (MOST + 1), f"at most {MOST} words, found {MOST + 1}"),
        (b"x" * (LARGEST + 1), "at most 16 MiB"),
    ],
    ids=["not UTF-8", "NUL", "empty", "no words that count", "too many", "too large"],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(ListError) as caught:
        Dictionary.read(written(tmp_path, content))
    assert problem in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"none\.txt: cannot be read: No such file"):
        Dictionary.read(tmp_path / "none.txt")
