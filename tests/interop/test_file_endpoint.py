"""The whole path to a file: a PSYNC agent reports to the real command, and the program that reads the file
finds the new password; a file that changed its shape holds its deliveries and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from plugins.berths import Berth, berthed
from plugins.real_endpoint import LDAP_HQ

from provserver.connectors.hashes import SETTING_NAMES, Keeping
from provserver.connectors.registry import Settings
from provserver.vault.secret import Secret

NEW = "Sluice-Compass-86"
BEGIN = 'login;secret;name\r\nmoira;*;Moira Quay\r\nruth;*;"Ruth; Tide"\r\n'


@dataclass
class Gate:
    berth: Berth
    file: Path

    def opens(self, name: str, password: str) -> bool:
        """What the program at the gate does."""
        keeping = Keeping.of(Settings({"hash": "sha512-crypt"}, SETTING_NAMES))
        rows = dict(line.split(";")[:2] for line in self.file.read_text().splitlines())
        return keeping.verify(Secret.of_text(password), rows[name])


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, stock_clients: None) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("gate")
    file = folder / "people.csv"
    file.write_text(BEGIN, newline="")
    settings = {
        "path": str(file),
        "delimiter": "semicolon",
        "account": "login",
        "password": "secret",
        "hash": "sha512-crypt",
    }
    with berthed(folder, "delimited", settings, {}) as berth:
        yield Gate(berth, file)


def test_the_program_that_reads_the_file_takes_what_an_agent_reported(gate: Gate) -> None:
    person = gate.berth.admit("moira")
    done = gate.berth.report(person, NEW)
    told = gate.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000"), done.stderr
    assert gate.opens("moira", NEW)
    assert gate.file.read_bytes().endswith(BEGIN.partition("ruth")[2].encode())


def test_a_file_that_changed_its_shape_holds_and_stays_as_it_is(gate: Gate) -> None:
    person = gate.berth.admit("ruth")
    changed = BEGIN.replace("Moira Quay", "Moira;Quay").encode()
    gate.file.write_bytes(changed)
    gate.berth.report(person, NEW)
    told = gate.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "7018")
    assert "line 2: expected 3 fields, found 4; nothing is written" in told["provLastDeliveryError"]
    assert gate.file.read_bytes() == changed

    gate.file.write_bytes(BEGIN.encode())
    gate.berth.report(person, "Dune-Beacon-17")
    assert gate.berth.delivery(person)["provDeliveryState"] == "updated"
    assert gate.opens("ruth", "Dune-Beacon-17")


def test_a_setting_that_makes_no_sense_is_refused_when_it_is_written(gate: Gate) -> None:
    done = gate.berth.served.modify(
        f"dn: {LDAP_HQ}\nchangetype: modify\nadd: provSetting\nprovSetting: cost=7\n"
    )
    assert done.returncode != 0
    assert "cost" in done.stdout + done.stderr
    assert "from 1000" in done.stdout + done.stderr
