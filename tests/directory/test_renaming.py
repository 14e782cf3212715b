"""What a new name makes of an entry's attributes (RFC 4511 4.9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.renaming import renamed
from provserver.directory.schema import Schema
from provserver.directory.tree import new_entry
from provserver.ldap.results import Refusal, ResultCode

STRING = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
SCHEMA = Schema.parse(
    [
        (
            "test.schema",
            f"""
attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )
attributetype ( 2.5.4.3 NAME ( 'cn' 'commonName' ) {STRING} )
attributetype ( 2.5.4.4 NAME 'sn' {STRING} )
attributetype ( 1.2.3.1 NAME 'badge' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27
  SINGLE-VALUE )
attributetype ( 1.2.3.2 NAME 'login' {STRING} SINGLE-VALUE )
attributetype ( 1.2.3.3 NAME 'stray' {STRING} )
attributetype ( 1.2.3.4 NAME 'photo' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 1.2.3.5 NAME 'eTID' {STRING} NO-USER-MODIFICATION USAGE directoryOperation )
attributetype ( 1.2.3.6 NAME 'hush' {STRING} X-PROV-SECRET 'TRUE' )
attributetype ( 1.2.3.7 NAME 'start' {STRING} X-PROV-TRIGGER 'test' )
objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
objectclass ( 1.2.4.1 NAME 'person' SUP top STRUCTURAL MUST cn MAY ( sn $ badge $ login $ photo $ hush ) )
""",
        )
    ]
)


def person(dn: str, **more: list[str]) -> Entry:
    given = {"objectClass": ["person"], **more}
    attributes = [(key, [value.encode() for value in values]) for key, values in given.items()]
    return new_entry(DN.parse(dn), attributes, SCHEMA, EntryId("id"), "20260101000000Z", "cn=maker,dc=im")


def rename(entry: Entry, dn: str, *, delete_old: bool = True) -> Entry:
    return renamed(entry, DN.parse(dn), SCHEMA, "20260202000000Z", "cn=changer,dc=im", delete_old=delete_old)


def test_the_old_values_go_and_the_new_ones_come() -> None:
    entry = rename(person("cn=ada,dc=im", cn=["ada", "countess"]), "cn=Ada King,dc=im")
    assert entry.dn.text == "cn=Ada King,dc=im"
    assert entry.texts("cn") == ("countess", "Ada King")
    assert (entry.id, entry.version) == ("id", 0)
    assert (entry.text("modifytimestamp"), entry.text("modifiersname")) == (
        "20260202000000Z",
        "cn=changer,dc=im",
    )
    assert entry.text("creatorsname") == "cn=maker,dc=im"


def test_the_old_values_stay_when_they_are_not_to_be_deleted() -> None:
    assert rename(person("cn=ada,dc=im"), "cn=king,dc=im", delete_old=False).texts("cn") == ("ada", "king")


def test_a_value_that_is_there_already_is_not_added_twice() -> None:
    entry = rename(person("cn=ada,dc=im", cn=["ada", "King"]), "cn=king,dc=im", delete_old=False)
    assert entry.texts("cn") == ("ada", "King")


@pytest.mark.parametrize(("delete_old", "spelled"), [(True, "ADA"), (False, "ada")])
def test_a_new_spelling_is_the_value_s_when_the_old_one_is_deleted(delete_old: bool, spelled: str) -> None:
    entry = rename(person("cn=ada,dc=im"), "CN=ADA,dc=im", delete_old=delete_old)
    assert (entry.dn.text, entry.texts("cn")) == ("CN=ADA,dc=im", (spelled,))


def test_only_the_new_superior_changes_nothing_in_the_attributes() -> None:
    before = person("cn=ada+sn=king,dc=im")
    after = rename(before, "sn=king+cn=ada,ou=there,dc=im")
    assert {key: after.texts(key) for key in ("cn", "sn")} == {"cn": ("ada",), "sn": ("king",)}


def test_a_name_of_several_values_comes_and_goes_whole() -> None:
    entry = rename(person("cn=ada,dc=im"), "cn=ada+sn=king,dc=im")
    assert (entry.texts("cn"), entry.texts("sn")) == (("ada",), ("king",))
    back = rename(entry, "cn=ada,dc=im")
    assert (back.texts("cn"), back.texts("sn")) == (("ada",), ())


def test_a_single_value_is_replaced_when_the_old_one_is_deleted() -> None:
    entry = rename(person("login=ada,dc=im", cn=["ada"]), "login=king,dc=im")
    assert entry.texts("login") == ("king",)


def test_a_second_single_value_is_refused_and_told() -> None:
    with pytest.raises(Refusal) as caught:
        rename(person("login=ada,dc=im", cn=["ada"]), "login=king,dc=im", delete_old=False)
    assert caught.value.code is ResultCode.CONSTRAINT_VIOLATION
    assert caught.value.result.diagnostic == (
        "login: expected a single value: the old one must go with the old name"
    )


def test_a_single_value_that_is_no_part_of_the_old_name_does_not_go_with_it() -> None:
    with pytest.raises(Refusal) as caught:
        rename(person("cn=ada,dc=im", login=["ada"]), "cn=ada+login=king,dc=im")
    assert caught.value.code is ResultCode.CONSTRAINT_VIOLATION


@pytest.mark.parametrize(
    ("dn", "code"),
    [
        ("nonesuch=x,dc=im", ResultCode.NAMING_VIOLATION),
        ("stray=x,dc=im", ResultCode.OBJECT_CLASS_VIOLATION),
        ("sn=king,dc=im", ResultCode.OBJECT_CLASS_VIOLATION),
        ("cn=ada+badge=seven,dc=im", ResultCode.INVALID_ATTRIBUTE_SYNTAX),
        ("cn=ada+photo=x,dc=im", ResultCode.NAMING_VIOLATION),
        ("eTID=x,dc=im", ResultCode.NAMING_VIOLATION),
        ("hush=x,dc=im", ResultCode.NAMING_VIOLATION),
        ("start=x,dc=im", ResultCode.NAMING_VIOLATION),
        ("cn=#0101ff,dc=im", ResultCode.NAMING_VIOLATION),
    ],
)
def test_what_cannot_name_the_entry_is_refused(dn: str, code: ResultCode) -> None:
    with pytest.raises(Refusal) as caught:
        rename(person("cn=ada,dc=im"), dn)
    assert caught.value.code is code


WORDS = st.sampled_from(["ada", "Ada", "king", "lady lovelace"])


@given(first=WORDS, second=WORDS, more=st.sets(st.sampled_from(["one", "two"])), delete_old=st.booleans())
def test_an_entry_always_has_the_value_of_its_name_and_keeps_the_others(
    first: str, second: str, more: set[str], delete_old: bool
) -> None:
    before = person(f"cn={first},dc=im", cn=[first, *sorted(more)])
    after = rename(before, f"cn={second},dc=im", delete_old=delete_old)
    held = {value.lower() for value in after.texts("cn")}
    expected = {second.lower(), *more} | (set() if delete_old else {first.lower()})
    assert held == expected
    assert len(after.texts("cn")) == len(expected)
    if delete_old:
        assert second in after.texts("cn"), "as the name spells it"
    back = rename(after, f"cn={first},dc=im")
    assert {first.lower(), *more} <= {value.lower() for value in back.texts("cn")}
