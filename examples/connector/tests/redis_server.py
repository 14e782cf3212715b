"""A Redis server of the tests' own: on a loopback port, over TLS, gone when the test is over."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from provserver.testing.certificates import make_certificates

ADMINISTRATOR = "Test-Administrator-1"
SERVICE = "Service-Pass-1"
USERS = f"""\
user default on >{ADMINISTRATOR} ~* &* +@all
user provserver on >{SERVICE} +acl|getuser +acl|setuser +acl|users +acl|save
user kit on >Old-Tide-1 +@connection
user ada on >Old-Tide-2 +@connection
"""


class RedisServer:
    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            reason = "redis-server is not here; install it: apt-get install -y redis-server"
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        self.certificates = make_certificates(folder)
        (folder / "users.acl").write_text(USERS)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        settings = {
            "bind": "127.0.0.1",
            "port": "0",
            "tls-port": str(self.port),
            "tls-cert-file": str(self.certificates.certificate),
            "tls-key-file": str(self.certificates.key),
            "tls-auth-clients": "no",
            "aclfile": str(folder / "users.acl"),
            "dir": str(folder),
            "save": "",
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        raise AssertionError("redis-server has ended")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str, stdin: str | None = None) -> str:
        """What the administrator is told."""
        return self._ask("default", ADMINISTRATOR, *words, stdin=stdin)

    def accepts(self, user: str, password: str) -> bool:
        return "PONG" in self._ask(user, password, "PING")

    def _ask(self, user: str, password: str, *words: str, stdin: str | None = None) -> str:
        place = ["-p", str(self.port), "--tls", "--cacert", str(self.certificates.authority), "--user", user]
        environment = {**os.environ, "REDISCLI_AUTH": password}
        done = subprocess.run(
            ["redis-cli", *place, *words], env=environment, input=stdin, capture_output=True, text=True
        )
        return done.stdout
