"""Echo marks: recognised whichever key was current when they were made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provserver.vault.keyring import KeyRing, Purpose
from provserver.vault.marking import Marker, key_of

RING = KeyRing.generate()


@given(st.text(), st.binary(), st.integers(0, 3))
def test_a_mark_is_recognised_after_any_number_of_rotations(
    account: str, folded: bytes, rotations: int
) -> None:
    ring = RING
    mark = Marker(ring).mark(account, folded)
    for _ in range(rotations):
        ring = ring.rotated()
    assert mark in Marker(ring).possible(account, folded)
    assert mark not in Marker(ring).possible(account, folded + b"x")
    assert mark not in Marker(ring).possible(account + "x", folded)


def test_a_mark_says_which_key_it_needs_and_nothing_of_the_password() -> None:
    ring = RING.rotated()
    mark = Marker(ring).mark("account", b"password")
    assert key_of(mark) == ring.current
    assert mark != Marker(RING.rotated()).mark("account", b"password")


def test_marks_of_earlier_versions_are_recognised_and_say_nothing_of_their_key() -> None:
    mark = RING.mac(Purpose.MARK)(b"account", b"\0", b"password")
    assert mark in Marker(RING.rotated()).possible("account", b"password")
    assert key_of(mark) is None


def test_a_marker_goes_on_under_the_key_that_its_ring_takes() -> None:
    ring = KeyRing.generate()
    marker = Marker(ring)
    before = marker.mark("account", b"password")
    ring.take(ring.rotated())
    assert key_of(marker.mark("account", b"password")) == ring.current != key_of(before)
    assert before in marker.possible("account", b"password")
