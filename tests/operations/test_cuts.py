"""Answers that are cut out of stored entries are those that are made of their attributes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.packed import chunk_of, pack, unpack
from provserver.foundation import load_schema
from provserver.imps.views import View
from provserver.ldap.codec import encode_entry
from provserver.operations.cuts import Cuts, Cutter
from provserver.operations.selection import Selection

SCHEMA = load_schema()
NAMES = [
    *("objectClass", "cn", "sn", "givenName", "name", "cn;lang-de", "cn;lang-de;x-short", "description"),
    *("userPassword", "provPasswordHash", "eTPassword", "eTID", "createTimestamp", "creatorsName"),
    *("eTADSsAMAccountName", "eTADSTitle", "unheardOf"),
]
"""Of user, operational, secret and unknown attributes."""
_values = st.lists(
    st.binary(max_size=20)
    | st.sampled_from([b"v" * 90, b"v" * 130, b"v" * 300, b"\x1f", b"\x1d\x1e"])
    | st.sampled_from([b"top", b"person"]),
    max_size=3,
)
_entries = st.dictionaries(st.sampled_from(NAMES), _values.map(tuple), max_size=8)
_requests = st.lists(st.sampled_from([*NAMES, "*", "+", "1.1", "@person", "entryDN"]), max_size=4).map(tuple)


def entry_of(values: dict[str, tuple[bytes, ...]]) -> Entry:
    attributes = {
        SCHEMA.known_key(name) or name.lower(): Attribute(name, several) for name, several in values.items()
    }
    return Entry(EntryId("597ae2f6-16a6-1027-98f4-d28b5365dc14"), DN.parse("cn=Ada,dc=im"), attributes, 1)


def packed(entry: Entry) -> Entry:
    return replace(entry, attributes=unpack(pack(entry.attributes)))


@given(st.lists(_entries, min_size=1, max_size=4), _requests, st.sampled_from(View))
def test_what_is_cut_is_what_is_selected(
    several: list[dict[str, tuple[bytes, ...]]], requested: tuple[str, ...], view: View
) -> None:
    selection = Selection(requested, SCHEMA)
    cutter = Cutter(selection, view, Cuts())
    for values in several:
        entry = entry_of(values)
        attributes = selection.of(entry, view)
        assert selection.of(packed(entry), view) == attributes
        if selection.stored:
            cut = cutter.entry(packed(entry))
            escaped = any(b"\x1d" in chunk_of(held) for held in values.values())
            assert cut == (b"" if escaped else encode_entry(entry.dn.text + view.value, attributes))
            assert not cutter.entry(entry), "of attributes that nobody has packed"


@pytest.mark.parametrize("value", [b"plain", b"", b"v" * 80, b"v" * 130, b"v" * 300])
def test_what_is_plain_is_cut(value: bytes) -> None:
    entry = entry_of({"objectClass": (b"top", b"person"), "cn": (value,), "userPassword": (b"hush",)})
    selection = Selection(("*",), SCHEMA)
    cut = Cutter(selection, View.SERVER, Cuts()).entry(packed(entry))
    assert cut == encode_entry("cn=Ada,dc=im,dc=eta", selection.of(entry, View.SERVER))
    assert b"hush" not in cut


@pytest.mark.parametrize("values", [(b"\x1f",), (b"\x1d", b"x"), ()])
def test_what_is_not_is_left_to_others(values: tuple[bytes, ...]) -> None:
    entry = entry_of({"objectClass": (b"top", b"person"), "cn": values})
    assert Cutter(Selection(("*",), SCHEMA), View.SERVER, Cuts()).entry(packed(entry)) == b""


@pytest.mark.parametrize(
    ("requested", "stored"),
    [
        *[(("*",), True), ((), True), (("cn", "1.1"), True), (("+",), False), (("entryDN",), False)],
        *[(("numSubordinates",), False), (("cn", "hasSubordinates"), False)],
    ],
)
def test_only_what_is_stored_can_be_cut(requested: tuple[str, ...], stored: bool) -> None:
    assert Selection(requested, SCHEMA).stored is stored
