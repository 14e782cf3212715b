"""The server is killed eight times while agents report changes and endpoints fail and recover: the tool of
tools/faults, bounded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "faults" / "kills.py"


@pytest.fixture
def kills() -> Iterator[subprocess.Popen[str]]:
    """The tool at its work; with it end the servers that it has begun."""
    words = [sys.executable, str(TOOL), "--kills", "8", "--seed", "5"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_after_eight_kills_every_account_has_its_users_newest_password_and_none_was_sent_an_older_one_late(
    kills: subprocess.Popen[str],
) -> None:
    said, _ = kills.communicate(timeout=240)
    figures = {line[:22].strip(): line[22:] for line in said.splitlines()}
    assert kills.returncode == 0, said
    assert figures["kills"] == "8 of 8"
    assert int(figures["acknowledged"]) > 40
    assert figures["newest everywhere"] == "yes"
