"""The settings of an LDAP endpoint, where its accounts are, and what the server's answers mean: without a
server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.directories.ds389 import Ds389Connector
from provserver.connectors.directories.generic import LdapConnector
from provserver.connectors.directories.locating import Locator
from provserver.connectors.registry import Settings
from provserver.directory.names import DN
from provserver.ldap.controls.password_policy import PolicyError
from provserver.ldap.filters import And, Equality
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret

GOOD = {
    "url": "ldaps://ldap.example.com",
    "bind_dn": "cn=admin,dc=example,dc=com",
    "dn": "uid={name},ou=people,dc=example,dc=com",
}
SECRETS = {"bind_password": Secret.of_text("Service-Pass-1")}


def make(**changes: str | None) -> LdapConnector:
    settings = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return LdapConnector(settings, SECRETS, Clock())


def locator(**settings: str) -> Locator:
    return Locator(Settings(settings, LdapConnector.setting_names))


def account(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def test_ldaps_and_starttls_are_secure_and_a_clear_line_says_that_it_is_not() -> None:
    assert make().security is Security.SECURE
    assert make(url="ldap://h:3890").security is Security.SECURE
    assert make(url="ldap://h", starttls="no").security is Security.NOT_SECURE


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"url": None}, "url", "must be given"),
        ({"url": "http://h"}, "url", "expected ldaps://host"),
        ({"url": "ldaps://"}, "url", "expected ldaps://host"),
        ({"url": "ldaps://h/dc=com?x"}, "url", "nothing but a host and a port"),
        ({"url": "ldaps://h:70000"}, "url", "port"),
        ({"starttls": "yes"}, "starttls", "only with an ldap:// url"),
        ({"bind_dn": None}, "bind_dn", "must be given"),
        ({"dn": None}, "dn", "either dn, or base and filter"),
        ({"base": "dc=com"}, "dn", "either dn, or base and filter"),
        ({"dn": "uid=x,dc=com"}, "dn", "a place for the account"),
        ({"dn": "uid={name},,dc=com"}, "dn", "expected"),
        ({"dn": None, "base": "dc=com"}, "filter", "both base and filter"),
        ({"dn": None, "filter": "(uid={name})"}, "base", "both base and filter"),
        ({"dn": None, "base": "dc=com", "filter": "(uid=x)"}, "filter", "a place for the account"),
        ({"dn": None, "base": "dc=com", "filter": "uid={name}"}, "filter", "expected"),
        ({"dn": None, "base": "no dn", "filter": "(uid={name})"}, "base", "expected"),
        ({"operation": "modify"}, "operation", "one of exop, replace"),
        ({"timeout": "0"}, "timeout", "a number from 0.1"),
        ({"password": "x"}, "password", "unknown setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(changes: Any, key: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make(**changes)
    assert refused.value.key == key
    assert expected in str(refused.value)


@pytest.mark.parametrize("secrets", [{}, {"bind_password": Secret(b"")}])
def test_an_empty_bind_password_is_refused_since_it_would_prove_nothing(secrets: Any) -> None:
    with pytest.raises(SettingsError, match="bind_password: must be given"):
        LdapConnector(GOOD, secrets, Clock())


@pytest.mark.parametrize(
    ("name", "dn"),
    [
        ("ada", "uid=ada,dc=example"),
        ("test, user", "uid=test\\, user,dc=example"),
        (' #"+;<>\\=', 'uid=\\ #\\"\\+\\;\\<\\>\\\\=,dc=example'),
        ("x,dc=evil", "uid=x\\,dc=evil,dc=example"),
        ("{name}", "uid={name},dc=example"),
    ],
)
def test_a_name_cannot_leave_its_place_in_a_dn(name: str, dn: str) -> None:
    assert locator(dn="uid={name},dc=example").dn_of(account(name)) == dn


@given(
    st.text(st.characters(exclude_categories=["Cs", "Co", "Cn"], exclude_characters="\ufffd"), max_size=20)
)
def test_whatever_the_name_it_is_the_value_of_one_rdn(name: str) -> None:
    parsed = DN.parse(locator(dn="uid={name},dc=example").dn_of(account(name)))
    assert parsed.depth == 2
    assert parsed.rdns[0].pairs == (("uid", name),)


def test_a_name_that_no_directory_can_have_is_missing_there() -> None:
    with pytest.raises(ObjectMissing, match="can be no name in a directory"):
        locator(dn="uid={name},dc=example").dn_of(account("\ufffd"))


def test_any_attribute_of_the_account_can_stand_in_a_template() -> None:
    where = locator(dn="uid={eTLoginName},ou={ou},dc=example")
    assert where.dn_of(account("x", etloginname=("ada",), ou=("Lab, 2",))) == "uid=ada,ou=Lab\\, 2,dc=example"
    with pytest.raises(ObjectMissing, match="has no attribute ou"):
        where.dn_of(account("x", eTLoginName=("ada",)))


def test_a_name_cannot_leave_its_place_in_a_filter() -> None:
    where = locator(base="dc=example", filter="(&(objectClass=person)(uid={name}))")
    assert where.filter_of(account("*)(uid=*")) == And(
        (Equality("objectClass", b"person"), Equality("uid", b"*)(uid=*"))
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_whatever_the_name_it_is_one_assertion_value(name: str) -> None:
    where = locator(base="dc=example", filter="(uid={name})")
    assert where.filter_of(account(name)) == Equality("uid", name.encode())


SET = [
    (19, "Password fails quality checking policy", PasswordPolicyViolation),
    (19, "Password is in history of old passwords", PasswordInHistory),
    (19, "Password is not being changed from existing value", PasswordInHistory),
    (19, "password in history", PasswordInHistory),
    (19, "within password minimum age", PasswordPolicyViolation),
    (53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0", PasswordPolicyViolation),
    (53, "0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0", PasswordIllFormed),
    (53, "the password is too short. It should be ...", PasswordPolicyViolation),
    (53, "User is not allowed to change password", AccessDenied),
    (53, "operation restricted", ConnectorError),
    (1, "000004DC: LdapErr: a successful bind must be completed on the connection.", DroppedConnection),
    (1, "", ConnectorError),
    (2, "unsupported extended operation", NotSupported),
    (3, "", Busy),
    (11, "", Busy),
    (12, "", NotSupported),
    (13, "Operation requires a secure connection.", AccessDenied),
    (21, "", PasswordIllFormed),
    (32, "", ObjectMissing),
    (49, "", BadServerCredentials),
    (50, "", AccessDenied),
    (51, "", Busy),
    (52, "", ServerDown),
    (80, "internal error", ConnectorError),
    (10, "", ConnectorError),
]


@pytest.mark.parametrize(("code", "text", "kind"), SET)
def test_a_refused_reset_is_one_of_the_closed_set(code: int, text: str, kind: type[ConnectorFailure]) -> None:
    failure = LdapConnector.meanings.of_set(Refusal(ResultCode(code), text), "uid=ada")
    assert type(failure) is kind
    assert not failure.outcome_unknown, "the server answered: the outcome is known"
    assert text in str(failure)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # 389-ds
        ("Invalid password syntax - password must be at least 8 characters long", PasswordPolicyViolation),
        ("password in history", PasswordInHistory),
        ("within password minimum age", PasswordPolicyViolation),
        ("Invalid password syntax - passwords with storage scheme are not allowed", AccessDenied),
        ("Exceed password retry limit. Please try later.", ConnectorError),
        # FreeIPA
        ("Password reuse not permitted", PasswordInHistory),
        ("Password is too short", PasswordPolicyViolation),
        ("Too soon to change password", PasswordPolicyViolation),
        ("Pre-Encoded passwords are not valid", NotSupported),
        ("Account expired", ConnectorError),
    ],
)
def test_389_ds_and_freeipa_are_understood_in_their_own_words(
    text: str, kind: type[ConnectorFailure]
) -> None:
    refusal = Refusal(ResultCode.CONSTRAINT_VIOLATION, text)
    assert type(Ds389Connector.meanings.of_set(refusal, "uid=ada")) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PolicyError.PASSWORD_IN_HISTORY, PasswordInHistory),
        (PolicyError.PASSWORD_TOO_SHORT, PasswordPolicyViolation),
        (PolicyError.PASSWORD_TOO_YOUNG, PasswordPolicyViolation),
        (PolicyError.PASSWORD_MOD_NOT_ALLOWED, AccessDenied),
    ],
)
def test_the_password_policy_control_says_what_words_do_not(
    error: PolicyError, kind: type[ConnectorFailure]
) -> None:
    refusal = Refusal(ResultCode.CONSTRAINT_VIOLATION, "no words", policy_error=error)
    failure = LdapConnector.meanings.of_set(refusal, "uid=ada")
    assert type(failure) is kind
    assert error.name.lower().replace("_", " ") in str(failure)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (53, "unable to verify old password", OldPasswordIncorrect),
        (53, "old password mismatch", OldPasswordIncorrect),
        (19, "00000056: AtrErr: DSID-03190F80, #1:", OldPasswordIncorrect),
        (49, "", OldPasswordIncorrect),
        (19, "Password fails quality checking policy", PasswordPolicyViolation),
        (50, "", AccessDenied),
    ],
)
def test_a_refused_change_tells_a_wrong_old_password_apart(
    code: int, text: str, kind: type[ConnectorFailure]
) -> None:
    assert type(LdapConnector.meanings.of_change(Refusal(ResultCode(code), text), "uid=ada")) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (49, BadServerCredentials),
        (19, BadServerCredentials),
        (53, BadServerCredentials),
        (32, BadServerCredentials),
        (13, AccessDenied),
        (51, Busy),
        (52, ServerDown),
    ],
)
def test_a_refused_bind_is_about_our_credentials_or_passes(code: int, kind: type[ConnectorFailure]) -> None:
    assert type(LdapConnector.meanings.of_bind(Refusal(ResultCode(code)), "cn=admin")) is kind
