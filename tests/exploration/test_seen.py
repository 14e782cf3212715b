"""Names that were met, in few bytes each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provserver.exploration.seen import Seen


@given(st.lists(st.text(max_size=5)), st.lists(st.text(max_size=5)))
def test_it_is_a_set(added: list[str], asked: list[str]) -> None:
    seen, model = Seen(bytes(16)), set[str]()
    for text in added:
        assert seen.add(text) is (text not in model)
        model.add(text)
    assert len(seen) == len(model)
    for text in [*added, *asked]:
        assert (text in seen) is (text in model)


def test_it_grows_and_stays_small() -> None:
    seen = Seen(b"k" * 16)
    for number in range(20_000):
        assert seen.add(f"account {number}")
    assert not any(f"account {number}" in seen for number in range(20_000, 21_000))
    assert seen._slots.itemsize * len(seen._slots) <= 24 * 20_000
