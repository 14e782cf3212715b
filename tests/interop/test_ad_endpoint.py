"""The whole path to Active Directory: a PSYNC agent reports to the real command, which resets the password at
a Samba domain controller, and somebody logs in there with it; the domain's policy refuses a short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from plugins.berths import Berth, berthed
from plugins.served_instance import until

from provserver.testing.samba_ad import DomainController, require_samba, template_of

NEW = "Sluice-Compass-86"
FORMER = "Dune-Beacon-17"
SHORT = "Tide-Comp-86"


@dataclass
class Quay:
    berth: Berth
    samba: DomainController


@pytest.fixture(scope="module")
def quay(tmp_path_factory: pytest.TempPathFactory, stock_clients: None) -> Iterator[Quay]:
    require_samba()
    with DomainController(template=template_of(tmp_path_factory)) as samba:
        samba.password_settings(complexity="on", min_pwd_length=14)
        settings = {
            "url": samba.ldaps_url,
            "ca_file": str(samba.certificates.authority),
            "bind_dn": f"Administrator@{samba.domain}",
        }
        folder = tmp_path_factory.mktemp("ad")
        with berthed(folder, "ad", settings, {"bind_password": samba.password}) as berth:
            yield Quay(berth, samba)


def test_somebody_logs_in_with_what_an_agent_reported_and_not_with_the_former(quay: Quay) -> None:
    person = quay.berth.admit("moira")
    quay.samba.create_user("moira", FORMER, cn="Test, Moira")
    done = quay.berth.report(person, NEW)
    told = quay.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000"), done.stderr
    assert until(lambda: quay.samba.accepts_password("moira", NEW))
    assert not quay.samba.accepts_password("moira", FORMER)


def test_what_the_domains_policy_refuses_is_held_and_says_why(quay: Quay) -> None:
    person = quay.berth.admit("ruth")
    quay.samba.create_user("ruth", FORMER)
    quay.berth.report(person, SHORT)
    told = quay.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6927")
    assert told["provLastDeliveryError"].startswith("The endpoint's password policy refuses the password.")
    assert "0000052D" in told["provLastDeliveryError"]
    assert "too short" in told["provLastDeliveryError"]
    assert SHORT not in told["provLastDeliveryError"]
    assert quay.samba.accepts_password("ruth", FORMER)
    assert quay.berth.served.accepts_password("ruth", SHORT)

    # A newer one takes its place.
    quay.berth.report(person, NEW)
    assert until(lambda: quay.samba.accepts_password("ruth", NEW))


def test_somebody_whom_the_domain_does_not_have_is_told(quay: Quay) -> None:
    person = quay.berth.admit("stranger")
    quay.berth.report(person, NEW)
    told = quay.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6923")
    assert NEW not in told["provLastDeliveryError"]
