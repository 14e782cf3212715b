"""The server is killed with SIGKILL between the acknowledgement of a sync and its delivery: after a restart,
and the endpoint's return, the password arrives; of several, the latest, and only that one.

The endpoint is a real OpenLDAP server, which is killed or frozen meanwhile.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import ldap3
import pytest
from plugins.real_endpoint import AGENT, AGENT_PASSWORD, PEOPLE, SUFFIX, Harbour, Person, endpoint_ldif
from plugins.served_instance import ServedInstance, command, until

from provserver.testing.slapd import SlapdServer, require_slapd

pytestmark = [
    pytest.mark.slapd,
    pytest.mark.filterwarnings(r"ignore:ssl\.match_hostname:DeprecationWarning"),  # ldap3 2.9.1
]

Serve = Callable[..., ServedInstance]
FIRST, SECOND = "Sluice-Compass-86", "Fog-Signal-94"


@pytest.fixture
def slapd() -> Iterator[SlapdServer]:
    require_slapd()
    with SlapdServer(suffix=SUFFIX, ldif=PEOPLE, log_level="stats") as server:
        yield server


@pytest.fixture
def harbour(demo_instance: Path, serve: Serve, slapd: SlapdServer, stock_clients: None) -> Harbour:
    """A stage of its own for each test: servers die here."""
    loaded = command("load", demo_instance, "-", stdin=endpoint_ldif(slapd))
    assert loaded.returncode == 0, loaded.stderr
    return Harbour(serve(demo_instance), slapd)


def sync(harbour: Harbour, person: Person, password: str) -> None:
    done = harbour.served.set(
        person.ad_account, "eTSyncPassword", password, who=AGENT, password=AGENT_PASSWORD
    )
    assert done.returncode == 0, done.stderr


def arrives(harbour: Harbour, person: Person, password: str) -> bool:
    return until(lambda: harbour.slapd.accepts_password(person.at_slapd, password))


def passwords_set(slapd: SlapdServer, person: Person) -> int:
    """How often a password was set there since slapd started last: RFC 3062's operation, or a modify."""
    log = slapd.log()
    by_operation = re.findall(rf'PASSMOD id="{re.escape(person.at_slapd)}"', log)
    by_modify = re.findall(rf'MOD dn="{re.escape(person.at_slapd)}"', log)
    return len(by_operation) + len(by_modify)


def test_a_password_arrives_after_the_server_and_its_endpoint_have_both_died(
    harbour: Harbour, serve: Serve
) -> None:
    person = harbour.admit("both")
    harbour.slapd.kill()
    sync(harbour, person, FIRST)
    harbour.served.kill()

    harbour.slapd.start_blocking()
    assert not harbour.slapd.accepts_password(person.at_slapd, FIRST), "it was not delivered before"
    again = serve(harbour.served.directory)

    assert arrives(harbour, person, FIRST)
    assert not harbour.slapd.accepts_password(person.at_slapd, person.password)
    assert again.accepts_password(person.name, FIRST)


def test_of_two_that_waited_only_the_latest_is_ever_sent(harbour: Harbour, serve: Serve) -> None:
    person = harbour.admit("latest")
    harbour.slapd.kill()
    sync(harbour, person, FIRST)
    sync(harbour, person, SECOND)
    harbour.served.kill()

    harbour.slapd.start_blocking()
    again = serve(harbour.served.directory)

    assert arrives(harbour, person, SECOND)
    assert not harbour.slapd.accepts_password(person.at_slapd, FIRST)
    assert again.stop() == 0
    assert passwords_set(harbour.slapd, person) == 1


def test_the_server_may_come_back_first_and_try_until_the_endpoint_is_there(
    harbour: Harbour, serve: Serve
) -> None:
    person = harbour.admit("patience")
    harbour.slapd.kill()
    sync(harbour, person, FIRST)
    harbour.served.kill()

    again = serve(harbour.served.directory)
    assert again.accepts_password(person.name, FIRST)
    harbour.slapd.start_blocking()

    assert arrives(harbour, person, FIRST)


def test_an_attempt_on_a_frozen_endpoint_that_the_server_does_not_survive_is_made_again(
    harbour: Harbour, serve: Serve
) -> None:
    """The connection is open and the password may be in the endpoint's buffers: the outcome is unknown."""
    person = harbour.admit("frozen")
    sync(harbour, person, FIRST)
    assert arrives(harbour, person, FIRST)
    harbour.slapd.freeze()
    sync(harbour, person, SECOND)
    harbour.served.kill()

    harbour.slapd.thaw()
    serve(harbour.served.directory)

    assert arrives(harbour, person, SECOND)
    assert not harbour.slapd.accepts_password(person.at_slapd, FIRST)


def test_killed_as_soon_as_it_has_answered_the_commit_it_still_delivers(
    harbour: Harbour, serve: Serve
) -> None:
    """`propagation_wait=0`: the answer comes with the commit, and the kill hits wherever delivery is then."""
    people = [harbour.admit(f"at_once_{number}") for number in range(3)]
    served = harbour.served
    for person in people:
        assert served.stop() == 0
        served = serve(harbour.served.directory, "--set", "passwords.propagation_wait=0")
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(served.authority))
        agent = ldap3.Connection(ldap3.Server(served.url(), tls=tls), AGENT, AGENT_PASSWORD)
        assert agent.bind()
        acknowledged = agent.modify(person.ad_account, {"eTSyncPassword": [(ldap3.MODIFY_REPLACE, [FIRST])]})
        served.kill()
        assert acknowledged, agent.result
        agent.unbind()
        served = serve(harbour.served.directory)
        assert arrives(harbour, person, FIRST), person.name
        assert not harbour.slapd.accepts_password(person.at_slapd, person.password)
