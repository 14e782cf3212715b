"""A real instance beside the reference policy service, set up as docs/ask-an-external-policy.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugins.served_instance import REPOSITORY, ServedInstance, command, user_dn

PAGE = (REPOSITORY / "docs" / "ask-an-external-policy.md").read_text("utf-8")
ADA = (
    "eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,"
    "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
)
AGENT = {"who": user_dn("psync-ad-corp"), "password": "Gull-Ferry-Agent-11"}


def set_up(instance: Path, url: str, mode: int = 0o600) -> None:
    """What the page has one write, with the secret beside the settings."""
    section, _ = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    settings = instance / "provserver.toml"
    text = settings.read_text("utf-8")
    assert text.count("[external_policy]\n") == 1
    settings.write_text(
        text.replace("[external_policy]\n", section.replace("http://127.0.0.1:8080/", url)), "utf-8"
    )
    secret = instance / "policy.secret"
    secret.write_text("b2c1" * 16 + "\n")
    secret.chmod(mode)


@pytest.fixture
def policy_service(tmp_path: Path) -> Iterator[str]:
    """The URL of the reference service, which does not like kelp."""
    secret, words = tmp_path / "policy.secret", tmp_path / "words.txt"
    secret.write_text("b2c1" * 16)
    words.write_text("kelp\n")
    tool = REPOSITORY / "tools" / "policy_service.py"
    process = subprocess.Popen(
        [sys.executable, tool, "--secret-file", secret, "--words", words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[1]
    process.kill()
    process.communicate()


def test_the_page_works_as_it_stands(
    demo_instance: Path, policy_service: str, serve: Callable[..., ServedInstance], stock_clients: None
) -> None:
    set_up(demo_instance, policy_service)
    served = serve(demo_instance)
    refused = served.set(ADA, "eTTestPassword", "Kelp-Compass-88", **AGENT)
    assert (refused.returncode, "contains a word that is not allowed" in refused.stderr) == (19, True)
    assert served.set(ADA, "eTSyncPassword", "Dune-Compass-88", **AGENT).returncode == 0
    (ldif,) = re.findall(r"^```ldif\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert served.modify(ldif).returncode == 0
    assert served.set(ADA, "eTTestPassword", "Kelp-Compass-88", **AGENT).returncode == 0
    assert served.stop() == 0


def test_a_place_that_is_not_safe_stops_the_start(demo_instance: Path) -> None:
    done = command("serve", demo_instance, "--set", "external_policy.urls=http://policy.example/")
    assert done.returncode == 2
    assert "external_policy.urls: expected a list of https:// addresses" in done.stderr


def test_a_secret_that_others_can_read_stops_the_start(demo_instance: Path, policy_service: str) -> None:
    set_up(demo_instance, policy_service, mode=0o640)
    done = command("serve", demo_instance, "--ldap-port", "0", "--ldaps-port", "0")
    assert done.returncode == 2
    assert "external_policy.secret_file: " in done.stderr
    assert f"chmod 600 {demo_instance / 'policy.secret'}" in done.stderr
    assert "b2c1" not in done.stderr
