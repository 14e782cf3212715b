"""No password stays in the process list."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.etautil.hiding import hidden_arguments

SECRET = "Quay-Lantern-41"


def hidden(*words: str) -> list[str]:
    return [word.decode() for word in hidden_arguments([word.encode() for word in words])]


def test_what_follows_p_is_hidden_and_nothing_else_of_the_options() -> None:
    assert hidden("-u", "a", "-p", "abc", "--url", "ldaps://h", "delete", "b", "c", "n=v") == [
        "-u", "a", "-p", "***", "--url", "ldaps://h", "delete", "b", "c", "n=v",
    ]  # fmt: skip
    assert hidden("-pabc", "-P", "file") == ["-p***", "-P", "file"]
    assert hidden("-p") == ["-p"]


def test_passwords_in_statements_are_hidden_and_whatever_follows_them_in_their_word() -> None:
    assert hidden("add", "b", "eTTitle=x", "eTPassword=abc", "+provSecret=k=v", "UserId=u") == [
        "add", "b", "eTTitle=x", "eTPassword=***", "+provSecret=***", "UserId=u",
    ]  # fmt: skip
    assert hidden("add 'b' n=v Password='a b' c=d") == ["add 'b' n=v Password=" + "*" * 9]
    assert hidden("update", "b", "-phone=1") == ["update", "b", "-phone=1"]


def test_a_user_who_is_called_like_a_verb_hides_nothing_from_us() -> None:
    assert hidden("-u", "add", "-p", "abc", "delete") == ["-u", "add", "-p", "***", "delete"]


@given(st.lists(st.binary(max_size=20).filter(lambda word: b"\0" not in word), max_size=8))
def test_every_word_keeps_its_length(words: list[bytes]) -> None:
    assert [len(word) for word in hidden_arguments(words)] == [len(word) for word in words]


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux keeps command lines in /proc")
def test_other_users_do_not_see_it() -> None:
    look = (
        "import os, sys\n"
        "from provserver.etautil.hiding import hide_passwords\n"
        "print(hide_passwords(), open(f'/proc/{os.getpid()}/cmdline').read().split('\\0'))\n"
        "print(sys.argv)"
    )
    words = ["-u", "a", "-p", SECRET, "update", "b", "c", "n=v", "to", f"eTPassword={SECRET}"]
    done = subprocess.run(
        [sys.executable, "-c", look, *words], capture_output=True, text=True, timeout=60, check=True
    )
    seen, _, arguments = done.stdout.partition("\n")
    assert seen.startswith("True")
    assert SECRET not in seen
    stars = "*" * len(SECRET)
    assert f"'-u', 'a', '-p', '{stars}', 'update'" in seen
    assert f"'eTPassword={stars}'" in seen
    assert arguments.count(SECRET) == 2, "the command itself still has it"
