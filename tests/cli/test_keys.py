"""`provserver keys`: a new key while the server runs, what is sealed anew, and when an old one may go."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugins.served_instance import Ran, ServedInstance, command, until
from plugins.stuck_delivery import make_unreachable, sync

from provserver.vault.keyring import KeyId, KeyRing

Serve = Callable[..., ServedInstance]
NEW, OTHER, THIRD = "Kelp-Compass-88", "Dune-Beacon-17", "Reef-Signal-64"


def ring_of(directory: Path) -> KeyRing:
    return KeyRing.load(directory / "keys.json")


def listed(directory: Path) -> dict[str, dict[str, Any]]:
    done = command("keys", "list", directory, "--json")
    assert done.returncode == 0, done.stderr
    return {one.pop("id"): one for one in json.loads(done.stdout)}


def rotated(directory: Path) -> tuple[KeyId, KeyId, Ran]:
    """The old key, the new one, and what was said."""
    old = ring_of(directory).current
    done = command("keys", "rotate", directory)
    assert done.returncode == 0, done.stderr
    new = ring_of(directory).current
    assert f"new current key: {new}" in done.stdout
    return old, new, done


def forget_users(directory: Path, key: KeyId) -> None:
    """What time does: nobody remembers a password under this key any more."""
    from provserver.directory.entries import Attribute
    from provserver.storage import bodies

    connection = sqlite3.connect(directory / "store.db")
    for seq, body in connection.execute("SELECT seq, body FROM entry").fetchall():
        attributes = bodies.decode(body)
        if "provpasswordhistory" in attributes:
            name, values = attributes["provpasswordhistory"]
            kept = tuple(value for value in values if f"${key}$".encode() not in value)
            attributes["provpasswordhistory"] = Attribute(name, kept)
            if not kept:
                del attributes["provpasswordhistory"]
            connection.execute("UPDATE entry SET body = ? WHERE seq = ?", (bodies.encode(attributes), seq))
    connection.commit()
    connection.close()


def test_a_fresh_instance_has_one_key_and_says_what_needs_it(demo_instance: Path) -> None:
    key = ring_of(demo_instance).current
    (one,) = listed(demo_instance).items()
    assert one[0] == key
    assert one[1]["current"]
    assert not one[1]["missing"]
    assert one[1]["users"] > 0
    shown = command("keys", "list", demo_instance).stdout
    assert shown.startswith(f"{key}  current  ")
    assert "remembered passwords of" in shown


def test_while_nobody_serves_it_a_rotation_seals_anew_itself(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    make_unreachable(served)
    sync(served, NEW)
    assert served.stop() == 0
    old, new, done = rotated(demo_instance)
    assert "sealed anew: 1 deliveries, secrets of 1 endpoints" in done.stdout
    counts = listed(demo_instance)
    assert (counts[new]["deliveries"], counts[new]["endpoints"]) == (1, 1)
    assert (counts[old]["deliveries"], counts[old]["endpoints"]) == (0, 0)
    assert counts[old]["marks"] > 0, "they are known by it for as long as echoes are"
    served = serve(demo_instance)
    assert served.accepts_password("aokafor", NEW)
    sync(served, NEW)  # the echo of what was sent before is known under the old key


def test_a_running_server_takes_the_new_key_and_seals_anew_without_a_pause(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    make_unreachable(served)
    sync(served, NEW)
    old, new, done = rotated(demo_instance)
    assert f"process {served.process.pid} uses it, and seals anew what waits" in done.stdout
    assert until(lambda: listed(demo_instance)[old]["endpoints"] == 0)
    assert until(lambda: listed(demo_instance)[old]["deliveries"] == 0)
    sync(served, OTHER)
    after = listed(demo_instance)
    assert (after[old]["deliveries"], after[new]["deliveries"]) == (0, 1)
    assert served.accepts_password("aokafor", OTHER)
    assert served.stop() == 0
    assert served.said == ""


def test_a_crash_right_after_the_file_was_written_is_harmless(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    """The next start finds values under the old key, opens them, and seals them anew."""
    served = serve(demo_instance)
    make_unreachable(served)
    sync(served, NEW)
    served.kill()
    old = ring_of(demo_instance).current
    ring_of(demo_instance).rotated().write(demo_instance / "keys.json")
    assert listed(demo_instance)[old]["deliveries"] == 1
    serve(demo_instance)
    assert until(lambda: listed(demo_instance)[old]["deliveries"] == 0)
    assert listed(demo_instance)[old]["endpoints"] == 0


def test_a_server_without_its_signal_goes_on_with_the_key_that_it_has(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    make_unreachable(served)
    old = ring_of(demo_instance).current
    ring_of(demo_instance).rotated().write(demo_instance / "keys.json")
    sync(served, NEW)
    assert listed(demo_instance)[old]["deliveries"] == 1
    refused = command("keys", "forget", demo_instance, old)  # which tells the server first
    assert refused.returncode == 1
    assert f"key {old} is still needed by" in refused.stderr
    assert until(lambda: listed(demo_instance)[old]["deliveries"] == 0)


def test_a_key_is_forgotten_only_when_nothing_needs_it(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    make_unreachable(served)
    sync(served, NEW)
    old, new, _ = rotated(demo_instance)
    refused = command("keys", "forget", demo_instance, old)
    assert refused.returncode == 1
    assert "echo marks" in refused.stderr
    assert "remembered passwords of" in refused.stderr
    assert "provHistoryCount" in refused.stderr, "and what to do"
    assert ring_of(demo_instance).ids == (new, old)
    assert served.stop() == 0

    forget_users(demo_instance, old)
    connection = sqlite3.connect(demo_instance / "store.db")
    connection.execute("DELETE FROM delivery")
    connection.commit()
    connection.close()
    served = serve(demo_instance)
    done = command("keys", "forget", demo_instance, old)
    assert (done.returncode, done.stdout) == (0, f"key {old} is forgotten\n"), done.stderr
    assert ring_of(demo_instance).ids == (new,)
    sync(served, THIRD)
    assert served.stop() == 0
    assert set(listed(demo_instance)) == {new}


def test_the_current_key_and_one_that_is_not_there_are_not_forgotten(demo_instance: Path) -> None:
    current = ring_of(demo_instance).current
    for key, said in ((current, "is the current one; rotate first"), ("00000000", "there is no key")):
        refused = command("keys", "forget", demo_instance, key)
        assert refused.returncode == 2
        assert said in refused.stderr
    for arguments in (["forget", str(demo_instance)], ["list", str(demo_instance), "00000000"]):
        assert "forget needs the ID of a key" in command("keys", *arguments).stderr


def test_a_key_that_is_missing_is_shown_with_what_needs_it(demo_instance: Path) -> None:
    old = ring_of(demo_instance).current
    KeyRing.generate().write(demo_instance / "keys.json")
    shown = listed(demo_instance)[old]
    assert shown["missing"]
    assert shown["users"] > 0


def test_a_key_file_that_is_damaged_while_it_is_served_changes_nothing(
    demo_instance: Path, serve: Serve, stock_clients: None
) -> None:
    served = serve(demo_instance)
    kept = demo_instance / "keys.kept"
    shutil.copy(demo_instance / "keys.json", kept)
    (demo_instance / "keys.json").write_text("{")
    os.kill(served.process.pid, 1)
    log = demo_instance / "logs" / "provserver.log"
    assert until(lambda: "the keys that were read before stay in force" in log.read_text())
    KeyRing.generate().write(demo_instance / "keys.json")
    os.kill(served.process.pid, 1)
    assert until(lambda: "which is in use" in log.read_text())
    shutil.move(kept, demo_instance / "keys.json")
    sync(served, NEW)
    assert served.stop() == 0


def test_a_key_file_that_others_can_read_stops_every_command(demo_instance: Path) -> None:
    (demo_instance / "keys.json").chmod(0o640)
    for arguments in (["serve", demo_instance], ["keys", "list", demo_instance]):
        refused = command(*arguments)
        assert refused.returncode == 2
        assert "others than its owner may use the key file (mode 0640): chmod 600" in refused.stderr
