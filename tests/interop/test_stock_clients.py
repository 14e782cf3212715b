"""ldapsearch, ldapmodify and their like, as OpenLDAP ships them, over LDAPS, against `provserver serve`: the
four requests of the seed document with the documented names, and its eTPropagatePassword example. One
endpoint is a real OpenLDAP server.
"""

from __future__ import annotations

import re

import pytest
from plugins.real_endpoint import AD, AD_USERS, AGENT, AGENT_PASSWORD, LDAP_HQ, PROFILE, Harbour, Person
from plugins.served_instance import ADMINISTRATOR_PASSWORD, COMMON, GLOBAL_USERS, Ran, user_dn

pytestmark = pytest.mark.slapd

NEW = "Sluice-Compass-86"
THRESHOLD = (
    "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration"
)


def names(found: Ran) -> list[str]:
    assert found.returncode == 0, found.stderr
    return re.findall(r"^dn: (.*)$", found.stdout, re.MULTILINE)


def as_agent(harbour: Harbour, dn: str, trigger: str, password: str) -> Ran:
    return harbour.served.set(dn, trigger, password, who=AGENT, password=AGENT_PASSWORD)


def account_of(harbour: Harbour, person: Person) -> list[str]:
    logon = f"(&(objectClass=eTADSAccount)(eTADSsAMAccountName={person.name}))"
    return names(harbour.served.search(AD, logon, "1.1", who=AGENT, password=AGENT_PASSWORD))


def test_the_four_requests_change_the_password_everywhere(harbour: Harbour) -> None:
    """Seed 000, "Communication Flow"."""
    person = harbour.admit("four")

    assert account_of(harbour, person) == [person.ad_account]

    tested = as_agent(harbour, person.ad_account, "eTTestPassword", NEW)
    assert tested.returncode == 0, tested.stderr
    assert harbour.served.accepts_password(person.name, person.password), "a test changes nothing"
    assert harbour.slapd.accepts_password(person.at_slapd, person.password)

    assert account_of(harbour, person) == [person.ad_account]

    synced = as_agent(harbour, person.ad_account, "eTSyncPassword", NEW)
    assert synced.returncode == 0, synced.stderr

    assert harbour.slapd.accepts_password(person.at_slapd, NEW)
    assert not harbour.slapd.accepts_password(person.at_slapd, person.password)
    assert harbour.served.accepts_password(person.name, NEW)
    assert not harbour.served.accepts_password(person.name, person.password)


def test_a_weak_password_is_refused_at_the_test_with_every_reason(harbour: Harbour) -> None:
    person = harbour.admit("weak")
    refused = as_agent(harbour, person.ad_account, "eTTestPassword", "short")
    assert refused.returncode == 19
    account = f"Active Directory Account '{person.name}, Test' on 'AD-Corp'"
    assert f":ETA_E_9010<MAC>, Password check for {account} failed: " in refused.stderr
    for reason in ("at least 10 characters", "upper-case letter", "digit"):
        assert reason in refused.stderr
    assert "short" not in refused.stderr


def test_the_example_of_the_seed_lets_agents_change_a_users_password(harbour: Harbour) -> None:
    """`ldapmodify -D eTGlobalUserName=my_user,... -f input.ldif`, with -H for today's ldapmodify."""
    me = harbour.admit("my_user", propagate=False)
    assert harbour.served.set(me.dn, "eTUserAdminProfile", PROFILE).returncode == 0
    target = harbour.admit("without_consent", propagate=False)
    refused = as_agent(harbour, target.ad_account, "eTSyncPassword", NEW)
    assert refused.returncode == 53
    assert "password synchronization is not enabled for Global User 'without_consent'" in refused.stderr

    for dn in (target.dn, me.dn):
        changed = harbour.served.set(dn, "eTPropagatePassword", "1", who=me.dn, password=me.password)
        assert changed.returncode == 0, changed.stderr

    assert as_agent(harbour, target.ad_account, "eTSyncPassword", NEW).returncode == 0
    assert harbour.slapd.accepts_password(target.at_slapd, NEW)


