"""Referrals (RFC 3296): answered with where to ask instead, or passed on, or managed like other entries."""

from __future__ import annotations

import pytest
import pytest_twisted
from desk import TOP, Desk, DeskLine, leaves
from harbour import SUFFIX, administrator, wire

from provserver.directory.access import Identity, Role
from provserver.directory.names import DN
from provserver.ldap.controls import ManageDsaIT, PagedResults, SortKey, SortRequest, encode_request
from provserver.ldap.filters import Equality, Scope
from provserver.ldap.messages import (
    AddRequest,
    CompareRequest,
    DeleteRequest,
    DerefAliases,
    ModifyDNRequest,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

C = ResultCode
PEOPLE = ["ldap://hostb/ou=People,dc=im", "ldap://hostc/ou=People,dc=im"]
SCOPES = [(Scope.BASE, "base"), (Scope.ONE_LEVEL, "one"), (Scope.SUBTREE, "sub")]


@pytest.fixture
def desk() -> Desk:
    """The configuration of RFC 3296 5.1, here."""
    desk = Desk()
    desk.people(["manager"])
    desk.add("ou=people,dc=im", "referral", ref=PEOPLE)
    desk.add("ou=roles,dc=im", "referral", ref="ldap://hostd/ou=Roles,dc=im,dc=eta")
    return desk


# ---------------------------------------------------------------- search continuation (5.4)


def test_a_subtree_search_passes_on_the_referrals_in_its_scope(desk: Desk) -> None:
    told = desk.ask("(objectClass=*)")
    assert (told.code, leaves(told)) == (C.SUCCESS, ["im", "manager"])
    assert told.references == [
        ("ldap://hostb/ou=People,dc=im??sub", "ldap://hostc/ou=People,dc=im??sub"),
        ("ldap://hostd/ou=Roles,dc=im,dc=eta??sub",),
    ]


def test_a_one_level_search_goes_on_at_the_bases(desk: Desk) -> None:
    told = desk.ask("(objectClass=*)", scope=Scope.ONE_LEVEL)
    assert leaves(told) == ["manager"]
    assert [uri for uris in told.references for uri in uris] == [
        "ldap://hostb/ou=People,dc=im??base",
        "ldap://hostc/ou=People,dc=im??base",
        "ldap://hostd/ou=Roles,dc=im,dc=eta??base",
    ]


def test_the_filter_and_the_attributes_do_not_matter(desk: Desk) -> None:
    told = desk.ask("(cn=nobody)", attributes=["1.1"])
    assert (told.code, told.entries, len(told.references)) == (C.SUCCESS, [], 2)


def test_a_base_search_meets_none(desk: Desk) -> None:
    told = desk.ask(scope=Scope.BASE)
    assert (leaves(told), told.references) == (["im"], [])


def test_what_lies_below_a_referral_is_not_shown(desk: Desk) -> None:
    desk.people(["hidden"], "ou=people,dc=im")
    assert leaves(desk.ask("(cn=*)")) == ["manager"]
    assert leaves(desk.ask("(cn=*)", ManageDsaIT())) == ["manager", "hidden"]


def test_no_reference_is_an_entry_for_any_limit(desk: Desk) -> None:
    told = desk.ask("(cn=*)", size=1)
    assert (told.code, leaves(told), len(told.references)) == (C.SUCCESS, ["manager"], 2)


def test_pages_have_the_references_once(desk: Desk) -> None:
    desk.people(["x", "y"])
    first = desk.ask("(cn=*)", PagedResults(2))
    cookie = first.control(PagedResults)
    assert cookie is not None
    second = desk.ask("(cn=*)", PagedResults(2, cookie.cookie))
    assert [len(one.entries) for one in (first, second)] == [2, 1]
    assert [len(one.references) for one in (first, second)] == [2, 0]


def test_sorted_entries_come_with_the_references(desk: Desk) -> None:
    desk.people(["x"])
    told = desk.ask("(cn=*)", SortRequest((SortKey("cn", reverse=True),)))
    assert (leaves(told), len(told.references)) == (["x", "manager"], 2)


URIS = [
    ("ldap://h/cn=x", "ldap://h/cn=x??sub"),
    ("LDAPS://h:636/cn=x", "LDAPS://h:636/cn=x??sub"),
    ("ldap://h/cn=x a label", "ldap://h/cn=x??sub"),
    ("ldap://h/cn=a%20b,dc=im", "ldap://h/cn=a%20b,dc=im??sub"),
    ("ldap://h/cn=%C3%B8", "ldap://h/cn=%C3%B8??sub"),
    ("ldap://h", "ldap://h/ou=one%20%3F,dc=im,dc=eta??sub"),
    ("ldap://h/", "ldap://h/ou=one%20%3F,dc=im,dc=eta??sub"),
    ("ldap:///", "ldap:///ou=one%20%3F,dc=im,dc=eta??sub"),
    ("ldap://h/cn=x??base", "ldap://h/cn=x??sub"),
    ("ldap://h/cn=x?cn?one?(cn=a)?!ext=1", "ldap://h/cn=x?cn?sub?(cn=a)?!ext=1"),
    ("http://h/path?query", "http://h/path?query"),
]


@pytest.mark.parametrize(("ref", "expected"), URIS, ids=[row[0] for row in URIS])
def test_only_ldap_urls_are_completed(ref: str, expected: str) -> None:
    desk = Desk()
    desk.add("ou=one ?,dc=im", "referral", ref=ref)
    assert desk.ask().references == [(expected,)]


# ---------------------------------------------------------------- finding the base (5.3)


@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_a_referral_as_the_base_is_the_result(desk: Desk, scope: Scope, name: str) -> None:
    told = desk.ask(base=f"ou=people,{TOP}", scope=scope)
    assert (told.code, told.entries, told.references) == (C.REFERRAL, [], [])
    assert told.result.referrals == tuple(f"{uri}??{name}" for uri in PEOPLE)


@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_a_base_below_a_referral_has_its_name_at_the_other_server(
    desk: Desk, scope: Scope, name: str
) -> None:
    told = desk.ask(base=f"cn=a b,ou=x,ou=ROLES,{TOP}", scope=scope)
    assert told.code is C.REFERRAL
    assert told.result.referrals == (f"ldap://hostd/cn=a%20b,ou=x,ou=Roles,dc=im,dc=eta??{name}",)


def test_a_url_without_a_name_gets_the_one_that_was_asked_for() -> None:
    desk = Desk()
    desk.add("ou=one,dc=im", "referral", ref=["ldap://h", "ldap://h/?cn?one?(cn=a)?ext=1", "mailto:x@y"])
    told = desk.ask(base="cn=a,ou=one,dc=im,dc=etadb", scope=Scope.BASE)
    assert told.result.referrals == (
        "ldap://h/cn=a,ou=one,dc=im,dc=etadb??base",
        "ldap://h/cn=a,ou=one,dc=im,dc=etadb??base??ext=1",
        "mailto:x@y",
    )


def test_a_referral_that_does_not_say_where_to_is_no_referral() -> None:
    desk = Desk()
    desk.add("ou=one,dc=im", "referral", ref=" ")
    assert desk.ask(base=f"ou=one,{TOP}").code is C.UNAVAILABLE
    told = desk.ask()
    assert (told.code, leaves(told), told.references) == (C.SUCCESS, ["im"], [])


def test_what_is_nowhere_is_still_nowhere(desk: Desk) -> None:
    assert desk.ask(base=f"ou=nowhere,{TOP}").code is C.NO_SUCH_OBJECT


def test_who_may_not_see_a_referral_is_not_sent_elsewhere(desk: Desk) -> None:
    scoped = Identity(Role.PASSWORD_ADMINISTRATOR, None, None, (DN.parse("cn=manager,dc=im"),))
    told = desk.ask(identity=scoped)
    assert (leaves(told), told.references) == (["im", "manager"], [])
    assert desk.ask(base=f"ou=people,{TOP}", identity=scoped).code is C.INSUFFICIENT_ACCESS_RIGHTS


# ---------------------------------------------------------------- managing them (3)


def test_managed_referrals_are_entries_like_others(desk: Desk) -> None:
    told = desk.ask("(objectClass=referral)", ManageDsaIT(), attributes=["ref"])
    assert (told.names, told.references) == ([f"ou=people,{TOP}", f"ou=roles,{TOP}"], [])
    assert told.values("ref") == PEOPLE
    base = desk.ask("(objectClass=*)", ManageDsaIT(), base=f"ou=people,{TOP}", scope=Scope.BASE)
    assert (base.code, base.names) == (C.SUCCESS, [f"ou=people,{TOP}"])


# ---------------------------------------------------------------- coming and going


def test_answers_follow_referrals_that_come_and_go() -> None:
    desk = Desk()
    desk.people(["a"])
    request = SearchRequest(TOP, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Equality("cn", b"a"), ())
    for _ in range(3):
        assert leaves(desk.ask_for(request)) == ["a"]
    desk.add("ou=one,dc=im", "referral", ref="ldap://h/ou=one")
    assert desk.ask_for(request).references == [("ldap://h/ou=one??sub",)]
    desk.remove("ou=one,dc=im")
    for _ in range(3):
        told = desk.ask_for(request)
        assert (leaves(told), told.references) == (["a"], [])


class Meddling(DeskLine):
    """A line that sees to it that a referral comes while an answer is on its way."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def send(self, data: bytes) -> None:
        super().send(data)
        self.desk.add("ou=one,dc=im", "referral", ref="ldap://h/ou=one")


def test_an_answer_that_is_out_of_date_when_it_is_given_is_not_remembered() -> None:
    desk = Desk()
    desk.people(["a"])
    request = SearchRequest(TOP, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Equality("cn", b"a"), ())
    assert desk.ask_for(request, line=Meddling(desk)).references == []
    assert desk.ask_for(request).references == [("ldap://h/ou=one??sub",)]


def test_an_entry_that_becomes_a_referral_refers_for_what_is_below() -> None:
    desk = Desk()
    desk.add("ou=one,dc=im", "organizationalUnit")
    desk.people(["a"], "ou=one,dc=im")
    request = SearchRequest(
        f"cn=a,ou=one,{TOP}", Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Equality("cn", b"a"), ()
    )
    assert desk.ask_for(request).code is C.SUCCESS
    desk.remove("cn=a,ou=one,dc=im")
    desk.remove("ou=one,dc=im")
    desk.add("ou=one,dc=im", "referral", ref="ldap://h/ou=one")
    told = desk.ask_for(request)
    assert (told.code, told.result.referrals) == (C.REFERRAL, ("ldap://h/cn=a,ou=one??sub",))


# ---------------------------------------------------------------- other operations (5.2, 5.6)

ELSEWHERE = (
    "dn: ou=Away,dc=im\nobjectClass: referral\nobjectClass: extensibleObject\nref: ldap://h/ou=There\n"
)
AWAY = f"ou=Away,{SUFFIX}"


def _on(dn: str) -> dict[str, Request]:
    return {
        "compare": CompareRequest(dn, "ou", b"x"),
        "modify": ModifyRequest(dn, (replace("description", "x"),)),
        "sync": ModifyRequest(dn, (replace("eTSyncPassword", "x"),)),
        "add": AddRequest(dn, (PartialAttribute("objectClass", (b"organizationalUnit",)),)),
        "delete": DeleteRequest(dn),
        "rename": ModifyDNRequest(dn, "ou=other", True),
    }


@pytest.mark.parametrize("kind", list(_on(AWAY)))
@pytest_twisted.ensureDeferred
async def test_other_operations_are_referred_too(provserver: RunningServer, kind: str) -> None:
    await provserver.load(ELSEWHERE)
    admin = await administrator(provserver)
    for dn, there in ((AWAY, "ou=There"), (f"cn=a b,{AWAY}", "cn=a%20b,ou=There")):
        told = await admin.ask(_on(dn)[kind])
        assert (told.code, told.result.referrals) == (C.REFERRAL, (f"ldap://h/{there}",)), told


@pytest_twisted.ensureDeferred
async def test_nothing_is_moved_to_another_server(provserver: RunningServer) -> None:
    await provserver.load(ELSEWHERE)
    admin = await administrator(provserver)
    for request in (
        ModifyDNRequest(user_dn("fgreco"), "eTGlobalUserName=fgreco", False, AWAY),
        ModifyDNRequest(f"eTNamespaceName=CommonObjects,{SUFFIX}", "ou=Away", False),
    ):
        assert (await admin.ask(request)).code is C.AFFECTS_MULTIPLE_DSAS
    assert await provserver.entry(user_dn("fgreco")) is not None


@pytest_twisted.ensureDeferred
async def test_managed_referrals_can_be_read_changed_and_deleted(provserver: RunningServer) -> None:
    await provserver.load(ELSEWHERE)
    admin = await administrator(provserver)
    manage = [encode_request(ManageDsaIT(), critical=True)]
    assert (await admin.modify(AWAY, replace("ref", "ldap://new/"), controls=manage)).code is C.SUCCESS
    compared = await admin.ask(CompareRequest(AWAY, "ref", b"ldap://new/"), manage)
    assert compared.code is C.COMPARE_TRUE
    assert (await admin.delete(AWAY)).code is C.REFERRAL
    assert (await admin.ask(DeleteRequest(AWAY), manage)).code is C.SUCCESS
    assert (await admin.delete(AWAY)).code is C.NO_SUCH_OBJECT


@pytest_twisted.ensureDeferred
async def test_who_may_not_see_a_referral_is_told_of_rights_only(provserver: RunningServer) -> None:
    await provserver.load(ELSEWHERE)
    agent = await wire(provserver, "psync-ad-corp")
    for request in _on(AWAY).values():
        assert (await agent.ask(request)).code is C.INSUFFICIENT_ACCESS_RIGHTS
