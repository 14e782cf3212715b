"""What is encoded is what is decoded, for every message and every filter text."""

from __future__ import annotations

from codec_strategies import attributes, controls, filters, messages, numbers, octets, results, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.ldap import filters as f
from provserver.ldap.ber_writing import header
from provserver.ldap.codec import (
    MODIFY_RESPONSE,
    before_value,
    decode_message,
    encode_attribute,
    encode_entry_of,
    encode_message,
    encode_result,
    encode_search_entry,
    enveloped,
)
from provserver.ldap.filters import FilterSyntaxError, format_filter, parse_filter
from provserver.ldap.limits import Limits
from provserver.ldap.messages import Message, ModifyResponse, PartialAttribute, SearchResultEntry

LIMITS = Limits(message_before_bind=2**24)
few = settings(max_examples=100)


@few
@given(messages)
def test_every_message_decodes_to_what_was_encoded(message: Message) -> None:
    encoded = encode_message(message)
    assert decode_message(encoded, 0, len(encoded)) == message


@few
@given(messages, octets, octets)
def test_a_message_is_decoded_from_the_middle_of_a_buffer(
    message: Message, before: bytes, behind: bytes
) -> None:
    encoded = encode_message(message)
    assert decode_message(before + encoded + behind, len(before), len(before) + len(encoded)) == message


@few
@given(numbers, texts, attributes(), controls)
def test_the_direct_entry_encoder_says_the_same_as_the_message(number, dn, found, asked) -> None:
    expected = encode_message(Message(number, SearchResultEntry(dn, found), asked))
    by_text = [(attribute.description, attribute.values) for attribute in found]
    by_bytes = [(attribute.description.encode(), attribute.values) for attribute in found]
    assert encode_search_entry(number, dn, by_text, asked) == expected
    assert encode_search_entry(number, dn.encode(), by_bytes, asked) == expected


@few
@given(texts, st.integers(0, 140), st.integers(1, 120))
def test_a_single_value_of_any_length_is_encoded_as_in_the_message(
    dn: str, length: int, of_name: int
) -> None:
    attribute = PartialAttribute("n" * of_name, (b"v" * length,))
    expected = encode_message(Message(1, SearchResultEntry(dn, (attribute,))))
    assert encode_search_entry(1, dn, [(attribute.description, attribute.values)]) == expected
    alone = encode_attribute(attribute.description, attribute.values)
    assert enveloped(1, encode_entry_of(dn, alone)) == expected
    before = before_value(attribute.description)
    assert (length < len(before)) is (len(alone) < 2 + 128)
    if length < len(before):
        assert before[length] + attribute.values[0] == alone


@given(st.integers(0, 2**32))
def test_lengths_are_as_short_as_they_can_be(length: int) -> None:
    octets = (length.bit_length() + 7) // 8
    short = bytes((0x30, length & 0x7F))
    long = bytes((0x30, 0x80 | octets)) + length.to_bytes(octets, "big")
    assert header(0x30, length) == (short if length < 128 else long)


@few
@given(numbers, results, controls)
def test_the_direct_result_encoder_says_the_same_as_the_message(number, result, asked) -> None:
    expected = encode_message(Message(number, ModifyResponse(result), asked))
    assert encode_result(number, MODIFY_RESPONSE, result, asked) == expected


descriptions = st.from_regex(
    r"\A(?:[A-Za-z][A-Za-z0-9-]{0,5}|[0-9]{1,2}(?:\.[0-9]{1,2}){0,3})(?:;[a-z0-9-]{1,4})?\Z"
)
rules = st.from_regex(r"\A(?:[A-Za-z][A-Za-z0-9-]{0,5}|[0-9]{1,2}(?:\.[0-9]{1,2}){0,3})\Z").filter(
    lambda rule: rule.lower() != "dn"
)
some = st.binary(min_size=1, max_size=6) | st.text(min_size=1, max_size=6).map(str.encode)
written = st.recursive(
    st.one_of(
        st.builds(f.Present, descriptions),
        *(
            st.builds(kind, descriptions, some | st.just(b""))
            for kind in (f.Equality, f.GreaterOrEqual, f.LessOrEqual, f.Approximate)
        ),
        st.builds(
            f.Substrings,
            descriptions,
            st.none() | some,
            st.lists(some, max_size=3).map(tuple),
            st.none() | some,
        ).filter(lambda wanted: wanted.any or wanted.initial or wanted.final),
        st.builds(f.Extensible, rules, st.none() | descriptions, some, st.booleans()),
        st.builds(f.Extensible, st.none(), descriptions, some, st.booleans()),
    ),
    lambda part: st.one_of(
        st.builds(f.Not, part),
        st.builds(f.And, st.lists(part, max_size=3).map(tuple)),
        st.builds(f.Or, st.lists(part, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@few
@given(written)
def test_the_text_of_a_filter_means_the_filter(wanted: f.Filter) -> None:
    assert parse_filter(format_filter(wanted)) == wanted


@few
@given(filters())
def test_every_filter_that_can_be_decoded_has_a_text(wanted: f.Filter) -> None:
    text = format_filter(wanted)
    assert text.startswith("(")
    assert text.endswith(")")


@few
@given(st.text(alphabet="()&|!=*<>~:\\ax1.;d n\u00e4\x00\udc80", max_size=12))
def test_any_text_is_a_filter_or_an_error_with_a_position_in_it(text: str) -> None:
    position = 0
    try:
        wanted = parse_filter(text)
    except FilterSyntaxError as failure:
        position = failure.position
    else:
        assert parse_filter(format_filter(wanted)) == wanted
    assert 0 <= position <= len(text)
