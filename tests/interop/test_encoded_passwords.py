"""An agent that hashes at once (seed 002), at the real command, with a real OpenLDAP server behind it."""

from __future__ import annotations

from typing import Final

import pytest
from plugins.real_endpoint import AGENT, AGENT_PASSWORD, LDAP_HQ, Harbour, Person
from plugins.served_instance import COMMON, Ran

from provserver.testing.connector_contract import encode
from provserver.vault.secret import Secret

pytestmark = pytest.mark.slapd

NEW: Final = "Sluice-Compass-86"
OTHER: Final = "Dune-Beacon-17"
MANAGERS: Final = (
    "eTConfigParamName=Synchronization Managers,eTConfigParamFolderName=provserver,"
    f"eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,{COMMON}"
)


def encoded(password: str, scheme: str = "SSHA") -> str:
    return encode(Secret.of_text(password), scheme).reveal_text()


def report(harbour: Harbour, person: Person, value: str) -> Ran:
    return harbour.served.set(person.ad_account, "eTSyncPassword", value, who=AGENT, password=AGENT_PASSWORD)


@pytest.fixture(scope="module")
def listed(harbour: Harbour) -> Harbour:
    """The agent is listed, and the endpoint takes {SSHA}."""
    refused = report(harbour, harbour.admit("unlisted"), encoded(NEW))
    assert refused.returncode == 19
    assert "expected clear text, from all but synchronisation managers" in refused.stderr
    assert harbour.served.set(MANAGERS, "eTConfigParamValue", AGENT).returncode == 0
    added = harbour.served.client(
        "ldapmodify",
        stdin=f"dn: {LDAP_HQ}\nchangetype: modify\nadd: provSetting\nprovSetting: schemes=SSHA\n",
    )
    assert added.returncode == 0, added.stderr
    return harbour


def test_the_user_logs_in_with_the_password_here_and_there(listed: Harbour) -> None:
    person = listed.admit("hashed")
    done = report(listed, person, encoded(NEW))
    assert done.returncode == 0, done.stderr
    assert listed.slapd.accepts_password(person.at_slapd, NEW)
    assert not listed.slapd.accepts_password(person.at_slapd, encoded(NEW))
    assert listed.served.accepts_password(person.name, NEW)
    assert not listed.served.accepts_password(person.name, encoded(NEW))
    assert not listed.served.accepts_password(person.name, person.password)


def test_a_scheme_that_the_endpoint_does_not_take_leaves_its_password(listed: Harbour) -> None:
    person = listed.admit("other")
    assert report(listed, person, encoded(NEW)).returncode == 0
    assert report(listed, person, encoded(OTHER, "SSHA512")).returncode == 0
    assert listed.served.accepts_password(person.name, OTHER)
    assert listed.slapd.accepts_password(person.at_slapd, NEW)
