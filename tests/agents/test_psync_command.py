"""The installed command, in a process of its own."""

from __future__ import annotations

import configparser
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from harbour import NEW, PASSWORDS, holds
from outpost import NOBODY, Outpost, bad_line, beside, place
from plugins.served_instance import until

from provserver.agents import command
from provserver.agents.decisions import MEANINGS, Ending
from provserver.agents.options import COMMANDS
from provserver.agents.sample import sample
from provserver.testing.server import RunningServer

COMMAND = (sys.executable, "-P", "-m", "provserver.agents")
OWN_PASSWORD = PASSWORDS["psync-ad-corp"]

Ran = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, stdin: str = "") -> Ran:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


async def psync(post: Outpost, *arguments: str, stdin: str = "") -> Ran:
    return await beside(run, "--conf", post.path, *arguments, stdin=stdin)


def an_outpost(folder: Path, **keys: str | None) -> Outpost:
    return Outpost(folder, **{"host": NOBODY, "admin": "a", "password": "b", "endpoint_name": "e", **keys})


@pytest.fixture
def provserver(provserver: RunningServer) -> RunningServer:
    """Its users' first passwords are a day old: what was caught some moments ago is newer."""
    provserver.clock.turn(86_400)
    return provserver


@pytest_twisted.ensureDeferred
async def test_a_change_arrives(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path)
    done = await psync(post, "change", "aokafor", stdin=NEW + "\n")
    assert (done.returncode, done.stderr) == (Ending.ACCEPT, "")
    assert "updated successfully" in done.stdout
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert NEW not in done.stdout + post.log()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\0"])
@pytest_twisted.ensureDeferred
async def test_a_refusal_is_told_on_standard_output(
    provserver: RunningServer, tmp_path: Path, ending: str
) -> None:
    post = Outpost.of(provserver, tmp_path)
    done = await psync(post, "test", "aokafor", stdin="Short-1" + ending)
    assert done.returncode == Ending.REFUSE
    assert "at least" in done.stdout
    assert "Short-1" not in done.stdout + done.stderr + post.log()
    fine = await psync(post, "test", "aokafor", stdin=NEW + ending)
    assert fine.returncode == Ending.ACCEPT


@pytest_twisted.ensureDeferred
async def test_what_waits_is_listed_and_flushed(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, host=NOBODY)
    done = await psync(post, "sync", "aokafor", stdin=NEW)
    assert (done.returncode, "it waits in the spool" in done.stdout) == (Ending.ACCEPT, True)
    done = await psync(post, "spool", "flush")
    assert (done.returncode, done.stdout) == (
        Ending.COULD_NOT_ASK,
        f"delivered 0, refused 0, given up 0, waiting 1\n{NOBODY}: Connection refused\n",
    )
    listed = (await psync(post, "spool", "list")).stdout.rstrip("\n").split("\t")
    assert (listed[1], listed[3]) == ("aokafor", f"{NOBODY}: Connection refused")
    assert post.holds_nowhere(NEW)
    post.set(host=place(provserver.ldaps_url))
    done = await psync(post, "spool", "flush")
    assert (done.returncode, done.stdout) == (0, "delivered 1, refused 0, given up 0, waiting 0\n")
    assert (await psync(post, "spool", "list")).stdout == ""
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_in_the_background_it_delivers_and_stops_when_told(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, host=NOBODY, spool_interval="1")
    assert (await psync(post, "sync", "aokafor", stdin=NEW)).returncode == 0
    with await beside(subprocess.Popen, [*COMMAND, "--conf", str(post.path), "run"]) as process:
        try:
            assert await beside(until, lambda: "Connection refused" in post.log().partition("delivers")[2])
            post.set(host=place(provserver.ldaps_url))
            assert await beside(until, lambda: "it had waited" in post.log())
            process.send_signal(signal.SIGTERM)
            assert await beside(process.wait, 30) == 0
        finally:
            process.kill()
    assert "the agent has stopped" in post.log()
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_an_agent_that_is_killed_has_kept_the_change(provserver: RunningServer, tmp_path: Path) -> None:
    """While it waits for an answer; nobody else touches the change until its time is over."""
    with bad_line(provserver) as line:
        line.withhold, line.hang = 2, True
        times = {"search_acct_dn_timeout": "2", "password_update_timeout": "0"}
        post = Outpost.of(provserver, tmp_path, host=line.place, use_tls="no", **times)
        words = [*COMMAND, "--conf", str(post.path), "sync", "aokafor"]
        with await beside(subprocess.Popen, words, stdin=subprocess.PIPE) as process:
            process.stdin.write(NEW.encode())
            process.stdin.close()
            assert await beside(until, lambda: "bind" in post.log())
            process.kill()
    assert [held.account for held in post.waiting()] == ["aokafor"]
    post.set(host=place(provserver.ldap_url))

    def delivered() -> bool:
        return run("--conf", post.path, "spool", "flush").stdout.startswith("delivered 1")

    assert await beside(until, delivered)
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_check_explains_what_it_understood_and_tries_it(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, Machine_Account="NO", colour="red")
    done = await psync(post, "check")
    assert done.returncode == 0, done.stdout
    words = " ".join(done.stdout.split())
    assert "machine_account = NO (line 8)" in words
    assert "password = ******** (line 4)" in words
    assert "out_of_sync = no (default)" in words
    assert "accounts: eTADSAccount below eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory" in words
    assert "remark: line 9: colour is no key that the agent knows" in words
    assert "certificate verified, logged in, endpoint found" in words
    assert OWN_PASSWORD not in done.stdout + done.stderr


