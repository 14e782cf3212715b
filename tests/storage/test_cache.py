"""The bounded memories."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.storage.cache import Record, Records, Remembered


@given(st.lists(st.tuples(st.sampled_from("gpx"), st.integers(0, 9), st.integers(1, 4))), st.integers(1, 12))
def test_the_least_recently_used_goes_first_and_the_limit_holds(
    steps: list[tuple[str, int, int]], limit: int
) -> None:
    kept: Remembered[int, int] = Remembered(limit)
    model: list[tuple[int, int]] = []  # key and weight, least recently used first
    for kind, key, weight in steps:
        known = dict(model)
        if kind == "g":
            assert (kept.get(key) is not None) == (key in known)
            if key in known:
                model.remove((key, known[key]))
                model.append((key, known[key]))
            continue
        if key in known:
            model.remove((key, known[key]))
        if kind == "x":
            kept.pop(key)
            continue
        kept.put(key, 100 + key, weight)
        model.append((key, weight))
        while sum(weight for _, weight in model) > limit:
            del model[0]
        assert len(kept) == len(model)
        assert all(key in kept for key, _ in model)


def _record(entry_id: str, name: str, weight: int = 1) -> Record:
    return Record(0, Entry(EntryId(entry_id), DN.parse(f"cn={name}"), {}), weight)


def test_a_renamed_entry_is_known_by_its_new_name_only() -> None:
    records = Records(10)
    records.put(_record("1", "old"))
    records.put(_record("1", "new"))
    assert records.at("cn=old\x1f") is None
    found = records.at(DN.parse("cn=new").key)
    assert found is not None
    assert found is records.with_id(EntryId("1"))


def test_a_name_taken_over_by_another_entry_stays_with_it() -> None:
    records = Records(10)
    records.put(_record("1", "name"))
    second = _record("2", "name")
    records.put(second)
    records.forget(EntryId("1"))
    assert records.at(DN.parse("cn=name").key) is second


def test_entries_in_use_by_name_or_by_id_stay() -> None:
    records = Records(4)
    for number in range(4):
        records.put(_record(str(number), f"n{number}"))
    records.at(DN.parse("cn=n0").key)
    records.with_id(EntryId("1"))
    records.put(_record("5", "n5", 2))
    assert [records.with_id(EntryId(str(n))) is not None for n in range(4)] == [True, True, False, False]
    assert len(records) == 3
    records.put(_record("huge", "huge", 5))
    assert records.with_id(EntryId("huge")) is None