def test_a_plain_user_who_tries_the_example_on_itself_gets_50(harbour: Harbour) -> None:
    me = harbour.admit("plain", propagate=False)
    refused = harbour.served.set(me.dn, "eTPropagatePassword", "1", who=me.dn, password=me.password)
    assert refused.returncode == 50
    assert ":ETA_E_9031<BGU>, 'plain' may not modify 'eTGlobalUserName=plain," in refused.stderr
    shown = harbour.served.search(me.dn, "(objectClass=*)", "eTPropagatePassword")
    assert "eTPropagatePassword" not in shown.stdout


def test_an_agent_acts_on_its_own_endpoint_only_and_is_not_told_what_else_exists(harbour: Harbour) -> None:
    person = harbour.admit("elsewhere")
    there = as_agent(harbour, person.ldap_account, "eTSyncPassword", NEW)
    nowhere = as_agent(harbour, f"eTDYNAccountName=nobody,{LDAP_HQ}", "eTSyncPassword", NEW)
    assert there.returncode == nowhere.returncode == 50
    unknown = as_agent(harbour, f"eTADSAccountName=nobody,{AD_USERS}", "eTSyncPassword", NEW)
    assert unknown.returncode == 32


def test_a_suspended_users_password_is_not_changed(harbour: Harbour) -> None:
    person = harbour.admit("away")
    assert harbour.served.set(person.dn, "eTSuspended", "1").returncode == 0
    refused = as_agent(harbour, person.ad_account, "eTSyncPassword", NEW)
    assert refused.returncode == 53
    assert "Global User 'away' is suspended" in refused.stderr
    assert not harbour.slapd.accepts_password(person.at_slapd, NEW)


def test_an_account_that_nobody_owns_is_refused(harbour: Harbour) -> None:
    unix = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im,dc=eta"
    refused = harbour.served.set(
        f"eTETCAccountName=oracle,eTETCAccountContainerName=Accounts,{unix}",
        "eTSyncPassword",
        NEW,
        who=user_dn("pam-hpdev01"),
        password="Seal-Ferry-Agent-22",
    )
    assert refused.returncode == 53
    assert "not yet correlated" in refused.stderr


def test_an_administrators_reset_reaches_the_accounts(harbour: Harbour) -> None:
    person = harbour.admit("forgetful")
    ldif = f"dn: {person.dn}\nchangetype: modify\nreplace: eTPassword\neTPassword: {NEW}\n"
    reset = harbour.served.modify(f"{ldif}-\nreplace: eTSyncAccounts\neTSyncAccounts: 1\n-\n")
    assert reset.returncode == 0, reset.stderr
    assert harbour.served.accepts_password(person.name, NEW)
    assert harbour.slapd.accepts_password(person.at_slapd, NEW)


@pytest.mark.parametrize(
    "attribute", ["eTTestPassword", "eTSyncPassword", "eTPassword", "provSecret", "userPassword"]
)
def test_no_search_returns_or_matches_a_secret(harbour: Harbour, attribute: str) -> None:
    """Not even for the administrator."""
    for base in (GLOBAL_USERS, LDAP_HQ, AD_USERS):
        found = harbour.served.search(base, f"(|({attribute}=*)(objectClass=*))", attribute, "*", "+")
        assert found.returncode == 0, found.stderr
        assert names(found)
        assert not re.search(rf"^{attribute}[:;]", found.stdout, re.MULTILINE | re.IGNORECASE)
        assert not re.search(r"\{[A-Z]+\d*\}|\$argon2", found.stdout)
        assert names(harbour.served.search(base, f"({attribute}=*)", "1.1")) == []


def test_the_repositorys_view_shows_inclusions_and_parameters_under_its_own_suffix(harbour: Harbour) -> None:
    person = harbour.admit("included")
    repository = COMMON.replace("dc=eta", "dc=etadb")
    found = harbour.served.search(
        repository, f"(eTSuperiorClassEntry={person.dn})", "eTSubordinateClassEntry"
    )
    assert len(names(found)) == 2
    assert all(name.endswith(",dc=im,dc=etadb") for name in names(found))
    assert f"eTSubordinateClassEntry: {person.ad_account.removesuffix(',dc=eta')}\n" in found.stdout
    shown = harbour.served.search(
        f"{THRESHOLD},{repository}", "(objectClass=eTConfigParam)", "eTConfigParamValue"
    )
    assert "eTConfigParamValue: 600\n" in shown.stdout


