"""Whose an account is, by the rules of correlation; and the users that are made, and brought up to date."""

from __future__ import annotations

import pytest
from voyage import AD, UNIX, Voyage, account, end, unix

from provserver.directory.names import DN
from provserver.exploration.wishes import Action, actions_of
from provserver.imps.parameters import CREATE_USERS_DEFAULT_ATTRIBUTES
from provserver.imps.users import global_user_dn
from provserver.ldap.results import ResultCode
from provserver.operations.edits import Edits

CORRELATE = "explore correlate"
CREATE = "create-users"
ADMINISTRATOR = (
    "eTAdminProfileName=PasswordAdministrator,eTAdminProfileContainerName=Admin Profiles,"
    "eTNamespaceName=CommonObjects,dc=im"
)


def user_dn(name: str) -> str:
    return str(global_user_dn(name, DN.parse("dc=im")))


def test_an_account_belongs_to_the_global_user_of_its_name() -> None:
    voyage = Voyage()
    voyage.user("ada")
    done = voyage.explore(account("ADA"), actions=CORRELATE)
    assert voyage.owner(unix("ADA")) == "ada"
    assert voyage.counts(done) == {"accounts": 1, "added": 1, "containers": 1, "correlated": 1}
    done = voyage.explore(account("ADA"), actions=CORRELATE)
    assert voyage.counts(done) == {"accounts": 1, "unchanged": 1}


def test_the_inclusion_is_by_etid() -> None:
    voyage = Voyage()
    voyage.user("ada")
    voyage.explore(account("ada"), actions=CORRELATE)
    user, held = voyage.entry(user_dn("ada")), voyage.entry(unix("ada"))
    assert user is not None
    assert held is not None
    name = f"eTInclusionID={user.id}@{held.id}"
    (inclusion,) = [one for dn, one in voyage.below("dc=im").items() if dn.startswith(name)]
    assert inclusion.text("etpid") == user.id
    assert inclusion.text("etcid") == held.id


def test_a_domain_account_goes_by_its_logon_name_first() -> None:
    voyage = Voyage()
    voyage.user("aokafor")
    voyage.user("Ada")
    voyage.explore(account("aokafor", "CN=Ada,DC=corp", sAMAccountName="aokafor"), actions=CORRELATE, at=AD)
    assert voyage.owner(f"eTADSAccountName=Ada,{AD}") == "aokafor"


@pytest.mark.parametrize("attribute", ["cn", "description"])
def test_else_to_the_one_user_of_that_full_name(attribute: str) -> None:
    voyage = Voyage()
    voyage.user("u1", eTFullName="Ada Okafor")
    voyage.explore(account("ada", **{attribute: "ada  OKAFOR"}), actions=CORRELATE)
    assert voyage.owner(unix("ada")) == "u1"


def test_a_full_name_that_several_have_is_nobodys() -> None:
    voyage = Voyage()
    voyage.user("u1", eTFullName="Ada Okafor")
    voyage.user("u2", eTFullName="Ada Okafor")
    done = voyage.explore(account("ada", cn="Ada Okafor"), actions=CORRELATE)
    assert voyage.owner(unix("ada")) == "[default user]"
    assert voyage.counts(done)["defaulted"] == 1


def test_who_has_no_user_goes_to_the_default_user_until_there_is_one() -> None:
    voyage = Voyage()
    voyage.explore(account("ada"), actions=CORRELATE)
    assert voyage.owner(unix("ada")) == "[default user]"
    before = voyage.last_change()
    voyage.explore(account("ada"), actions=CORRELATE)
    assert voyage.last_change() == before
    voyage.user("ada")
    voyage.explore(actions="correlate")
    assert voyage.owner(unix("ada")) == "ada"
    inclusions = [dn for dn in voyage.below("dc=im") if dn.startswith("eTInclusionID=")]
    assert len(inclusions) == 1


def test_without_a_default_user_it_stays_nobodys() -> None:
    voyage = Voyage(f"dn: {user_dn('[default user]')}\nchangetype: delete\n")
    done = voyage.explore(account("ada"), actions=CORRELATE)
    assert voyage.owner(unix("ada")) is None
    assert voyage.counts(done)["left"] == 1


@pytest.mark.parametrize("actions", [CORRELATE, CREATE])
def test_a_holder_of_an_admin_profile_is_never_correlated(actions: str) -> None:
    voyage = Voyage()
    voyage.user("agent", eTUserAdminProfile=ADMINISTRATOR, eTFullName="An Agent")
    done = voyage.explore(account("agent"), account("other", cn="An Agent"), actions=actions)
    assert [voyage.owner(unix(name)) for name in ("agent", "other")] == [None, None]
    assert voyage.counts(done)["left"] == 2


