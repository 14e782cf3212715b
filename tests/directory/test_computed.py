"""Attributes that follow from the entry: their values, and questions about them that an index can answer."""

from __future__ import annotations

import pytest
from small_schema import person, raw, small

from provserver.directory.computed import OF_CHILDREN, OF_ENTRY, as_stored, values_of
from provserver.directory.filtering import compile_filter
from provserver.ldap.filters import Equality

ID = b"00000000-0000-0000-0000-000000000001"


def test_an_entry_tells_its_name_its_uuid_and_its_subschema() -> None:
    entry = person()
    assert values_of("entrydn", entry) == (b"cn=Jack,dc=im",)
    assert values_of("entrydn", entry, ",dc=eta") == (b"cn=Jack,dc=im,dc=eta",)
    assert values_of("entryuuid", entry, ",dc=eta") == (ID,) == entry.values("etid")
    assert values_of("subschemasubentry", entry, ",dc=eta") == (b"cn=Subschema",)


def test_what_is_stored_stands_before_what_is_computed() -> None:
    entry = raw(entryDN=[b"cn=other"], subschemaSubentry=[b"cn=elsewhere"])
    assert values_of("entrydn", entry, ",dc=eta") == (b"cn=other",)
    assert values_of("subschemasubentry", entry) == (b"cn=elsewhere",)


def test_an_id_that_is_no_uuid_gives_none() -> None:
    assert values_of("entryuuid", raw(cn=[b"x"])) == ()


@pytest.mark.parametrize("key", [*OF_ENTRY, *OF_CHILDREN])
def test_computed_attributes_are_operational_and_the_servers_own(key: str) -> None:
    type = small().type_of(key)
    assert type.operational
    assert type.single_value
    assert not type.modifiable


@pytest.mark.parametrize("name", ["entryUUID", "ENTRYUUID", "1.3.6.1.1.16.4"])
def test_a_question_about_the_uuid_is_one_about_the_indexed_id(name: str) -> None:
    asked = Equality(name, ID)
    assert as_stored(asked, small()) == Equality("eTID", ID)
    assert "etid" in small().indexed


@pytest.mark.parametrize(
    "asked",
    [
        Equality("entryUUID", b"no UUID, though it has 36 characters"),
        Equality("entryUUID", b"short"),
        Equality("cn", ID),
        Equality("nosuch", ID),
        Equality("entryUUID;x-a", ID),
    ],
)
def test_any_other_question_stays_as_it_is(asked: Equality) -> None:
    assert as_stored(asked, small()) is asked


@pytest.mark.parametrize(
    "value", [ID, ID[:-1] + b"2", b"00000000-0000-0000-0000-00000000000G", b"x", b"\xff" * 36]
)
def test_both_questions_have_the_same_answer(value: bytes) -> None:
    asked = Equality("entryUUID", value)
    for entry in (person(), raw(cn=[b"x"])):
        expected = compile_filter(asked, small())(entry)
        assert compile_filter(as_stored(asked, small()), small())(entry) is expected
