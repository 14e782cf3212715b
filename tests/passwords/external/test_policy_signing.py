"""Signatures of requests and answers, and the file that their secret is in."""

from __future__ import annotations

import copy
import hashlib
import hmac
import pickle
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stand_in import KEY, SECRET, secret_file

from provserver.https.signing import SharedSecret, SharedSecretError

TIMES = st.integers(0, 2**40).map(str)
NONCES = st.binary(min_size=16, max_size=16).map(bytes.hex)
Signed = tuple[str, str, bytes]


def test_signatures_are_what_the_documentation_says() -> None:
    request = b"provserver policy request 1\n1790000000\nabcd\n{}"
    answer = b"provserver policy answer 1\nabcd\n{}"
    assert (
        SECRET.of_request("1790000000", "abcd", b"{}") == hmac.new(KEY, request, hashlib.sha256).hexdigest()
    )
    assert SECRET.of_answer("abcd", b"{}") == hmac.new(KEY, answer, hashlib.sha256).hexdigest()


@given(st.tuples(TIMES, NONCES, st.binary()), st.tuples(TIMES, NONCES, st.binary()))
def test_two_requests_have_one_signature_only_if_they_are_one(one: Signed, other: Signed) -> None:
    assert (SECRET.of_request(*one) == SECRET.of_request(*other)) == (one == other)


@given(NONCES, st.binary(), NONCES, st.binary())
def test_an_answer_is_the_answer_to_one_request_only(
    nonce: str, body: bytes, other_nonce: str, other_body: bytes
) -> None:
    signature = SECRET.of_answer(nonce, body).encode()
    assert SECRET.is_of_answer(signature, nonce, body)
    assume((nonce, body) != (other_nonce, other_body))
    assert not SECRET.is_of_answer(signature, other_nonce, other_body)


@given(TIMES, NONCES, st.binary())
def test_a_request_that_is_thrown_back_is_no_answer(time: str, nonce: str, body: bytes) -> None:
    thrown = SECRET.of_request(time, nonce, body).encode()
    assert not SECRET.is_of_answer(thrown, nonce, body)
    assert not SECRET.is_of_answer(thrown, f"{time}\n{nonce}", body)


@pytest.mark.parametrize("signature", [b"", b"0" * 64, b"\xff" * 64, b"x"])
def test_what_is_no_signature_is_of_nothing(signature: bytes) -> None:
    assert not SECRET.is_of_answer(signature, "abcd", b"{}")


def test_a_secret_is_read_without_the_white_space_around_it(tmp_path: Path) -> None:
    loaded = SharedSecret.load(secret_file(tmp_path))
    assert loaded.of_answer("abcd", b"{}") == SECRET.of_answer("abcd", b"{}")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_may_use_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, mode: int
) -> None:
    path = secret_file(tmp_path, mode=mode)
    with pytest.raises(SharedSecretError, match=rf"mode {mode:04o}\): chmod 600 .*policy\.secret"):
        SharedSecret.load(path)


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 31, b"  " + b"x" * 31 + b"\n\n"])
def test_a_secret_that_is_too_short_is_refused_and_not_shown(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(SharedSecretError) as raised:
        SharedSecret.load(secret_file(tmp_path, key))
    assert "at least 32 bytes" in str(raised.value)
    assert "short" not in str(raised.value)


def test_a_file_that_is_missing_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SharedSecretError, match=r"there is no shared secret; make one: openssl rand -hex 32"):
        SharedSecret.load(tmp_path / "policy.secret")


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SharedSecretError, match="cannot be read"):
        SharedSecret.load(tmp_path)


def test_a_secret_does_not_show_itself() -> None:
    assert "Mooring" not in f"{SECRET!r} {SECRET}"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(SECRET)
