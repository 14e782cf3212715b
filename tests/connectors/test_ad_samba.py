"""The Active Directory connector against a real Samba domain controller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    ConnectorError,
    NotSupported,
    ObjectMissing,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
)
from provserver.connectors.directories import exploring
from provserver.connectors.directories.ad import AdConnector
from provserver.connectors.directories.addresses import Resting
from provserver.directory.names import DN
from provserver.testing.connector_contract import FIRST, SECOND, ConnectorContract
from provserver.testing.samba_ad import DomainController, require_samba, template_of
from provserver.vault.secret import Secret

THRESHOLD = 3
"""Wrong passwords until an account is locked out."""
# What Samba says, as Windows does, to a bind with the right password.
MUST_CHANGE, DISABLED, LOCKED = "data 773", "data 533", "data 775"
ADVICE: Final = {
    "disabled": "enable it",
    "locked": "unlock it",
    "must change": "change its password",
    "expired": "account has expired",
}


@pytest.fixture(scope="module")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainController]:
    require_samba()
    with DomainController(template=template_of(tmp_path_factory)) as server:
        server.password_settings(
            complexity="on",
            min_pwd_length=10,
            history_length=0,
            min_pwd_age=0,
            account_lockout_threshold=THRESHOLD,
            account_lockout_duration=30,
        )
        for name, cn in (("kit", "Kit"), ("twin", "Twin, Kit"), ("guest1", "Guest One")):
            server.create_user(name, "Guest-Pass-1", cn=cn)
        yield server


def person(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def settings_for(samba: DomainController, **changes: str) -> dict[str, str]:
    return {
        "url": samba.ldaps_url,
        "ca_file": str(samba.certificates.authority),
        "bind_dn": samba.bind_dn,
        "timeout": "10",
        **changes,
    }


def connector_for(samba: DomainController, password: str = "", **changes: str) -> AdConnector:
    from twisted.internet import reactor

    secrets = {"bind_password": Secret.of_text(password or samba.password)}
    return AdConnector(settings_for(samba, **changes), secrets, reactor, resting=Resting(lambda: 0.0))


async def set_password(
    connector: AdConnector,
    account: Account,
    secret: Secret,
    options: PasswordOption = PasswordOption.NONE,
) -> None:
    try:
        await connector.open()
        await connector.set_password(account, secret, options)
    finally:
        await connector.close()


def lock(samba: DomainController, name: str) -> None:
    for _ in range(THRESHOLD):
        samba.refusal_of(name, "Wrong-Guess-1")


class TestOnSamba(ConnectorContract):
    kind = AdConnector
    weak = Secret.of_text("harbourharbour")  # long enough, and not complex

    @pytest.fixture(autouse=True)
    def _endpoint(self, samba: DomainController) -> Iterator[None]:
        self.samba = samba
        self.settings = settings_for(samba)
        self.secrets = {"bind_password": Secret.of_text(samba.password)}
        type(self).wrong_secrets = {"bind_password": Secret.of_text("Wrong-Pass-9")}
        yield
        samba.thaw()
        if not samba.running:
            samba.start()

    def missing_account(self) -> Account:
        return person("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        said = self.samba.refusal_of(account.name, secret.reveal_text())
        return not said or MUST_CHANGE in said

    async def must_change(self, account: Account) -> bool:
        return self.samba.attribute(account.name, "pwdLastSet") == "0"

    async def lock(self, account: Account) -> bool:
        lock(self.samba, account.name)
        return True

    async def is_locked(self, account: Account) -> bool:
        return self.samba.attribute(account.name, "lockoutTime") not in ("", "0")

    async def accounts_there(self) -> frozenset[str]:
        return frozenset({"kit", "twin", "Administrator"})

    async def take_down(self) -> bool:
        self.samba.kill()
        return True

    async def stall(self) -> bool:
        self.samba.freeze()
        return True

    async def mend(self) -> None:
        self.samba.thaw()

    async def cut_idle_lines(self) -> bool:
        self.samba.kill()
        self.samba.start()
        return True

    async def open_lines(self) -> int:
        from twisted.internet import reactor

        there: Any = reactor
        await deferLater(there, 0)  # a line that was aborted is closed in the next turn
        while any(_is_closing(one) for one in there.getReaders()):
            await deferLater(there, 0.001)  # for the answer to our farewell
        return self.samba.lines()


def _is_closing(reader: Any) -> bool:
    tls = getattr(getattr(reader, "protocol", None), "_wrappedProtocol", None)
    return bool(getattr(tls, "disconnecting", False))


# -- accounts


@pytest_twisted.ensureDeferred
async def test_an_account_whose_name_has_a_comma_gets_its_password(samba: DomainController) -> None:
    connector, secret = connector_for(samba), Secret.of_text("Comma-In-Name-1")
    await set_password(connector, person("twin"), secret)
    assert samba.accepts_password("twin", secret.reveal_text())
    assert await connector.locate(person("twin")) == f"CN=Twin\\, Kit,{samba.users}"
    await connector.close()


@pytest.mark.parametrize(
    ("settings", "account"),
    [
        ({"account": "userPrincipalName"}, person("twin@ad.example.com")),
        ({"account": "cn"}, person("Twin, Kit")),
        ({"filter": "(sAMAccountName={eTADSsAMAccountName})"}, person("Any", eTADSsAMAccountName=("twin",))),
        ({"base": "CN=Users,DC=ad,DC=example,DC=com"}, person("twin")),
        ({"dn": "CN={name},CN=Users,DC=ad,DC=example,DC=com"}, person("Twin, Kit")),
        ({"url": "ldap"}, person("twin")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_account_is_found_by_other_names_and_other_ways(
    samba: DomainController, settings: dict[str, str], account: Account
) -> None:
    if "url" in settings:
        settings = {"url": samba.ldap_url}  # raised by StartTLS
    connector = connector_for(samba, **settings)
    assert await connector.locate(account) == f"CN=Twin\\, Kit,{samba.users}"
    await set_password(connector, account, SECOND)
    assert samba.accepts_password("twin", SECOND.reveal_text())


@pytest_twisted.ensureDeferred
async def test_what_is_no_person_is_not_found(samba: DomainController) -> None:
    for name in ("DC1$", "Domain Users", "*", "kit)(cn=*"):
        with pytest.raises(ObjectMissing):
            await connector_for(samba).locate(person(name))


@pytest_twisted.ensureDeferred
async def test_exploring_goes_page_by_page_and_finds_people_with_their_attributes(
    samba: DomainController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "PAGE", 2)
    found = {one.name: one async for one in connector_for(samba).explore()}
    assert {"kit", "twin", "guest1", "Administrator", "Guest", "krbtgt"} <= set(found)
    assert not {"DC1$", "Domain Users"} & set(found)
    twin = found["twin"].attributes
    assert twin["userPrincipalName"] == ("twin@ad.example.com",)
    assert twin["cn"] == ("Twin, Kit",)
    assert twin["userAccountControl"] == ("512",)


# -- what the domain's policy refuses


@pytest.mark.parametrize("weak", ["Short-1", "nothingbutletters"])
@pytest_twisted.ensureDeferred
async def test_a_short_or_simple_password_is_refused_by_the_domains_policy(
    samba: DomainController, weak: str
) -> None:
    with pytest.raises(PasswordPolicyViolation) as refused:
        await set_password(connector_for(samba), person("kit"), Secret.of_text(weak))
    assert not isinstance(refused.value, PasswordInHistory)
    assert "check_password_restrictions" in str(refused.value)
    assert weak not in str(refused.value)


@pytest_twisted.ensureDeferred
async def test_history_binds_a_change_and_not_a_reset(samba: DomainController) -> None:
    samba.create_user("long", "Guest-Pass-1")
    connector, account = connector_for(samba), person("long")
    samba.password_settings(history_length=3)
    try:
        await set_password(connector, account, FIRST)
        await connector.change_password(account, FIRST, SECOND)
        with pytest.raises(PasswordInHistory):
            await connector.change_password(account, SECOND, FIRST)
        await connector.close()
        await set_password(connector, account, FIRST)
    finally:
        samba.password_settings(history_length=0)
    assert samba.accepts_password("long", FIRST.reveal_text())


@pytest_twisted.ensureDeferred
async def test_history_on_a_reset_cannot_be_had_from_a_samba_without_policy_hints(
    samba: DomainController,
) -> None:
    """Samba 4.17; that hints are sent to who knows them is in test_ad."""
    connector = connector_for(samba, policy_hints="always")
    misfits = await connector.misfits()
    if not misfits:
        pytest.skip("this Samba knows policy hints")
    assert "policy_hints" in misfits[0].advice
    with pytest.raises(NotSupported, match="policy_hints"):
        await set_password(connector, person("kit"), FIRST)
    own = connector_for(samba)
    assert await own.misfits() == []
    await own.close()
    await set_password(own, person("kit"), SECOND, PasswordOption.VALIDATE_PASSWORD)
    assert samba.accepts_password("kit", SECOND.reveal_text())


# -- accounts that are disabled, locked, or have to change their passwords


@pytest_twisted.ensureDeferred
async def test_a_disabled_account_gets_its_password_and_stays_disabled(samba: DomainController) -> None:
    samba.create_user("gone", "Guest-Pass-1")
    samba.samba_tool("user", "disable", "gone")
    await set_password(connector_for(samba), person("gone"), SECOND)
    assert DISABLED in samba.refusal_of("gone", SECOND.reveal_text())
    samba.samba_tool("user", "enable", "gone")
    assert samba.accepts_password("gone", SECOND.reveal_text())


@pytest_twisted.ensureDeferred
async def test_a_locked_account_takes_no_change_and_is_unlocked_by_a_reset_that_wishes_it(
    samba: DomainController,
) -> None:
    samba.create_user("locked", "Guest-Pass-1")
    connector, account = connector_for(samba), person("locked")
    lock(samba, "locked")
    assert LOCKED in samba.refusal_of("locked", "Guest-Pass-1")
    with pytest.raises(ConnectorError, match="unlocked"):
        await connector.change_password(account, Secret.of_text("Guest-Pass-1"), FIRST)
    await connector.close()
    await set_password(connector, account, FIRST, PasswordOption.UNLOCK_ACCOUNT)
    assert samba.accepts_password("locked", FIRST.reveal_text())


@pytest_twisted.ensureDeferred
async def test_who_must_change_the_password_is_let_in_after_a_change(samba: DomainController) -> None:
    samba.create_user("fresh", "Guest-Pass-1")
    connector, account = connector_for(samba), person("fresh")
    await set_password(connector, account, FIRST, PasswordOption.FORCE_CHANGE_AT_LOGON)
    assert MUST_CHANGE in samba.refusal_of("fresh", FIRST.reveal_text())
    await connector.change_password(account, FIRST, SECOND)
    await connector.close()
    assert samba.accepts_password("fresh", SECOND.reveal_text())


# -- who we are there


@pytest_twisted.ensureDeferred
async def test_a_login_without_the_right_is_told_which_it_lacks(samba: DomainController) -> None:
    guest = connector_for(samba, "Guest-Pass-1", bind_dn="guest1@ad.example.com")
    with pytest.raises(AccessDenied, match="Reset password"):
        await set_password(guest, person("kit"), FIRST)


@pytest.mark.parametrize("state", ["disabled", "locked", "must change", "expired"])
@pytest_twisted.ensureDeferred
async def test_what_is_wrong_with_our_login_is_told(samba: DomainController, state: str) -> None:
    name = "svc-" + state.replace(" ", "")
    dn = samba.create_user(name, "Guest-Pass-1")
    if state == "disabled":
        samba.samba_tool("user", "disable", name)
    elif state == "locked":
        lock(samba, name)
    elif state == "must change":
        samba.modify(f"dn: {dn}\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 0\n")
    else:
        samba.modify(f"dn: {dn}\nchangetype: modify\nreplace: accountExpires\naccountExpires: 1000\n")
    with pytest.raises(BadServerCredentials) as failed:
        await connector_for(samba, "Guest-Pass-1", bind_dn=f"{name}@ad.example.com").open()
    assert ADVICE[state] in str(failed.value)
    assert "Guest-Pass-1" not in str(failed.value)


@pytest_twisted.ensureDeferred
async def test_a_second_controller_is_used_when_the_first_is_away(samba: DomainController) -> None:
    connector = connector_for(samba, url=f"ldaps://127.0.0.1:1 {samba.ldaps_url}")
    await set_password(connector, person("kit"), SECOND)
    assert samba.accepts_password("kit", SECOND.reveal_text())
