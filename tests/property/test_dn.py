"""Names: what is written is read back, spelling does not matter, a subtree is a range, no text is trouble."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.directory.names import DN, ROOT, InvalidName, subtree_range
from provserver.directory.preparation import prepare, prepare_part, spaced

types = st.sampled_from(["cn", "ou", "dc", "eTADSAccountName", "eTDYN-str-multi-01", "2.5.4.3", "1.2.3"])
characters = st.characters(exclude_categories=["Cs", "Co", "Cn"])
values = st.text(st.one_of(st.sampled_from(' ,+"\\<>;#=\x00\x1f\tab'), characters), max_size=8)
narrow = st.text(st.sampled_from(" ,+ab!\x01"), max_size=3)
names = st.lists(st.tuples(types, values), max_size=5)
narrow_names = st.lists(st.tuples(st.sampled_from(["cn", "ou"]), narrow), max_size=4)
many = settings(max_examples=300)


def build(pairs: list[tuple[str, str]]) -> DN:
    dn = ROOT
    for type, value in pairs:
        dn = dn.child(type, value)
    return dn


@many
@given(names)
def test_what_is_written_is_what_was_meant(pairs: list[tuple[str, str]]) -> None:
    dn = build(pairs)
    again = DN.parse(dn.text)
    assert again == dn
    assert again.text == dn.text
    assert [rdn.pairs[0] for rdn in again.rdns] == list(reversed(pairs))


@many
@given(names, st.data())
def test_case_spaces_and_escapes_do_not_change_a_name(
    pairs: list[tuple[str, str]], data: st.DataObject
) -> None:
    rdns = []
    for type, value in reversed(pairs):
        gap = data.draw(st.sampled_from(["", " ", "  "]))
        written = "".join(f"\\{octet:02{data.draw(st.sampled_from('xX'))}}" for octet in value.encode())
        rdns.append(f"{gap}{data.draw(st.sampled_from([type, type.upper()]))}{gap}={gap}{written}{gap}")
    other = DN.parse(data.draw(st.sampled_from([",", ";", " , "])).join(rdns))
    assert other == build(pairs)
    assert hash(other) == hash(build(pairs))


@many
@given(
    st.lists(
        st.tuples(st.sampled_from(["cn", "sn", "ou", "uid"]), values), min_size=1, unique_by=lambda p: p[0]
    )
)
def test_the_order_within_an_rdn_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    parts = [DN.parse("").child(type, value).text for type, value in pairs]
    one, other = DN.parse("+".join(parts)), DN.parse(" + ".join(reversed(parts)))
    assert one == other
    assert one.rdns[0].pairs == other.rdns[0].pairs
    assert sorted(one.rdns[0].pairs) == sorted(pairs)


@many
@given(st.text(st.one_of(st.sampled_from(' ,+"\\;#=cn.12aC3'), st.characters()), max_size=20))
def test_any_text_is_a_name_or_an_invalid_name(text: str) -> None:
    try:
        dn = DN.parse(text)
    except InvalidName as error:
        dn, position = ROOT, error.position
    else:
        position = 0
    assert DN.parse(dn.text) == dn
    assert 0 <= position <= len(text)


@many
@given(narrow_names, narrow_names)
def test_being_below_a_name_and_being_in_its_range_are_the_same(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    top, dn = build(one), build(other)
    expected = dn.depth >= top.depth and dn.ancestor(top.depth) == top
    low, high = subtree_range(top)
    assert dn.is_within(top) is expected
    assert (low <= dn.key < high) is expected
    assert (low.encode() <= dn.key.encode() < high.encode()) is expected


@many
@given(names, names, names)
def test_a_moved_name_is_where_its_ancestor_went(
    below: list[tuple[str, str]], old: list[tuple[str, str]], new: list[tuple[str, str]]
) -> None:
    dn = build(old + below)
    assert dn.relocate(build(old), build(new)) == build(new + below)


@many
@given(st.text(characters))
def test_preparing_twice_changes_nothing(text: str) -> None:
    for fold in (True, False):
        once = prepare(text, fold)
        assert prepare(once, fold) == once
        assert "  " not in once or not once.isascii()


@many
@given(st.text(st.sampled_from("aB c"), max_size=8), st.data())
def test_every_piece_of_a_value_is_found_in_it(text: str, data: st.DataObject) -> None:
    """A value cut anywhere: each of the three pieces is found, in its place."""
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    value = spaced(prepare(text))
    if text[:first].strip():
        assert value.startswith(prepare_part(text[:first], True, first=True))
    if text[last:].strip():
        assert value.endswith(prepare_part(text[last:], True, last=True))
    if text[first:last].strip():
        assert prepare_part(text[first:last], True) in value


@many
@given(names, names)
def test_a_name_that_is_parsed_when_it_is_needed_is_the_same(
    pairs: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    dn, other = build(pairs), build(others)
    stored = DN(None, dn.key, dn.text)
    assert stored == dn
    assert hash(stored) == hash(dn)
    assert (stored.text, stored.depth) == (dn.text, len(pairs))
    assert stored.is_just_below(other) is dn.is_just_below(other) is (dn.parent == other and dn != other)
    assert stored.is_within(other) is dn.is_within(other)
    assert stored.rdns == dn.rdns
    assert [rdn.text for rdn in stored.rdns] == [rdn.text for rdn in dn.rdns]
    assert stored.parent == dn.parent
    assert stored.child("cn", "below").is_just_below(stored)
