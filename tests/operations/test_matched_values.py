"""Returning matched values only (RFC 3876)."""

from __future__ import annotations

import pytest
from desk import Desk

from provserver.ldap.controls import MatchedValues
from provserver.ldap.filters import Scope, parse_filter
from provserver.ldap.results import ResultCode


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.add(
        "cn=sean,dc=im",
        "person",
        sn="Mullan",
        mail=["sean@hotmail.com", "mullan@sun.com"],
        telephoneNumber=["+1 781 442 0926", "555-9999"],
        description=["one", "two"],
        description_lang_de=["eins", "zwei"],
        seeAlso=["cn=a,dc=im,dc=eta", "cn=b,dc=im"],
    )
    desk.add("cn=david,dc=im", "person", sn="Chadwick", mail="david@salford.ac.uk")
    return desk


def matched(*texts: str) -> MatchedValues:
    return MatchedValues(tuple(parse_filter(text) for text in texts))  # type: ignore[arg-type]


def told(desk: Desk, *texts: str, attributes: tuple[str, ...] = (), **more: object) -> dict[str, list[str]]:
    """What is shown of Sean."""
    answer = desk.ask("(sn=mullan)", matched(*texts), attributes=attributes, **more)  # type: ignore[arg-type]
    assert answer.code is ResultCode.SUCCESS
    assert answer.names == ["cn=sean,dc=im,dc=eta"]
    return {one.description: [value.decode() for value in one.values] for one in answer.entries[0].attributes}


def test_the_example_of_the_rfc(desk: Desk) -> None:
    found = told(desk, "(mail=*hotmail.com)", "(telephoneNumber=*)", attributes=("mail", "telephoneNumber"))
    assert found == {"mail": ["sean@hotmail.com"], "telephoneNumber": ["+1 781 442 0926", "555-9999"]}


def test_an_attribute_may_be_left_without_values(desk: Desk) -> None:
    assert told(desk, "(mail=nobody)", attributes=("mail", "sn")) == {"mail": [], "sn": []}


def test_without_items_no_value_is_left(desk: Desk) -> None:
    assert told(desk, attributes=("mail",)) == {"mail": []}


def test_entries_are_found_by_the_filter_alone(desk: Desk) -> None:
    answer = desk.ask("(sn=*)", matched("(mail=*hotmail.com)"), attributes=["mail"])
    assert sorted(answer.names) == ["cn=david,dc=im,dc=eta", "cn=sean,dc=im,dc=eta"]


ITEMS = [
    ("(description=TWO)", "description", ["two"]),
    ("(description>=x)", "description", []),
    ("(mail=sean@*)", "mail", ["sean@hotmail.com"]),
    ("(mail~=seanhotmailcom)", "mail", ["sean@hotmail.com"]),
    ("(mail:=MULLAN@sun.com)", "mail", ["mullan@sun.com"]),
    ("(description:caseExactMatch:=two)", "description", ["two"]),
    ("(description:caseExactMatch:=TWO)", "description", []),
    ("(:caseIgnoreMatch:=TWO)", "description", ["two"]),
    ("(:caseIgnoreMatch:=mullan@sun.com)", "description", []),
    ("(:distinguishedNameMatch:=cn=Subschema)", "description", []),
    ("(nosuch=two)", "description", []),
    ("(name=mullan)", "sn", ["Mullan"]),
    ("(description=eins)", "description;lang-de", ["eins"]),
    ("(description;lang-de=eins)", "description;lang-de", ["eins"]),
    ("(description;lang-en=eins)", "description;lang-de", []),
    ("(seeAlso=cn=a,dc=im,dc=eta)", "seeAlso", ["cn=a,dc=im"]),
    ("(entryDN=cn=sean,dc=im,dc=eta)", "entryDN", ["cn=sean,dc=im,dc=eta"]),
    ("(entryDN=cn=david,dc=im,dc=eta)", "entryDN", []),
    ("(objectClass=2.5.6.6)", "objectClass", ["person"]),
]


@pytest.mark.parametrize(("item", "attribute", "expected"), ITEMS, ids=[row[0] for row in ITEMS])
def test_an_item_is_judged_value_by_value(desk: Desk, item: str, attribute: str, expected: list[str]) -> None:
    assert told(desk, item, attributes=(attribute,))[attribute] == expected


def test_one_item_is_enough(desk: Desk) -> None:
    found = told(desk, "(description=one)", "(description=two)", "(nosuch=x)", attributes=("description",))
    assert found["description"] == ["one", "two"]


def test_with_types_only_it_has_no_effect(desk: Desk) -> None:
    assert told(desk, "(mail=nobody)", attributes=("mail",), types_only=True) == {"mail": []}


def test_one_definition_is_picked_out_of_the_subschema(desk: Desk) -> None:
    """The second example of the RFC."""
    answer = desk.ask(
        "(objectClass=subschema)",
        matched("(attributeTypes=2.5.4.4)"),
        base="cn=Subschema",
        scope=Scope.BASE,
        attributes=["attributeTypes"],
    )
    assert len(answer.values("attributeTypes")) == 1
    assert "NAME ( 'sn'" in answer.values("attributeTypes")[0]
