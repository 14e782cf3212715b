"""Connections that change one user's password at once while the server is killed again and again: the tool
of tools/faults, bounded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "faults" / "races.py"


@pytest.fixture
def race(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """The tool at its work; with it end the servers that it has begun."""
    words = [sys.executable, str(TOOL), *map(str, request.param)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "race", [("--changes", 300, "--connections", 24, "--kills", 2, "--seed", 7)], indirect=True
)
def test_in_a_race_with_kills_every_acknowledged_change_keeps_its_place_and_the_last_one_wins(
    race: subprocess.Popen[str],
) -> None:
    said, _ = race.communicate(timeout=180)
    figures = {line[:26].strip(): line[26:] for line in said.splitlines()}
    assert race.returncode == 0, said
    assert figures["changes acknowledged"] == "300 of 300"
    assert figures["kills"] == "2 of 2"
    assert figures["order"] == "whole"
