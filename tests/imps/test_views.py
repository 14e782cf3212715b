"""Suffix views: one tree, three tails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.names import DN
from provserver.imps.views import View, Views, domain_dn
from provserver.ldap.results import Refusal, ResultCode

VIEWS = Views("im")
INSIDE = "eTNamespaceName=CommonObjects,dc=im"


@pytest.mark.parametrize(
    ("text", "inside", "view"),
    [
        (f"{INSIDE},dc=eta", INSIDE, View.SERVER),
        (f"{INSIDE},dc=etadb", INSIDE, View.REPOSITORY),
        (INSIDE, INSIDE, View.BARE),
        ("dc=im,dc=eta", "dc=im", View.SERVER),
        ("DC=IM , DC=ETADB", "dc=im", View.REPOSITORY),
        ("dc=im", "dc=im", View.BARE),
        (f"{INSIDE},dc=lds", INSIDE, View.MAINFRAME),
        ("eTNamespaceName=CommonObjects,dc=etadb", INSIDE, View.REPOSITORY),
        ("eTNamespaceName=CommonObjects,dc=eta", INSIDE, View.SERVER),
    ],
)
def test_a_name_on_the_wire_is_one_inside(text: str, inside: str, view: View) -> None:
    dn, seen = VIEWS.resolve(text)
    assert (dn, seen) == (DN.parse(inside), view)
    assert VIEWS.resolve(text) == (dn, seen), "remembered"


@pytest.mark.parametrize(
    "text", ["", "dc=eta", "dc=etadb", "dc=other,dc=eta", "dc=other", "cn=x,dc=im,dc=example"]
)
def test_a_name_that_is_not_below_our_suffixes_is_no_such_object(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        VIEWS.resolve(text)
    assert refusal.value.code is ResultCode.NO_SUCH_OBJECT
    assert "dc=im,dc=eta, dc=im,dc=etadb, dc=im,dc=lds or dc=im" in refusal.value.result.diagnostic


def test_what_is_no_name_is_invalid_syntax() -> None:
    with pytest.raises(Refusal) as refusal:
        VIEWS.resolve("=")
    assert refusal.value.code is ResultCode.INVALID_DN_SYNTAX


def test_a_domain_of_several_parts() -> None:
    """facts/imps.md 1.1: dc=chicago,dc=illinois,dc=usa,dc=eta."""
    views = Views("chicago.illinois.usa")
    assert views.domain == domain_dn("chicago.illinois.usa") == DN.parse("dc=chicago,dc=illinois,dc=usa")
    dn, view = views.resolve("eTNamespaceName=x,dc=chicago,dc=illinois,dc=usa,dc=eta")
    assert (dn, view) == (DN.parse("eTNamespaceName=x,dc=chicago,dc=illinois,dc=usa"), View.SERVER)
    with pytest.raises(Refusal):
        views.resolve("eTNamespaceName=x,dc=illinois,dc=usa,dc=eta")


def test_a_domain_that_is_called_like_a_view() -> None:
    views = Views("eta")
    assert views.resolve("dc=eta") == (DN.parse("dc=eta"), View.BARE)
    assert views.resolve("dc=eta,dc=eta")[0] in (DN.parse("dc=eta"), DN.parse("dc=eta,dc=eta"))


@given(
    st.lists(st.text('aZ09 ,+"\\<>;=#äßé漢-', min_size=1, max_size=8), max_size=4),
    st.sampled_from(View),
)
def test_what_is_rendered_is_resolved_to_the_same_name(values: list[str], view: View) -> None:
    dn = VIEWS.domain
    for value in values:
        dn = dn.child("eTNamespaceName", value)
    assert VIEWS.resolve(Views.render(dn, view)) == (dn, view)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (f"{INSIDE},dc=eta", INSIDE),
        (f"{INSIDE},dc=etadb", INSIDE),
        (f"{INSIDE},dc=lds", INSIDE),
        (INSIDE, INSIDE),
        ("cn=elsewhere,dc=example", "cn=elsewhere,dc=example"),
        ("no name at all", "no name at all"),
    ],
)
def test_dn_values_are_kept_ending_in_the_domain(value: str, stored: str) -> None:
    assert VIEWS.inside_value(value.encode()) == stored.encode()


def test_a_value_that_is_no_text_is_left_alone() -> None:
    assert VIEWS.inside_value(b"\xff") == b"\xff"
