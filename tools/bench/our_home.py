"""Our server as everybody has it: an instance made and filled by the installed commands, and served."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from generator import BenchFailed
from machine import family
from prepared import bind_request
from spent import Spent, spent

from provserver.vault.secret import Secret

COMMON: Final = "eTNamespaceName=CommonObjects,dc=im"
USERS: Final = f"eTGlobalUserContainerName=Global Users,{COMMON}"
AD: Final = "eTADSDirectoryName=bench-ad,eTNamespaceName=ActiveDirectory,dc=im"
AGENT: Final = f"eTGlobalUserName=bench-agent,{USERS}"
ADMINISTRATOR: Final = f"eTGlobalUserName=etaadmin,{USERS}"
VIEW: Final = ",dc=eta"
"""What a client adds to an internal DN."""
CHEAP_HASH: Final = "passwords.scheme=ssha512"
"""One fast digest, as slapd's {SSHA}. With argon2id, our default, it is argon2 that would be measured."""
READY: Final = re.compile(r"ready ldap=[^ ]*:(\d+) ldaps=[^ ]*:(\d+)")
LOG: Final = "serve.log"


class OurHome:
    """An instance in a directory of its own, made by `init`. Nobody serves it."""

    def __init__(self, parent: Path, settings: Sequence[str]) -> None:
        self.settings = tuple(settings)
        self.directory = Path(tempfile.mkdtemp(prefix="provserver-", dir=parent))
        self._agent_password = Secret.of_text(secrets.token_urlsafe(18))
        password = Secret.of_text(secrets.token_urlsafe(18))
        self.administrator = bind_request(ADMINISTRATOR + VIEW, password)
        self.agent = bind_request(AGENT + VIEW, self._agent_password)
        done = subprocess.run(
            self.command("init", "--admin-password-file", "-"),
            input=password.reveal_text(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchFailed(f"provserver init: {done.stderr.strip() or done.stdout.strip()}")

    @property
    def instance(self) -> Path:
        return self.directory / "instance"

    def command(self, name: str, *arguments: str, before: Sequence[str] = ()) -> list[str]:
        """The installed command on this instance, as a user types it. `before`: the interpreter's options."""
        settings = [part for setting in self.settings for part in ("--set", setting)]
        return [*_program(before), name, str(self.instance), *arguments, *settings]

    def load(self, ldif: Path) -> Spent:
        return self._spent(self.command("load", str(ldif)))

    def dump(self, ldif: Path) -> Spent:
        """The whole tree, written to a file."""
        with ldif.open("wb") as file:
            return self._spent(self.command("dump"), file)

    def copy(self) -> OurHome:
        """Another home with the same content. The server must be stopped."""
        twin = object.__new__(OurHome)
        twin.__dict__.update(self.__dict__)
        twin.directory = Path(tempfile.mkdtemp(prefix="provserver-", dir=self.directory.parent))
        shutil.copytree(self.instance, twin.instance)
        return twin

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def agent_ldif(self) -> str:
        """The agent: a PasswordAdministrator whose scope is the Active Directory endpoint."""
        profile = (
            f"eTAdminProfileName=PasswordAdministrator,eTAdminProfileContainerName=Admin Profiles,{COMMON}"
        )
        return (
            f"dn: {AGENT}\nobjectClass: eTGlobalUser\neTGlobalUserName: bench-agent\n"
            f"eTPassword: {self._agent_password.reveal_text()}\neTUserAdminProfile: {profile}\n"
            f"provAgentScope: {AD}\n\n"
        )

    def _spent(self, command: list[str], stdout: IO[bytes] | None = None) -> Spent:
        done = spent(command, self.directory, stdout=stdout)
        if done.code:
            raise BenchFailed(f"{' '.join(command[1:])}: {done.said[-2000:] or f'ended with {done.code}'}")
        return done


class OurServer:
    """`provserver serve` on a home. Returns when it accepts connections; `stop` ends it."""

    def __init__(self, home: OurHome, settings: Sequence[str] = (), *, profile: Path | None = None) -> None:
        self._log = home.directory / LOG
        measured = ["-m", "cProfile", "-o", str(profile)] if profile else []
        command = home.command("serve", "--ldap-port", "0", "--ldaps-port", "0", before=measured)
        began = time.monotonic()
        self._errors = self._log.open("wb")
        self._process = subprocess.Popen(
            [*command, *(part for setting in settings for part in ("--set", setting))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self.port, self.ldaps_port = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self.ready_seconds = time.monotonic() - began

    def pids(self) -> Sequence[int]:
        return family(self._process.pid)

    def stop(self) -> None:
        """End the server in good order (a profile is written then), or kill it when it does not end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _wait_until_ready(self) -> tuple[int, int]:
        assert self._process.stdout is not None  # noqa: S101  we asked for the pipe
        for line in self._process.stdout:
            found = READY.search(line)
            if found:
                return int(found.group(1)), int(found.group(2))
        said = self._log.read_text(errors="replace")
        raise BenchFailed(f"provserver serve ended before it was ready: {said[-2000:].strip()}")


def endpoint_ldif(endpoint: str, class_name: str) -> str:
    """An emulated endpoint."""
    name = endpoint.split(",", 1)[0].split("=", 1)[1]
    return (
        f"dn: {endpoint}\nobjectClass: {class_name}Directory\n{class_name}DirectoryName: {name}\n"
        "provConnector: emulated\n\n"
    )


def container_ldif(endpoint: str, container_class: str, container: str) -> str:
    return (
        f"dn: {container_class}Name={container},{endpoint}\nobjectClass: {container_class}\n"
        f"{container_class}Name: {container}\n\n"
    )


def _program(before: Sequence[str]) -> list[str]:
    """The installed command, run by the interpreter that runs this."""
    script = Path(sys.executable).with_name("provserver")
    if not script.exists():
        raise BenchFailed(
            f"{script} is missing: install the checkout, e.g. {sys.executable} -m pip install -e ."
        )
    return [sys.executable, *before, str(script)]
