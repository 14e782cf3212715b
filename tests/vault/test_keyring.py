"""The key ring: what it keeps, whom it refuses, what it never shows."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import os
import pickle
import stat
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.vault.keyring import KEY_SIZE, KeyId, KeyRing, KeyRingError, Mac, Purpose


def counting() -> object:
    """Randomness that a test can foresee: each call gives other bytes."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def written(path: Path, document: object, mode: int = 0o600) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(mode)
    return path


def test_a_ring_that_was_written_is_the_same_ring_when_loaded(path: Path) -> None:
    ring = KeyRing.generate().rotated().rotated()
    ring.write(path)
    loaded = KeyRing.load(path)
    assert loaded.ids == ring.ids
    assert loaded.current == ring.current
    for purpose in Purpose:
        for key_id in ring.ids:
            assert loaded.key(purpose, key_id) == ring.key(purpose, key_id)


def test_every_purpose_and_every_id_has_a_key_of_its_own() -> None:
    ring = KeyRing.generate().rotated()
    keys = {ring.key(purpose, key_id) for purpose in Purpose for key_id in ring.ids}
    assert len(keys) == len(Purpose) * 2
    assert {len(key) for key in keys} == {KEY_SIZE}


def test_the_derivation_never_changes() -> None:
    """Otherwise an upgrade could not open its own outbox."""
    ring = KeyRing({KeyId("00000001"): bytes(range(32))}, KeyId("00000001"))
    # HKDF-SHA-256 (RFC 5869) by hand: extract with a zero salt, expand one block.
    extracted = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    assert ring.key(Purpose.SEAL) == hmac.digest(extracted, b"provserver 1 seal\x01", "sha256")


def test_rotation_puts_a_new_key_in_front_and_keeps_the_old_ones() -> None:
    old = KeyRing.generate(counting())
    new = old.rotated(counting())  # the same numbers again: the first id that comes up is taken
    assert new.current != old.current
    assert new.ids == (new.current, old.current)
    assert new.key(Purpose.SEAL, old.current) == old.key(Purpose.SEAL)


def test_the_file_is_private_from_its_first_moment_and_nothing_else_is_left(path: Path) -> None:
    previous = os.umask(0)
    try:
        KeyRing.generate().write(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_writing_replaces_a_ring_in_one_step(path: Path) -> None:
    first = KeyRing.generate()
    first.write(path)
    first.rotated().write(path)
    assert first.current in KeyRing.load(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_ring_and_no_debris(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing.generate()
    ring.write(path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        ring.rotated().write(path)
    assert KeyRing.load(path).ids == ring.ids
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_use_is_refused_with_the_command_that_mends_it(path: Path, mode: int) -> None:
    KeyRing.generate().write(path)
    path.chmod(mode)
    with pytest.raises(KeyRingError, match=f"chmod 600 {path}"):
        KeyRing.load(path)


def test_a_missing_file_says_which(path: Path) -> None:
    with pytest.raises(KeyRingError, match=str(path)):
        KeyRing.load(path)


def test_a_directory_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError):
        KeyRing.load(tmp_path)


GOOD = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{", "not JSON"),
        ("\xff", "not JSON"),
        ([], "format"),
        ({"format": 2}, "format"),
        ({"format": 1}, "current"),
        ({"format": 1, "current": "00000001", "keys": []}, "keys"),
        ({"format": 1, "current": "00000001", "keys": {}}, "current key"),
        ({"format": 1, "current": "00000001", "keys": {"00000001": 7}}, "not text"),
        ({"format": 1, "current": "00000001", "keys": {"00000001": "%%"}}, "base64"),
        ({"format": 1, "current": "00000001", "keys": {"00000001": "AAAA"}}, "3 bytes"),
        ({"format": 1, "current": "x", "keys": {"x": GOOD}}, "key id"),
        ({"format": 1, "current": "0000000A", "keys": {"0000000A": GOOD}}, "key id"),
        ({"format": 1, "current": "00000002", "keys": {"00000001": GOOD}}, "current key"),
    ],
)
def test_a_file_that_is_no_ring_says_what_was_expected(path: Path, document: object, problem: str) -> None:
    with pytest.raises(KeyRingError, match=problem) as raised:
        KeyRing.load(written(path, document))
    assert str(path) in str(raised.value)


def test_an_error_about_the_file_holds_no_key_not_even_in_its_context(path: Path) -> None:
    written(path, '{"keys": {"00000001": "' + GOOD + '"')
    with pytest.raises(KeyRingError) as raised:
        KeyRing.load(path)
    assert GOOD not in str(raised.value)
    assert raised.value.__context__ is None


def test_what_shows_a_ring_shows_ids_only() -> None:
    ring = KeyRing.generate(lambda size: b"\xab" * size)
    shown = f"{ring} {ring!r} {ring.mac(Purpose.MARK)!r}"
    assert "abababab" in shown
    assert "ab" * 5 not in shown
    for purpose in Purpose:
        assert ring.key(purpose).hex() not in shown


def test_a_ring_is_never_pickled_or_copied() -> None:
    ring = KeyRing.generate()
    with pytest.raises(TypeError):
        pickle.dumps(ring)
    with pytest.raises(TypeError):
        copy.copy(ring)


@given(st.binary(max_size=64), st.lists(st.binary(max_size=200), max_size=4))
def test_a_mac_is_hmac_sha_256_of_the_parts_behind_their_lengths(key: bytes, parts: list[bytes]) -> None:
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    expected = hmac.new(key, message, hashlib.sha256).digest()
    mac = Mac(key)
    assert mac(*parts) == expected
    assert mac(*parts) == expected  # the kept states are not used up


def test_parts_do_not_run_into_each_other() -> None:
    mac = Mac(b"k" * 32)
    assert mac(b"ab", b"c") != mac(b"a", b"bc")


def test_the_mac_of_a_purpose_is_that_of_the_current_key_unless_told() -> None:
    ring = KeyRing.generate().rotated()
    assert ring.mac(Purpose.MARK) is ring.mac(Purpose.MARK, ring.current)
    assert ring.mac(Purpose.MARK)(b"a") != ring.mac(Purpose.MARK, ring.ids[1])(b"a")


def test_a_ring_that_takes_another_is_the_same_as_it() -> None:
    ring = KeyRing.generate()
    newer = ring.rotated()
    before = ring.mac(Purpose.META)
    assert not ring.take(ring)
    assert ring.taken == 0
    assert ring.take(newer)
    assert (ring.ids, ring.current, ring.taken) == (newer.ids, newer.current, 1)
    assert ring.mac(Purpose.META)(b"a") == newer.mac(Purpose.META)(b"a") != before(b"a")
    assert not ring.take(newer)


def test_an_older_key_can_be_left_out_and_the_current_one_cannot() -> None:
    ring = KeyRing.generate().rotated()
    old = ring.ids[1]
    without = ring.without(old)
    assert without.ids == (ring.current,)
    assert ring.ids == (ring.current, old), "a ring is not changed by that"
    with pytest.raises(KeyRingError, match="rotate first"):
        ring.without(ring.current)
    with pytest.raises(KeyRingError, match="there is no key"):
        without.without(old)