def test_somebody_elses_account_stays_somebody_elses() -> None:
    voyage = Voyage()
    voyage.user("owner")
    voyage.explore(account("ada"))
    voyage.user("ada")
    held = voyage.entry(unix("ada"))
    owner = voyage.entry(user_dn("owner"))
    assert held is not None
    assert owner is not None
    edits = Edits(voyage.foundation.rooms, "tests")
    end(edits.add(*voyage.foundation.inclusions.attributes(owner, held)))
    end(voyage.store.commit(edits.commit()))
    voyage.explore(account("ada"), actions=CREATE)
    assert voyage.owner(unix("ada")) == "owner"


def test_users_are_made_of_their_accounts() -> None:
    voyage = Voyage()
    done = voyage.explore(account("ada", cn="Ada Okafor", sn="Okafor", mail="a@example.org"), actions=CREATE)
    user = voyage.entry(user_dn("ada"))
    assert user is not None
    assert user.text("etfullname") == "Ada Okafor"
    assert user.text("etlastname") == "Okafor"
    assert user.text("etemailaddress") == "a@example.org"
    assert user.values("etpropagatepassword") == ()
    assert voyage.owner(unix("ada")) == "ada"
    assert voyage.counts(done) == {
        "accounts": 1, "added": 1, "containers": 1, "correlated": 1, "created": 1,
    }  # fmt: skip


def test_users_are_made_once_for_accounts_that_arrive_together() -> None:
    voyage = Voyage()
    voyage.explore(account("ada", cn="Ada Okafor"), account("adm-ada", cn="Ada Okafor"), actions=CREATE)
    assert voyage.owner(unix("adm-ada")) == "ada"
    assert voyage.entry(user_dn("adm-ada")) is None


def parameter(*values: str) -> str:
    dn = CREATE_USERS_DEFAULT_ATTRIBUTES.dn(DN.parse("dc=im"))
    lines = [f"eTConfigParamValue: {value}" for value in values]
    return "\n".join([f"dn: {dn}", "changetype: modify", "add: eTConfigParamValue", *lines, ""])


def test_users_get_the_default_attributes_where_the_account_says_nothing() -> None:
    voyage = Voyage(parameter("EnablePasswordSync=1", "Company=Harbour", "eTFullName=Somebody"))
    voyage.explore(account("ada", cn="Ada"), account("boris"), actions=CREATE)
    ada, boris = voyage.entry(user_dn("ada")), voyage.entry(user_dn("boris"))
    assert ada is not None
    assert boris is not None
    assert ada.text("etpropagatepassword") == "1"
    assert ada.text("etcompany") == "Harbour"
    assert (ada.text("etfullname"), boris.text("etfullname")) == ("Ada", "Somebody")


@pytest.mark.parametrize("name", ["Colour", "eTPassword", "provPasswordHash", "eTADSTitle", "eTID"])
def test_a_default_attribute_that_users_cannot_be_given_is_refused_before_anything_is_done(name: str) -> None:
    voyage = Voyage(parameter(f"{name}=blue"))
    done = voyage.explore(account("ada"), actions=CREATE)
    assert done.refusal is not None
    assert done.refusal.code is ResultCode.UNWILLING_TO_PERFORM
    assert f"'{name}' is no attribute" in done.refusal.result.diagnostic
    assert voyage.entry(unix("ada")) is None
    assert voyage.explore(account("ada")).refusal is None


def test_users_are_updated_from_the_first_of_their_accounts() -> None:
    voyage = Voyage()
    voyage.user("ada", eTFullName="Ada", eTLastName="Smith", eTTitle="Captain")
    accounts = [account("ada", cn="Ada Okafor"), account("ada2", cn="Ada", sn="Okafor")]
    voyage.explore(*accounts, actions=CORRELATE)
    done = voyage.explore(*accounts, actions="explore correlate update-users")
    user = voyage.entry(user_dn("ada"))
    assert user is not None
    assert (user.text("etfullname"), user.text("etlastname"), user.text("ettitle")) == (
        "Ada Okafor", "Smith", "Captain",
    )  # fmt: skip
    assert voyage.counts(done)["updated"] == 1
    before = voyage.last_change()
    voyage.explore(*accounts, actions="explore correlate update-users")
    assert voyage.last_change() == before


def test_nobody_else_is_updated() -> None:
    voyage = Voyage()
    voyage.explore(account("ada", cn="Ada"), actions="explore correlate update-users")
    default = voyage.entry(user_dn("[default user]"))
    assert default is not None
    assert default.text("etfullname") == "Default user"


def test_creating_implies_exploring_and_correlating() -> None:
    assert actions_of(["create-users"]) == Action.EXPLORE | Action.CORRELATE | Action.CREATE
    with pytest.raises(ValueError, match="expected explore, correlate"):
        actions_of(["dance"])


def test_correlating_alone_does_not_ask_the_endpoint() -> None:
    voyage = Voyage(f"dn: {unix('x').partition(',')[2]}\nobjectClass: eTETCAccountContainer\n")
    voyage.load(f"dn: {unix('ada')}\nobjectClass: eTETCAccount\n")
    voyage.user("ada")
    done = voyage.explore(actions="correlate", at=UNIX)
    assert voyage.counts(done) == {"accounts": 1, "correlated": 1}
    assert voyage.port.closed == 0
