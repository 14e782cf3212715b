"""Subentries (RFC 3672) and the assertion control with searches (RFC 4528)."""

from __future__ import annotations

import pytest
from desk import TOP, Desk, leaves

from provserver.directory.access import Identity, Role
from provserver.directory.names import DN
from provserver.ldap.controls import Assertion, PagedResults, Subentries
from provserver.ldap.filters import Scope, parse_filter
from provserver.ldap.results import ResultCode

C = ResultCode
POLICY = f"cn=policy,{TOP}"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.people(["a"])
    desk.add("cn=policy,dc=im", "subentry", subtreeSpecification="{}")
    return desk


@pytest.mark.parametrize(
    ("control", "scope", "base", "expected"),
    [
        (None, Scope.BASE, POLICY, ["policy"]),
        (None, Scope.SUBTREE, POLICY, []),
        (None, Scope.ONE_LEVEL, TOP, ["a"]),
        (None, Scope.SUBTREE, TOP, ["im", "a"]),
        (True, Scope.BASE, POLICY, ["policy"]),
        (True, Scope.BASE, TOP, []),
        (True, Scope.ONE_LEVEL, TOP, ["policy"]),
        (True, Scope.SUBTREE, TOP, ["policy"]),
        (False, Scope.BASE, POLICY, []),
        (False, Scope.BASE, TOP, ["im"]),
        (False, Scope.ONE_LEVEL, TOP, ["a"]),
        (False, Scope.SUBTREE, TOP, ["im", "a"]),
        (True, Scope.BASE, "cn=Subschema", ["Subschema"]),
        (False, Scope.BASE, "cn=Subschema", []),
        (True, Scope.BASE, "", []),
        (False, Scope.BASE, "", [""]),
    ],
    ids=str,
)
def test_who_is_visible(
    desk: Desk, control: bool | None, scope: Scope, base: str, expected: list[str]
) -> None:
    controls = () if control is None else (Subentries(control),)
    told = desk.ask("(objectClass=*)", *controls, scope=scope, base=base)
    assert (told.code, leaves(told)) == (C.SUCCESS, expected)


def test_the_filter_chooses_among_the_visible(desk: Desk) -> None:
    assert leaves(desk.ask("(cn=a)", Subentries(True))) == []
    assert leaves(desk.ask("(cn=policy)", Subentries(True))) == ["policy"]
    assert leaves(desk.ask("(cn=policy)")) == []


def test_in_a_tree_without_subentries_nothing_is_hidden() -> None:
    desk = Desk()
    desk.people(["a"])
    assert leaves(desk.ask("(cn=*)")) == ["a"]
    assert leaves(desk.ask("(cn=*)", Subentries(False))) == ["a"]
    assert leaves(desk.ask("(cn=*)", Subentries(True))) == []


# ---------------------------------------------------------------- assertions


@pytest.mark.parametrize(
    ("asserted", "code"),
    [
        ("(dc=im)", C.SUCCESS),
        ("(!(dc=other))", C.SUCCESS),
        ("(dc=other)", C.ASSERTION_FAILED),
        ("(nosuch=x)", C.ASSERTION_FAILED),
        ("(!(nosuch=x))", C.ASSERTION_FAILED),
    ],
)
def test_what_is_asserted_is_asserted_of_the_base(desk: Desk, asserted: str, code: ResultCode) -> None:
    told = desk.ask("(cn=a)", Assertion(parse_filter(asserted)))
    assert told.code is code
    assert leaves(told) == (["a"] if code is C.SUCCESS else [])


def test_a_base_that_does_not_exist_is_told_first(desk: Desk) -> None:
    told = desk.ask("(cn=a)", Assertion(parse_filter("(dc=im)")), base=f"cn=nobody,{TOP}")
    assert told.code is C.NO_SUCH_OBJECT


def test_nothing_can_be_found_out_about_a_base_that_one_may_not_see(desk: Desk) -> None:
    ada = Identity(Role.USER, DN.parse("cn=a,dc=im"))
    assert leaves(desk.ask("(cn=a)", identity=ada)) == ["a"]
    for asserted in ("(dc=im)", "(dc=other)"):
        told = desk.ask("(cn=a)", Assertion(parse_filter(asserted)), identity=ada)
        assert (told.code, told.entries) == (C.INSUFFICIENT_ACCESS_RIGHTS, [])


def test_an_assertion_is_part_of_a_paged_search(desk: Desk) -> None:
    desk.people(["b"])
    asserted = Assertion(parse_filter("(dc=im)"))
    first = desk.ask("(sn=x)", asserted, PagedResults(1))
    cookie = first.control(PagedResults)
    assert cookie is not None
    assert desk.ask("(sn=x)", PagedResults(1, cookie.cookie)).code is C.UNWILLING_TO_PERFORM
    assert leaves(desk.ask("(sn=x)", asserted, PagedResults(1, cookie.cookie))) == ["b"]
