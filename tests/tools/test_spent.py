"""What a command costs is the command's own: not what the runner had before."""

from __future__ import annotations

import sys
from pathlib import Path

from spent import spent

MIB = 2**20


def test_the_peak_is_what_the_command_used_however_large_the_runner_is(tmp_path: Path) -> None:
    ours = bytearray(200 * MIB)
    ours[::4096] = b"x" * len(ours[::4096])
    small = spent([sys.executable, "-c", "pass"], tmp_path)
    large = spent([sys.executable, "-c", f"b = bytearray({40 * MIB}); b[::4096] = b[::4096]"], tmp_path)
    assert small.peak < 100 * MIB
    assert large.peak - small.peak > 30 * MIB
    assert ours[0] == ord("x")


def test_exit_code_errors_and_output_come_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        done = spent([sys.executable, "-c", "print('hello'); exit('no')"], tmp_path, stdout=file)
    assert (done.code, done.said, out.read_text()) == (1, "no", "hello\n")
    assert done.seconds > 0
