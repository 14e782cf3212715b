"""The LDAP connector against a real OpenLDAP server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    ConnectorError,
    DroppedConnection,
    ObjectMissing,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
)
from provserver.connectors.directories.addresses import REST, Resting
from provserver.connectors.directories.base import DirectoryConnector
from provserver.connectors.directories.generic import LdapConnector
from provserver.connectors.directories.openldap import OpenLdapConnector
from provserver.directory.names import DN
from provserver.ldap.client import LdapClient, Trust
from provserver.ldap.results import Refusal, ResultCode
from provserver.testing.certificates import make_certificates
from provserver.testing.connector_contract import ConnectorContract
from provserver.testing.slapd import PasswordPolicy, SlapdServer, require_slapd
from provserver.vault.secret import Secret

pytestmark = pytest.mark.slapd

PEOPLE = """\
dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=kit,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: kit
cn: Kit
sn: Kit

dn: uid=twin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: Kit

dn: uid=test\\, user,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: test, user
cn: test, user
sn: User

dn: uid=service,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: service
cn: Service
sn: Service
userPassword: Service-Pass-1

dn: uid=guest,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: guest
cn: Guest
sn: Guest
userPassword: Guest-Pass-1
"""
SERVICE = "uid=service,ou=people,dc=example,dc=com"
# Write, not manage, and not the root DN: ppolicy's checks do not bind those.
ACCESS = (
    f'access to attrs=userPassword by dn.exact="{SERVICE}" write by self =xw by anonymous auth by * none',
    "access to * by * read",
)


@pytest.fixture(scope="module")
def slapd() -> Iterator[SlapdServer]:
    require_slapd()
    policy = PasswordPolicy(min_length=8, in_history=3)
    with SlapdServer(policy=policy, ldif=PEOPLE, access=ACCESS) as server:
        yield server


def person(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def settings_for(slapd: SlapdServer, **changes: str | None) -> dict[str, str]:
    settings: dict[str, str | None] = {
        "url": slapd.ldaps_url,
        "ca_file": str(slapd.certificates.authority),
        "bind_dn": SERVICE,
        "dn": "uid={name},ou=people,dc=example,dc=com",
        "timeout": "5",
        **changes,
    }
    return {key: value for key, value in settings.items() if value is not None}


def connector_for(
    slapd: SlapdServer, password: str = "Service-Pass-1", **changes: str | None
) -> LdapConnector:
    from twisted.internet import reactor

    return LdapConnector(settings_for(slapd, **changes), {"bind_password": Secret.of_text(password)}, reactor)


def fresh() -> Secret:
    """A password that no test before has used: the server keeps a history."""
    return Secret.of_text(f"Fresh-{secrets.token_hex(8)}")


async def set_password(connector: DirectoryConnector, account: Account, secret: Secret) -> None:
    try:
        await connector.open()
        await connector.set_password(account, secret, PasswordOption.NONE)
    finally:
        await connector.close()


class OnSlapd(ConnectorContract):
    kind = OpenLdapConnector
    secrets: ClassVar[Mapping[str, Secret]] = {"bind_password": Secret.of_text("Service-Pass-1")}
    wrong_secrets: ClassVar[Mapping[str, Secret] | None] = {"bind_password": Secret.of_text("Wrong-Pass-9")}
    weak = Secret.of_text("tiny-7")
    refuses_old_ones: ClassVar[PasswordOption | None] = PasswordOption.NONE
    changes: ClassVar[Mapping[str, str | None]] = {}

    @pytest.fixture(autouse=True)
    def _endpoint(self, slapd: SlapdServer) -> Iterator[None]:
        self.slapd = slapd
        self.settings = settings_for(slapd, **self.changes)
        # A clean history for each test; relax (root DN) so that operational attributes may be written.
        slapd.tool(
            "ldapmodify",
            "-e",
            "relax",
            stdin="dn: uid=kit,ou=people,dc=example,dc=com\nchangetype: modify\n"
            "replace: pwdHistory\n-\nreplace: userPassword\n-\nreplace: pwdReset\n"
            "-\nreplace: pwdAccountLockedTime\n",
        )
        yield
        if not slapd.running:
            slapd.start_blocking()

    def missing_account(self) -> Account:
        return person("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.slapd.accepts_password(
            f"uid={account.name},ou=people,dc=example,dc=com", secret.reveal_text()
        )

    async def accounts_there(self) -> frozenset[str]:
        return frozenset({"kit", "twin", "test, user", "service", "guest"})

    async def take_down(self) -> bool:
        self.slapd.kill()
        return True

    async def stall(self) -> bool:
        self.slapd.freeze()
        return True

    async def mend(self) -> None:
        self.slapd.thaw()


class TestByPasswordModify(OnSlapd):
    @pytest.fixture(autouse=True)
    def _crowd(self) -> Iterator[None]:
        self.crowd = ExitStack()
        with self.crowd:
            yield

    async def populate(self, count: int) -> bool:
        """At a server of their own, which has them from its start: added one by one they would take long."""
        people = "".join(
            f"dn: uid=p{number},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\n"
            f"uid: p{number}\ncn: P {number}\nsn: P\n\n"
            for number in range(count)
        )
        crowded = self.crowd.enter_context(SlapdServer(ldif=f"{PEOPLE}\n{people}"))
        self.settings = settings_for(crowded, bind_dn=crowded.root_dn)
        self.secrets = {"bind_password": Secret.of_text(crowded.root_password)}  # type: ignore[misc]
        return True


class TestByReplace(OnSlapd):
    """Also as any other directory: the settings of both are the same."""

    kind = LdapConnector
    changes: ClassVar[Mapping[str, str | None]] = {"operation": "replace"}
    changes_passwords = False


class TestWithWishes(OnSlapd):
    """Bound as the root DN, which ppolicy's checks do not bind."""

    weak = None
    refuses_old_ones = None
    wrong_secrets = None
    obeys = PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT

    @pytest.fixture(autouse=True)
    def _endpoint(self, slapd: SlapdServer) -> Iterator[None]:
        type(self).changes = {"bind_dn": slapd.root_dn, "ppolicy": "yes"}
        self.secrets = {"bind_password": Secret.of_text(slapd.root_password)}  # type: ignore[misc]
        yield from OnSlapd._endpoint.__wrapped__(self, slapd)  # type: ignore[attr-defined]

    async def must_change(self, account: Account) -> bool:
        return "pwdReset: TRUE" in self.state("pwdReset")

    async def lock(self, account: Account) -> bool:
        done = self.slapd.tool(
            "ldapmodify",
            stdin="dn: uid=kit,ou=people,dc=example,dc=com\nchangetype: modify\n"
            "replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
        )
        return done.returncode == 0

    async def is_locked(self, account: Account) -> bool:
        return "pwdAccountLockedTime:" in self.state("pwdAccountLockedTime")

    def state(self, attribute: str) -> str:
        return self.slapd.tool(
            "ldapsearch", "-LLL", "-b", "uid=kit,ou=people,dc=example,dc=com", attribute
        ).stdout


