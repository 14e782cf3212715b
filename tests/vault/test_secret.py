"""A Secret does not show itself, whatever formats, compares, copies or breaks it."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest

from provserver.vault.secret import Secret

PASSWORD = "Correct-Horse-9ß"
SECRET = Secret.of_text(PASSWORD)


def test_it_gives_back_what_was_put_in() -> None:
    assert SECRET.reveal() == PASSWORD.encode()
    assert SECRET.reveal_text() == PASSWORD
    assert SECRET
    assert not Secret(b"")


def test_no_way_of_formatting_shows_it() -> None:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "password %s %r", (SECRET, SECRET), None)
    shown = [repr(SECRET), str(SECRET), f"{SECRET} {SECRET:>40} {SECRET!r}", f"{[SECRET]} {(SECRET,)}"]
    assert "Correct" not in " ".join([*shown, record.getMessage()])


def test_it_is_compared_with_secrets_only() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, hash, json.dumps, vars, list])
def test_it_does_not_travel(way: object) -> None:
    with pytest.raises(TypeError) as raised:
        way(SECRET)  # type: ignore[operator]
    assert "Correct" not in str(raised.value)


def test_bytes_that_are_no_text_are_not_kept_in_the_error() -> None:
    with pytest.raises(ValueError, match="not UTF-8") as raised:
        Secret(b"Correct\xff").reveal_text()
    assert raised.value.__context__ is None
