"""A load does not bring in what a running server would refuse to be told."""

from __future__ import annotations

from pathlib import Path

import pytest
from plugins.served_instance import command

THRESHOLD = (
    "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
    "eTNamespaceName=CommonObjects,dc=im"
)
MODIFY = f"dn: {THRESHOLD}\nchangetype: modify\nreplace: eTConfigParamValue\neTConfigParamValue: "
ADD = f"dn: {THRESHOLD}\nobjectClass: eTConfigParam\neTConfigParamValue: "
REMOVED = f"dn: {THRESHOLD}\nchangetype: delete\n\n"


@pytest.mark.parametrize("before", ["", REMOVED])
def test_a_parameter_that_makes_no_sense_stops_it_with_file_and_line(
    demo_instance: Path, tmp_path: Path, before: str
) -> None:
    file = tmp_path / "parameters.ldif"
    file.write_text(f"{before}{ADD if before else MODIFY}soon\n")
    done = command("load", demo_instance, file)
    assert done.returncode == 1
    assert "Password Synchronization/Agent Response Threshold: expected a number of seconds" in done.stderr
    assert f"parameters.ldif:{4 if before else 1}" in done.stderr
    dumped = command("dump", demo_instance, "--base", THRESHOLD)
    assert "eTConfigParamValue: 600\n" in dumped.stdout


def test_one_that_does_is_loaded(demo_instance: Path, tmp_path: Path) -> None:
    file = tmp_path / "parameters.ldif"
    file.write_text(f"{REMOVED}{ADD}300\n")
    assert command("load", demo_instance, file).returncode == 0
    assert "eTConfigParamValue: 300\n" in command("dump", demo_instance, "--base", THRESHOLD).stdout
