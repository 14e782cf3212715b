"""The README's tour and the page for testers, executed as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from plugins.served_instance import REPOSITORY, ServedInstance, until

SERVE = "provserver serve lab\n"
PLACE = "ldaps://127.0.0.1:20390"


def shell(lines: str, folder: Path, *, before: str = "") -> str:
    """What a person sees who pastes these lines into a terminal there."""
    done = subprocess.run(
        ["bash", "-e"],
        input=before + lines,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def a_clone(folder: Path) -> Path:
    """As much of a checkout as the tour uses."""
    clone = folder / "provserver"
    (clone / ".venv").mkdir(parents=True)
    (clone / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (clone / "ldif").symlink_to(REPOSITORY / "ldif")
    return clone


def test_the_tour_of_the_readme_works_as_it_stands(
    tmp_path: Path, serve: Callable[..., ServedInstance], stock_clients: None
) -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    commands, make, agent, look = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [line.split()[:2] for line in commands.splitlines()] == [["make", "demo"], ["make", "test"]]
    clone = a_clone(tmp_path)

    assert make.endswith(SERVE), "the ports of the tour may be taken here: served on others"
    shell(make.removesuffix(SERVE), clone)
    served = serve(clone / "lab")
    assert re.fullmatch(r"ready ldap=127\.0\.0\.1:\d+ ldaps=127\.0\.0\.1:\d+\n", served.ready)
    assert "`ready ldap=127.0.0.1:20389 ldaps=127.0.0.1:20390`" in text

    assert agent.count(PLACE) == 3
    shown = shell(agent.replace(PLACE, served.url()), clone)
    assert shown.startswith("dn: eTADSAccountName=Okafor\\, Ada,")
    assert shown.count("modifying entry ") == 2

    [log] = (clone / "lab" / "logs").glob("etatrans*.log")
    assert until(lambda: "updated successfully" in log.read_text()), "it is written within a second"
    assert "S: External Modify (eTADSAccountName=Okafor\\, Ada) Requested by User psync" in log.read_text()
    assert "associated account" in shell(look, clone)
    assert served.accepts_password("aokafor", "Sluice-Compass-86")
    assert not served.accepts_password("aokafor", "Quay-Lantern-41")


def test_the_examples_for_testers_pass_as_they_stand(tmp_path: Path) -> None:
    """A block is the conftest, or tests, or lines from inside of a test whose agent is bound."""
    page = (REPOSITORY / "docs" / "use-it-in-tests.md").read_text("utf-8")
    tests, lines = [], []
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if "pytest_plugins =" in block:
            (tmp_path / "conftest.py").write_text(block)
        elif "def test_" in block:
            tests.append(block)
        else:
            lines.append(block)
    assert tests
    inside = (
        f"@pytest_twisted.ensureDeferred\nasync def test_lines_{number}(provserver):\n"
        '    agent = await provserver.wire("psync-ad-corp", "Gull-Ferry-Agent-11")\n'
        + textwrap.indent(block, "    ")
        for number, block in enumerate(lines)
    )
    (tmp_path / "test_examples.py").write_text("\n\n".join([*tests, *inside]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d+ passed", done.stdout)
