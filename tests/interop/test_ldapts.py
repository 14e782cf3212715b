"""ldapts, a client for Node.js: what ldapts/scenarios.mjs does with it, each scenario a test."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from plugins.served_instance import ADMINISTRATOR_PASSWORD, user_dn
from quay import (
    ADMINISTRATOR,
    CERTIFIED,
    EAST,
    ELSEWHERE,
    FLEET,
    SHIPS,
    SIGNS,
    UNICODE,
    WEST,
    Quay,
    require_client,
)

SCRIPT = Path(__file__).parent / "ldapts" / "scenarios.mjs"
SCENARIOS = re.findall(r"^  async (\w+)\(", SCRIPT.read_text("utf-8"), re.MULTILINE)
NODE = Path(sys.prefix) / "bin" / "node"
INSTALLED = Path(sys.prefix) / "ldapts"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_program_for_node(quay: Quay, scenario: str) -> None:
    require_client("ldapts", is_here=NODE.exists() and (INSTALLED / "node_modules" / "ldapts").is_dir())
    place = {
        "installed": INSTALLED,
        "ldap": quay.ldap,
        "ldaps": quay.ldaps,
        "authority": quay.authority,
        "stranger": quay.stranger,
        "certificate": quay.certificate,
        "key": quay.key,
        "certified": user_dn(CERTIFIED),
        "administrator": ADMINISTRATOR,
        "password": ADMINISTRATOR_PASSWORD,
        "newcomer": user_dn("ldapts changer"),
        "east": EAST,
        "west": WEST,
        "fleet": FLEET,
        "ships": SHIPS,
        "signs": SIGNS,
        "elsewhere": ELSEWHERE,
        "unicode": UNICODE,
    }
    done = subprocess.run(
        [NODE, SCRIPT, scenario],
        input=json.dumps(place, default=str),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
