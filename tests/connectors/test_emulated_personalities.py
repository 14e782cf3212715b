"""Emulated endpoints that are like a product: they refuse with its codes and words."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    Account,
    ConnectorFailure,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    SettingsError,
)
from provserver.connectors.emulated import EmulatedConnector, EmulatedEndpoints
from provserver.connectors.emulation.personalities import FAILURES, PERSONALITIES, Trouble
from provserver.directory.names import DN
from provserver.vault.secret import Secret

ADA = Account("ada", DN.parse("cn=ada,dc=im"))
GOOD = Secret.of_text("Harbour-Light-21")
OTHER = Secret.of_text("Lantern-Bay-73")
VALIDATE = PasswordOption.VALIDATE_PASSWORD


def connector(personality: str, **settings: str) -> EmulatedConnector:
    given = {"name": "x", "personality": personality, **settings}
    return EmulatedEndpoints().kind()(given, {}, Clock())


def now(coroutine: Any) -> None:
    """To its end, which must be at once; raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it suspended")


def reset(line: EmulatedConnector, secret: Secret, options: PasswordOption = PasswordOption.NONE) -> None:
    now(line.set_password(ADA, secret, options))


@pytest.mark.parametrize("personality", PERSONALITIES)
@pytest.mark.parametrize("trouble", Trouble)
def test_every_personality_has_words_for_every_trouble(personality: str, trouble: Trouble) -> None:
    failure = PERSONALITIES[personality].failure(trouble, "there", "ada")
    assert isinstance(failure, ConnectorFailure)
    assert issubclass(FAILURES[trouble], type(failure)), "told less exactly at the most"
    assert str(failure).startswith("there: ")
    assert not set(str(failure)) & set("{}")


@pytest.mark.parametrize(
    ("personality", "said"),
    [
        ("plain", "x: the password is shorter than 8"),
        ("openldap", "x: result 19: Password fails quality checking policy"),
        ("389ds", "x: result 19: Invalid password syntax - password must be at least 8 characters long"),
        ("ad", "x: result 53: 0000052D: SvcErr"),
        ("ipa", "x: result 19: Password is too short"),
        ("unix", "x: the command ended with 1: BAD PASSWORD: The password is shorter than 8 characters"),
        ("mainframe", "x: result 49: R004128 "),
    ],
)
def test_a_short_password_is_refused_as_the_product_says_it(personality: str, said: str) -> None:
    with pytest.raises(PasswordPolicyViolation) as refused:
        reset(connector(personality, min_length="8"), Secret.of_text("Tiny-7"))
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("personality", sorted(set(PERSONALITIES) - {"plain"}))
def test_each_has_a_policy_of_its_own_and_settings_go_before_it(personality: str) -> None:
    with pytest.raises(PasswordPolicyViolation):
        reset(connector(personality), Secret.of_text("Ab-1"))
    lax = connector(personality, min_length="0", history="0", complexity="no")
    for _ in range(2):
        reset(lax, Secret.of_text("ab"))


@pytest.mark.parametrize(
    ("personality", "kind", "said"),
    [
        ("openldap", PasswordInHistory, "19: Password is in history of old passwords"),
        ("389ds", PasswordInHistory, "19: password in history"),
        ("ipa", PasswordInHistory, "19: Password reuse not permitted"),
        ("unix", PasswordInHistory, "Password has been already used. Choose another."),
        ("mainframe", PasswordPolicyViolation, "R004128"),
    ],
)
def test_a_password_that_was_there_is_told_from_a_weak_one_where_the_product_does(
    personality: str, kind: type[ConnectorFailure], said: str
) -> None:
    line = connector(personality)
    for secret in (GOOD, OTHER):
        reset(line, secret)
    with pytest.raises(kind) as refused:
        reset(line, GOOD)
    assert type(refused.value) is kind
    assert said in str(refused.value)


def test_ad_holds_a_reset_against_the_history_only_when_it_is_asked_to() -> None:
    line = connector("ad")
    for secret in (GOOD, OTHER, GOOD):
        reset(line, secret)
    with pytest.raises(PasswordPolicyViolation, match="53: 0000052D: SvcErr"):
        reset(line, OTHER, VALIDATE)


def test_ad_refuses_a_change_with_another_code_than_a_reset() -> None:
    line = connector("ad")
    for secret in (OTHER, GOOD):
        reset(line, secret)
    with pytest.raises(PasswordPolicyViolation, match="19: 0000052D: AtrErr"):
        now(line.change_password(ADA, GOOD, OTHER))
    with pytest.raises(OldPasswordIncorrect, match="19: 00000056"):
        now(line.change_password(ADA, OTHER, Secret.of_text("Quite-New-55")))


@pytest.mark.parametrize(
    ("password", "complex_enough"),
    [("harbour-21", True), ("Harbour21", True), ("harbourlight", False), ("Harbour-Ada-1", False)],
)
def test_ad_wants_three_kinds_of_character_and_not_the_name(password: str, complex_enough: bool) -> None:
    line = connector("ad")
    if complex_enough:
        reset(line, Secret.of_text(password))
        return
    with pytest.raises(PasswordPolicyViolation):
        reset(line, Secret.of_text(password))


def test_a_mainframe_knows_a_password_again_by_its_first_eight_in_upper_case() -> None:
    line = connector("mainframe")
    reset(line, GOOD)
    assert line.fold(b"harbour-else") == line.fold(GOOD.reveal())
    with pytest.raises(PasswordPolicyViolation):
        reset(line, Secret.of_text("HARBOUR-something-else"))


def test_an_account_that_is_not_on_the_list_is_missing_in_the_products_words() -> None:
    line = connector("unix", accounts="bob")
    with pytest.raises(ObjectMissing, match="chpasswd: line 1: user 'ada' does not exist"):
        reset(line, GOOD)


def test_a_personality_that_nobody_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="personality: expected one of plain, openldap, 389ds"):
        connector("vms")
