"""Aliases (RFC 4511 4.5.1.3, RFC 4512 2.6): followed when it is asked for, entries like others when not."""

from __future__ import annotations

import pytest
from desk import TOP, Desk, leaves

from provserver.directory.access import Identity, Role
from provserver.directory.names import DN
from provserver.ldap.controls import PagedResults, SortKey, SortRequest
from provserver.ldap.filters import Scope
from provserver.ldap.messages import DerefAliases
from provserver.ldap.results import ResultCode

C = ResultCode
NEVER, SEARCHING = DerefAliases.NEVER, DerefAliases.IN_SEARCHING
FINDING, ALWAYS = DerefAliases.FINDING_BASE, DerefAliases.ALWAYS


@pytest.fixture
def desk() -> Desk:
    """ou=staff with ada and boris; ou=crew with cy, and with aliases of ada and of ou=staff."""
    desk = Desk()
    desk.add("ou=staff,dc=im", "organizationalUnit")
    desk.people(["ada", "boris"], "ou=staff,dc=im")
    desk.add("ou=crew,dc=im", "organizationalUnit")
    desk.people(["cy"], "ou=crew,dc=im")
    return desk


def alias(desk: Desk, dn: str, target: str) -> None:
    desk.add(dn, "alias", aliasedObjectName=target)


CREW = f"ou=crew,{TOP}"


# ---------------------------------------------------------------- finding the base


@pytest.mark.parametrize("deref", [FINDING, ALWAYS])
def test_the_base_is_what_the_alias_names(desk: Desk, deref: DerefAliases) -> None:
    alias(desk, "cn=first,ou=crew,dc=im", "cn=ada,ou=staff,dc=im")
    told = desk.ask(base=f"cn=first,{CREW}", deref=deref)
    assert (told.code, told.names) == (C.SUCCESS, [f"cn=ada,ou=staff,{TOP}"])


@pytest.mark.parametrize("deref", [NEVER, SEARCHING])
@pytest.mark.parametrize("scope", Scope)
def test_unless_asked_the_base_is_the_alias_itself(desk: Desk, deref: DerefAliases, scope: Scope) -> None:
    alias(desk, "cn=first,ou=crew,dc=im", "cn=ada,ou=staff,dc=im")
    told = desk.ask(base=f"cn=first,{CREW}", deref=deref, scope=scope)
    assert told.code is C.SUCCESS
    assert leaves(told) == ([] if scope is Scope.ONE_LEVEL else ["first"])


def test_an_alias_above_the_base_is_followed(desk: Desk) -> None:
    alias(desk, "ou=us,dc=im", "ou=staff,dc=im,dc=eta")
    told = desk.ask(base="cn=boris,ou=us,dc=im,dc=etadb", deref=FINDING)
    assert told.names == ["cn=boris,ou=staff,dc=im,dc=etadb"]
    assert desk.ask(base=f"cn=boris,ou=us,{TOP}", deref=NEVER).code is C.NO_SUCH_OBJECT
    assert desk.ask(base=f"cn=nobody,ou=us,{TOP}", deref=FINDING).code is C.NO_SUCH_OBJECT


def test_aliases_of_aliases_are_followed_to_the_end(desk: Desk) -> None:
    alias(desk, "cn=3,dc=im", "cn=2,dc=im")
    alias(desk, "cn=2,dc=im", "cn=ada,ou=us,dc=im")
    alias(desk, "ou=us,dc=im", "ou=staff,dc=im")
    assert leaves(desk.ask(base=f"cn=3,{TOP}", deref=ALWAYS)) == ["ada"]


@pytest.mark.parametrize("target", ["cn=nobody,dc=im", "dc=elsewhere", "cn=x,cn=nobody,ou=staff,dc=im"])
def test_an_alias_of_nothing_is_a_problem(desk: Desk, target: str) -> None:
    alias(desk, "cn=lost,dc=im", target)
    for name in (f"cn=lost,{TOP}", f"cn=below,cn=lost,{TOP}"):
        told = desk.ask(base=name, deref=FINDING)
        assert (told.code, told.entries) == (C.ALIAS_PROBLEM, [])
        assert told.result.matched_dn == f"cn=lost,{TOP}"


@pytest.mark.parametrize(
    ("names", "base"),
    [
        ({"cn=a": "cn=b,dc=im", "cn=b": "cn=a,dc=im"}, "cn=a"),
        ({"cn=a": "cn=a,dc=im"}, "cn=a"),
        ({"cn=a": "cn=b,cn=a,dc=im"}, "cn=a"),
        ({"cn=a": "cn=b,cn=a,dc=im"}, "cn=x,cn=a"),
    ],
    ids=str,
)
def test_a_circle_of_aliases_is_detected(desk: Desk, names: dict[str, str], base: str) -> None:
    """RFC 4511 appendix A.2 has loopDetect for it."""
    for name, target in names.items():
        alias(desk, f"{name},dc=im", target)
    told = desk.ask(base=f"{base},{TOP}", deref=FINDING)
    assert (told.code, told.entries) == (C.LOOP_DETECT, [])
    assert desk.ask(deref=SEARCHING).code is C.SUCCESS


def test_an_alias_does_not_widen_anybodys_rights(desk: Desk) -> None:
    alias(desk, "cn=out,ou=crew,dc=im", "ou=staff,dc=im")
    crew = Identity(Role.PASSWORD_ADMINISTRATOR, None, None, (DN.parse("ou=crew,dc=im"),))
    told = desk.ask(base=f"cn=out,{CREW}", deref=FINDING, identity=crew)
    assert (told.code, told.entries) == (C.ALIAS_DEREFERENCING_PROBLEM, [])
    assert leaves(desk.ask(base=CREW, deref=SEARCHING, identity=crew)) == ["crew", "cy"]


