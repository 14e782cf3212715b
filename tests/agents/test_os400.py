"""The four requests from a command line, as an exit program of OS/400 calls it: the password in a pipe under
any number, the name filled up with blanks, the exit code the only answer.
"""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
import pytest_twisted
from harbour import NEW, OTHER, PASSWORDS, holds
from outpost import NOBODY, Outpost, beside
from test_psync_command import COMMAND, Ran

from provserver.agents.decisions import Ending
from provserver.agents.options import PSYNC_AGENT, parser
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer

AGENT_PASSWORD = "Kiln-Ferry-Agent-55"
QPORT = "eTAS4DirectoryName=QPORT,eTNamespaceName=OS400,dc=im"
CONTAINER = f"eTAS4AccountContainerName=Accounts,{QPORT}"
COMMON = "eTNamespaceName=CommonObjects,dc=im"
USERS = f"eTGlobalUserContainerName=Global Users,{COMMON}"
PROFILES = f"eTAdminProfileContainerName=Admin Profiles,{COMMON}"
OS400 = f"""\
dn: {QPORT}
objectClass: eTAS4Directory
eTAS4DirectoryName: QPORT
eTDirectoryName: QPORT
provConnector: emulated

dn: {CONTAINER}
objectClass: eTAS4AccountContainer
eTAS4AccountContainerName: Accounts

dn: eTAS4AccountName=aokafor,{CONTAINER}
objectClass: eTAS4Account
eTAS4AccountName: aokafor
provGlobalUser: eTGlobalUserName=aokafor,{USERS}

dn: eTGlobalUserName=os400-qport,{USERS}
objectClass: eTGlobalUser
eTGlobalUserName: os400-qport
eTUserAdminProfile: eTAdminProfileName=PasswordAdministrator,{PROFILES}
provAgentScope: {QPORT}
eTPassword: {AGENT_PASSWORD}
"""
PROFILE = "AOKAFOR   "
"""Ten characters, as VLDP0100 has a user profile's name."""


def call(post: Outpost, command: str, profile: str, password: bytes) -> Ran:
    """What the exit program does: a pipe, and a number."""
    reading, writing = os.pipe()
    with open(reading, "rb"):
        with open(writing, "wb") as end:
            end.write(password)
        return subprocess.run(
            [*COMMAND, "--conf", str(post.path), command, profile, "--password-fd", str(reading)],
            pass_fds=[reading],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest_twisted.async_fixture
async def outpost(tmp_path: Path, start_provserver: Starter) -> tuple[RunningServer, Outpost]:
    """A server that knows QPORT, and the agent there."""
    server = await start_provserver(more=[OS400])
    server.clock.turn(86_400)
    keys = {"endpoint_type": "OS400", "endpoint_name": "QPORT", "admin": "os400-qport"}
    return server, Outpost.of(server, tmp_path, password=AGENT_PASSWORD, **keys)


@pytest_twisted.ensureDeferred
async def test_a_change_makes_the_four_requests_and_arrives(outpost: tuple[RunningServer, Outpost]) -> None:
    server, post = outpost
    done = await beside(call, post, "change", PROFILE, NEW.encode())
    assert (done.returncode, done.stderr) == (Ending.ACCEPT, "")
    asked = [request for request in post.requests() if request != "bind"]
    assert asked == ["search", "eTTestPassword", "search", "eTSyncPassword"]
    await server.delivered()
    assert await server.has_password("aokafor", NEW)
    assert holds(server, "hpdev01", "aokafor", NEW)
    assert not holds(server, "QPORT", "aokafor", NEW), "where it came from it is not sent"


@pytest_twisted.ensureDeferred
async def test_test_and_sync_are_two_requests_each(outpost: tuple[RunningServer, Outpost]) -> None:
    server, post = outpost
    assert (await beside(call, post, "test", PROFILE, OTHER.encode() + b"\n")).returncode == Ending.ACCEPT
    assert await server.has_password("aokafor", PASSWORDS["aokafor"]), "a test changes nothing"
    assert (await beside(call, post, "sync", PROFILE, OTHER.encode() + b"\n")).returncode == Ending.ACCEPT
    assert await server.has_password("aokafor", OTHER)


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_an_exit_code_and_a_sentence(outpost: tuple[RunningServer, Outpost]) -> None:
    server, post = outpost
    done = await beside(call, post, "change", PROFILE, b"short")
    assert done.returncode == Ending.REFUSE
    assert "at least" in done.stdout
    assert await server.has_password("aokafor", PASSWORDS["aokafor"])
    post.set(host=NOBODY)
    assert (await beside(call, post, "change", PROFILE, NEW.encode())).returncode == Ending.COULD_NOT_ASK


def told(tmp_path: Path, number: str, *pass_fds: int) -> Ran:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e")
    words = [*COMMAND, "--conf", str(post.path), "change", PROFILE, "--password-fd", number]
    return subprocess.run(
        words,
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("999", "the password was expected on file descriptor 999: Bad file descriptor"),
        ("90000", "the password was expected on file descriptor 90000: Bad file descriptor"),
        ("0", "the password was expected on file descriptor 0, and there is none"),
        ("-1", "argument --password-fd: expected the number of a file descriptor"),
        (NEW, "argument --password-fd: expected the number of a file descriptor"),
    ],
)
def test_a_descriptor_that_is_none_is_told(tmp_path: Path, number: str, problem: str) -> None:
    done = told(tmp_path, number)
    assert done.returncode == Ending.WRONG
    assert done.stderr.splitlines()[-1].endswith(problem)
    assert NEW not in done.stderr


def test_a_terminal_is_not_read(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with open(ours, "rb"), open(theirs, "rb"):
        done = told(tmp_path, str(theirs), theirs)
    assert done.returncode == Ending.WRONG
    assert "which is a terminal: use a pipe" in done.stderr


def test_there_is_no_argument_for_a_password() -> None:
    for command in ("test", "sync", "change"):
        with pytest.raises(SystemExit):
            parser(PSYNC_AGENT, {}).parse_args([command, "AOKAFOR", NEW])
