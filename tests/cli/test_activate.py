"""`provserver activate`: what a restore has held, shown, released, dropped."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from plugins.served_instance import ServedInstance, command
from plugins.stuck_delivery import make_unreachable, sync

Serve = Callable[..., ServedInstance]
NEW, OTHER = "Kelp-Compass-88", "Dune-Beacon-17"


def states(directory: Path) -> list[tuple[int, int]]:
    """State and event of each delivery that has not ended."""
    connection = sqlite3.connect(directory / "store.db")
    found = connection.execute("SELECT state, event FROM delivery WHERE state < 4").fetchall()
    connection.close()
    return found


@pytest.fixture
def restored(demo_instance: Path, serve: Serve, stock_clients: None, tmp_path: Path) -> Path:
    """A backup with a password that waited."""
    served = serve(demo_instance)
    make_unreachable(served)
    sync(served, NEW)
    assert command("backup", demo_instance, tmp_path / "copy", "--with-keys").returncode == 0
    assert served.stop() == 0
    return tmp_path / "copy"


def test_activate_shows_what_is_held_and_what_is_known_of_its_account(restored: Path) -> None:
    for _ in range(2):
        listed = command("activate", restored, "--json")
        assert listed.returncode == 0, listed.stderr
        (one,) = json.loads(listed.stdout)
        assert one["account"].startswith("eTDYNAccountName=aokafor,")
        assert one["user"].startswith("eTGlobalUserName=aokafor,")
        assert (one["endpoint"], one["lastDelivery"], one["changedSince"]) == ("ldap-hq", None, None)
    shown = command("activate", restored)
    assert shown.returncode == 0
    assert one["id"] in shown.stdout
    assert "none known" in shown.stdout
    assert NEW not in shown.stdout + listed.stdout


def test_a_released_one_is_tried_again_when_it_is_served(restored: Path, serve: Serve) -> None:
    (one,) = json.loads(command("activate", restored, "--json").stdout)
    done = command("activate", restored, "--release", one["id"], "--yes")
    assert (done.returncode, done.stdout) == (0, "1 released: delivered when it is served\n")
    assert command("activate", restored).stdout == "nothing is held because of a restore\n"
    assert [state for state, _ in states(restored)] == [0]
    again = command("activate", restored, "--release", one["id"], "--yes")
    assert again.returncode == 1
    assert f"not held because of a restore: {one['id']}" in again.stderr


def test_a_dropped_one_is_gone(restored: Path) -> None:
    done = command("activate", restored, "--drop", "all", "--yes", "--json")
    assert (done.returncode, done.stdout) == (0, '{"dropped": 1}\n')
    assert states(restored) == []


def test_without_a_terminal_and_yes_nothing_is_changed(restored: Path) -> None:
    refused = command("activate", restored, "--drop", "all")
    assert refused.returncode == 1
    assert "give --yes" in refused.stderr
    assert command("activate", restored, "--json").stdout != "[]\n"


def test_a_served_instance_is_not_activated_offline(restored: Path, serve: Serve) -> None:
    served = serve(restored)
    refused = command("activate", restored)
    assert refused.returncode == 1
    assert f"is being served (process {served.process.pid}" in refused.stderr
    assert "provserver outbox" in refused.stderr


def test_a_newer_change_after_the_restore_ends_what_was_held(restored: Path, serve: Serve) -> None:
    served = serve(restored)
    sync(served, OTHER)
    assert served.stop() == 0
    assert [event for _, event in states(restored)] != [7033]
    assert command("activate", restored).stdout == "nothing is held because of a restore\n"
