"""The benchmark of rehearsed agents runs, and shows both servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from generator import HERE as BENCH

from provserver.testing.slapd import require_slapd


def test_agents_change_passwords_on_both_servers_without_an_error(tmp_path: Path) -> None:
    require_slapd()
    figures = tmp_path / "figures.json"
    options = {"--agents": 4, "--users": 40, "--seconds": 0.5, "--rounds": 1, "--directory": tmp_path}
    done = subprocess.run(
        [
            sys.executable,
            str(BENCH / "rehearse.py"),
            "--json",
            str(figures),
            *[str(part) for option in options.items() for part in option],
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    slapd, ours = json.loads(figures.read_text())["rows"]
    assert (slapd["side"], ours["side"]) == ("slapd", "ours")
    for row in (slapd, ours):
        assert row["per_second"] > 0
        assert (row["errors"], row["refused"]) == (0, 0), row
    assert ours["arrival_max"] is not None
    assert ours["not_reached"] == 0
    assert "| slapd " in done.stdout
