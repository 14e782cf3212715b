"""`psync-agent rehearse`, the installed command, against a server."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from harbour import PASSWORDS, snapshot
from outpost import NOBODY, Outpost, bad_line, beside
from twisted.internet.defer import ensureDeferred

from provserver.agents.options import PSYNC_AGENT, parser
from provserver.agents.rehearsal.command import MEANINGS
from provserver.agents.rehearsal.options import rehearse_arguments
from provserver.connectors.contract import PasswordPolicyViolation
from provserver.testing.server import RunningServer

COMMAND = (sys.executable, "-P", "-m", "provserver.agents")
YES = ("--yes-change-passwords-of", "AD-Corp")
ADA = ("--filter", "(eTADSsAMAccountName=aokafor)")
PLAYABLE = ("aokafor", "bnovak", "cmercier", "dsorensen")
"""Accounts of the demo's controller that a change is accepted for."""

Ran = subprocess.CompletedProcess[str]


def run(*arguments: str | Path, before: tuple[str, ...] = ()) -> Ran:
    return subprocess.run(
        [*before, *COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def rehearse(post: Outpost, *arguments: str | Path) -> Ran:
    return await beside(run, "--conf", post.path, "rehearse", *arguments)


async def rehearsed(post: Outpost, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """The result for programs."""
    done = await rehearse(post, "--json", *arguments)
    assert (done.returncode, done.stderr) == (code, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def watched(folder: Path) -> tuple[str | Path, ...]:
    """Options with which arrivals are seen."""
    file = folder / "watcher"
    file.touch(mode=0o600)
    file.write_text(PASSWORDS["etaadmin"] + "\n")
    return "--watch-as", "etaadmin", "--watch-password-file", file


def names_in(folder: Path, *names: str) -> Path:
    file = folder / "accounts.txt"
    file.write_text("# whose passwords\n\n" + "\n".join(names) + "\n")
    return file


@pytest.fixture
def provserver(provserver: RunningServer) -> RunningServer:
    """Its users' first passwords are a day old."""
    provserver.clock.turn(86_400)
    return provserver


@pytest.fixture
def post(provserver: RunningServer, tmp_path: Path) -> Outpost:
    return Outpost.of(provserver, tmp_path)


# -- what it is told


@pytest_twisted.ensureDeferred
async def test_it_changes_nothing_without_a_confirmation_that_names_the_endpoint(
    provserver: RunningServer, post: Outpost
) -> None:
    before = await snapshot(provserver)
    for options in ((), ("--yes-change-passwords-of", "hpdev01")):
        done = await rehearse(post, *options)
        assert done.returncode == 2
        assert "to 6 accounts (aokafor, " in done.stderr
        assert "--yes-change-passwords-of AD-Corp" in done.stderr
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_a_test_changes_nothing(provserver: RunningServer, post: Outpost) -> None:
    before = await snapshot(provserver)
    told = await rehearsed(post, "--test-only", "--changes", "40", "--agents", "4")
    assert await snapshot(provserver) == before
    assert told["changes"]["begun"] == 40
    assert set(told["times"]) == {"connection", "test", "whole change"}
    assert told["threshold"] is None


@pytest_twisted.ensureDeferred
async def test_each_account_changes_once_and_its_last_account_is_seen(
    provserver: RunningServer, post: Outpost, tmp_path: Path
) -> None:
    accounts = names_in(tmp_path, *PLAYABLE)
    told = await rehearsed(post, *YES, "--accounts", accounts, "--new-connection", *watched(tmp_path))
    changes = told["changes"]
    assert (changes["begun"], changes["accepted"], changes["errors"], changes["time_outs"]) == (4, 4, 0, 0)
    assert told["times"]["connection"]["count"] == 4
    assert told["times"]["whole change"]["count"] == 4
    sent = sum(provserver.endpoint(name).received for name in ("hpdev01", "MVSPROD", "ldap-hq"))
    assert told["arrival"]["accounts_reached"] == sent > 3
    assert told["arrival"]["not_reached"] == {}
    assert (told["threshold"]["seconds"], told["threshold"]["safe"]) == (60, True)
    assert any("the server's is 600 s: enough" in reason for reason in told["threshold"]["reasons"])


@pytest_twisted.ensureDeferred
async def test_no_password_is_shown_or_logged(post: Outpost, tmp_path: Path) -> None:
    done = await rehearse(post, *YES, "--accounts", names_in(tmp_path, *PLAYABLE), *watched(tmp_path))
    assert done.returncode == 0
    alike = re.compile(r"(?:[A-Z][a-z]\d[-.,:;=?_*%]){4}")  # as the default pattern makes them
    assert not alike.search(done.stdout + done.stderr + post.log())
    assert PASSWORDS["etaadmin"] not in done.stdout + done.stderr


@pytest_twisted.ensureDeferred
async def test_the_guards_refusals_are_told_as_such(
    provserver: RunningServer, post: Outpost, tmp_path: Path
) -> None:
    accounts = names_in(tmp_path, "aokafor", "bnovak")
    await rehearsed(post, *YES, "--accounts", accounts)
    await provserver.delivered()
    post.set(
        admin="pam-hpdev01",
        password=PASSWORDS["pam-hpdev01"],
        endpoint_name="hpdev01",
        endpoint_type="UNIX - etc",
    )
    told = await rehearsed(post, "--yes-change-passwords-of", "hpdev01", "--accounts", accounts)
    assert told["changes"]["refused_by_guard"] == 2
    assert told["changes"]["refused"] == []


@pytest_twisted.ensureDeferred
async def test_a_slow_endpoint_makes_the_threshold_longer(
    provserver: RunningServer, post: Outpost, tmp_path: Path
) -> None:
    provserver.endpoint("hpdev01").down(times=1)
    accounts = names_in(tmp_path, "aokafor")
    going_on = rehearse(post, "--json", *YES, "--accounts", accounts, *watched(tmp_path))
    deferred = ensureDeferred(going_on)
    while not deferred.called:
        # Nobody but the retry waits for this clock.
        await provserver.breathe()
        if provserver.endpoint("ldap-hq").received and not provserver.endpoint("hpdev01").received:
            provserver.clock.turn(1)
    done = await deferred
    told = json.loads(done.stdout)
    assert told["times"]["last account"]["max"] >= 30
    assert told["threshold"]["seconds"] >= 2 * told["times"]["last account"]["max"]


@pytest_twisted.ensureDeferred
async def test_accounts_that_are_not_reached_are_listed_with_their_state(
    provserver: RunningServer, post: Outpost, tmp_path: Path
) -> None:
    provserver.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("too fishy"))
    provserver.endpoint("ldap-hq").down()
    told = await rehearsed(
        post, *YES, "--accounts", names_in(tmp_path, "aokafor"), *watched(tmp_path), "--settle", "0.1"
    )
    assert told["arrival"]["not_reached"] == {"held": 1, "retrying": 1}
    assert {one["state"] for one in told["arrival"]["examples"]} == {"held", "retrying"}
    assert told["threshold"]["seconds"] is None


@pytest_twisted.ensureDeferred
async def test_who_may_not_see_arrivals_is_told_and_the_rest_is_seen(post: Outpost) -> None:
    told = await rehearsed(post, *YES, *ADA)
    assert told["changes"]["accepted"] == 1
    assert any("--watch-as" in remark for remark in told["remarks"])


@pytest_twisted.ensureDeferred
async def test_refusals_are_counted_by_step_and_code_and_are_no_errors(post: Outpost, tmp_path: Path) -> None:
    # One user must not propagate, the other is suspended.
    told = await rehearsed(post, *YES, "--accounts", names_in(tmp_path, "fgreco", "eyilmaz"))
    (refused,) = told["changes"]["refused"]
    assert (refused["step"], refused["code"], refused["count"]) == ("test", 53, 2)


@pytest_twisted.ensureDeferred
async def test_at_a_rate_changes_arrive_whether_or_not_an_agent_is_free(post: Outpost) -> None:
    told = await rehearsed(
        post, "--test-only", "--agents", "1", "--rate", "2000", "--changes", "40", "--seed", "1"
    )
    # One agent is slower than that: the wait for it is in the whole change, not in the step.
    assert told["times"]["whole change"]["max"] > 2 * told["times"]["test"]["max"]
    assert told["late"]["max"] > 0


@pytest_twisted.ensureDeferred
async def test_answers_that_do_not_come_are_time_outs_and_the_exit_code_says_so(
    provserver: RunningServer, tmp_path: Path
) -> None:
    with bad_line(provserver) as line:
        line.withhold, line.hang = 3, True
        post = Outpost.of(provserver, tmp_path, host=line.place, use_tls="no", ca_file=None)
        told = await rehearsed(post, "--test-only", *ADA, "--timeout", "0.5", "--changes", "2", code=1)
    assert (told["changes"]["time_outs"], told["changes"]["accepted"]) == (2, 0)


@pytest_twisted.ensureDeferred
async def test_lines_that_break_are_errors(provserver: RunningServer, tmp_path: Path) -> None:
    with bad_line(provserver) as line:
        line.withhold = 3
        post = Outpost.of(provserver, tmp_path, host=line.place, use_tls="no", ca_file=None)
        told = await rehearsed(post, "--test-only", *ADA, "--changes", "3", code=1)
    assert told["changes"]["errors"] == 3
    assert sum(told["changes"]["texts"].values()) == 3


# -- what it shows


def chunks(png: bytes) -> list[bytes]:
    """The types of a PNG's chunks; every checksum is verified."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    position, found = 8, []
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        body = png[position + 4 : position + 8 + length]
        assert struct.unpack_from(">I", png, position + 8 + length) == (zlib.crc32(body),)
        found.append(body[:4])
        position += 12 + length
    return found


@pytest_twisted.ensureDeferred
async def test_the_picture_is_a_png(post: Outpost, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = await rehearse(
        post,
        *YES,
        "--accounts",
        names_in(tmp_path, *PLAYABLE),
        *watched(tmp_path),
        "--picture",
        tmp_path / "p.png",
    )
    assert done.returncode == 0, done.stderr
    kinds = chunks((tmp_path / "p.png").read_bytes())
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    assert b"IDAT" in kinds


@pytest_twisted.ensureDeferred
async def test_people_see_a_table_a_picture_and_the_threshold(post: Outpost, tmp_path: Path) -> None:
    done = await rehearse(post, *YES, "--accounts", names_in(tmp_path, *PLAYABLE), *watched(tmp_path))
    for word in (
        "changes begun",
        "whole change",
        "p99",
        "last account",
        "█",
        "Agent Response Threshold: 60 s",
    ):
        assert word in done.stdout
    assert done.stderr == ""  # no bar where there is no terminal


@pytest_twisted.ensureDeferred
async def test_who_interrupts_it_sees_what_there_was_until_then(
    provserver: RunningServer, post: Outpost
) -> None:
    words = [
        *COMMAND,
        "--conf",
        str(post.path),
        "rehearse",
        "--test-only",
        "--duration",
        "600",
        "--rate",
        "50",
    ]
    process = started(words)
    try:
        while len(await provserver.journal()) < 20:
            assert process.poll() is None
            await provserver.breathe()
        process.send_signal(signal.SIGINT)
        out, err = await beside(process.communicate, timeout=60)
    finally:
        process.kill()
    done = subprocess.CompletedProcess(words, process.returncode, out, err)
    assert (done.returncode, done.stderr) == (130, "")
    assert done.stdout.startswith("interrupted")
    found = re.search(r"accepted +(\d+)", done.stdout)
    assert found is not None
    assert int(found[1]) > 0


# -- what cannot be


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--pattern", "ulds"), "--pattern: expected a longer one"),
        (("--filter", "(a=b"), "--filter: "),
        (("--accounts", "f", "--base", "dc=im"), "--base and --filter are for a search"),
        (("--watch-as", "etaadmin"), "go together"),
        (("--watch-as", "a", "--watch-password-file", "missing"), "there is no password file"),
        (("--accounts", "missing"), "missing cannot be read"),
    ],
)
def test_options_that_make_no_sense_are_said(tmp_path: Path, options: tuple[str, ...], problem: str) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e")
    done = run("--conf", post.path, "rehearse", *options)
    assert done.returncode == 2
    assert problem in done.stderr


@pytest.mark.parametrize(
    "options", [("--agents", "0"), ("--rate", "0"), ("--rate", "nan"), ("--settle", "-1")]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = run("rehearse", *options)
    assert done.returncode == 2
    assert f"argument {options[0]}: invalid" in done.stderr


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e")
    done = run("--conf", post.path, "rehearse", "--test-only")
    assert done.returncode == 3
    assert done.stderr.startswith(f"psync-agent: {NOBODY}: ")


def test_more_agents_than_files_may_be_open_are_refused(tmp_path: Path) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e")
    limited = ("sh", "-c", 'ulimit -n 200 && exec "$@"', "sh")
    done = run("--conf", post.path, "rehearse", "--test-only", "--agents", "500", before=limited)
    assert done.returncode == 2
    assert "only 200 files may be open here" in done.stderr


@pytest_twisted.ensureDeferred
async def test_names_that_are_no_accounts_are_said_before_anything_happens(
    provserver: RunningServer, post: Outpost, tmp_path: Path
) -> None:
    before = await snapshot(provserver)
    done = await rehearse(post, *YES, "--accounts", names_in(tmp_path, "aokafor", "nobody-here"))
    assert done.returncode == 2
    assert "1 of 2 accounts are not below" in done.stderr
    assert "nobody-here" in done.stderr
    assert await snapshot(provserver) == before


def test_pam_agents_have_no_rehearsal() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "provserver.agents.pam", "rehearse"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2


# -- the page

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rehearse-a-site.md").read_text("utf-8")


def test_every_exit_code_is_on_the_page() -> None:
    for code in MEANINGS:
        assert re.search(rf"^\| {code} \| ", PAGE, re.MULTILINE)


def test_every_command_line_and_option_of_the_page_is_one_that_we_have() -> None:
    lines = re.findall(r"^psync-agent (rehearse.*)$", PAGE, re.MULTILINE)
    assert lines
    for line in lines:
        parser(PSYNC_AGENT, {}).parse_args(shlex.split(line))
    known = argparse.ArgumentParser()
    rehearse_arguments(known)
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) <= {*known._option_string_actions}
