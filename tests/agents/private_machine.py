"""A machine of a test's own, as far as passwords go: an `/etc` that only its programs see, with one
throw-away user. Needs root; nothing of this machine's own is written.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from plugins.real_servers import not_here, program

UID: Final = 20_001
_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "run-an-agent.md"
_BLOCK: Final = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOUNTED: Final = 'mount --bind "$0" /etc && exec "$@"'
_PASSWD: Final = "root:x:0:0:root:/nonexistent:/bin/sh\n{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n"

Ran = subprocess.CompletedProcess[str]


def documented(*words: str) -> str:
    """The one block of the page on agents that has all these words."""
    (found,) = [
        block for block in _BLOCK.findall(_PAGE.read_text("utf-8")) if all(word in block for word in words)
    ]
    return found


class PrivateMachine:
    """`etc` is its `/etc`. `user` has `password` until somebody changes it."""

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.etc = folder / "etc"
        self.user = user
        for name in ("pam.d", "security"):
            (self.etc / name).mkdir(parents=True)
        folder.chmod(0o755)
        (self.etc / "passwd").write_text(_PASSWD.format(name=user, uid=UID))
        (self.etc / "group").write_text(f"root:x:0:\n{user}:x:{UID}:\n")
        (self.etc / "nsswitch.conf").write_text("passwd: files\nshadow: files\ngroup: files\n")
        (self.etc / "login.defs").write_text("")
        cache = Path("/etc/ld.so.cache")
        if cache.exists():
            shutil.copy(cache, self.etc)
        self.service("check", "auth required pam_unix.so nodelay")
        shadow = self.etc / "shadow"
        shadow.touch(mode=0o600)
        shadow.write_text("".join(f"{name}:*:19000:0:99999:7:::\n" for name in ("root", user)))
        done = self.run("chpasswd", "--crypt-method", "SHA512", stdin=f"{user}:{password}\n")
        assert done.returncode == 0, done.stderr

    def service(self, name: str, *lines: str) -> None:
        """What `/etc/pam.d/NAME` says."""
        (self.etc / "pam.d" / name).write_text("\n".join(lines) + "\n")

    def file(self, name: str, text: str, mode: int) -> Path:
        """A file below its `/etc`."""
        path = self.etc / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.touch(mode=mode)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(self, *command: str, stdin: str = "") -> Ran:
        """Run a command there, as root."""
        return _run(["sh", "-c", _MOUNTED, str(self.etc), *command], stdin)

    def run_as_user(self, *command: str, stdin: str = "") -> Ran:
        """Run a command there, as its user, who may gain rights by programs that give them."""
        ids = f"--reuid={UID}", f"--regid={UID}"
        return self.run("setpriv", *ids, "--clear-groups", *command, stdin=stdin)

    def accepts(self, password: str) -> bool:
        """Whether that is its user's password now."""
        tried = self.run("pamtester", "check", self.user, "authenticate", stdin=password + "\n")
        return tried.returncode == 0


def _run(command: Sequence[str], stdin: str = "") -> Ran:
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", *command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def require_private_machine() -> None:
    """Skip, or with CI=true as root fail, where there cannot be one."""
    if os.geteuid() != 0:
        pytest.skip("we are not root, who alone may give programs an /etc of their own")
    for name, package in (("pamtester", "pamtester"), ("passwd", "passwd"), ("setpriv", "util-linux")):
        program(name, package)
    allowed = _run(["true"])
    if allowed.returncode != 0:
        not_here(f"the right to mount ({allowed.stderr.strip()})", "nothing: run as a root who may mount")
