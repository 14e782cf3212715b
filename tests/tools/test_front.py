"""The front's benchmark in its shortest form: both servers, every row sane."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generator import HERE as BENCH

from provserver.testing.slapd import require_slapd


def front(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The command with small data; what it printed, and its JSON."""
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, BENCH / "front.py", "--seconds", "0.2", "--entries", "200", "--users", "20"),
            *("--connections", "2", "--json", report, "--directory", tmp_path, *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done, json.loads(report.read_text()) if report.exists() else {}


@pytest.mark.slapd
def test_the_search_measurement_asks_both_sides_and_gives_sane_rows(
    tmp_path: Path, compiled: Callable[[str], Path]
) -> None:
    require_slapd()
    compiled("cycle")  # says what is missing when there is no compiler
    done, report = front(tmp_path, "--only", "search")
    assert done.returncode == 0, done.stderr + done.stdout
    compared, alone = report["tables"]["search"]
    assert [(row["request"], row["side"]) for row in compared["rows"]] == [
        (request, side) for request in ("(logon)", "(&(class)(logon))") for side in ("slapd", "ours")
    ]
    for row in compared["rows"]:
        assert row["failed"] == 0
        assert row["per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["ratio"] > 0
        assert row["generator"]["steps"]["1"]["count"] == row["generator"]["cycles"]
    assert [row["side"] for row in alone["rows"]] == ["null server"]
    assert report["failures"] == {}
    assert "| (logon)" in done.stdout


def test_an_unknown_measurement_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    done, _ = front(tmp_path, "--only", "search,speed")
    assert done.returncode == 2
    assert "speed: expected some of search,bind," in done.stderr


def test_a_number_of_entries_that_leaves_a_container_half_full_is_an_error(tmp_path: Path) -> None:
    done, _ = front(tmp_path, "--load-entries", "150")
    assert done.returncode == 2
    assert "--load-entries: expected multiples of 100 (a container), not 150" in done.stderr
