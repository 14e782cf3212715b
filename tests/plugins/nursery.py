"""The process that our commands are forked from in tests: a start that imports everything costs
0.7 s, a fork 0.01.

Run by `plugins.started` with the number of a socket by which requests come, one a message: JSON of the
program, its arguments, the working directory and the environment, and four descriptors, which are the
command's standard streams and a socket to say how it fares: first its process id, then the status that it
ended with. A command is a process of its own, and ends as any program does. It differs from one that was
started in earnest in what is imported already; tests that are about a start take `served_instance.COMMAND`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import sys
import time
from typing import Any, Final

import provserver.cli.main
import provserver.etautil.command
from provserver.foundation import load_schema

PROGRAMS: Final = {
    "provserver": provserver.cli.main.main,
    "etautil": provserver.etautil.command.main,
}
MESSAGE: Final = 1 << 20
_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG, prctl(2)."""
_libc = ctypes.CDLL(None)


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the test run, which ends us
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for the minders: nobody
    provserver.cli.main.parser()  # imports every command
    load_schema()
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MESSAGE, 4)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            if _mind(socket.socket(fileno=descriptors[3])):
                request = json.loads(message)
                _become(request, descriptors[:3])
                sys.exit(PROGRAMS[request["program"]]())
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def _mind(report: socket.socket) -> bool:
    """True in the command's process. In the one that minds it False, when it has ended and that was told."""
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        report.close()
        _die_with_parent()
        return True
    # What the command has as its streams is not ours to hold open.
    os.closerange(0, report.fileno())
    os.closerange(report.fileno() + 1, 256)
    report.sendall(b"%d\n" % command)
    _, status = os.waitpid(command, 0)
    report.sendall(b"%d\n" % status)
    return False


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Take on what a process of that command would have begun with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = [request["program"], *request["arguments"]]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _die_with_parent() -> None:
    _libc.prctl(_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    main()
