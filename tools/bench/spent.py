"""What a command costs: time, CPU, and the most memory it ever had.

    python -I -S spent.py REPORT COMMAND...

runs a command and writes what the kernel says about it (wait4) to REPORT. A process of its own, because what
a process had before exec counts as its peak: the child of a large runner would be as large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class Spent:
    """`peak` in bytes, times in seconds. `code` is the exit code; `said` what it said on standard error."""

    seconds: float
    cpu: float
    peak: int
    code: int
    said: str


def spent(command: list[str], directory: Path, *, stdout: IO[bytes] | None = None) -> Spent:
    """Run a command to its end; `directory` is for what passes between."""
    report = directory / "spent.json"
    done = subprocess.run(
        [sys.executable, "-I", "-S", __file__, str(report), *command],
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures = json.loads(report.read_text())
    report.unlink()
    return Spent(figures["seconds"], figures["cpu"], figures["peak"], figures["code"], done.stderr.strip())


def main(report: str, *command: str) -> None:
    begin = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    figures = {
        "seconds": time.monotonic() - begin,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,  # Linux counts it in KiB
        "code": os.waitstatus_to_exitcode(status),
    }
    Path(report).write_text(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
