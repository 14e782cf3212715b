"""The whole path to LDAP directories: a PSYNC agent reports to the real command, and somebody logs in at
389-ds or OpenLDAP with the new password; what the directory's own policy refuses is held, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from plugins.berths import Berth, berthed
from plugins.real_endpoint import Person
from plugins.served_instance import ADMINISTRATOR_PASSWORD, command, until

from provserver.testing.ds389 import Ds389Server, require_ds389
from provserver.testing.slapd import PasswordPolicy, SlapdServer, require_slapd

SUFFIX = "dc=example,dc=com"
SERVICE = f"uid=service,{SUFFIX}"
SERVICE_PASSWORD = "Service-Pass-1"
SERVICE_LDIF = (
    f"dn: {SERVICE}\nobjectClass: inetOrgPerson\nuid: service\ncn: service\nsn: service\n"
    f"userPassword: {SERVICE_PASSWORD}\n"
)
DS389_ACCESS = f"""
dn: {SUFFIX}
changetype: modify
add: aci
aci: (targetattr="*")(version 3.0; acl "service"; allow (all) userdn="ldap:///{SERVICE}";)
"""
SLAPD_ACCESS = (
    f'access to attrs=userPassword by dn.exact="{SERVICE}" write by anonymous auth by * none',
    "access to * by * read",
)
NEW = "Sluice-Compass-86"
SHORT = "Reef-Buoy-9"
"""Good enough for us, too short for the directories: they want 14."""


@dataclass
class Roads:
    berth: Berth
    directory: Ds389Server | SlapdServer

    def admit(self, name: str) -> Person:
        ldif = f"dn: uid={name},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        if isinstance(self.directory, Ds389Server):
            self.directory.modify(ldif)
        else:
            self.directory.add(ldif)
        return self.berth.admit(name)

    def accepts(self, name: str, password: str) -> bool:
        return self.directory.accepts_password(f"uid={name},{SUFFIX}", password)


@pytest.fixture(scope="module", params=["389ds", "openldap"])
def roads(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stock_clients: None
) -> Iterator[Roads]:
    directory: Ds389Server | SlapdServer
    if request.param == "389ds":
        require_ds389()
        policy = {"passwordCheckSyntax": "on", "passwordMinLength": "14", "passwordHistory": "on"}
        directory = Ds389Server(policy=policy, ldif=SERVICE_LDIF + DS389_ACCESS)
    else:
        require_slapd()
        directory = SlapdServer(
            policy=PasswordPolicy(min_length=14, in_history=3), ldif=SERVICE_LDIF, access=SLAPD_ACCESS
        )
    with directory:
        settings = {
            "url": directory.ldaps_url,
            "ca_file": str(directory.certificates.authority),
            "bind_dn": SERVICE,
            "dn": f"uid={{name}},{SUFFIX}",
        }
        secrets = {"bind_password": SERVICE_PASSWORD}
        with berthed(tmp_path_factory.mktemp(request.param), request.param, settings, secrets) as berth:
            yield Roads(berth, directory)


def test_a_password_that_an_agent_reports_works_at_the_directory(roads: Roads) -> None:
    person = roads.admit("moira")
    done = roads.berth.report(person, NEW)
    told = roads.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000"), done.stderr
    assert until(lambda: roads.accepts("moira", NEW))
    assert roads.berth.served.accepts_password("moira", NEW)


def test_what_the_directorys_policy_refuses_is_held_and_says_why(roads: Roads) -> None:
    person = roads.admit("ruth")
    roads.berth.report(person, SHORT)
    told = roads.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6927")
    assert told["provLastDeliveryError"].startswith("The endpoint's password policy refuses the password.")
    words = ("at least 14 characters", "quality checking policy")
    assert any(said in told["provLastDeliveryError"] for said in words)
    assert SHORT not in told["provLastDeliveryError"]
    assert not roads.accepts("ruth", SHORT)
    assert roads.berth.served.accepts_password("ruth", SHORT)


def test_somebody_whom_the_directory_does_not_have_is_told(roads: Roads) -> None:
    person = roads.berth.admit("stranger")
    roads.berth.report(person, NEW)
    told = roads.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6923")


def test_the_endpoint_test_finds_that_the_server_fits_and_an_account(roads: Roads) -> None:
    roads.admit("ines")
    served = roads.berth.served
    words = ("ldap-hq", "--account", "OpenLDAP:ldap-hq:ines")
    trust = ("--ca", served.authority, "--password-file", "-")
    shown = command("endpoints", "test", served.url(), *words, *trust, stdin=ADMINISTRATOR_PASSWORD + "\n")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "does the server fit" in shown.stdout
    assert f"is uid=ines,{SUFFIX}" in shown.stdout