class TestOverStartTls(OnSlapd):
    @pytest.fixture(autouse=True)
    def _endpoint(self, slapd: SlapdServer) -> Iterator[None]:
        type(self).changes = {"url": slapd.ldap_url}
        yield from OnSlapd._endpoint.__wrapped__(self, slapd)  # type: ignore[attr-defined]


@pytest_twisted.ensureDeferred
async def test_an_account_whose_name_has_a_comma_gets_its_password(slapd: SlapdServer) -> None:
    secret = fresh()
    await set_password(connector_for(slapd), person("test, user"), secret)
    assert slapd.accepts_password("uid=test\\, user,ou=people,dc=example,dc=com", secret.reveal_text())


@pytest_twisted.ensureDeferred
async def test_an_account_is_found_by_filter(slapd: SlapdServer) -> None:
    by_filter = {"dn": None, "base": "dc=example,dc=com"}
    connector = connector_for(slapd, **by_filter, filter="(&(objectClass=inetOrgPerson)(cn={name}))")
    secret = fresh()
    await set_password(connector, person("Twin"), secret)
    assert slapd.accepts_password("uid=twin,ou=people,dc=example,dc=com", secret.reveal_text())
    with pytest.raises(ObjectMissing):
        await set_password(connector, person("*"), fresh())
    ambiguous = connector_for(slapd, **by_filter, filter="(sn={name})")
    with pytest.raises(ConnectorError, match="more than one entry"):
        await set_password(ambiguous, person("Kit"), fresh())


