"""What the machine is and what it spent: facts for the head of the table, CPU time of processes."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generator import BenchFailed

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Facts:
    """The machine, as far as it matters to what is measured."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    filesystem: str
    fsync_ms: float
    load_average: float

    def lines(self) -> list[str]:
        return [
            f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB, Linux {self.kernel}, "
            f"Python {self.python}",
            f"an append of 4 KiB and fsync on {self.filesystem}: {self.fsync_ms:.2f} ms (median)",
            f"load average before the start: {self.load_average:.2f}"
            + (" (not quiet: compare ratios only, and repeat)" if self.load_average > 0.5 else ""),
        ]


def facts(directory: Path) -> Facts:
    """Facts of this machine; `directory` is where the servers keep their data."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return Facts(
        processor=names[0].split(":", 1)[1].strip() if names else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=memory,
        kernel=platform.release(),
        python=platform.python_version(),
        filesystem=_filesystem(directory),
        fsync_ms=_fsync_ms(directory),
        load_average=os.getloadavg()[0],
    )


def _filesystem(directory: Path) -> str:
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def _fsync_ms(directory: Path, times: int = 200) -> float:
    path = directory / "fsync-probe"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    spent: list[float] = []
    try:
        for _ in range(times):
            begin = time.perf_counter()
            os.write(descriptor, b"\0" * 4096)
            os.fdatasync(descriptor)
            spent.append(time.perf_counter() - begin)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(spent) * 1000


def _fields(pid: int) -> list[str] | None:
    """What follows the name in /proc/PID/stat; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _fields(int(entry))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [root], [root]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that these processes have used so far."""
    ticks = 0
    for pid in pids:
        fields = _fields(pid)
        if fields is not None:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


@dataclass(frozen=True, slots=True)
class Memory:
    """What processes hold, in bytes. `proportional`: shared pages counted in parts (PSS)."""

    resident: int
    proportional: int
    anonymous: int
    """The part of it that no file has: the heap."""


def memory(pids: Iterable[int]) -> Memory:
    """The memory of processes at this moment, from smaps_rollup."""
    totals = dict.fromkeys(("Rss", "Pss", "Pss_Anon"), 0)
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in text.splitlines()[1:]:
            name, _, amount = line.partition(":")
            if name in totals:
                totals[name] += int(amount.split()[0]) * 1024
    return Memory(totals["Rss"], totals["Pss"], totals["Pss_Anon"])


def allow_open_files(wanted: int) -> None:
    """Raise this process's limit of open files, and so that of the servers it starts. BenchFailed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise BenchFailed(f"only {hard} files may be open here (ulimit -Hn), {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def busy_seconds() -> float:
    """CPU time that the whole machine has used so far, idle and waiting time left out."""
    values = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(values) - values[3] - values[4]) / _TICKS


def wait_until_idle(pids: Iterable[int], *, quiet_seconds: float = 0.5, patience: float = 300.0) -> bool:
    """Wait until the processes have used no CPU to speak of for a while; False when that never came."""
    pids = list(pids)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = cpu_seconds(pids)
        time.sleep(quiet_seconds)
        if cpu_seconds(pids) - before <= 0.02 * quiet_seconds:
            return True
    return False
