"""Start our commands without importing everything each time: see `plugins.nursery`."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_NURSERY: Final = Path(__file__).with_name("nursery.py")


class _Nursery:
    """The process that ours are forked from; it ends with us."""

    def __init__(self) -> None:
        self.requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_NURSERY), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self.requests.close()
        self._process.wait()


_nursery = functools.cache(_Nursery)


class Started:
    """A command that runs: what tests use of a `Popen`."""

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """The streams are descriptors, which stay the caller's. Directory and environment are ours when
        not given."""
        request = {
            "program": program,
            "arguments": list(arguments),
            "directory": str(directory or Path.cwd()),
            "environment": dict(os.environ if environment is None else environment),
        }
        self._program = program
        self._report, theirs = socket.socketpair()
        with theirs:
            descriptors = [stdin, stdout, stderr, theirs.fileno()]
            socket.send_fds(_nursery().requests, [json.dumps(request).encode()], descriptors)
        self._lines = self._report.makefile("rb", buffering=0)
        self.pid: Final = int(self._lines.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative the signal that ended it. subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._program, timeout or 0.0)
            status = int(self._lines.readline())
            self.returncode = os.waitstatus_to_exitcode(status)
            self._lines.close()
            self._report.close()
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def send_signal(self, number: int) -> None:
        """Harmless when it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def ended(
    program: str,
    arguments: Sequence[str],
    *,
    stdin: bytes,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float,
) -> tuple[int, bytes, bytes]:
    """A command to its end: its exit code and what it said. subprocess.TimeoutExpired."""
    with _file(stdin) as given, _file() as out, _file() as err:
        process = Started(
            program,
            arguments,
            stdin=given.fileno(),
            stdout=out.fileno(),
            stderr=err.fileno(),
            directory=directory,
            environment=environment,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return code, _content(out), _content(err)


def _file(content: bytes = b"") -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed by who asked
    file.write(content)
    file.seek(0)
    return file


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