@pytest_twisted.ensureDeferred
async def test_a_password_that_the_account_has_is_told_apart_from_a_weak_one(slapd: SlapdServer) -> None:
    twin, connector, secret = person("twin"), connector_for(slapd), fresh()
    await set_password(connector, twin, secret)
    with pytest.raises(PasswordInHistory):
        await set_password(connector, twin, secret)
    with pytest.raises(PasswordPolicyViolation) as refused:
        await set_password(connector, twin, Secret.of_text("tiny-8"))
    assert not isinstance(refused.value, PasswordInHistory)


@pytest_twisted.ensureDeferred
async def test_wrong_credentials_of_ours_are_told(slapd: SlapdServer) -> None:
    with pytest.raises(BadServerCredentials) as failed:
        await connector_for(slapd, password="Wrong-Pass-9").open()
    assert "Wrong-Pass-9" not in str(failed.value)


@pytest_twisted.ensureDeferred
async def test_a_login_without_the_right_is_access_denied(slapd: SlapdServer) -> None:
    guest = connector_for(slapd, password="Guest-Pass-1", bind_dn="uid=guest,ou=people,dc=example,dc=com")
    with pytest.raises(AccessDenied):
        await set_password(guest, person("kit"), fresh())


@pytest_twisted.ensureDeferred
async def test_a_line_that_the_server_lost_is_opened_anew(slapd: SlapdServer) -> None:
    connector = connector_for(slapd)
    await connector.open()
    slapd.kill()
    slapd.start_blocking()
    secret = fresh()
    try:
        await connector.open()
        await connector.set_password(person("twin"), secret, PasswordOption.NONE)
    except DroppedConnection:
        # Whether our side has seen the end of the line by now is chance; the next call has.
        await connector.open()
        await connector.set_password(person("twin"), secret, PasswordOption.NONE)
    assert slapd.accepts_password("uid=twin,ou=people,dc=example,dc=com", secret.reveal_text())
    await connector.close()


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_is_given_up_and_the_outcome_is_unknown(slapd: SlapdServer) -> None:
    connector = connector_for(slapd, timeout="0.3")
    await connector.open()
    slapd.freeze()
    try:
        with pytest.raises(DroppedConnection) as dropped:
            await connector.set_password(person("kit"), fresh(), PasswordOption.NONE)
    finally:
        slapd.thaw()
    assert dropped.value.outcome_unknown
    assert dropped.value.transient
    await connector.close()


@pytest_twisted.ensureDeferred
async def test_all_that_is_on_the_way_over_a_lost_line_is_unknown(slapd: SlapdServer) -> None:
    connector = connector_for(slapd)
    await connector.open()
    slapd.freeze()
    waiting = [
        Deferred.fromCoroutine(connector.set_password(person(name), fresh(), PasswordOption.NONE))
        for name in ("kit", "twin", "test, user")
    ]
    slapd.kill()
    for one in waiting:
        with pytest.raises(DroppedConnection) as lost:
            await one
        assert lost.value.outcome_unknown
    # Nothing is sent over a line that is known to be gone, and no other one is made behind everybody's back.
    with pytest.raises(DroppedConnection) as closed:
        await connector.set_password(person("kit"), fresh(), PasswordOption.NONE)
    assert not closed.value.outcome_unknown
    slapd.start_blocking()
    await connector.open()
    await connector.set_password(person("kit"), fresh(), PasswordOption.NONE)
    await connector.close()


