"""The whole path to a SCIM service: a PSYNC agent reports to the real command, and an application that is
managed by `scim2-server` accepts the new password, refuses it by its own policy, or is away for a while.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from plugins.berths import Berth, berthed
from plugins.scim_servers import TOKEN, ScimServer
from plugins.served_instance import until

NEW = "Sluice-Compass-86"


@dataclass
class Application:
    """An application whose users are managed by SCIM."""

    berth: Berth
    server: ScimServer


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory, stock_clients: None) -> Iterator[Application]:
    with ScimServer() as server:
        settings = {"url": server.url, "ca_file": str(server.certificates.authority), "timeout": "5"}
        with berthed(tmp_path_factory.mktemp("scim"), "scim", settings, {"token": TOKEN}) as berth:
            yield Application(berth, server)


def test_a_password_that_an_agent_reports_works_at_the_application(application: Application) -> None:
    person = application.berth.admit("moira")
    application.server.add("moira")
    done = application.berth.report(person, NEW)
    assert until(lambda: application.server.lets_in("moira", NEW)), done.stderr
    assert application.berth.served.accepts_password("moira", NEW)
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000")


def test_what_the_applications_policy_refuses_is_held_and_says_why(application: Application) -> None:
    person = application.berth.admit("ruth")
    application.server.add("ruth")
    application.berth.report(person, "Tide-Compass-88")
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6927")
    assert told["provLastDeliveryError"].startswith("The endpoint's password policy refuses the password.")
    assert told["provLastDeliveryError"].endswith("No tides here.")
    assert "Tide-Compass-88" not in told["provLastDeliveryError"]
    assert not application.server.lets_in("ruth", "Tide-Compass-88")
    assert application.berth.served.accepts_password("ruth", "Tide-Compass-88")


def test_an_account_that_the_application_does_not_have_is_told(application: Application) -> None:
    person = application.berth.admit("stranger")
    application.berth.report(person, NEW)
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6923")


def test_while_the_application_is_away_a_password_waits_and_then_arrives(application: Application) -> None:
    person = application.berth.admit("gull")
    application.server.add("gull")
    application.server.kill()
    done = application.berth.report(person, NEW)
    assert application.berth.served.accepts_password("gull", NEW), done.stderr
    shown = application.berth.served.search(person.ldap_account, "(objectClass=*)", "+").stdout
    assert "provDeliveryState: updated" not in shown
    application.server.start()
    assert until(lambda: application.server.lets_in("gull", NEW))
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000")
