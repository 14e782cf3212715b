"""The connector for 389-ds against a real 389 Directory Server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest
import pytest_twisted
from quarterdeck import PEOPLE, PEOPLE_LDIF, SERVICE, SERVICE_PASSWORD, SUFFIX, dn_of, fresh, person
from quarterdeck import person_ldif as ldif_of

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    ConnectorError,
    ConnectorFailure,
    Misfit,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
)
from provserver.connectors.directories import exploring
from provserver.connectors.directories.ds389 import Ds389Connector
from provserver.connectors.directories.generic import LdapConnector
from provserver.testing.connector_contract import ConnectorContract, encode
from provserver.testing.ds389 import Ds389Server, require_ds389
from provserver.vault.secret import Secret

pytestmark = pytest.mark.slapd
test = pytest_twisted.ensureDeferred

ACCESS = f"""\
dn: {SUFFIX}
changetype: modify
add: aci
aci: (targetattr="*")(version 3.0; acl "service"; allow (all) userdn="ldap:///{SERVICE}";)
aci: (targetattr!="userPassword || aci")(version 3.0; acl "all"; allow (read,search,compare) userdn="ldap:///anyone";)
aci: (targetattr="userPassword")(version 3.0; acl "self"; allow (write) userdn="ldap:///self";)
"""
POLICY = {
    "passwordCheckSyntax": "on",
    "passwordMinLength": "8",
    "passwordHistory": "on",
    "passwordInHistory": "4",
    "passwordLockout": "on",
    "passwordMaxFailure": "3",
    "passwordUnlock": "off",
}
LOCKED = 19
MUST_CHANGE = "passwordExpirationTime: 19700101000000Z"


@pytest.fixture(scope="module")
def ds389() -> Iterator[Ds389Server]:
    require_ds389()
    with Ds389Server(policy=POLICY, ldif=PEOPLE_LDIF + ACCESS) as server:
        server.configure(passwordMustChange="on")  # now: what our own login has need not be changed
        yield server


def settings_for(ds389: Ds389Server, **changes: str | None) -> dict[str, str]:
    settings: dict[str, str | None] = {
        "url": ds389.ldaps_url,
        "ca_file": str(ds389.certificates.authority),
        "bind_dn": SERVICE,
        "dn": f"uid={{name}},{PEOPLE}",
        "no_must_change": "passwordExpirationTime",
        **changes,
    }
    return {key: value for key, value in settings.items() if value is not None}


def connector_for(
    ds389: Ds389Server, password: str = SERVICE_PASSWORD, **changes: str | None
) -> Ds389Connector:
    from twisted.internet import reactor

    secrets = {"bind_password": Secret.of_text(password)}
    return Ds389Connector(settings_for(ds389, **changes), secrets, reactor)


def shown(ds389: Ds389Server, name: str, *attributes: str) -> str:
    return ds389.tool(
        "ldapsearch", "-LLL", "-b", dn_of(name), "-s", "base", "(objectClass=*)", *attributes
    ).stdout


class OnDs389(ConnectorContract):
    kind = Ds389Connector
    secrets: ClassVar[Mapping[str, Secret]] = {"bind_password": Secret.of_text(SERVICE_PASSWORD)}
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"bind_password": Secret.of_text("Wrong-Pass-9")}
    weak = Secret.of_text("tiny-7")
    refuses_old_ones = PasswordOption.NONE
    changes: ClassVar[Mapping[str, str | None]] = {}

    @pytest.fixture(autouse=True)
    def _endpoint(self, ds389: Ds389Server) -> None:
        if not ds389.running:
            ds389.start()
        self.ds389 = ds389
        self.settings = settings_for(ds389, **self.changes)
        # A kit of its own for each test, without a history.
        ds389.tool("ldapdelete", "-c", dn_of("kit"))
        ds389.modify(ldif_of("kit"))

    def missing_account(self) -> Account:
        return person("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.ds389.accepts_password(dn_of(account.name), secret.reveal_text())

    async def must_change(self, account: Account) -> bool:
        return MUST_CHANGE in shown(self.ds389, account.name, "passwordExpirationTime")

    async def lock(self, account: Account) -> bool:
        for _ in range(3):
            self.ds389.tool("ldapwhoami", bind_dn=dn_of(account.name), password="guess")
        assert await self.is_locked(account)
        return True

    async def is_locked(self, account: Account) -> bool:
        done = self.ds389.tool("ldapwhoami", bind_dn=dn_of(account.name), password="guess")
        return done.returncode == LOCKED

    async def accounts_there(self) -> frozenset[str]:
        return frozenset({"kit", "twin", "service", "guest"})

    async def take_down(self) -> bool:
        self.ds389.kill()
        return True


class TestByPasswordModify(OnDs389):
    """The server says "Failed to update password" to everything; what the matter is we find out."""


class TestOverStartTls(OnDs389):
    @pytest.fixture(autouse=True)
    def _endpoint(self, ds389: Ds389Server) -> None:
        type(self).changes = {"url": ds389.ldap_url}
        OnDs389._endpoint.__wrapped__(self, ds389)  # type: ignore[attr-defined]


async def refused(connector: Ds389Connector, name: str, secret: Secret) -> ConnectorFailure:
    try:
        await connector.open()
        with pytest.raises(ConnectorFailure) as failed:
            await connector.set_password(person(name), secret, PasswordOption.NONE)
    finally:
        await connector.close()
    return failed.value


@test
@pytest.mark.parametrize("operation", ["exop", "replace"])
async def test_each_rule_of_its_policy_is_told_in_its_own_words(ds389: Ds389Server, operation: str) -> None:
    first, connector = fresh(), connector_for(ds389, operation=operation)
    await connector.open()
    await connector.set_password(person("twin"), first, PasswordOption.NONE)
    failure = await refused(connector, "twin", Secret.of_text("tiny-7"))
    assert type(failure) is PasswordPolicyViolation
    assert "at least 8 characters" in str(failure)
    failure = await refused(connector, "twin", first)
    assert type(failure) is PasswordInHistory
    assert "password in history" in str(failure)
    ds389.configure(passwordMinAge="86400")
    try:
        by_modify = connector_for(ds389)  # which answers when the time is written
        await by_modify.open()
        await by_modify.set_password(person("twin"), fresh(), PasswordOption.NONE)
        await by_modify.close()
        failure = await refused(connector, "twin", fresh())
    finally:
        ds389.configure(passwordMinAge="0")
        ds389.modify(f"dn: {dn_of('twin')}\nchangetype: modify\nreplace: passwordAllowChangeTime\n")
    assert type(failure) is PasswordPolicyViolation
    assert "within password minimum age" in str(failure)


@test
async def test_a_refused_change_tells_the_history_from_the_rest(ds389: Ds389Server) -> None:
    connector, first, second = connector_for(ds389), fresh(), fresh()
    await connector.open()
    for secret in (first, second):
        await connector.set_password(person("twin"), secret, PasswordOption.NONE)
    with pytest.raises(PasswordInHistory):
        await connector.change_password(person("twin"), second, first)
    with pytest.raises(PasswordPolicyViolation, match="insufficient password quality"):
        await connector.change_password(person("twin"), second, Secret.of_text("tiny-7"))
    await connector.close()


@test
async def test_a_password_modify_over_a_line_in_clear_is_refused_and_the_check_says_so(
    ds389: Ds389Server,
) -> None:
    clear = {"url": ds389.ldap_url, "starttls": "no", "ca_file": None}
    connector = connector_for(ds389, operation="exop", **clear)
    failure = await refused(connector, "twin", fresh())
    assert type(failure) is AccessDenied
    assert "secure connection" in str(failure)
    found = await misfits(connector)
    assert [one.grave for one in found] == [False, True]
    assert "StartTLS" in found[0].what
    assert "operation=replace" in found[1].advice


@test
async def test_a_login_without_the_right_is_access_denied(ds389: Ds389Server) -> None:
    guest = connector_for(ds389, "Guest-Pass-1", bind_dn=dn_of("guest"))
    assert type(await refused(guest, "twin", fresh())) is AccessDenied


@test
async def test_every_scheme_that_it_takes_can_be_logged_in_with(ds389: Ds389Server) -> None:
    """By its managers, or by all when nsslapd-allow-hashed-passwords is on."""
    schemes = ("SSHA", "SSHA256", "SSHA384", "SSHA512", "PBKDF2-SHA256")
    connector = connector_for(ds389, schemes=",".join(schemes))
    ds389.configure(**{"nsslapd-allow-hashed-passwords": "on"})
    try:
        await connector.open()
        for scheme in schemes:
            secret = fresh()
            await connector.set_password(person("twin"), encode(secret, scheme), PasswordOption.ENCODED)
            assert ds389.accepts_password(dn_of("twin"), secret.reveal_text()), scheme
    finally:
        ds389.configure(**{"nsslapd-allow-hashed-passwords": "off"})
    with pytest.raises(AccessDenied, match="storage scheme"):
        await connector.set_password(person("twin"), encode(fresh(), "SSHA"), PasswordOption.ENCODED)
    await connector.close()
    by_manager = connector_for(
        ds389, ds389.root_password, schemes="SSHA", bind_dn=ds389.root_dn.replace(" M", " m")
    )
    assert await misfits(by_manager) == []


@test
async def test_a_server_that_has_every_password_changed_is_told_otherwise(ds389: Ds389Server) -> None:
    plain, told = connector_for(ds389, no_must_change=None), connector_for(ds389)
    await plain.open()
    await plain.set_password(person("twin"), fresh(), PasswordOption.NONE)
    assert MUST_CHANGE in shown(ds389, "twin", "passwordExpirationTime")
    await plain.close()
    await told.open()
    secret = fresh()
    await told.set_password(person("twin"), secret, PasswordOption.UNLOCK_ACCOUNT)
    done = ds389.tool("ldapsearch", "-b", PEOPLE, bind_dn=dn_of("twin"), password=secret.reveal_text())
    assert done.returncode == 0, "logged in, and not told to change it first"
    await told.set_password(person("twin"), secret := fresh(), PasswordOption.FORCE_CHANGE_AT_LOGON)
    done = ds389.tool("ldapsearch", "-b", PEOPLE, bind_dn=dn_of("twin"), password=secret.reveal_text())
    assert done.returncode == 53
    await told.close()
    as_manager = {"bind_dn": ds389.root_dn, "password": ds389.root_password}
    (warning,) = await misfits(connector_for(ds389, no_must_change=None, **as_manager))
    assert "passwordMustChange is on" in warning.what
    assert not warning.grave
    assert await misfits(connector_for(ds389, **as_manager)) == []


@test
async def test_wishes_that_the_login_may_not_write_leave_the_password_set_and_say_so(
    ds389: Ds389Server,
) -> None:
    helper = dn_of("guest")
    ds389.modify(
        f"dn: {SUFFIX}\nchangetype: modify\nadd: aci\n"
        f'aci: (targetattr="userPassword")(version 3.0; acl "guest"; allow (write) userdn="ldap:///{helper}";)\n'
    )
    as_helper = {"bind_dn": helper, "no_must_change": None}
    connector, secret = connector_for(ds389, "Guest-Pass-1", **as_helper), fresh()
    await connector.open()
    with pytest.raises(ConnectorError, match="the password was set, its policy state was not"):
        await connector.set_password(person("twin"), secret, PasswordOption.UNLOCK_ACCOUNT)
    assert ds389.accepts_password(dn_of("twin"), secret.reveal_text())
    without = connector_for(ds389, "Guest-Pass-1", **as_helper, unlock="none")
    await without.open()
    await without.set_password(person("twin"), fresh(), PasswordOption.UNLOCK_ACCOUNT)
    for one in (connector, without):
        await one.close()


async def misfits(connector: LdapConnector | Ds389Connector) -> list[Misfit]:
    try:
        return list(await connector.misfits())
    finally:
        await connector.close()


@test
async def test_what_fits_is_found_to_fit(ds389: Ds389Server) -> None:
    assert await misfits(connector_for(ds389)) == []
    assert await misfits(connector_for(ds389, operation="exop")) == []


@test
async def test_the_schema_tells_what_cannot_be_written_there(ds389: Ds389Server) -> None:
    """389-ds has OpenLDAP's pwdReset, as an attribute that nobody may write."""
    from twisted.internet import reactor

    secrets = {"bind_password": Secret.of_text(SERVICE_PASSWORD)}
    generic = LdapConnector(settings_for(ds389, ppolicy="yes", no_must_change=None), secrets, reactor)
    found = await misfits(generic)
    assert [one.grave for one in found] == [True, True]
    assert "no attribute pwdReset that can be written" in found[0].what
    assert "pwdAccountLockedTime" in found[1].what
    own = connector_for(ds389, operation="replace", attribute="noSuchAttribute")
    (unknown,) = await misfits(own)
    assert unknown.grave
    assert "noSuchAttribute" in unknown.what


@test
async def test_exploring_goes_over_many_pages(ds389: Ds389Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "PAGE", 7)
    names = {f"many{number}" for number in range(30)}
    ds389.modify("".join(ldif_of(name) for name in sorted(names)))
    connector = connector_for(ds389, explore_attributes="sn")
    found = {account.name: account.attributes async for account in connector.explore()}
    assert names < set(found)
    assert found["many7"] == {"entryDN": (dn_of("many7"),), "uid": ("many7",), "sn": ("Many7",)}