@pytest_twisted.ensureDeferred
async def test_check_says_what_does_not_work(provserver: RunningServer, tmp_path: Path) -> None:
    there = place(provserver.ldaps_url)
    post = Outpost.of(provserver, tmp_path, endpoint_name="AD-Elsewhere", host=f"{NOBODY} {there}")
    done = await psync(post, "check")
    assert done.returncode == Ending.REFUSE
    assert f"NOT OK: {NOBODY}: Connection refused" in done.stdout
    assert f"NOT OK: {there}: the endpoint eTADSDirectoryName=AD-Elsewhere" in done.stdout
    assert "was the conf file copied from another domain? Nothing was sent" in post.log()


def test_a_wrong_conf_file_is_told_and_nothing_done(tmp_path: Path) -> None:
    post = an_outpost(tmp_path, port="x", ack="y")
    done = run("--conf", post.path, "sync", "aokafor", stdin=NEW)
    assert done.returncode == Ending.WRONG
    assert [line.partition("conf: ")[2].partition(":")[0] for line in done.stderr.splitlines()] == [
        "line 5",
        "line 6",
    ]
    assert not (tmp_path / "spool").exists()


def test_the_environment_names_the_conf_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSYNC_AGENT_CONF", str(an_outpost(tmp_path, pwd_sync_enable="no").path))
    assert run("sync", "aokafor", stdin=NEW).returncode == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "the password was expected on standard input, and there is none"),
        ("\n", "the password was expected on standard input, and there is none"),
        ("x" * 5000, "the password on standard input is longer than 4096 octets"),
    ],
)
def test_a_password_is_expected_on_standard_input(tmp_path: Path, given: str, told: str) -> None:
    done = run("--conf", an_outpost(tmp_path).path, "sync", "aokafor", stdin=given)
    assert (done.returncode, done.stderr) == (Ending.WRONG, f"psync-agent: {told}\n")


@pytest.fixture
def silent_stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pipe into which nobody writes, and which nobody closes."""
    reading, writing = os.pipe()
    with open(reading) as end, open(writing, "w"):
        monkeypatch.setattr(sys, "stdin", end)
        yield


@pytest.mark.usefixtures("silent_stdin")
def test_a_password_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_STDIN_PATIENCE", 0.05)
    assert command.main(["--conf", str(an_outpost(tmp_path).path), "test", "aokafor"]) == Ending.WRONG
    assert "was expected on standard input, and did not come" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sync"], ["sync", "a", "a-password"], ["spool", "empty"]])
def test_a_wrong_command_line_is_told(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == Ending.WRONG
    assert done.stderr.startswith("usage: psync-agent")


def test_the_sample_is_printed() -> None:
    assert run("sample").stdout == sample()


def test_every_ending_and_command_has_its_meaning() -> None:
    assert list(MEANINGS) == list(Ending)
    assert set(command._COMMANDS) == set(COMMANDS)


def test_the_command_is_installed_under_its_name() -> None:
    parser = configparser.ConfigParser()
    parser.read(Path(__file__).resolve().parents[2] / "setup.cfg")
    scripts = dict(
        line.split(" = ") for line in parser["options.entry_points"]["console_scripts"].strip().splitlines()
    )
    module, _, function = scripts["psync-agent"].partition(":")
    assert getattr(importlib.import_module(module), function) is command.main


@pytest.mark.parametrize("wanted", ["asking", "telling", "running", "checking"])
def test_it_starts_without_what_takes_long_to_import(wanted: str) -> None:
    """150 ms is what a hook may take to start; docs/decisions/0031 has what was measured."""
    code = f"import sys, provserver.agents.command, provserver.agents.{wanted}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    heavy = {
        "twisted",
        "ldaptor",
        "zope",
        "attr",
        "asyncio",
        "OpenSSL",
        "rich",
        "hypothesis",
        "email",
        "http",
    }
    assert heavy & {name.partition(".")[0] for name in loaded.split()} == set()


def test_a_test_needs_neither_a_database_nor_a_cipher() -> None:
    code = "import sys, provserver.agents.command, provserver.agents.asking; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert {"sqlite3", "cryptography"} & set(loaded.split()) == set()
