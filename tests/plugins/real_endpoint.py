"""The stage of interop and fault tests: the demo domain served by the real command, and a real OpenLDAP
server as one of its endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from plugins.served_instance import (
    COMMON,
    REPOSITORY,
    ServedInstance,
    make_instance,
    serving,
    user_dn,
)

from provserver.testing.slapd import SlapdServer, require_slapd

AD = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
AD_USERS = f"eTADSContainerName=Users,{AD}"
LDAP_HQ = "eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im,dc=eta"
LDAP_ACCOUNTS = f"eTDYNAccountContainerName=Accounts,{LDAP_HQ}"
AGENT = user_dn("psync-ad-corp")
AGENT_PASSWORD = "Gull-Ferry-Agent-11"
PROFILE = f"eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles,{COMMON}"
SUFFIX = "dc=port,dc=example"
PEOPLE = f"dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n"


def endpoint_ldif(slapd: SlapdServer) -> str:
    """What makes ldap-hq of the demo domain a real server."""
    return f"""\
dn: {LDAP_HQ}
changetype: modify
replace: provConnector
provConnector: ldap
-
replace: provSetting
provSetting: url={slapd.ldaps_url}
provSetting: ca_file={slapd.certificates.authority}
provSetting: bind_dn={slapd.root_dn}
provSetting: dn=uid={{name}},ou=people,{SUFFIX}
-
replace: provSecret
provSecret: bind_password={slapd.root_password}
-
replace: provRetryInterval
provRetryInterval: 1
-
replace: provRetryLimit
provRetryLimit: 1000
-
"""


@dataclass(frozen=True)
class Person:
    """Somebody with an account on the domain controller and one on the real server, one password for all."""

    name: str
    password: str

    @property
    def dn(self) -> str:
        return user_dn(self.name)

    @property
    def ad_account(self) -> str:
        """The CN has a comma, as in "User, Test"."""
        return f"eTADSAccountName={self.name}\\, Test,{AD_USERS}"

    @property
    def ldap_account(self) -> str:
        return f"eTDYNAccountName={self.name},{LDAP_ACCOUNTS}"

    @property
    def at_slapd(self) -> str:
        return f"uid={self.name},ou=people,{SUFFIX}"


@dataclass
class Harbour:
    """The server, and the real endpoint."""

    served: ServedInstance
    slapd: SlapdServer

    def admit(self, name: str, password: str = "Copper-Bollard-27", *, propagate: bool = True) -> Person:
        """Somebody new, added by an administrator with ldapmodify, and there at the real server already."""
        person = Person(name, password)
        switch = "eTPropagatePassword: 1\n" if propagate else ""
        added = self.served.client(
            "ldapadd",
            stdin=f"""\
dn: {person.dn}
objectClass: eTGlobalUser
eTGlobalUserName: {name}
eTFullName: Test {name}
eTPassword: {password}
{switch}
dn: {person.ad_account}
objectClass: eTADSAccount
eTADSAccountName: {name}, Test
eTADSsAMAccountName: {name}
provGlobalUser: {person.dn}

dn: {person.ldap_account}
objectClass: eTDYNAccount
eTDYNAccountName: {name}
provGlobalUser: {person.dn}
""",
        )
        assert added.returncode == 0, added.stderr
        self.slapd.add(
            f"dn: {person.at_slapd}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
            f"userPassword: {password}\n"
        )
        return person


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory, stock_clients: None) -> Iterator[Harbour]:
    """One for all tests of a module: each admits people of its own."""
    require_slapd()
    demo = REPOSITORY / "ldif" / "demo.ldif"
    with SlapdServer(suffix=SUFFIX, ldif=PEOPLE) as slapd, serving() as serve:
        directory: Path = make_instance(
            tmp_path_factory.mktemp("harbour") / "lab", demo, endpoint_ldif(slapd)
        )
        yield Harbour(serve(directory), slapd)