@pytest_twisted.ensureDeferred
async def test_an_account_can_be_looked_up_without_touching_it(slapd: SlapdServer) -> None:
    for more in ({}, {"dn": None, "base": "dc=example,dc=com", "filter": "(uid={name})"}):
        connector = connector_for(slapd, **more)
        assert await connector.locate(person("kit")) == "uid=kit,ou=people,dc=example,dc=com"
        with pytest.raises(ObjectMissing):
            await connector.locate(person("nobody"))
        await connector.close()


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_while_connecting_is_down(slapd: SlapdServer) -> None:
    slapd.freeze()
    try:
        for url in (slapd.ldaps_url, slapd.ldap_url):
            with pytest.raises(ServerDown) as down:
                await connector_for(slapd, timeout="0.2", url=url).open()
            assert not down.value.outcome_unknown
    finally:
        slapd.thaw()


@pytest_twisted.ensureDeferred
async def test_a_clear_line_works_and_says_that_it_is_not_secure(slapd: SlapdServer) -> None:
    connector = connector_for(slapd, url=slapd.ldap_url, starttls="no", ca_file=None)
    assert connector.security is Security.NOT_SECURE
    await set_password(connector, person("twin"), fresh())


class TestTrust:
    """The certificate and its name are verified, or nothing is said: neither a password nor our login."""

    @pytest_twisted.ensureDeferred
    async def test_an_unknown_authority_is_not_trusted(self, slapd: SlapdServer, tmp_path: Path) -> None:
        stranger = make_certificates(tmp_path)
        for url in (slapd.ldaps_url, slapd.ldap_url):
            with pytest.raises(ServerDown, match=r"certificate verify failed"):
                await connector_for(slapd, url=url, ca_file=str(stranger.authority)).open()

    @pytest_twisted.ensureDeferred
    async def test_the_systems_authorities_do_not_vouch_for_it(self, slapd: SlapdServer) -> None:
        for url in (slapd.ldaps_url, slapd.ldap_url):
            with pytest.raises(ServerDown, match=r"certificate verify failed"):
                await connector_for(slapd, url=url, ca_file=None).open()

    @pytest_twisted.ensureDeferred
    async def test_another_servers_name_is_not_trusted(self, slapd: SlapdServer) -> None:
        for url in (slapd.ldaps_url, slapd.ldap_url):
            with pytest.raises(ServerDown, match=r"certificate"):
                await connector_for(slapd, url=url, server_name="ldap.example.org").open()

    @pytest_twisted.ensureDeferred
    async def test_the_name_in_the_certificate_can_be_given(self, slapd: SlapdServer) -> None:
        for url in (slapd.ldaps_url, slapd.ldap_url):
            connector = connector_for(slapd, url=url, server_name="localhost")
            await connector.open()
            await connector.close()

    @pytest_twisted.ensureDeferred
    async def test_an_expired_certificate_is_a_passing_failure(self, tmp_path: Path) -> None:
        require_slapd()
        with SlapdServer(ldif=PEOPLE, certificates=make_certificates(tmp_path, expired=True)) as slapd:
            with pytest.raises(ServerDown, match="certificate verify failed") as failed:
                await connector_for(slapd).open()
            assert failed.value.transient

    @pytest_twisted.ensureDeferred
    async def test_a_plain_port_is_no_ldaps(self, slapd: SlapdServer) -> None:
        with pytest.raises(ServerDown):
            await connector_for(slapd, url=slapd.ldap_url.replace("ldap:", "ldaps:"), timeout="1").open()

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize(
        "content", [None, "", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"]
    )
    async def test_a_ca_file_that_is_none_is_told(
        self, slapd: SlapdServer, tmp_path: Path, content: str | None
    ) -> None:
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConnectorError, match=r"the CA file .*ca.pem"):
            await connector_for(slapd, ca_file=str(file)).open()