def test_nobody_without_a_name_sees_more_than_root_dse_and_schema(harbour: Harbour) -> None:
    served = harbour.served
    root = served.client("ldapsearch", "-LLL", "-s", "base", "-b", "", "*", "+", who="-")
    assert "namingContexts: dc=im,dc=eta\n" in root.stdout
    schema = served.client(
        "ldapsearch", "-LLL", "-s", "base", "-b", "cn=Subschema", "attributeTypes", "objectClasses", who="-"
    )
    assert "eTSyncPassword" in schema.stdout
    for base in ("dc=im,dc=eta", GLOBAL_USERS):
        assert served.client("ldapsearch", "-b", base, who="-").returncode == 50


def test_limits_scopes_and_pages_are_obeyed(harbour: Harbour) -> None:
    served = harbour.served

    def search(*arguments: str) -> Ran:
        return served.client("ldapsearch", "-LLL", "-o", "ldif-wrap=no", *arguments, "dn")

    limited = search("-b", GLOBAL_USERS, "-z", "2")
    assert limited.returncode == 4
    assert limited.stdout.count("dn: ") == 2
    assert names(search("-b", GLOBAL_USERS, "-s", "base")) == [GLOBAL_USERS]
    below = names(search("-b", GLOBAL_USERS, "-s", "one"))
    assert GLOBAL_USERS not in below
    everything = names(search("-b", GLOBAL_USERS))
    assert everything[0] == GLOBAL_USERS, "parents come first"
    assert sorted(everything[1:]) == sorted(below)
    assert names(search("-b", GLOBAL_USERS, "-E", "!pr=3/noprompt")) == everything
    assert search("-b", f"eTNamespaceName=Nothing,{GLOBAL_USERS}").returncode == 32


def test_compare_and_delete_do_what_the_tools_ask(harbour: Harbour) -> None:
    person = harbour.admit("leaver")
    served = harbour.served
    assert served.client("ldapcompare", person.dn, f"eTFullName:TEST {person.name}").returncode == 6
    assert served.client("ldapcompare", person.dn, "eTFullName:Somebody Else").returncode == 5
    assert served.client("ldapdelete", AD_USERS).returncode == 66
    assert served.client("ldapdelete", person.ad_account, person.ldap_account, person.dn).returncode == 0
    assert served.client("ldapdelete", person.dn).returncode == 32
    left = served.search(COMMON, f"(eTSuperiorClassEntry={person.dn})", "1.1")
    assert names(left) == [], "its inclusions went with it"


def test_the_clear_text_port_serves_loopback(harbour: Harbour) -> None:
    clear = harbour.served.client("ldapsearch", "-s", "base", "-b", "", url=harbour.served.url("ldap"))
    assert clear.returncode == 0


def test_start_tls_raises_the_clear_text_port(harbour: Harbour) -> None:
    who = ("-ZZ", "-s", "base", "-b", user_dn("aokafor"), "eTTitle")
    found = harbour.served.client("ldapsearch", *who, url=harbour.served.url("ldap"))
    assert found.returncode == 0, found.stderr
    assert "eTTitle: " in found.stdout
    asked = harbour.served.client("ldapwhoami", "-ZZ", url=harbour.served.url("ldap"))
    assert asked.stdout.strip() == f"dn:{user_dn('etaadmin')}"


def test_a_client_that_does_not_know_our_authority_does_not_connect(harbour: Harbour) -> None:
    served = harbour.served
    stranger = harbour.slapd.tool(
        "ldapsearch",
        "-s",
        "base",
        "-b",
        "",
        url=served.url(),
        bind_dn=user_dn("etaadmin"),
        password=ADMINISTRATOR_PASSWORD,
    )
    assert stranger.returncode == 255
    assert "Can't contact LDAP server" in stranger.stderr


def test_a_wrong_password_and_an_unknown_name_are_told_alike(harbour: Harbour) -> None:
    answers = [
        harbour.served.client("ldapsearch", "-s", "base", "-b", "", who=user_dn(name), password="wrong")
        for name in ("etaadmin", "nobody-of-that-name")
    ]
    assert {answer.returncode for answer in answers} == {49}
    assert len({answer.stderr for answer in answers}) == 1
