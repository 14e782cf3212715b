"""A load that ends before its end: the store is what it was, and no process is left over."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugins.served_instance import COMMAND, command, until

USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
WRITTEN = 60 * 2**20
"""Octets of the store at which the load has written into the file itself for long: its page cache is full."""


@pytest.fixture(scope="module")
def ldif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70,000 users."""
    file = tmp_path_factory.mktemp("load") / "users.ldif"
    with file.open("w") as users:
        for number in range(70_000):
            users.write(
                f"dn: eTGlobalUserName=user{number},{USERS}\nobjectClass: eTGlobalUser\n"
                f"eTFullName: User {number}\ndescription: {'x' * 1500}\n\n"
            )
    return file


@pytest.fixture
def load(demo_instance: Path, ldif: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [*COMMAND, "load", str(demo_instance), str(ldif), "--workers", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def children(process: subprocess.Popen[bytes]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_load_that_is_ended_in_the_middle_leaves_the_store_as_it_was(
    demo_instance: Path, load: subprocess.Popen[bytes], how: signal.Signals
) -> None:
    store = demo_instance / "store.db"
    assert until(lambda: load.poll() is not None or store.stat().st_size > WRITTEN, 100), "it is slow"
    assert load.poll() is None, "it was too quick for us"
    workers = children(load)
    assert len(workers) == 2
    os.kill(load.pid, how)
    _, said = load.communicate(timeout=60)
    if how is signal.SIGINT:
        assert (load.returncode, said) == (1, b"provserver: interrupted\n")
    else:
        assert load.returncode == -how
    assert until(lambda: not any(map(running, workers)))
    dumped = command("dump", demo_instance)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert "eTGlobalUserName: aokafor\n" in dumped.stdout
    assert "eTGlobalUserName: user0\n" not in dumped.stdout
    assert not (demo_instance / "store.db-journal").exists()
    assert store.stat().st_size < 2**21
    again = command(
        "load", demo_instance, "-", stdin=f"dn: eTGlobalUserName=x,{USERS}\nobjectClass: eTGlobalUser\n"
    )
    assert again.stdout == "1 record loaded\n"
