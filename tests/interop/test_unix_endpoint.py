"""The whole path to a UNIX host: a PSYNC agent reports to the real command, which runs chpasswd over SSH, and
somebody logs in there with the new password; PAM refuses an old one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from plugins.berths import Berth, berthed
from plugins.real_servers import UnixHost, served
from plugins.served_instance import until

from provserver.connectors.hashes import SETTING_NAMES, Keeping
from provserver.connectors.registry import Settings
from provserver.vault.secret import Secret

NEW = "Sluice-Compass-86"
OLD = "Dune-Beacon-17"


@dataclass
class Quayside:
    berth: Berth
    host: UnixHost


@pytest.fixture(scope="module")
def quayside(tmp_path_factory: pytest.TempPathFactory, stock_clients: None) -> Iterator[Quayside]:
    keeping = Keeping.of(Settings({"hash": "yescrypt", "cost": "1"}, SETTING_NAMES))
    for host in served(UnixHost):
        host.begin_with("kit", keeping.stored(Secret.of_text(OLD)))
        with berthed(tmp_path_factory.mktemp("unix"), "unix", host.settings, {}) as berth:
            yield Quayside(berth, host)


def test_somebody_logs_in_with_what_an_agent_reported_and_not_with_an_old_one(quayside: Quayside) -> None:
    person = quayside.berth.admit("kit")
    done = quayside.berth.report(person, NEW)
    told = quayside.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000"), done.stderr
    assert until(lambda: quayside.host.accepts_password("kit", NEW))
    assert not quayside.host.accepts_password("kit", OLD)

    quayside.berth.report(person, OLD)
    told = quayside.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6927")
    assert "already used" in told["provLastDeliveryError"]
    assert OLD not in told["provLastDeliveryError"]
    assert quayside.host.accepts_password("kit", NEW)


def test_somebody_whom_the_host_does_not_have_is_told(quayside: Quayside) -> None:
    person = quayside.berth.admit("stranger")
    quayside.berth.report(person, NEW)
    told = quayside.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6923")
