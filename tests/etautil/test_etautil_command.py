"""The command as it is installed, in a process of its own, against a server in another one."""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    REPOSITORY,
    ServedInstance,
    command,
    until,
    user_dn,
)
from plugins.started import ended
from seen_commands import SEED_MASSCHANGE, SEED_UPDATE, USERS

COMMAND = (sys.executable, "-P", "-m", "provserver.etautil")
MY_USER = (
    f"dn: eTGlobalUserName=my_user,{USERS},dc=im\nobjectClass: eTGlobalUser\neTGlobalUserName: my_user\n"
)
NOBODY = f"update '{USERS}' eTGlobalUser eTGlobalUserName=nobody to eTTitle=x"
Serve = Callable[..., ServedInstance]
Ran = subprocess.CompletedProcess[str]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    without = {name: value for name, value in os.environ.items() if not name.startswith("ETAUTIL_")}
    return {**without, **more}


def etautil(*arguments: str, stdin: str = "", cwd: Path | None = None, **variables: str) -> Ran:
    given = stdin.encode()
    code, *said = ended(
        "etautil", arguments, stdin=given, directory=cwd, environment=environment(variables), timeout=120
    )
    out, err = (part.decode() for part in said)
    return subprocess.CompletedProcess(["etautil", *arguments], code, out, err)


class Etautil:
    """The command with a server that it trusts."""

    def __init__(self, served: ServedInstance) -> None:
        self.variables = {
            "ETAUTIL_URL": served.url(),
            "ETAUTIL_CA": str(served.authority),
            "ETAUTIL_PASSWORD": ADMINISTRATOR_PASSWORD,
        }

    def __call__(self, *arguments: str, stdin: str = "", cwd: Path | None = None) -> Ran:
        return etautil(*arguments, stdin=stdin, cwd=cwd, **self.variables)


@pytest.fixture
def told(demo_instance: Path, serve: Serve) -> Etautil:
    assert command("load", demo_instance, "-", stdin=MY_USER).returncode == 0
    return Etautil(serve(demo_instance))


def test_etautil_is_installed_as_a_command() -> None:
    metadata = configparser.ConfigParser()
    metadata.read(REPOSITORY / "setup.cfg")
    scripts = metadata["options.entry_points"]["console_scripts"]
    [place] = [line.partition("=")[2].strip() for line in scripts.splitlines() if line.startswith("etautil ")]
    entry = importlib.metadata.EntryPoint("etautil", place, "console_scripts").load()
    assert entry.__module__ == "provserver.etautil.entry"


# -- as people type it


