"""From statements to requests, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seen_commands import ROLES, SEEN, SUFFIX, USERS, Seen

from provserver.directory.names import DN, InvalidName
from provserver.etautil.domains import Domain
from provserver.etautil.grammar import parse
from provserver.etautil.planning import Planner
from provserver.etautil.requests import (
    AddEntry,
    CopyEntry,
    CountEntries,
    DeleteEntry,
    ExploreEndpoint,
    FindEntries,
    ModifyEntry,
    ModifyMatching,
    Request,
)
from provserver.etautil.sources import Source
from provserver.etautil.telling import subject_of
from provserver.etautil.vocabulary import shipped_vocabulary
from provserver.etautil.words import Fault
from provserver.ldap.filters import format_filter
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute

VOCABULARY = shipped_vocabulary()
PLANNER = Planner(VOCABULARY, Domain("im"))


def planned(text: str, planner: Planner = PLANNER) -> Request:
    [statement] = parse(text)
    return planner.plan(statement)


def change(kind: ChangeKind, name: str, *values: str) -> Change:
    return Change(kind, PartialAttribute(name, tuple(value.encode() for value in values)))


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: f"{seen.source}: {seen.words()[0]}")
def test_every_command_of_the_documents_is_about_the_right_entry(seen: Seen) -> None:
    assert subject_of(planned(Source.of_arguments(seen.words()).text)) == seen.dn


# -- names


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("eTTitle", "eTTitle"),
        ("title", "eTTitle"),
        ("ETTITLE", "eTTitle"),
        ("userid", "eTUserid"),
        ("UserId", "eTUserid"),
        ("objectclass", "objectClass"),
        ("provConnector", "provConnector"),
        ("eTOfAnotherServer", "eTOfAnotherServer"),
        ("siteBadge", "siteBadge"),
    ],
)
def test_the_prefix_may_be_left_out_and_an_unknown_name_is_sent_as_typed(word: str, name: str) -> None:
    assert VOCABULARY.attribute(word) == name


def test_every_class_that_statements_make_has_the_attribute_that_names_it() -> None:
    assert VOCABULARY.naming("eTETCDirectory") == "eTETCDirectoryName"
    assert VOCABULARY.naming("eTRACUser") == "eTRACUserid"
    assert VOCABULARY.naming("eTInclusionObject") == "eTInclusionID"
    assert VOCABULARY.class_named_by("eTGlobalUserName") == "eTGlobalUser"
    assert VOCABULARY.naming("eTOfAnotherServer") is None


@pytest.mark.parametrize(
    "base", [USERS, f"{USERS},dc=im", f"{USERS},{SUFFIX}", USERS.replace("eT", ""), USERS.replace(",", " , ")]
)
def test_a_base_is_completed_by_its_suffix(base: str) -> None:
    assert planned(f"delete '{base}' GlobalUser name=u") == DeleteEntry(
        f"eTGlobalUserName=u,{USERS},{SUFFIX}"
    )


@pytest.mark.parametrize("text", ["chicago.usa", "dc=chicago,dc=usa", "dc=chicago,dc=usa,dc=eta"])
def test_a_domain_may_have_parts(text: str) -> None:
    found = planned(f"delete '{USERS}' GlobalUser name=u", Planner(VOCABULARY, Domain(text)))
    assert found == DeleteEntry(f"eTGlobalUserName=u,{USERS},dc=chicago,dc=usa,dc=eta")


@pytest.mark.parametrize("text", ["", "a..b", "ou=x", "dc=eta", "="])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a domain"):
        Domain(text)


def test_the_repositorys_view_stays_what_it_is() -> None:
    for tail in ("dc=im,dc=etadb", "dc=etadb"):
        assert planned(f"delete '{USERS},{tail}' GlobalUser name=u") == DeleteEntry(
            f"eTGlobalUserName=u,{USERS},{tail}"
        )


def test_who_binds_has_a_name_or_a_dn() -> None:
    domain = Domain("im")
    whole = f"eTGlobalUserName=a,{USERS},{SUFFIX}"
    assert domain.user("a", VOCABULARY).text == whole
    assert domain.user(f"eTGlobalUserName=a,{USERS}", VOCABULARY).text == whole


def in_a_name(value: str) -> bool:
    """Whether a DN can hold it."""
    try:
        DN.parse("").child("x", value)
    except InvalidName:
        return False
    return True


@given(st.text(min_size=1, max_size=20).filter(lambda text: "*" not in text and in_a_name(text)))
def test_any_name_becomes_one_rdn_with_that_value(name: str) -> None:
    quoted = name.replace("'", "''")
    found = planned(f"delete '{USERS}' eTGlobalUser name='{quoted}'")
    rdn, *_ = DN.parse(subject_of(found)).rdns
    assert rdn.pairs == (("eTGlobalUserName", name),)


# -- what is written


def test_changes_are_gathered_by_attribute_and_sign() -> None:
    text = f"update '{USERS}' eTGlobalUser name=u to +RoleDN='{DN.parse('eTRoleName=R').text},{ROLES}'"
    found = planned(f"{text} -eTTitle=a +roledn='x=y,dc=im' eTOffice=1 eTOffice=2 department=''")
    assert found == ModifyEntry(
        f"eTGlobalUserName=u,{USERS},{SUFFIX}",
        (
            change(ChangeKind.ADD, "eTRoleDN", f"eTRoleName=R,{ROLES},dc=im", "x=y,dc=im"),
            change(ChangeKind.DELETE, "eTTitle", "a"),
            change(ChangeKind.REPLACE, "eTOffice", "1", "2"),
            change(ChangeKind.REPLACE, "eTDepartment"),
        ),
    )


def test_a_new_object_has_its_class_its_name_and_what_it_is_in() -> None:
    found = planned(f"add '{USERS}' globalusername=u eTTitle='' eTCity=x in '{ROLES}' Role name=R")
    assert isinstance(found, AddEntry)
    assert dict(found.attributes) == {
        "objectClass": (b"eTGlobalUser",),
        "eTGlobalUserName": (b"u",),
        "eTCity": (b"x",),
        "eTRoleDN": (f"eTRoleName=R,{ROLES},dc=im".encode(),),
    }


def test_an_account_is_put_into_its_template() -> None:
    found = planned("add 'x=y' eTDYNAccount name=u in 'z=y' eTDYNPolicy name=T")
    assert isinstance(found, AddEntry)
    assert dict(found.attributes)["eTPolicyDN"] == (b"eTDYNPolicyName=T,z=y,dc=im",)


def test_a_copy_has_another_name_and_what_is_given() -> None:
    found = planned(f"copyall '{USERS}' GlobalUser name=a to name=b eTTitle='' city=x")
    assert found == CopyEntry(
        f"eTGlobalUserName=a,{USERS},{SUFFIX}",
        f"eTGlobalUserName=b,{USERS},{SUFFIX}",
        "eTGlobalUserName",
        (("eTTitle", ()), ("eTCity", (b"x",))),
        f"eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,{SUFFIX}",
    )


# -- what is asked


@pytest.mark.parametrize(
    ("pattern", "filter"),
    [
        ("*", "(eTTitle=*)"),
        ("a*", "(eTTitle=a*)"),
        ("*a*b*", "(eTTitle=*a*b*)"),
        ("a*b", "(eTTitle=a*b)"),
        ("a b", "(eTTitle=a b)"),
        ("", "(!(eTTitle=*))"),
        (r"a\*", r"(eTTitle=a\2a)"),
        ("(x)", r"(eTTitle=\28x\29)"),
    ],
)
def test_a_pattern_is_a_filter(pattern: str, filter: str) -> None:
    found = planned(f"select '{USERS}' eTGlobalUser title='{pattern}' list name FullName")
    assert isinstance(found, FindEntries)
    assert format_filter(found.filter) == f"(&(objectClass=eTGlobalUser){filter})"
    assert found.attributes == ("eTGlobalUserName", "eTFullName")


def test_all_criteria_must_be_met() -> None:
    found = planned(f"masschange '{USERS}' eTGlobalUser name=a* suspended=1 to suspended=0")
    assert isinstance(found, ModifyMatching)
    assert format_filter(found.filter) == "(&(objectClass=eTGlobalUser)(eTGlobalUserName=a*)(eTSuspended=1))"
    assert found.changes == (change(ChangeKind.REPLACE, "eTSuspended", "0"),)
    assert isinstance(planned(f"report '{USERS}' GlobalUser name=*"), CountEntries)


def test_an_exploration_asks_for_what_explores() -> None:
    text = "explore 'eTNamespaceName=ActiveDirectory' eTADSDirectory name=AD"
    dn = f"eTADSDirectoryName=AD,eTNamespaceName=ActiveDirectory,{SUFFIX}"
    for typed, asked in (
        ("", ("eTExploreUpdateEtrust",)),
        (" eTExploreCreateUsers", ("eTExploreCreateUsers",)),
        (" to exploreUpdateEtrust=1 ExploreCorrelateUsers=1 eTExploreCreateUsers=0",
         ("eTExploreUpdateEtrust", "eTExploreCorrelateUsers")),
    ):  # fmt: skip
        found = planned(text + typed)
        assert isinstance(found, ExploreEndpoint)
        assert (found.dn, found.actions) == (dn, asked)


# -- what cannot be


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        (f"update '{USERS}' eTGlobalUser name=a* to x=1", 91, "the name of one object"),
        (f"update '{USERS}' eTGlobalUser name='' to x=1", 91, "a value of eTGlobalUserName"),
        (f"delete '{USERS}' eTGlobalUser eTTitle=x", 91, "eTGlobalUserName=…, the name of an eTGlobalUser"),
        ("delete 'x' eTGlobalUser name=x", 7, "a DN, and in it"),
        ("add 'x=y' title=x", 10, "an object class, such as eTGlobalUser, after the base"),
        ("update 'x=y' eTRole name=x to +a=''", 30, "a value after the + (a='' clears)"),
        ("update 'x=y' eTRole name=x to a=1 a=''", 34, "values of a, or '' to clear it, but not both"),
        ("explore 'x=y' eTADSDirectory name=x to eTTitle", 39, "one of eTExploreUpdateEtrust, "),
        ("explore 'x=y' eTADSDirectory name=x to eTExploreUpdateEtrust=yes", 39, "=1 or "),
        ("explore 'x=y' eTADSDirectory name=x to eTExploreUpdateEtrust=0", 39, "one attribute at least"),
        ("add 'x=y' eTRole name=x in 'z=y' eTGlobalUser name=u", 27, "a role or an account template"),
    ],
)
def test_what_cannot_be_meant_says_where_and_what_was_expected(text: str, position: int, said: str) -> None:
    with pytest.raises(Fault) as fault:
        planned(text)
    assert said in str(fault.value)
    assert fault.value.position == position


def test_no_repr_of_a_request_shows_a_value() -> None:
    for text in (
        "add 'x=y' eTGlobalUser name=u eTPassword=Qm7-secret",
        "update 'x=y' eTGlobalUser name=u to eTPassword=Qm7-secret",
        "select 'x=y' eTGlobalUser eTTitle=Qm7-secret",
        "copy 'x=y' eTGlobalUser name=u to name=v eTPassword=Qm7-secret",
    ):
        assert "Qm7" not in repr(planned(text))
