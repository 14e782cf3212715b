"""A fresh clone: two commands, everything in its place, and a run that says what it did not run."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in (REPOSITORY / "provserver").rglob("__init__.py"))


def metadata() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    return parser


def listed(section: str, option: str) -> list[str]:
    return metadata()[section][option].split()


def test_every_package_is_installed_with_its_data() -> None:
    """An editable install does not notice what setup.cfg forgets."""
    packages = {".".join(path.relative_to(REPOSITORY).parts) for path in PACKAGES}
    assert packages | {"provserver.ldif", "provserver.schema"} == set(listed("options", "packages"))
    data = metadata()["options.package_data"]
    for package, folder in (
        ("provserver.ldif", "ldif"),
        ("provserver.schema", "schema"),
        ("provserver.storage.sql", ""),
    ):
        place = REPOSITORY / (folder or package.replace(".", "/"))
        patterns = data[package].split()
        left_out = [
            path.name
            for path in place.iterdir()
            if path.is_file()
            and path.suffix != ".py"
            and not any(path.match(pattern) for pattern in patterns)
        ]
        assert left_out == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_folder_opens_with_what_lives_there(package: Path) -> None:
    text = (package / "__init__.py").read_text("utf-8")
    assert re.match(r'"""[A-Z`a-z][^\n]+', text), (
        "a docstring: what lives here, what it may import, where to start"
    )


def test_every_test_module_has_a_name_of_its_own() -> None:
    """Without packages under tests/, pytest imports them by name: a second one of a name is an error of the
    whole run, which shows only in the whole run.
    """
    names = Counter(path.name for path in (REPOSITORY / "tests").rglob("*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_versions_are_pinned_without_any_address() -> None:
    lines = [
        line
        for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
    wanted = listed("options", "install_requires")
    for extra in metadata()["options.extras_require"]:
        wanted += listed("options.extras_require", extra)
    for requirement in wanted:
        name = re.split(r"[\[<>=]", requirement)[0].lower()
        assert name in pinned, f"{name} has no version in constraints.txt"


def test_ci_runs_the_readmes_test_command_then_the_linters() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text()
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)
    assert "export CI=true" in script
    assert re.findall(r"^make ([\w-]+)$", script, re.MULTILINE) == ["test", "lint"]
    planned = subprocess.run(
        ["make", "-n", "lint"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    for linter in ("ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert linter in planned


def test_news_fragments_are_named_by_issue_and_kind() -> None:
    kinds = set(re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "news" / "README.md").read_text(), re.MULTILINE))
    for path in (REPOSITORY / "news").iterdir():
        if path.name == "README.md":
            continue
        named = re.fullmatch(r"\d+\.(\w+)(\.\d+)?\.md", path.name)
        assert named, path.name
        assert named[1] in kinds
        assert path.read_text().strip()


# -- what is said when a server is missing

NEEDS_SLAPD = """
import pytest
from provserver.testing import slapd

@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch):
    monkeypatch.setattr(slapd, "_PROGRAMS", ())
    monkeypatch.setenv("PATH", "/nowhere")

@pytest.mark.parametrize("number", range(2))
def test_against_slapd(number):
    slapd.require_slapd()

def test_without():
    pass
"""


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
@pytest.mark.parametrize("ci", ["", "true"])
def test_a_run_without_slapd_says_so_in_its_last_lines_and_fails_only_in_ci(
    tmp_path: Path, ci: str, workers: str
) -> None:
    (tmp_path / "test_it.py").write_text(NEEDS_SLAPD)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", workers, "-p", "no:cacheprovider", "-p", "plugins.skipped_servers"],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(REPOSITORY / "tests")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-2:]
    command = "install it: apt-get install -y slapd ldap-utils"
    if ci:
        assert done.returncode == 1
        assert "2 failed, 1 passed" in last[-1]
        assert command in done.stdout
    else:
        assert done.returncode == 0
        assert "1 passed, 2 skipped" in last[1]
        assert last[0] == (
            f"NOT RUN: 2 tests were skipped. OpenLDAP's server is not here (slapd not found); {command}"
        )


def install(
    tmp_path: Path, *programs: str, wanted: str = "no-such-command:slapd"
) -> subprocess.CompletedProcess[str]:
    """tools/install-servers on a machine that has these programs only; each says how it was called."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("env", "mktemp", "tail", "rm", "grep", "sh"):
        (place / name).symlink_to(f"/usr/bin/{name}")
    for program in programs:
        name, _, does = program.partition(":")
        file = place / name
        file.write_text(f"#!/bin/sh\necho {name} $* >> {tmp_path}/called\n{does or ':'}\n")
        file.chmod(0o755)
    script = (REPOSITORY / "tools" / "install-servers").read_text().replace(":/usr/sbin:/sbin", "")
    (tmp_path / "install-servers").write_text(script)
    return subprocess.run(
        ["/bin/sh", str(tmp_path / "install-servers"), *wanted.split()],
        env={"PATH": str(place), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def called(tmp_path: Path) -> str:
    file = tmp_path / "called"
    return file.read_text() if file.exists() else ""


def test_what_is_there_is_not_installed_again(tmp_path: Path) -> None:
    done = install(tmp_path, "apt-get", "id:echo 0", wanted="grep:grep-package")
    assert (done.returncode, done.stdout, called(tmp_path)) == (0, "", "")


def test_root_installs_what_is_missing(tmp_path: Path) -> None:
    done = install(tmp_path, "apt-get", "id:echo 0", "service")
    assert (done.returncode, done.stdout) == (0, "installing slapd ...\n")
    assert "apt-get install -y -q --no-install-recommends slapd\n" in called(tmp_path)
    assert "service slapd stop\n" in called(tmp_path), "the package's own server is not needed"


def test_a_sudo_that_asks_nothing_is_used(tmp_path: Path) -> None:
    done = install(
        tmp_path, "apt-get", "id:echo 1000", 'sudo:[ "$1" = -n ] && shift; "$@"', "true", "service"
    )
    assert (done.returncode, done.stdout) == (0, "installing slapd ...\n")
    assert "apt-get install -y -q --no-install-recommends slapd\n" in called(tmp_path)


def test_without_the_right_the_command_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    done = install(tmp_path, "apt-get", "id:echo 1000", "sudo:exit 1")
    assert done.returncode == 0
    assert done.stdout == "not installed: slapd. As root: apt-get install -y slapd\n"


def test_without_apt_the_run_goes_on(tmp_path: Path) -> None:
    done = install(tmp_path, "id:echo 0")
    assert done.returncode == 0
    assert done.stdout == "not installed: slapd (no apt-get here): the tests that need them will be skipped\n"


def test_an_installation_that_fails_shows_why_and_the_run_goes_on(tmp_path: Path) -> None:
    done = install(tmp_path, "id:echo 0", "apt-get:echo no network; exit 100")
    assert done.returncode == 0
    assert "no network\n" in done.stdout
    assert "not installed: slapd: the tests that need them will be skipped" in done.stdout