@pytest_twisted.ensureDeferred
async def test_wishes_are_kept_where_the_server_has_ppolicy(slapd: SlapdServer) -> None:
    connector = connector_for(slapd, ppolicy="yes", bind_dn=slapd.root_dn, password=slapd.root_password)
    await connector.open()
    wishes = PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT
    await connector.set_password(person("twin"), fresh(), wishes)
    await connector.close()
    shown = slapd.tool("ldapsearch", "-LLL", "-b", "uid=twin,ou=people,dc=example,dc=com", "pwdReset").stdout
    assert "pwdReset: TRUE" in shown


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("kind", [OpenLdapConnector, LdapConnector])
async def test_a_real_server_is_found_to_fit(slapd: SlapdServer, kind: type[DirectoryConnector]) -> None:
    from twisted.internet import reactor

    secrets = {"bind_password": Secret.of_text("Service-Pass-1")}
    for settings in ({"ppolicy": "yes"}, {"operation": "replace"}, {"schemes": "SSHA"}):
        connector = kind(settings_for(slapd, **settings), secrets, reactor)
        assert await connector.misfits() == []
        await connector.close()


@pytest_twisted.ensureDeferred
async def test_a_server_without_the_overlay_does_not_fit_its_wishes() -> None:
    from twisted.internet import reactor

    require_slapd()
    with SlapdServer(ldif=PEOPLE, access=ACCESS) as slapd:
        secrets = {"bind_password": Secret.of_text("Service-Pass-1")}
        connector = OpenLdapConnector(settings_for(slapd, ppolicy="yes"), secrets, reactor)
        found = await connector.misfits()
        await connector.close()
    assert [one.grave for one in found] == [True, True]
    assert "load the ppolicy overlay" in found[0].advice


@pytest_twisted.ensureDeferred
async def test_the_service_login_really_is_bound(slapd: SlapdServer) -> None:
    """A guard for the tests above: without a bind, slapd refuses."""
    from twisted.internet import reactor

    client: Any = await LdapClient.connect(
        slapd.ldaps_url, reactor=reactor, trust=Trust(str(slapd.certificates.authority))
    )
    with pytest.raises(Refusal) as refused:
        await client.password_modify("uid=kit,ou=people,dc=example,dc=com", new=fresh())
    assert refused.value.code in (
        ResultCode.STRONGER_AUTH_REQUIRED,
        ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
        ResultCode.UNWILLING_TO_PERFORM,
    )
    await client.close()


@pytest_twisted.ensureDeferred
async def test_the_other_of_two_servers_stands_in_for_one_that_is_away_until_it_is_back(
    tmp_path: Path,
) -> None:
    from twisted.internet import reactor

    require_slapd()
    clock = Clock()
    kit = "uid=kit,ou=people,dc=example,dc=com"
    with SlapdServer(ldif=PEOPLE, access=ACCESS) as first, SlapdServer(ldif=PEOPLE, access=ACCESS) as other:
        both = tmp_path / "both.pem"
        both.write_text("".join([one.certificates.authority.read_text() for one in (first, other)]))
        connector = OpenLdapConnector(
            settings_for(first, url=f"{first.ldaps_url} {other.ldaps_url}", ca_file=str(both)),
            {"bind_password": Secret.of_text("Service-Pass-1")},
            reactor,
            resting=Resting(clock.seconds),
        )

        async def arrives_at(server: SlapdServer) -> bool:
            secret = fresh()
            await set_password(connector, person("kit"), secret)
            return server.accepts_password(kit, secret.reveal_text())

        assert await arrives_at(first)
        first.kill()
        assert await arrives_at(other)
        first.start_blocking()
        assert await arrives_at(other), "the first one rests"
        clock.advance(REST + 1)
        assert await arrives_at(first)
