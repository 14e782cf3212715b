"""`provserver backup`: a copy of an instance that is served or not, and what becomes of it when it is
served.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from plugins.served_instance import ServedInstance, command
from plugins.stuck_delivery import make_unreachable, sync

Serve = Callable[..., ServedInstance]
NEW, OTHER = "Kelp-Compass-88", "Dune-Beacon-17"


def tree_of(directory: Path) -> dict[str, int]:
    """Modes of files and folders, by name."""
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*")
    } | {".": stat.S_IMODE(directory.stat().st_mode)}


def states(directory: Path) -> list[tuple[int, int]]:
    """State and event of each delivery that has not ended."""
    connection = sqlite3.connect(directory / "store.db")
    found = connection.execute("SELECT state, event FROM delivery WHERE state < 4").fetchall()
    connection.close()
    return found


def test_a_backup_is_private_and_whole_and_has_no_keys_unless_told(
    demo_instance: Path, tmp_path: Path
) -> None:
    done = command("backup", demo_instance, tmp_path / "copy")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{tmp_path / 'copy'}: a backup of {demo_instance}",
        "not copied: keys.json, which is needed to serve it: keep a copy of it somewhere else",
    ]
    assert tree_of(tmp_path / "copy") == {
        ".": 0o700,
        "provserver.toml": 0o600,
        "store.db": 0o600,
        "tls": 0o700,
        "tls/ca.key": 0o600,
        "tls/ca.pem": 0o600,
        "tls/server.key": 0o600,
        "tls/server.pem": 0o600,
    }
    with_keys = command("backup", demo_instance, tmp_path / "whole", "--with-keys")
    assert with_keys.returncode == 0
    assert tree_of(tmp_path / "whole")["keys.json"] == 0o600
    assert (tmp_path / "whole" / "keys.json").read_bytes() == (demo_instance / "keys.json").read_bytes()
    assert command("dump", tmp_path / "whole").stdout == command("dump", demo_instance).stdout
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "demo", "whole"}, "nothing else is left"


def test_what_the_settings_name_is_copied_and_what_lies_elsewhere_is_told(
    demo_instance: Path, tmp_path: Path
) -> None:
    (demo_instance / "site").mkdir()
    (demo_instance / "site" / "ours.schema").write_text("")
    (tmp_path / "shared.schema").write_text("")
    (demo_instance / "words.txt").write_text("harbour\n")
    settings = demo_instance / "provserver.toml"
    text = settings.read_text()
    text += f'\n[schema]\nfiles = ["site/ours.schema", "{tmp_path / "shared.schema"}"]\n'
    text = text.replace("[schema]\n", "", 1) if text.count("\n[schema]\n") > 1 else text
    text = text.replace('# dictionary = ""', 'dictionary = "words.txt"')
    settings.write_text(text)
    done = command("backup", demo_instance, tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert f"not copied: {tmp_path / 'shared.schema'}, which is outside of the instance" in done.stdout
    assert {"site/ours.schema", "words.txt"} <= set(tree_of(tmp_path / "copy"))
    assert tree_of(tmp_path / "copy")["site"] == 0o700


def test_a_store_elsewhere_becomes_the_copys_own(demo_instance: Path, tmp_path: Path) -> None:
    """Else whoever serves the copy would serve the original."""
    (tmp_path / "disk").mkdir()
    (demo_instance / "store.db").rename(tmp_path / "disk" / "big.db")
    settings = demo_instance / "provserver.toml"
    settings.write_text(
        settings.read_text().replace('# path = "store.db"', f'path = "{tmp_path}/disk/big.db"')
    )
    done = command("backup", demo_instance, tmp_path / "copy", "--with-keys")
    assert done.returncode == 0, done.stderr
    assert 'path = "store.db"' in (tmp_path / "copy" / "provserver.toml").read_text()
    shutil.rmtree(tmp_path / "disk")
    assert "eTGlobalUserName=aokafor" in command("dump", tmp_path / "copy").stdout


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_target_that_exists_is_refused(demo_instance: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "copy"
    if kind == "file":
        target.write_text("precious")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    refused = command("backup", demo_instance, target)
    assert refused.returncode == 1
    assert refused.stderr == (f"provserver: {target} exists already; expected the name of a new directory\n")


def test_a_damaged_store_makes_no_backup(demo_instance: Path, tmp_path: Path) -> None:
    octets = bytearray((demo_instance / "store.db").read_bytes())
    for page in range(3, len(octets) // 4096):
        octets[page * 4096 : page * 4096 + 64] = bytes(64)
    (demo_instance / "store.db").write_bytes(octets)
    failed = command("backup", demo_instance, tmp_path / "copy")
    assert failed.returncode == 1
    assert "no backup was made" in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_backup_of_a_served_instance_has_what_was_acknowledged_and_holds_what_waited(
    demo_instance: Path, serve: Serve, stock_clients: None, tmp_path: Path
) -> None:
    served = serve(demo_instance)
    make_unreachable(served)
    sync(served, NEW)
    done = command("backup", demo_instance, tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    sync(served, OTHER)  # the server goes on
    assert served.stop() == 0
    assert states(tmp_path / "copy") == states(demo_instance)

    missing = command("serve", tmp_path / "copy")
    assert missing.returncode == 2
    assert f"{tmp_path / 'copy' / 'keys.json'}: there is no key file; put the one" in missing.stderr
    shutil.copy(demo_instance / "keys.json", tmp_path / "copy" / "keys.json")
    restored = serve(tmp_path / "copy")
    assert restored.accepts_password("aokafor", NEW)
    assert not restored.accepts_password("aokafor", OTHER)
    assert restored.stop() == 0
    assert states(tmp_path / "copy") == [(2, 7033)], "held, because of the restore"
    assert (
        "is a backup: what waited in it is held"
        in (tmp_path / "copy" / "logs" / "provserver.log").read_text()
    )


def test_a_backup_of_a_backup_that_nobody_served_is_one_too(demo_instance: Path, tmp_path: Path) -> None:
    assert command("backup", demo_instance, tmp_path / "one", "--with-keys").returncode == 0
    assert command("backup", tmp_path / "one", tmp_path / "two", "--with-keys").returncode == 0
    assert command("dump", tmp_path / "two").stdout == command("dump", demo_instance).stdout
