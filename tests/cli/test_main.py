"""The command line as a whole: exit codes, and what is said when something is wrong."""

from __future__ import annotations

import argparse
import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from provserver.cli import main as room
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import create
from provserver.cli.main import COMMANDS, command_of, main


@dataclass
class Pretended:
    """A command that does what the test says."""

    does: Callable[[], int]
    HELP: str = "pretend"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """None."""

    def run(self, options: argparse.Namespace) -> int:
        return self.does()


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], int]:
    def run(does: Callable[[], int]) -> int:
        monkeypatch.setattr(room, "COMMANDS", ("pretend",))
        monkeypatch.setattr(room, "command_of", lambda name: Pretended(does))
        return main(["pretend"])

    return run


def raising(error: BaseException) -> Callable[[], int]:
    def does() -> int:
        raise error

    return does


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["serve"],
        ["load", "somewhere"],
        ["serve", "x", "--ldap-port", "70000"],
        ["dump", "x", "-q"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_is_2_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("usage: provserver")
    assert shown.out == ""


def test_help_names_every_command_and_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^    {name}\s", text, re.MULTILINE)
        assert command_of(name).HELP.split()[0] in text


@pytest.mark.sources
def test_a_command_imports_what_it_needs_and_not_the_others() -> None:
    imports = (
        "import sys; from provserver.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass"
    )
    tell = "\nprint(*[name for name in sys.modules if name.startswith('provserver.cli.')])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", imports + tell, "status", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert "provserver.cli.status" in imported
    assert not imported & {f"provserver.cli.{name}" for name in COMMANDS if name != "status"}


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("provserver ")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"init", "demo"}])
def test_a_directory_that_is_no_instance_is_2_and_says_what_to_do(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {
        "load": ["x.ldif"],
        "passwd": ["etaadmin"],
        "explain": ["a:b:c"],
        "guard": ["a:b:c"],
        "explore": ["AD-Corp"],
        "backup": ["copy"],
    }.get(name, [])
    acts = {"guard": "clear", "agent": "list", "alerts": "test", "keys": "list", "outbox": "list"}
    act = {**acts, "endpoints": "list"}.get(name)
    assert main([name, *([act] if act else []), str(tmp_path), *more]) == 2
    assert capsys.readouterr().err == (
        f"provserver: {tmp_path} is not an instance: there is no provserver.toml; provserver init makes one\n"
    )


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("server.ldap_port=99999", "server.ldap_port: expected a whole number from 0 to 65535; got 99999"),
        ("passwords.scheme=md5", "passwords.scheme: expected one of"),
        (
            "passwords.shceme=ssha512",
            "passwords.shceme: there is no such setting; did you mean passwords.scheme?",
        ),
        ("pasword.scheme=ssha512", "pasword: there is no such section; did you mean passwords?"),
        ("scheme", "expected SECTION.KEY=VALUE"),
    ],
)
def test_a_bad_setting_is_2_with_its_path_and_what_was_expected(
    assignment: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(tmp_path / "lab", domain="im", host="localhost", clock=lambda: 1_700_000_000.0)
    assert main(["serve", str(tmp_path / "lab"), "--set", assignment]) == 2
    assert capsys.readouterr().err.startswith(f"provserver: --set: {said}")


def test_a_bad_line_in_the_settings_file_is_2_with_file_path_and_expectation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = create(tmp_path / "lab", domain="im", host="localhost", clock=lambda: 1_700_000_000.0)
    with lab.settings_file.open("a") as file:
        file.write('\n[search]\nsize_limit = "many"\n')
    text = lab.settings_file.read_text().replace("\n[search]\n", "\n", 1)  # TOML takes a section once
    lab.settings_file.write_text(text)
    assert main(["dump", str(lab.directory)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"provserver: {lab.settings_file}: search.size_limit: expected a whole number")


def test_a_key_file_that_others_can_read_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = create(tmp_path / "lab", domain="im", host="localhost", clock=lambda: 1_700_000_000.0)
    lab.keys_file.chmod(0o644)
    assert main(["dump", str(lab.directory)]) == 2
    assert f"chmod 600 {lab.keys_file}" in capsys.readouterr().err


def test_a_failure_is_1_and_one_sentence(
    pretend: Callable[[Callable[[], int]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert pretend(raising(CommandFailed("the endpoint is on fire"))) == 1
    assert capsys.readouterr().err == "provserver: the endpoint is on fire\n"


def test_what_the_system_refuses_is_1_with_the_file_and_no_traceback(
    pretend: Callable[[Callable[[], int]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/lab/store.db")
    assert pretend(raising(full)) == 1
    assert capsys.readouterr().err == "provserver: /srv/lab/store.db: No space left on device\n"


def test_an_interruption_is_1_and_said(
    pretend: Callable[[Callable[[], int]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert pretend(raising(KeyboardInterrupt())) == 1
    assert capsys.readouterr().err == "provserver: interrupted\n"


def test_what_nobody_expected_is_1_and_says_before_and_after_the_traceback_what_it_is(
    pretend: Callable[[Callable[[], int]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert pretend(raising(ZeroDivisionError("a fault of ours"))) == 1
    first, *traceback, last = capsys.readouterr().err.rstrip("\n").split("\n")
    assert first == "provserver: pretend met an error that it did not expect:"
    assert "ZeroDivisionError: a fault of ours" in traceback
    assert last.startswith("provserver: pretend did not complete. This is a fault of provserver's")
