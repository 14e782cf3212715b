"""Somebody changes a password with `passwd` on a machine whose PAM stack is the documented one, and pam_unix
behind it: what comes of it there, at the server, and at other endpoints.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from harbour import NEW, PASSWORDS, holds
from outpost import NOBODY, beside, place
from plugins.real_servers import not_here
from private_machine import PrivateMachine, Ran, documented, require_private_machine
from test_pam_agent import conf_text, module

from provserver.testing.server import RunningServer

OLD = PASSWORDS["aokafor"]
CONF = "pam_CA_eta/pam_CA_eta.conf"
Change = Callable[[PrivateMachine, str], Ran]
DOCUMENTED_PYTHON = "/opt/provserver/bin/python"


def by_passwd(machine: PrivateMachine, password: str) -> Ran:
    """What its user does: the current one, then the new one twice."""
    return machine.run_as_user("passwd", stdin=f"{OLD}\n{password}\n{password}\n")


def by_pamtester(machine: PrivateMachine, password: str) -> Ran:
    """What an administrator tries, as root, with the service that is to be trusted. (Only pam_script asks
    root for the current one.)
    """
    asked_for_current = "pam_script" in (machine.etc / "pam.d" / "passwd").read_text()
    typed = f"{OLD}\n" * asked_for_current + f"{password}\n{password}\n"
    return machine.run("pamtester", "passwd", machine.user, "chauthtok", stdin=typed)


def with_pam_script(machine: PrivateMachine) -> None:
    """The stack and the scripts of the page."""
    if not module("pam_script.so", "PROVSERVER_PAM_SCRIPT"):
        not_here("pam_script", "libpam-script")
    machine.service("passwd", documented("pam_script.so dir="))
    script = documented("#!/bin/sh", "PAM_AUTHTOK").replace(DOCUMENTED_PYTHON, sys.executable)
    for step in ("test", "sync"):
        text = script.replace("provserver.agents.pam test", f"provserver.agents.pam {step}")
        machine.file(f"pam_CA_eta/{step}/pam_script_passwd", text, 0o755)


def with_pam_exec(machine: PrivateMachine) -> None:
    """The stack of the page, with a module that is in every Linux-PAM to ask for the new password."""
    pam_exec = module("pam_exec.so", "PROVSERVER_PAM_EXEC")
    machine.service("probe", f"password required {pam_exec} expose_authtok /bin/sh -c cat>/etc/probed")
    machine.run("pamtester", "probe", machine.user, "chauthtok", stdin=NEW + "\n")
    probed = machine.etc / "probed"
    if not probed.exists() or NEW not in probed.read_text():
        pytest.skip("the pam_exec here gives no password to its command: it is older than Linux-PAM 1.6.0")
    probed.unlink()
    stack = documented("pam_exec.so expose_authtok").replace("pam_exec.so", pam_exec)
    asking = "pam_pwquality.so retry=3"
    assert asking in stack
    stack = stack.replace(asking, "pam_pwhistory.so remember=1").replace(DOCUMENTED_PYTHON, sys.executable)
    machine.service("passwd", stack)


@pytest.fixture(params=[by_passwd, by_pamtester], ids=["passwd", "pamtester"])
def change(request: pytest.FixtureRequest) -> Change:
    chosen: Change = request.param
    return chosen


@pytest.fixture(params=[with_pam_script, with_pam_exec], ids=["pam_script", "pam_exec"])
def machine(
    request: pytest.FixtureRequest, tmp_path: Path, provserver: RunningServer
) -> Iterator[PrivateMachine]:
    """Its user is the demo's Ada, whose first password is a day old. What is hooked in is as
    docs/run-an-agent.md has it; this machine's own files are the same afterwards.
    """
    require_private_machine()
    provserver.clock.turn(86_400)
    own = [hashlib.sha256(Path(f"/etc/{name}").read_bytes()).digest() for name in ("passwd", "shadow")]
    made = PrivateMachine(tmp_path, "aokafor", OLD)
    request.param(made)
    made.file(CONF, conf_text(provserver), 0o600)
    yield made
    assert own == [
        hashlib.sha256(Path(f"/etc/{name}").read_bytes()).digest() for name in ("passwd", "shadow")
    ]


def reconfigure(machine: PrivateMachine, provserver: RunningServer, **keys: str) -> None:
    machine.file(CONF, conf_text(provserver, **keys), 0o600)


@pytest_twisted.ensureDeferred
async def test_what_somebody_changes_here_is_changed_here_and_arrives_elsewhere(
    provserver: RunningServer, machine: PrivateMachine, change: Change
) -> None:
    done = await beside(change, machine, NEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "updated successfully" in done.stdout + done.stderr
    assert await beside(machine.accepts, NEW)
    await provserver.delivered()
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "ldap-hq", "aokafor", NEW)
    assert NEW not in (machine.etc / "pam_CA_eta" / "pam_CA_eta.log").read_text()


@pytest_twisted.ensureDeferred
async def test_what_the_servers_policy_refuses_is_not_changed_here_and_its_user_sees_why(
    provserver: RunningServer, machine: PrivateMachine, change: Change
) -> None:
    done = await beside(change, machine, "short")
    assert done.returncode != 0
    assert "at least" in done.stdout + done.stderr
    assert await beside(machine.accepts, OLD)
    assert not await beside(machine.accepts, "short")
    assert await provserver.has_password("aokafor", OLD)


@pytest_twisted.ensureDeferred
async def test_a_change_that_no_server_heard_of_waits_and_arrives_later(
    provserver: RunningServer, machine: PrivateMachine, change: Change
) -> None:
    reconfigure(machine, provserver, server=NOBODY, out_of_sync="yes")
    done = await beside(change, machine, NEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert await beside(machine.accepts, NEW)
    assert await provserver.has_password("aokafor", OLD)
    reconfigure(machine, provserver, server=place(provserver.ldaps_url))
    agent = sys.executable, "-I", "-m", "provserver.agents.pam"
    flushed = await beside(machine.run, *agent, "spool", "flush")
    assert flushed.stdout.startswith("delivered 1,"), flushed.stdout + flushed.stderr
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_a_conf_of_another_domain_refuses_the_change_and_nothing_is_sent(
    provserver: RunningServer, machine: PrivateMachine, change: Change
) -> None:
    reconfigure(machine, provserver, endpoint_name="elsewhere", ldap_logging_enabled="yes")
    done = await beside(change, machine, NEW)
    assert done.returncode != 0
    assert "was the conf file copied from another domain? Nothing was sent" in done.stdout + done.stderr
    assert await beside(machine.accepts, OLD)
    log = (machine.etc / "pam_CA_eta" / "pam_CA_eta.log").read_text()
    assert "copied from another domain" in log
    assert " LDAP " in log
    assert "eTTestPassword" not in log
    assert "eTSyncPassword" not in log
