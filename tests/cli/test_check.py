"""`provserver check`: inclusions that join nothing any more, told and repaired."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plugins.served_instance import REPOSITORY, command, make_instance

INCLUSIONS = (
    "eTSubordinateClass=eTETCAccount,eTSuperiorClass=eTGlobalUser,eTInclusionContainerName=Inclusions,"
    "eTNamespaceName=CommonObjects,dc=im"
)
STALE = f"""\
dn: eTInclusionID=old@gone,{INCLUSIONS}
objectClass: eTInclusionObject
eTInclusionID: old@gone
eTPID: old
eTCID: gone
eTSuperiorClassEntry: eTGlobalUserName=aokafor,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im
"""  # noqa: E501 -- a name


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return make_instance(tmp_path / "demo", REPOSITORY / "ldif" / "demo.ldif", STALE)


def test_a_stale_inclusion_is_told_and_repaired(instance: Path) -> None:
    told = command("check", instance)
    assert told.returncode == 1
    assert f"eTInclusionID=old@gone,{INCLUSIONS}" in told.stdout
    assert (
        "its global user was deleted and made anew: the eTPID is the old one's: would remove it"
        in told.stdout
    )
    assert "1 faults: --repair does what is said here" in told.stdout
    done = command("check", instance, "--repair")
    assert done.returncode == 0, done.stdout
    assert "1 of 1 repaired" in done.stdout
    again = command("check", instance)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "nothing is wrong")


def test_programs_are_told_in_json(instance: Path) -> None:
    told = command("check", instance, "--json")
    assert told.returncode == 1
    found = json.loads(told.stdout)
    assert (found["good"], found["faults"], found["found"]) == (False, 1, {"user_anew": 1})
