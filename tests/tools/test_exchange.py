"""What the exchange costs: the meter charges each part for itself, and the tool runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from generator import HERE as BENCH
from meter import OWN, Meter
from twisted.internet.defer import Deferred


class Work:
    """Takes as much time as it says."""

    def __init__(self) -> None:
        self.now = 0

    def clock(self) -> int:
        return self.now

    async def whole(self) -> str:
        self.now += 1
        await self.outer()
        self.now += 2
        self.plain()
        self.now += 4
        return "done"

    async def outer(self) -> None:
        self.now += 10
        self.plain()
        self.now += 20

    def plain(self) -> None:
        self.now += 100


def test_each_part_is_charged_for_itself_alone() -> None:
    work = Work()
    meter = Meter(work.clock)
    work.outer = meter.awaited(work.outer, "outer")  # type: ignore[method-assign]
    work.plain = meter.called(work.plain, "plain")  # type: ignore[method-assign]
    for _ in range(2):
        assert meter.parts_of(work.whole()) == ("done", {OWN: 7, "outer": 30, "plain": 200})
        work.now += 1000  # nobody's


def test_what_fails_is_charged_up_to_there_and_the_next_begins_anew() -> None:
    work = Work()
    meter = Meter(work.clock)

    async def failing() -> None:
        work.now += 5
        raise ValueError("no")

    work.outer = meter.awaited(failing, "outer")  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no"):
        meter.parts_of(work.whole())
    work.outer = Work().outer  # type: ignore[method-assign]
    assert meter.parts_of(work.whole())[1] == {OWN: 107}


def test_work_that_waits_is_not_metered() -> None:
    async def waiting() -> None:
        await Deferred()

    with pytest.raises(RuntimeError, match="never waits"):
        Meter().parts_of(waiting())


@pytest.mark.parametrize("rules", ["few", "all"])
def test_the_tool_measures_tests_and_syncs(tmp_path: Path, rules: str) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, BENCH / "exchange.py", "--users", "20", "--rules", rules, "--json", report],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "own p50 µs" in done.stdout
    rows = {row["exchange"]: row for row in json.loads(report.read_text())["rows"]}
    test, sync, alone = rows["test"], rows["sync after its test"], rows["sync alone"]
    for row in rows.values():
        assert row["count"] == 20
        assert 0 < row["own_p50_us"] < row["all_p50_us"]
    # The sync that follows a test neither derives nor judges again.
    assert test["hashing_p50_us"] > 0 == sync["hashing_p50_us"] < alone["hashing_p50_us"]
    assert test["delivering_p50_us"] == 0 < sync["delivering_p50_us"]
    assert (test["reading_p50_us"] > 0) == (rules == "all")
