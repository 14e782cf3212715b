"""Packed attributes: they are the mapping that they were made of, whichever way one looks at them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import ROOT
from provserver.directory.packed import Malformed, Packed, has_options, pack, unpack

_words = st.text(st.characters(codec="ascii", min_codepoint=0x20), min_size=1, max_size=12)
_octets = st.binary(max_size=40) | st.text(alphabet="\x1c\x1d\x1e\x1f0123", max_size=8).map(str.encode)
_descriptions = st.sampled_from(["cn", "objectClass", "createTimestamp", "eTID", "cn;lang-de"]) | _words
_attributes = st.dictionaries(
    _words.map(str.lower) | st.sampled_from(["cn", "objectclass", "createtimestamp", "etid"]),
    st.tuples(_descriptions, st.lists(_octets, max_size=4).map(tuple)).map(lambda both: Attribute(*both)),
    max_size=8,
)


@given(_attributes)
def test_every_look_at_packed_attributes_shows_what_was_packed(attributes: dict[str, Attribute]) -> None:
    packed = unpack(pack(attributes))
    assert packed.unpacked() == attributes
    assert list(packed.unpacked()) == list(attributes)
    assert dict(packed) == {**packed} == attributes
    assert list(packed) == list(packed.keys()) == list(attributes)
    assert list(packed.values()) == list(attributes.values())
    assert list(packed.items()) == list(attributes.items())
    assert len(packed) == len(attributes)
    for key, attribute in attributes.items():
        assert key in packed
        assert packed[key] == packed.get(key) == packed.get(key, None) == attribute
        assert type(packed[key]) is type(packed.unpacked()[key]) is Attribute
    assert "no such" not in packed
    assert packed.get("no such") is None
    assert packed.get("no such", "-") == "-"
    with pytest.raises(KeyError):
        packed["no such"]
    assert has_options(packed) == has_options(attributes)


@given(_attributes, _attributes)
def test_packed_attributes_equal_what_holds_the_same(
    one: dict[str, Attribute], other: dict[str, Attribute]
) -> None:
    first, second = unpack(pack(one)), unpack(pack(other))
    assert first == one
    assert one == first
    assert (first == second) is (one == other)
    assert (first == other) is (one == other)
    assert first == unpack(pack(dict(reversed(one.items()))))
    assert first != 1
    with pytest.raises(TypeError):
        hash(first)


@given(_attributes)
def test_what_is_packed_already_is_packed_as_it_is(attributes: dict[str, Attribute]) -> None:
    octets = pack(attributes)
    assert pack(unpack(octets)) == octets
    assert pack(unpack(octets).unpacked()) == octets


@given(_attributes)
def test_an_entry_is_the_same_with_packed_attributes(attributes: dict[str, Attribute]) -> None:
    entry = Entry(EntryId("1"), ROOT, attributes, 1)
    packed = Entry(EntryId("1"), ROOT, unpack(pack(attributes)), 1)
    assert packed == entry
    for key in (*attributes, "no such"):
        assert packed.values(key) == entry.values(key)


@given(st.binary(max_size=40) | st.text(alphabet="a\x1c\x1d\x1e\x1f3", max_size=12).map(str.encode))
def test_any_octets_are_attributes_or_malformed(octets: bytes) -> None:
    with contextlib.suppress(Malformed):
        packed = unpack(octets)
        assert list(packed.unpacked()) == list(packed)
        assert len(packed.chunks()) == len(packed)


@pytest.mark.parametrize(
    ("octets", "wrong"),
    [
        (b"cn\x1fsn\x1eone", "2 names, 1 attributes"),
        (b"cn\x1eone\x1etwo", "1 names, 2 attributes"),
        (b"cn\x1fsn", "2 names, 1 attributes"),
        (b"cn\x1fCN\x1e1\x1e2", "twice"),
        (b"cn\x1f\x1e1\x1e2", "without a name"),
        (b"c\xff\x1e1", "not UTF-8"),
    ],
)
def test_what_is_wrong_with_malformed_octets_is_said(octets: bytes, wrong: str) -> None:
    with pytest.raises(Malformed, match=wrong):
        unpack(octets).unpacked()


def test_an_attribute_that_is_not_there_after_all_is_malformed() -> None:
    packed = unpack(b"cn\x1fsn\x1eone")
    assert packed["cn"].values == (b"one",)
    with pytest.raises(Malformed, match="2 names, 1 attributes"):
        packed["sn"]


@pytest.mark.parametrize("key", ["", "a\x1fb", "a\x1e", "a\x1c"])
def test_a_name_that_would_break_the_form_is_not_packed(key: str) -> None:
    with pytest.raises(ValueError, match="no attribute name"):
        pack({key: Attribute(key, (b"x",))})


def test_entries_with_the_same_names_have_one_outline() -> None:
    one, other = ({"cn": Attribute("CN", (value,)), "sn": Attribute("sn", ())} for value in (b"1", b"2"))
    assert unpack(pack(one)).outline is unpack(pack(other)).outline
    assert unpack(pack(one)).outline is not unpack(pack({"cn": Attribute("cn", (b"1",))})).outline


def test_values_are_not_shown_by_mistake() -> None:
    packed = unpack(pack({"userpassword": Attribute("userPassword", (b"hush",))}))
    assert isinstance(packed, Packed)
    assert repr(packed) == "Packed(1 attributes)"
    assert "hush" not in repr(Entry(EntryId("1"), ROOT, packed))
