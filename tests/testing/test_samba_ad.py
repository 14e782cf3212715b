"""The real Samba domain controller that other tests lean on: it starts, keeps its policy, goes down, comes
back and leaves nothing behind.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provserver.testing import samba_ad as room
from provserver.testing.samba_ad import (
    DomainController,
    SambaFailed,
    SambaMissing,
    find_samba,
    require_samba,
    template_of,
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_samba()
    return template_of(tmp_path_factory)


@pytest.fixture(scope="module")
def samba(template: Path) -> Iterator[DomainController]:
    with DomainController(template=template) as server:
        yield server


def test_people_can_bind_with_their_passwords_and_with_no_others(samba: DomainController) -> None:
    dn = samba.create_user("ada", "Gull-Ferry-1", cn="Byron, Ada")
    assert dn == f"CN=Byron\\, Ada,{samba.users}"
    assert samba.attribute("ada", "userPrincipalName") == "ada@ad.example.com"
    assert samba.accepts_password("ada", "Gull-Ferry-1")
    assert not samba.accepts_password("ada", "Gull-Ferry-2")
    assert "data 52e" in samba.refusal_of("ada", "Gull-Ferry-2")


def test_the_policy_binds_resets_and_changes(samba: DomainController) -> None:
    samba.create_user("bea", "Gull-Ferry-1")
    samba.password_settings(min_pwd_length=12, complexity="on", min_pwd_age=0, history_length=3)
    with pytest.raises(SambaFailed, match="too short"):
        samba.set_password("bea", "Gull-2")
    with pytest.raises(SambaFailed, match="complexity"):
        samba.set_password("bea", "nothingbutletters")
    with pytest.raises(SambaFailed, match=r"0000052D.*already used"):
        samba.change_password("bea", "Gull-Ferry-1", "Gull-Ferry-1")
    samba.change_password("bea", "Gull-Ferry-1", "Gull-Ferry-Long-3")
    assert samba.accepts_password("bea", "Gull-Ferry-Long-3")
    samba.set_password("bea", "Gull-Ferry-Long-4")
    assert samba.accepts_password("bea", "Gull-Ferry-Long-4")
    assert not samba.accepts_password("bea", "Gull-Ferry-Long-3")


def test_a_controller_that_is_killed_comes_back_with_its_people(samba: DomainController) -> None:
    samba.create_user("cai", "Gull-Ferry-Long-1")
    samba.kill()
    assert not samba.running
    with socket.socket() as probe:
        assert probe.connect_ex((samba.address, 636)) != 0
    samba.start()
    assert samba.accepts_password("cai", "Gull-Ferry-Long-1")
    with pytest.raises(SambaFailed, match="running already"):
        samba.start()


def test_two_controllers_have_addresses_passwords_and_people_of_their_own(
    samba: DomainController, template: Path
) -> None:
    with DomainController(template=template) as other:
        assert other.address != samba.address
        other.create_user("dot", "Gull-Ferry-1")
        assert other.accepts_password("dot", "Gull-Ferry-1")
        assert samba.attribute("dot", "dn") == ""


def test_what_ends_leaves_no_process_no_folder_and_its_address(template: Path) -> None:
    with DomainController(template=template) as server:
        assert server._process is not None
        pid, folder, address = server._process.pid, server.directory, server.address
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    server.stop()
    with DomainController(template=template) as again:
        assert again.address == address


def test_the_controller_ends_with_whoever_started_it(template: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from provserver.testing.samba_ad import DomainController\n"
        "import os, sys\n"
        f"server = DomainController(template=Path({str(template)!r}))\n"
        "server.start()\n"
        "print(server._process.pid, server.directory, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid, folder = done.stdout.split()
    try:
        ended = Path(f"/proc/{pid}")
        while ended.exists() and "zombie" not in (ended / "status").read_text():
            os.sched_yield()
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_more_lines_of_its_configuration_can_be_given(template: Path) -> None:
    """A check password script, for instance: it is asked about every new password."""
    extra = ["check password script = /bin/false"]
    with (
        DomainController(template=template, extra=extra) as server,
        pytest.raises(SambaFailed, match="does not meet the complexity criteria"),
    ):
        server.create_user("eve", "Gull-Ferry-1")


def test_a_controller_that_cannot_start_says_why(template: Path) -> None:
    with (
        pytest.raises(SambaFailed, match="did not answer"),
        DomainController(template=template, services=["no-such-service"]),
    ):
        pass


def test_without_samba_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_which", lambda name: None)
    with pytest.raises(SambaMissing, match="apt-get install -y samba"):
        find_samba()
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(pytest.fail.Exception, match="apt-get"):
        require_samba()
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="apt-get"):
        require_samba()


def test_who_is_not_root_skips_and_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(room, "_FILES", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception, match="needs root"):
        require_samba()


def test_workers_of_one_run_share_a_template_and_other_runs_do_not(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    assert template_of(tmp_path_factory).parent == base.parent
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert template_of(tmp_path_factory).parent == base
