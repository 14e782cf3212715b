"""Passwords that came encoded, at a real OpenLDAP server: they are written as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import pytest
import pytest_twisted
from harbour import NEW

from provserver.connectors.contract import Account, PasswordOption, PasswordPolicyViolation
from provserver.connectors.directories.generic import LdapConnector
from provserver.directory.names import DN
from provserver.testing.connector_contract import ConnectorContract, encode
from provserver.testing.slapd import PasswordPolicy, SlapdServer, require_slapd
from provserver.vault.secret import Secret

pytestmark = pytest.mark.slapd
test = pytest_twisted.ensureDeferred

PEOPLE: Final = """\
dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=kit,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: kit
cn: Kit
sn: Kit

dn: uid=service,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: service
cn: Service
sn: Service
userPassword: Service-Pass-1
"""
SERVICE: Final = "uid=service,ou=people,dc=example,dc=com"
ACCESS: Final = (
    f'access to attrs=userPassword by dn.exact="{SERVICE}" write by anonymous auth by * none',
    "access to * by * read",
)


@pytest.fixture(scope="module")
def slapd() -> Iterator[SlapdServer]:
    require_slapd()
    with SlapdServer(ldif=PEOPLE, access=ACCESS) as server:
        yield server


def settings_for(slapd: SlapdServer, **more: str) -> dict[str, str]:
    return {
        "url": slapd.ldaps_url,
        "ca_file": str(slapd.certificates.authority),
        "bind_dn": SERVICE,
        "dn": "uid={name},ou=people,dc=example,dc=com",
        "schemes": "SSHA",
        **more,
    }


class TestContract(ConnectorContract):
    """Also with the operation that is for clear text: it is not used for what is none."""

    kind = LdapConnector
    secrets: ClassVar[Mapping[str, Secret]] = {"bind_password": Secret.of_text("Service-Pass-1")}

    @pytest.fixture(autouse=True)
    def _endpoint(self, slapd: SlapdServer) -> None:
        self.slapd = slapd
        self.settings = settings_for(slapd, operation="exop")

    def missing_account(self) -> Account:
        return Account("nobody", DN.parse("cn=x,dc=im"))

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.slapd.accepts_password(
            f"uid={account.name},ou=people,dc=example,dc=com", secret.reveal_text()
        )


@test
async def test_a_policy_there_that_wants_to_look_is_told() -> None:
    """pwdCheckQuality 2: what arrives hashed cannot be checked and is refused (slapo-ppolicy(5))."""
    from twisted.internet import reactor

    require_slapd()
    with SlapdServer(policy=PasswordPolicy(min_length=8), ldif=PEOPLE, access=ACCESS) as strict:
        secrets = {"bind_password": Secret.of_text("Service-Pass-1")}
        connector = LdapConnector(settings_for(strict), secrets, reactor)
        await connector.open()
        with pytest.raises(PasswordPolicyViolation):
            await connector.set_password(
                Account("kit", DN.parse("cn=x,dc=im")),
                encode(Secret.of_text(NEW), "SSHA"),
                PasswordOption.ENCODED,
            )
        await connector.close()