def test_an_alias_that_the_caller_may_not_see_leads_nowhere(desk: Desk) -> None:
    alias(desk, "cn=in,dc=im", "ou=crew,dc=im")
    crew = Identity(Role.PASSWORD_ADMINISTRATOR, None, None, (DN.parse("ou=crew,dc=im"),))
    told = desk.ask(base=f"cn=in,{TOP}", deref=FINDING, identity=crew)
    assert told.code is C.INSUFFICIENT_ACCESS_RIGHTS


# ---------------------------------------------------------------- searching


@pytest.mark.parametrize("deref", [SEARCHING, ALWAYS])
def test_a_subtree_search_goes_on_below_what_aliases_name(desk: Desk, deref: DerefAliases) -> None:
    alias(desk, "cn=all,ou=crew,dc=im", "ou=staff,dc=im")
    told = desk.ask(base=CREW, deref=deref)
    assert sorted(leaves(told)) == ["ada", "boris", "crew", "cy", "staff"]
    assert f"cn=ada,ou=staff,{TOP}" in told.names


@pytest.mark.parametrize("deref", [NEVER, FINDING])
def test_unless_asked_aliases_are_entries(desk: Desk, deref: DerefAliases) -> None:
    alias(desk, "cn=all,ou=crew,dc=im", "ou=staff,dc=im")
    assert sorted(leaves(desk.ask(base=CREW, deref=deref))) == ["all", "crew", "cy"]


def test_a_one_level_search_finds_what_is_named_and_nothing_below(desk: Desk) -> None:
    alias(desk, "cn=all,ou=crew,dc=im", "ou=staff,dc=im")
    alias(desk, "cn=again,ou=crew,dc=im", "cn=cy,ou=crew,dc=im")
    told = desk.ask(base=CREW, scope=Scope.ONE_LEVEL, deref=SEARCHING)
    assert sorted(leaves(told)) == ["cy", "staff"]


def test_the_filter_is_asked_of_the_entry_not_of_the_alias(desk: Desk) -> None:
    alias(desk, "cn=ada,ou=crew,dc=im", "cn=boris,ou=staff,dc=im")
    assert leaves(desk.ask("(cn=ada)", base=CREW, deref=SEARCHING)) == []
    assert leaves(desk.ask("(cn=boris)", base=CREW, deref=SEARCHING)) == ["boris"]


def test_entries_are_found_once_however_many_aliases_lead_there(desk: Desk) -> None:
    for number, target in enumerate(
        ["ou=staff,dc=im", "ou=staff,dc=im", "cn=ada,ou=staff,dc=im", "ou=crew,dc=im", "dc=im", "cn=0,dc=im"]
    ):
        alias(desk, f"cn={number},ou=crew,dc=im", target)
    alias(desk, "cn=0,ou=staff,dc=im", "ou=crew,dc=im")
    found = leaves(desk.ask("(|(sn=*)(ou=*)(dc=*))", base=CREW, deref=SEARCHING))
    assert sorted(found) == ["ada", "boris", "crew", "cy", "im", "staff"]


def test_aliases_that_are_met_on_the_way_lead_further(desk: Desk) -> None:
    desk.add("ou=guests,dc=im", "organizationalUnit")
    desk.people(["dora"], "ou=guests,dc=im")
    alias(desk, "cn=all,ou=crew,dc=im", "ou=staff,dc=im")
    alias(desk, "cn=more,ou=staff,dc=im", "ou=guests,dc=im")
    assert sorted(leaves(desk.ask("(sn=x)", base=CREW, deref=SEARCHING))) == ["ada", "boris", "cy", "dora"]


def test_an_alias_that_leads_nowhere_does_not_end_a_search(desk: Desk) -> None:
    alias(desk, "cn=lost,ou=crew,dc=im", "cn=nobody,dc=im")
    told = desk.ask("(objectClass=*)", base=CREW, deref=ALWAYS)
    assert (told.code, leaves(told)) == (C.SUCCESS, ["crew", "cy"])


def test_pages_and_orders_reach_over_aliases(desk: Desk) -> None:
    alias(desk, "cn=all,ou=crew,dc=im", "ou=staff,dc=im")
    backwards = SortRequest((SortKey("cn", reverse=True),))
    assert leaves(desk.ask("(sn=x)", backwards, base=CREW, deref=SEARCHING)) == ["cy", "boris", "ada"]
    first = desk.ask("(sn=x)", PagedResults(2), base=CREW, deref=SEARCHING)
    control = first.control(PagedResults)
    assert control is not None
    second = desk.ask("(sn=x)", PagedResults(2, control.cookie), base=CREW, deref=SEARCHING)
    assert sorted(leaves(first) + leaves(second)) == ["ada", "boris", "cy"]


def test_an_alias_may_lead_to_a_referral(desk: Desk) -> None:
    desk.add("ou=away,dc=im", "referral", ref="ldap://h/ou=there")
    alias(desk, "cn=us,dc=im", "ou=away,dc=im")
    told = desk.ask(base=f"cn=x,cn=us,{TOP}", deref=FINDING)
    assert (told.code, told.result.referrals) == (C.REFERRAL, ("ldap://h/cn=x,ou=there??sub",))
    assert desk.ask(base=CREW, deref=SEARCHING).code is C.SUCCESS
