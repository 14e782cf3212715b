"""The bounded memory of what was used lately."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from provserver.recent import Recent


@given(st.lists(st.tuples(st.sampled_from("gpx"), st.integers(0, 9))), st.integers(1, 5))
@example([("p", 0), ("p", 1), ("x", 1), ("g", 0)], 1)
def test_the_last_used_are_kept_and_never_more_than_twice_the_size(
    steps: list[tuple[str, int]], size: int
) -> None:
    recent: Recent[int, int] = Recent(size)
    used: list[int] = []  # keys in the order of their last use, forgotten ones too: they had their place
    forgotten: set[int] = set()
    for kind, key in steps:
        certain = key in used[-size:] and key not in forgotten
        if kind == "x":
            recent.pop(key)
            forgotten.add(key)
            assert recent.get(key) is None
            continue
        if kind == "g":
            value = recent.get(key)
            assert value == 100 + key if certain else value in (None, 100 + key)
            if value is None:
                continue
        else:
            recent.put(key, 100 + key)
            forgotten.discard(key)
        used = [*(other for other in used if other != key), key]
        assert len(recent) <= 2 * size
