"""Entry bodies: an inverse, and damage that is told."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from first_version import of_first_version
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute
from provserver.storage.bodies import VERSION, DamagedBody, Form, decode, encode, read

_words = st.text(
    st.characters(codec="ascii", min_codepoint=0x20, exclude_characters=";"), min_size=1, max_size=12
)
_octets = st.binary(max_size=40) | st.text(alphabet="\x1c\x1d\x1e\x1f012", max_size=8).map(str.encode)
_attributes = st.dictionaries(
    _words.map(str.lower),
    st.tuples(_words, st.lists(_octets, max_size=4).map(tuple)).map(lambda both: Attribute(*both)),
    max_size=8,
)


@given(_attributes)
def test_a_body_reads_back_as_it_was_in_its_order(attributes: dict[str, Attribute]) -> None:
    read = decode(encode(attributes))
    assert read == attributes
    assert list(read) == list(attributes)
    assert all(type(attribute) is Attribute for attribute in read.values())


@given(_attributes, st.data())
def test_one_changed_octet_is_damage(attributes: dict[str, Attribute], data: st.DataObject) -> None:
    body = bytearray(encode(attributes))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedBody):
        decode(bytes(body))


@given(st.binary(max_size=60))
def test_any_octets_are_a_body_or_damage(octets: bytes) -> None:
    with contextlib.suppress(DamagedBody):
        decode(octets)


@pytest.mark.parametrize("key", ["", "a\x1fb", "a\x1e", "a\x1c"])
def test_a_name_that_would_break_the_form_is_not_written(key: str) -> None:
    with pytest.raises(ValueError, match="no attribute name"):
        encode({key: Attribute(key, (b"x",))})


@given(_attributes, st.data())
def test_a_form_that_is_filled_is_the_body_of_its_attributes(
    attributes: dict[str, Attribute], data: st.DataObject
) -> None:
    varying = [key for key in attributes if data.draw(st.booleans())]
    form = Form(attributes, varying)
    for _ in range(2):
        values = [
            data.draw(st.lists(_octets | st.just(b"%b %% %s"), min_size=1, max_size=3)) for _ in varying
        ]
        filled = dict(attributes)
        for key, held in zip(varying, values, strict=True):
            filled[key] = Attribute(attributes[key].description, tuple(held))
        assert form.fill(values) == encode(filled)


@given(_attributes)
def test_a_body_of_the_first_version_is_read(attributes: dict[str, Attribute]) -> None:
    found = read(of_first_version(attributes))
    assert found == attributes
    assert list(found) == list(attributes)
    assert encode(found) == encode(attributes)


def test_a_body_of_another_version_is_damage_and_says_so() -> None:
    with pytest.raises(DamagedBody, match="version 2, found b'\\\\x03'"):
        read(b"\x03" + encode({})[1:])


def test_a_body_whose_names_do_not_fit_is_damage_and_says_so() -> None:
    packed = b"cn\x1fsn\x1eone"
    with pytest.raises(DamagedBody, match="2 names, 1 attributes"):
        decode(VERSION + zlib.crc32(packed, 2).to_bytes(4, "big") + packed)


def test_a_form_takes_its_varying_attributes_in_their_order() -> None:
    attributes = {"a": Attribute("a", (b"1",)), "b": Attribute("b", (b"2",))}
    with pytest.raises(ValueError, match="in the order"):
        Form(attributes, ["b", "a"])