def test_the_lines_of_the_seed_work_typed_as_they_stand(told: Etautil, tmp_path: Path) -> None:
    script = tmp_path / "bin" / "etautil"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    script.chmod(0o755)
    count = f"etautil report '{USERS}' eTGlobalUser name=* list eTPropagatePassword"
    typed = f"USER=etaadmin PWD={ADMINISTRATOR_PASSWORD}\n" + "\n".join(
        line.replace("-u USER -p PWD", '-u "$USER" -p "$PWD"')
        for line in (count, SEED_UPDATE.line, count, SEED_MASSCHANGE.line, count)
    )
    done = subprocess.run(
        ["bash", "-e", "-c", typed],
        capture_output=True,
        text=True,
        env=environment({**told.variables, "PATH": f"{script.parent}:{os.environ['PATH']}"}),
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    users = f"{USERS},dc=im,dc=eta"
    assert [line for line in lines if "eTPropagatePassword" not in line] == [
        "13 entries",
        f"update eTGlobalUserName=my_user,{users}: done",
        "13 entries",
        f"masschange {users}: 13 changed, 0 failed",
        "13 entries",
    ]
    assert [int(line.split()[0]) for line in lines if line.endswith("eTPropagatePassword: 1")] == [5, 6, 13]


def test_statements_come_from_a_file_or_from_standard_input(told: Etautil, tmp_path: Path) -> None:
    text = (
        f"# two of them\nupdate '{USERS}' GlobalUser name=aokafor\n  to title=Mate\n"
        f"select '{USERS}' GlobalUser name=aokafor list title;\n"
    )
    (tmp_path / "moves.txt").write_text(text)
    from_file = told("-f", "moves.txt", cwd=tmp_path)
    assert from_file.returncode == 0
    assert from_file.stdout.endswith("\neTTitle: Mate\n\n")
    for arguments in ((), ("-f", "-")):
        assert told(*arguments, stdin=text).stdout == from_file.stdout


def test_programs_read_one_object_a_line(told: Etautil) -> None:
    done = told("--json", "-f", "-", stdin=f"{NOBODY}; {NOBODY}")
    assert done.returncode == 1
    failed, first, second = map(json.loads, done.stdout.splitlines())
    assert (failed["code"], failed["name"]) == (32, "no_such_object")
    assert (first["outcome"], second["outcome"]) == ("failed", "not done")


def test_a_reader_who_goes_away_is_no_fault(told: Etautil) -> None:
    typed = f"{' '.join(COMMAND)} select \"'{USERS}'\" GlobalUser name='*' | head -n 1"
    done = subprocess.run(
        ["bash", "-c", typed],
        capture_output=True,
        text=True,
        env=environment(told.variables),
        timeout=120,
        check=False,
    )
    assert (done.stdout[:4], done.stderr) == ("dn: ", "")


# -- what is wrong before anything is sent: 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["updte", "x", "y"], "argument 1: expected a verb (add, copy, "),
        (
            ["update", "x=y", "eTRole", "name=R", "tu", "a=1"],
            "argument 5: expected 'to', and then what is to",
        ),
        (["delete", "oops", "eTRole", "name=R"], "argument 2: expected a DN, and in it "),
        (["-f", "no-such-file"], "-f no-such-file: No such file or directory"),
        (["-f", "x", "delete", "x=y"], "statements, or -f FILE with statements, but not both"),
        (["-d", "a..b", "delete", "x=y", "eTRole", "name=R"], "-d a..b: expected a domain"),
        (
            ["-u", "x=", "--page-size", "0"],
            "argument --page-size: invalid number from 1 to 100000 value: '0'",
        ),
        (["-p", "a", "-P", "b", "delete", "x=y", "eTRole", "name=R"], "-p or -P, but not both"),
        (["-P", "gone", "delete", "x=y", "eTRole", "name=R"], "the password cannot be read from gone: "),
        (["-p", "", "delete", "x=y", "eTRole", "name=R"], "the password is empty"),
        (["delete", "x=y", "eTRole", "name=R"], "no password: give -P FILE, or set ETAUTIL_PASSWORD"),
        (["--resume", "f", "delete", "x=y", "eTRole", "name=R"], "--resume is for one masschange"),
        (["-p", "a", "--url", "http://h", "delete", "x=y", "eTRole", "name=R"], "expected ldaps://host"),
        (["-P", "-"], "-P - and the statements both want standard input"),
        ([], "there is no statement"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_sent(arguments: Sequence[str], said: str) -> None:
    done = etautil(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_one_wrong_statement_of_many_and_none_is_done(told: Etautil) -> None:
    text = f"delete '{USERS}' GlobalUser name=aokafor;\nselect '{USERS}' GlobalUser name=*\n  lst title"
    done = told(stdin=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "standard input:3:3: expected ; or the end of the statement, found the word lst" in done.stderr
    assert told("select", USERS, "GlobalUser", "name=aokafor", "list", "name").stdout.startswith("dn: ")


# -- what is wrong with the server: 3


def test_a_server_that_is_not_trusted_is_refused_with_the_reason(told: Etautil) -> None:
    words = ["delete", USERS, "GlobalUser", "name=aokafor"]
    strangers = {**told.variables, "ETAUTIL_CA": ""}
    done = etautil(*words, **strangers)
    assert (done.returncode, done.stdout) == (3, "")
    assert "the server's certificate is refused: TLS failed: certificate verify failed" in done.stderr
    assert "--ca FILE, or ETAUTIL_CA" in done.stderr
    misnamed = told("--server-name", "elsewhere.example", *words)
    assert misnamed.returncode == 3
    assert "the server's certificate is refused: " in misnamed.stderr
    assert told("select", USERS, "GlobalUser", "name=aokafor", "list", "name").stdout.startswith("dn: ")


def test_who_cannot_bind_and_a_server_that_is_not_there_are_told(told: Etautil) -> None:
    words = ["delete", USERS, "GlobalUser", "name=aokafor"]
    wrong = told("-p", "wrong", *words)
    assert wrong.returncode == 3
    assert (
        f"eTGlobalUserName=etaadmin,{USERS},dc=im,dc=eta cannot bind: invalid_credentials (49): "
        in wrong.stderr
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ldaps://127.0.0.1:{free.getsockname()[1]}"
        absent = told("--url", url, *words)
    assert absent.returncode == 3
    assert absent.stderr.startswith(f"etautil: {url}: ")


# -- passwords


def test_the_password_comes_from_a_file_too(told: Etautil, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(ADMINISTRATOR_PASSWORD + "\n")
    del told.variables["ETAUTIL_PASSWORD"]
    words = ["select", USERS, "GlobalUser", "name=aokafor", "list", "name"]
    assert told("-P", str(tmp_path / "pw"), *words).returncode == 0
    assert told("-P", "-", *words, stdin=ADMINISTRATOR_PASSWORD + "\n").returncode == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux keeps command lines in /proc")
def test_no_password_stays_in_the_process_list() -> None:
    secret = "Harbour-Lantern-77"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ldaps://127.0.0.1:{silent.getsockname()[1]}"
        words = [
            "-p",
            secret,
            "--url",
            url,
            "update",
            "x=y",
            "eTRole",
            "name=R",
            "to",
            f"eTPassword={secret}",
        ]
        with subprocess.Popen([*COMMAND, *words], env=environment({}), stderr=subprocess.DEVNULL) as process:
            seen = Path(f"/proc/{process.pid}/cmdline")
            silent.accept()[0].close()
            assert secret.encode() not in seen.read_bytes()
            process.kill()


# -- interrupted


def crowd(size: int) -> str:
    return "\n".join(
        f"dn: eTGlobalUserName=crew{each:04},{USERS},dc=im\nobjectClass: eTGlobalUser\n"
        f"eTGlobalUserName: crew{each:04}\n"
        for each in range(size)
    )


def test_an_interrupted_masschange_says_how_to_go_on_and_goes_on(
    demo_instance: Path, serve: Serve, tmp_path: Path
) -> None:
    size = 2_000
    assert command("load", demo_instance, "-", stdin=crowd(size)).returncode == 0
    told = Etautil(serve(demo_instance))
    far = tmp_path / "far"
    words = ["--page-size", "5", "masschange", USERS, "GlobalUser", "name=crew*", "to", "+CustomField01=x"]
    slowly = [*COMMAND, "--in-flight", "1", "--resume", str(far), *words]
    with subprocess.Popen(
        slowly, env=environment(told.variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert until(lambda: far.exists() and far.read_text().count("\n") > 20)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    changed = far.read_text().count("\n") - 1
    assert changed < size
    assert f": {changed:,} changed, 0 failed, interrupted: " in errors
    assert errors.endswith(f"the same command with --resume {far}\n")

    done = told("--resume", str(far), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f": {size - changed:,} changed, 0 failed, {changed:,} done before\n")
    assert not far.exists()


def test_who_interrupts_while_nobody_answers_need_not_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ldaps://127.0.0.1:{silent.getsockname()[1]}"
        words = ["-p", "x", "--url", url, "delete", "x=y", "eTRole", "name=R"]
        with subprocess.Popen(
            [*COMMAND, *words], env=environment({}), stderr=subprocess.PIPE, text=True
        ) as process:
            accepted, _ = silent.accept()
            with accepted:
                accepted.recv(1)  # TLS begins: the command waits on its reactor
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "etautil: interrupted; nothing was done\n")


def test_a_terminal_sees_how_far_it_is(demo_instance: Path, serve: Serve) -> None:
    assert command("load", demo_instance, "-", stdin=crowd(300)).returncode == 0
    told = Etautil(serve(demo_instance))
    reading, writing = pty.openpty()
    try:
        words = ["masschange", USERS, "GlobalUser", "name=crew*", "to", "CustomField01=x"]
        done = subprocess.run(
            [*COMMAND, *words],
            stderr=writing,
            stdout=subprocess.PIPE,
            env=environment({**told.variables, "TERM": "xterm"}),
            timeout=120,
            check=False,
        )
        seen = os.read(reading, 65_536).decode()
    finally:
        os.close(reading)
        os.close(writing)
    assert done.returncode == 0
    assert " entries" in seen


def test_an_exploration_brings_the_accounts_that_the_endpoint_has(demo_instance: Path, serve: Serve) -> None:
    served = serve(demo_instance)
    endpoint = "eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im,dc=eta"
    accounts = (
        f"dn: {endpoint}\nchangetype: modify\nadd: provSetting\nprovSetting: accounts=aokafor,newcomer\n"
    )
    assert served.modify(accounts).returncode == 0
    typed = (
        "explore 'eTNamespaceName=OpenLDAP' eTDYNDirectory eTDYNDirectoryName=ldap-hq to eTExploreCreateUsers"
    )
    done = Etautil(served)(typed)
    assert (done.returncode, done.stderr) == (0, "")
    account = f"eTDYNAccountName=newcomer,eTDYNAccountContainerName=Accounts,{endpoint}"
    assert "newcomer" in served.search(account, "(objectClass=eTDYNAccount)", "eTDYNAccountName").stdout
    assert served.search(user_dn("newcomer"), "(objectClass=eTGlobalUser)", "1.1").returncode == 0
