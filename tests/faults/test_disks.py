"""A disk that is full, and a store that somebody else locks: what cannot be stored is refused in plain
words, nothing that was acknowledged is lost, and the server recovers by itself.

The system is told that the server's files may not grow (RLIMIT_FSIZE), which to SQLite is a disk that takes
no more, and can be taken back.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from plugins.served_instance import ServedInstance, until, user_dn

from provserver.ldap.results import ResultCode

Serve = Callable[..., ServedInstance]
ADA_AD = (
    "eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,"
    "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
)
AGENT, AGENT_PASSWORD = user_dn("psync-ad-corp"), "Gull-Ferry-Agent-11"
BEFORE, MEANWHILE, AFTER = "Kelp-Compass-88", "Dune-Beacon-17", "Reef-Signal-64"


@pytest.fixture
def served(demo_instance: Path, serve: Serve, stock_clients: None) -> ServedInstance:
    """A stage of its own for each test. Logs that cannot grow either are another matter."""
    return serve(demo_instance, "--set", "logging.etatrans=false", "--set", "passwords.propagation_wait=10")


@contextmanager
def full_disk(served: ServedInstance) -> Iterator[None]:
    pid = served.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(served: ServedInstance) -> Iterator[None]:
    """Somebody has the store's file open in a database tool, in the middle of a transaction."""
    (store,) = [path for path in served.directory.rglob("*.db") if path.is_file()]
    with closing(sqlite3.connect(store, isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            tool.execute("ROLLBACK")


def sync(served: ServedInstance, password: str) -> tuple[int, str]:
    done = served.set(ADA_AD, "eTSyncPassword", password, who=AGENT, password=AGENT_PASSWORD)
    return done.returncode, done.stderr


@pytest.mark.parametrize("trouble", [full_disk, locked])
def test_what_cannot_be_stored_is_refused_and_nothing_that_was_acknowledged_is_lost(
    served: ServedInstance, trouble: Callable[[ServedInstance], Iterator[None]]
) -> None:
    assert sync(served, BEFORE)[0] == 0
    with trouble(served):  # type: ignore[attr-defined]  # a context manager
        code, said = sync(served, MEANWHILE)
        assert code == ResultCode.UNAVAILABLE
        assert ":ETA_E_9034<MGU>, nothing was changed" in said
        assert "incident" not in said
        found = served.search("dc=im,dc=eta", "(eTGlobalUserName=aokafor)", "eTFullName")
        assert "eTFullName: Ada Okafor" in found.stdout
    assert served.accepts_password("aokafor", BEFORE)
    assert not served.accepts_password("aokafor", MEANWHILE)

    code, said = sync(served, AFTER)
    assert (code, said) == (0, "")
    assert served.accepts_password("aokafor", AFTER)
    assert served.stop() == 0
    said = (served.directory / "logs" / "provserver.log").read_text()
    assert said.count("the store cannot write") == 1
    assert "Traceback" not in said


def test_after_a_disk_was_full_and_the_server_died_of_something_else_all_is_there(
    served: ServedInstance, serve: Serve
) -> None:
    assert sync(served, BEFORE)[0] == 0
    with full_disk(served):
        assert sync(served, MEANWHILE)[0] == ResultCode.UNAVAILABLE
    served.kill()
    again = serve(served.directory)
    assert again.accepts_password("aokafor", BEFORE)
    assert sync(again, AFTER)[0] == 0
    assert until(lambda: again.accepts_password("aokafor", AFTER))
