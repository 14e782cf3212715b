#!/usr/bin/env python3
"""How soon each hook of an agent speaks: from the start of its process to its first octet at a server.

    python tools/bench/hooks.py [--runs N]

Somebody waits at a prompt for that long before the server is even asked; 150 ms is what it may take. By then
`sync` has written the change into its spool and synced the disk. The server here is a listener on loopback
that hears one message and hangs up, without TLS: the handshake is not the hook's. On a machine that does much
else the figures by the clock are of that machine: the verdict is on the processor time of the whole process,
which is about what the clock says on a quiet one.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from machine import facts

MAY_TAKE: Final = 150.0
"""Milliseconds."""
PASSWORD: Final = b"Kelp-Compass-88\n"
CONF: Final = """\
host = 127.0.0.1:{port}
use_tls = no
admin = bench
password = b
endpoint_name = bench
profile_enable = yes
search_acct_dn_timeout = 5
logging_enabled = no
"""
SCRIPT: Final = """\
#!/bin/sh -p
printf %s "$PAM_AUTHTOK" | {python} -I -m provserver.agents.pam --conf {conf} test
"""


@dataclass(frozen=True, slots=True)
class Hook:
    """What a system calls. `{conf}` in a word is the conf file, `{fd}` a descriptor with the password."""

    name: str
    words: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)


def python(module: str, *words: str) -> Sequence[str]:
    return (sys.executable, "-I", "-m", module, *words)


def hooks(script: Path) -> list[Hook]:
    psync, ada = ("provserver.agents", "--conf", "{conf}"), {"PAM_USER": "aokafor"}
    samba = {"SAMBA_CPS_ACCOUNT_NAME": "aokafor"}
    return [
        Hook("Python itself, and nothing else", ()),
        Hook("psync-agent test", python(*psync, "test", "aokafor")),
        Hook("psync-agent sync", python(*psync, "sync", "aokafor")),
        Hook(
            "change, password on a descriptor", python(*psync, "change", "AOKAFOR", "--password-fd", "{fd}")
        ),
        Hook("pam_exec: pam-agent test", python("provserver.agents.pam", "--conf", "{conf}", "test"), ada),
        Hook("pam_script: pam-agent test", (str(script),), {**ada, "PAM_AUTHTOK": "Kelp-Compass-88"}),
        Hook("Samba: samba-agent test", python("provserver.agents.samba", "--conf", "{conf}", "test"), samba),
    ]


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds: by the clock until it speaks (Python alone: has ended), and of a processor in all."""

    clock: float
    processor: float


def processor_ms() -> float:
    """Of all children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (spent.ru_utime + spent.ru_stime) * 1000


def taken(hook: Hook, conf: Path, listener: socket.socket) -> Taken:
    before = processor_ms()
    clock = spoken(hook, conf, listener)
    return Taken(clock, processor_ms() - before)


def spoken(hook: Hook, conf: Path, listener: socket.socket) -> float:
    """Milliseconds by the clock."""
    begun = time.perf_counter()
    if not hook.words:
        subprocess.run([sys.executable, "-I", "-c", ""], check=True)
        return (time.perf_counter() - begun) * 1000
    reading, writing = os.pipe()
    os.write(writing, PASSWORD)
    os.close(writing)
    words = [word.format(conf=conf, fd=reading) for word in hook.words]
    begun = time.perf_counter()
    process = subprocess.Popen(
        words,
        stdin=reading,
        pass_fds=[reading],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **hook.environment},
    )
    os.close(reading)
    try:
        peer, _ = listener.accept()
        with peer:
            heard = peer.recv(1)
            ended = time.perf_counter()
    except TimeoutError:
        heard, ended = b"", begun
    _, said = process.communicate(timeout=30)
    if not heard:
        raise SystemExit(f"{hook.name}: did not speak: {said.decode(errors='replace')}")
    return (ended - begun) * 1000


def make_conf(folder: Path, port: int) -> tuple[Path, Path]:
    """The conf file, and the script that pam_script calls."""
    conf, script = folder / "agent.conf", folder / "pam_script_passwd"
    conf.touch(mode=0o600)
    conf.write_text(CONF.format(port=port))
    script.write_text(SCRIPT.format(python=sys.executable, conf=conf))
    script.chmod(0o755)
    return conf, script


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=21, metavar="N", help="of each hook; 21 by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        folder = Path(name)
        listener.settimeout(30)
        conf, script = make_conf(folder, listener.getsockname()[1])
        print("\n".join(facts(folder).lines()), end="\n\n")
        print(f"{'ms until it speaks':34}{'median':>8}{'best':>8}{'worst':>8}{'processor':>12}")
        slow = []
        for hook in hooks(script):
            times = [taken(hook, conf, listener) for _ in range(options.runs)]
            clocks = [one.clock for one in times]
            processor = statistics.median([one.processor for one in times])
            figures = statistics.median(clocks), min(clocks), max(clocks)
            print(f"{hook.name:34}{''.join(f'{one:8.0f}' for one in figures)}{processor:12.0f}", flush=True)
            if processor > MAY_TAKE:
                slow.append(hook.name)
    print(f"\nmore than {MAY_TAKE:.0f} ms of a processor: {', '.join(slow) or 'none'}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
