"""Sealing: what was sealed opens with its row and its key, and with nothing else."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.vault.keyring import KeyRing
from provserver.vault.sealing import Seal, SealBroken, key_of
from provserver.vault.secret import Secret

RING = KeyRing.generate()
SEAL = Seal(RING)
ROW = b"delivery 1"


@given(st.binary(max_size=300), st.binary(max_size=80))
def test_a_sealed_secret_opens_to_itself(password: bytes, row: bytes) -> None:
    assert SEAL.open(SEAL.seal(Secret(password), row), row).reveal() == password


@pytest.mark.parametrize(
    "password", [b"", b"\x80", b"\0", b"a\x80\0\0", b"\x80" * 32, b"\0" * 31, b"\0" * 32]
)
def test_passwords_that_look_like_padding_come_back_whole(password: bytes) -> None:
    assert SEAL.open(SEAL.seal(Secret(password), ROW), ROW).reveal() == password


@given(st.binary(max_size=40), st.data())
def test_any_changed_byte_breaks_the_seal(password: bytes, data: st.DataObject) -> None:
    sealed = bytearray(SEAL.seal(Secret(password), ROW))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        SEAL.open(bytes(sealed), ROW)


@given(st.binary(max_size=40), st.data())
def test_a_sealed_value_cut_anywhere_or_made_longer_is_broken(password: bytes, data: st.DataObject) -> None:
    sealed = SEAL.seal(Secret(password), ROW)
    for altered in (sealed[: data.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0"):
        with pytest.raises(SealBroken):
            SEAL.open(altered, ROW)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_value_moved_to_another_row_is_broken(row: bytes, other: bytes) -> None:
    sealed = SEAL.seal(Secret(b"Correct-Horse-9"), row)
    if row != other:
        with pytest.raises(SealBroken, match="another row"):
            SEAL.open(sealed, other)


@given(st.binary(max_size=100))
def test_whatever_bytes_come_the_answer_is_seal_broken(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        SEAL.open(sealed, ROW)


def test_after_a_rotation_old_values_open_and_new_ones_use_the_new_key() -> None:
    old = SEAL.seal(Secret(b"old"), ROW)
    rotated = Seal(RING.rotated())
    assert rotated.open(old, ROW).reveal() == b"old"
    assert rotated.needs_renewal(old)
    new = rotated.seal(Secret(b"new"), ROW)
    assert not rotated.needs_renewal(new)
    with pytest.raises(SealBroken, match="does not have"):
        SEAL.open(new, ROW)


def test_a_newer_format_says_so() -> None:
    sealed = b"\x02" + SEAL.seal(Secret(b"x"), ROW)[1:]
    with pytest.raises(SealBroken, match="format 2, 1 was expected"):
        SEAL.open(sealed, ROW)


def test_a_nonce_is_used_once() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return os.urandom(size)

    seal = Seal(RING, random)
    nonces = {seal.seal(Secret(b"same"), ROW)[5:17] for _ in range(50)}
    assert len(nonces) == 50
    assert asked == [12] * 50


def test_the_length_of_a_sealed_value_does_not_tell_that_of_the_password() -> None:
    lengths = {len(SEAL.seal(Secret(b"x" * length), ROW)) for length in range(32)}
    assert len(lengths) == 1


def test_neither_the_value_nor_an_error_nor_a_repr_shows_the_password() -> None:
    sealed = SEAL.seal(Secret(b"Correct-Horse-9"), ROW)
    assert b"Correct" not in sealed
    with pytest.raises(SealBroken) as raised:
        SEAL.open(sealed, b"elsewhere")
    assert "Correct" not in str(raised.value) + repr(SEAL) + repr(SEAL.open(sealed, ROW))


def test_a_seal_goes_on_under_the_key_that_its_ring_takes() -> None:
    ring = KeyRing.generate()
    seal = Seal(ring)
    before = seal.seal(Secret(b"password"), ROW)
    assert key_of(before) == ring.current
    assert not seal.needs_renewal(before)
    ring.take(ring.rotated())
    assert seal.needs_renewal(before)
    after = seal.renewed(before, ROW)
    assert key_of(after) == ring.current != key_of(before)
    assert seal.open(before, ROW).reveal() == seal.open(after, ROW).reveal() == b"password"


def test_a_key_that_was_left_out_opens_nothing_any_more() -> None:
    ring = KeyRing.generate()
    seal = Seal(ring)
    sealed = seal.seal(Secret(b"password"), ROW)
    old = ring.current
    ring.take(ring.rotated())
    assert seal.open(sealed, ROW).reveal() == b"password"
    ring.take(ring.without(old))
    with pytest.raises(SealBroken, match=f"needs key {old}"):
        seal.open(sealed, ROW)


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x02" + bytes(80), b"\x01" + bytes(40)])
def test_what_is_no_sealed_value_needs_no_key(value: bytes) -> None:
    assert key_of(value) is None
