"""`provserver explain` and `guard clear`, of a running server and of a store that nobody serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plugins.served_instance import ADMINISTRATOR_PASSWORD, Ran, ServedInstance, command, user_dn

ADA_AD = (
    "eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,"
    "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
)
ADA_UNIX = "UNIX - etc:hpdev01:aokafor"
AGENT, AGENT_PASSWORD = "pam-hpdev01", "Seal-Ferry-Agent-22"
UNIX_DN = (
    "eTETCAccountName=aokafor,eTETCAccountContainerName=Accounts,eTETCDirectoryName=hpdev01,"
    "eTNamespaceName=UNIX - etc,dc=im,dc=eta"
)
NAME = "UNIX - etc Account 'aokafor' on 'hpdev01'"
NEW, OTHER = "Kelp-Compass-88", "Dune-Beacon-17"
IN_PROGRESS = "Another password change is in progress."
Serve = Callable[..., ServedInstance]


def asked(*arguments: str | Path, password: str = ADMINISTRATOR_PASSWORD) -> Ran:
    return command(*arguments, "--password-file", "-", stdin=password + "\n")


def changed_on_ad(served: ServedInstance) -> None:
    done = served.set(ADA_AD, "eTSyncPassword", NEW)
    assert done.returncode == 0, done.stderr


def report(served: ServedInstance, password: str) -> Ran:
    return served.set(UNIX_DN, "eTSyncPassword", password, who=user_dn(AGENT), password=AGENT_PASSWORD)


def with_ca(served: ServedInstance) -> list[str]:
    return [served.url(), "--ca", str(served.authority)]


def test_a_running_server_is_asked_by_its_address_and_the_guard_is_cleared(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    changed_on_ad(served)
    place, *trust = with_ca(served)
    told = asked("explain", place, ADA_UNIX, *trust)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(f"{NAME}\n  {UNIX_DN.removesuffix(',dc=eta')}\n")
    assert "passes: correlated to Global User 'aokafor'" in told.stdout
    assert "another password is refused for " in told.stdout
    assert "Active Directory Account 'Okafor, Ada' on 'AD-Corp': yes" in told.stdout
    assert "CA-ACF2 Account 'OKAFOR1' on 'MVSPROD': no: propagation disabled on the endpoint" in told.stdout
    assert "last password sent there: updated, " in told.stdout
    assert NEW not in told.stdout
    assert IN_PROGRESS in report(served, OTHER).stderr
    cleared = asked("guard", "clear", place, ADA_UNIX, *trust)
    assert (cleared.returncode, cleared.stdout) == (
        0,
        f"{NAME}: another password is taken now; echoes are still recognised\n",
    )
    assert report(served, OTHER).returncode == 0
    again = asked("guard", "clear", place, ADA_UNIX, *trust)
    assert again.stdout.startswith(f"{NAME}: nothing to clear")


def test_a_directory_that_is_served_is_asked_where_its_server_is(demo_instance: Path, serve: Serve) -> None:
    served = serve(demo_instance)
    told = asked("explain", demo_instance, ADA_UNIX, "--json")
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    assert found["account"]["name"] == NAME
    served.kill()
    left = (demo_instance / "serving").read_text()
    served.start()
    assert (demo_instance / "serving").read_text() != left
    assert served.stop() == 0
    assert not (demo_instance / "serving").exists()


def test_a_server_that_does_not_say_where_it_is_is_asked_where_its_settings_say(
    demo_instance: Path, serve: Serve
) -> None:
    served = serve(demo_instance)
    # What another server, killed since, has left.
    (demo_instance / "serving").write_text("process 1 ldap=127.0.0.1:1 ldaps=127.0.0.1:1\n")
    port = served.url().rpartition(":")[2]
    told = asked("explain", demo_instance, ADA_UNIX, "--set", f"server.ldaps_port={port}")
    assert told.returncode == 0, told.stderr
    elsewhere = asked("explain", demo_instance, ADA_UNIX, "--set", "server.ldaps_port=1")
    assert elsewhere.returncode == 1
    assert "give ldaps://HOST:PORT in its place" in elsewhere.stderr


def test_a_directory_that_nobody_serves_is_read_and_needs_no_password(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    changed_on_ad(served)
    served.stop()
    told = command("explain", demo_instance, UNIX_DN)
    assert (told.returncode, told.stderr) == (0, "")
    assert "another password is refused for " in told.stdout
    cleared = command("guard", "clear", demo_instance, UNIX_DN)
    assert (cleared.returncode, cleared.stdout) == (
        0,
        f"{NAME}: another password is taken now; echoes are still recognised\n",
    )
    found: dict[str, Any] = json.loads(command("explain", demo_instance, UNIX_DN, "--json").stdout)
    assert (found["guard"]["refuses"], found["guard"]["echoes"]) == (False, 1)
    served.start()
    assert report(served, NEW).returncode == 0, "an echo"
    assert report(served, OTHER).returncode == 0
    assert served.accepts_password("aokafor", OTHER)


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ("UNIX - etc:hpdev01:ghost", "there is no account 'UNIX - etc:hpdev01:ghost'"),
        ("eTNamespaceName=UNIX - etc,dc=im", "is not an account"),
        ("ghost", "not a distinguished name"),
    ],
)
@pytest.mark.parametrize("words", [["explain"], ["guard", "clear"]])
def test_what_is_no_account_is_told(
    demo_instance: Path, words: list[str], account: str, problem: str
) -> None:
    told = command(*words, demo_instance, account)
    assert (told.returncode, told.stdout) == (1, "")
    assert problem in told.stderr


def test_who_may_not_ask_is_told_and_who_is_not_believed_too(demo_instance: Path, serve: Serve) -> None:
    served = serve(demo_instance)
    place, *trust = with_ca(served)
    agent = asked("explain", place, ADA_UNIX, *trust, "--as", AGENT, password=AGENT_PASSWORD)
    assert agent.returncode == 1
    assert f"'{AGENT}' may not ask about" in agent.stderr
    wrong = asked("explain", place, ADA_UNIX, *trust, password="wrong")
    assert wrong.returncode == 1
    assert "wrong name or password" in wrong.stderr
    untrusted = asked("explain", place, ADA_UNIX)
    assert untrusted.returncode == 1
    assert place in untrusted.stderr
    without = command("explain", place, ADA_UNIX, *trust)
    assert "give --password-file FILE" in without.stderr


def test_what_is_no_address_is_told() -> None:
    told = asked("explain", "ldaps://", ADA_UNIX)
    assert told.returncode == 1
    assert "expected ldaps://host[:port]" in told.stderr


def test_what_is_no_instance_is_told(tmp_path: Path) -> None:
    assert command("explain", tmp_path / "nowhere", ADA_UNIX).returncode == 2
