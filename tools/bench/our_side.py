"""Our side: an instance made, loaded and served with the commands that everybody uses."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from generator import BenchFailed
from machine import family
from requests import PLACEHOLDER, Step, Template, bind_request
from side import HISTORY, MIN_LENGTH, TOO_SHORT, former_password, user_name

from provserver.ldap.filters import And, Equality, Scope
from provserver.ldap.messages import (
    Change,
    ChangeKind,
    DerefAliases,
    ModifyRequest,
    PartialAttribute,
    SearchRequest,
)
from provserver.vault.secret import Secret

COMMON: Final = "eTNamespaceName=CommonObjects,dc=im"
USERS: Final = f"eTGlobalUserContainerName=Global Users,{COMMON}"
AD: Final = "eTADSDirectoryName=bench-ad,eTNamespaceName=ActiveDirectory,dc=im"
UNIX: Final = "eTETCDirectoryName=bench-unix,eTNamespaceName=UNIX - etc,dc=im"
ACF2: Final = "eTACFDirectoryName=bench-mvs,eTNamespaceName=CA-ACF2,dc=im"
AGENT: Final = f"eTGlobalUserName=bench-agent,{USERS}"
ADMINISTRATOR: Final = f"eTGlobalUserName=etaadmin,{USERS}"
VIEW: Final = ",dc=eta"
"""What a client adds to an internal DN."""
TEST: Final = "eTTestPassword"
SYNC: Final = "eTSyncPassword"
SETTINGS: Final = (
    "passwords.scheme=ssha512",
    # Few users, each changed many times a minute: an artefact of the benchmark. The check itself stays on.
    "passwords.tests_per_minute=1000000",
)
READY: Final = re.compile(r"ready ldap=[^ ]*:(\d+) ldaps=[^ ]*:(\d+)")
FILL_STEPS: Final = (Step(ModifyRequest),)


class Instance:
    """A directory made by `init` and `load`. Its users have no password: `fill_cycles` gives them one."""

    def __init__(self, users: int, parent: Path) -> None:
        self.users = users
        self.directory = Path(tempfile.mkdtemp(prefix="provserver-", dir=parent))
        self._agent_password = secrets.token_urlsafe(18)
        self.administrator_password = Secret.of_text(secrets.token_urlsafe(18))
        domain = self.directory / "bench.ldif"
        with domain.open("w") as file:
            file.writelines(_entries(users, self._agent_password))
        self._run("init", "--admin-password-file", "-", stdin=self.administrator_password.reveal_text())
        self._run("load", str(domain))
        domain.unlink()
        self.bind = bind_request(AGENT + VIEW, Secret.of_text(self._agent_password))

    @property
    def home(self) -> Path:
        return self.directory / "instance"

    def copy(self) -> Instance:
        """Another instance with the same content. The server must be stopped."""
        twin = object.__new__(Instance)
        twin.users, twin.bind = self.users, self.bind
        twin._agent_password, twin.administrator_password = self._agent_password, self.administrator_password
        twin.directory = Path(tempfile.mkdtemp(prefix="provserver-", dir=self.directory.parent))
        shutil.copytree(self.home, twin.home)
        return twin

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def fill_cycles(self) -> Iterator[Sequence[bytes]]:
        """Syncs that leave every user with a full history: oldest first, a round over all users for each."""
        for age in range(HISTORY, -1, -1):
            for user in range(self.users):
                yield [Template(2, _replace(user, SYNC, former_password(user, age))).with_password(b"")]

    def _run(self, command: str, *arguments: str, stdin: str = "") -> None:
        settings = [part for setting in SETTINGS for part in ("--set", setting)]
        done = subprocess.run(
            [*_program(), command, str(self.home), *arguments, *settings],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchFailed(f"provserver {command}: {done.stderr.strip() or done.stdout.strip()}")


class OurSide:
    """`provserver serve` on an instance, with one Propagation Wait."""

    steps: Sequence[Step] = (
        Step(SearchRequest, entries=1),
        Step(ModifyRequest),
        Step(SearchRequest, entries=1),
        Step(ModifyRequest),
    )

    def __init__(self, instance: Instance, wait: float, *, profile: Path | None = None) -> None:
        self.name = f"ours, wait {wait:g}"
        self.instance = instance
        self.bind = instance.bind
        self._templates: dict[int, tuple[Template, ...]] = {}
        settings = [*SETTINGS, f"passwords.propagation_wait={wait:g}"]
        measured = ["-m", "cProfile", "-o", str(profile)] if profile else []
        self._errors = (instance.directory / "serve.log").open("wb")
        self._process = subprocess.Popen(
            [
                *_program(measured),
                *("serve", str(instance.home), "--ldap-port", "0", "--ldaps-port", "0"),
                *(part for setting in settings for part in ("--set", setting)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self.port = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def cycle(self, user: int, password: bytes) -> Sequence[bytes]:
        templates = self._templates.get(user)
        if templates is None:
            name = user_name(user).encode()
            search = SearchRequest(
                base=AD + VIEW,
                scope=Scope.SUBTREE,
                deref_aliases=DerefAliases.NEVER,
                size_limit=0,
                time_limit=0,
                types_only=False,
                filter=And((Equality("objectClass", b"eTADSAccount"), Equality("eTADSsAMAccountName", name))),
                attributes=("1.1",),
            )
            templates = self._templates[user] = (
                Template(2, search),
                Template(3, _replace(user, TEST, PLACEHOLDER)),
                Template(4, search),
                Template(5, _replace(user, SYNC, PLACEHOLDER)),
            )
        return [template.with_password(password) for template in templates]

    def check(self, user: int) -> Sequence[bytes]:
        return [
            Template(2, _replace(user, TEST, TOO_SHORT)).with_password(b""),
            Template(3, _replace(user, TEST, former_password(user, HISTORY))).with_password(b""),
        ]

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

    def _wait_until_ready(self) -> int:
        assert self._process.stdout is not None  # noqa: S101  we asked for the pipe
        for line in self._process.stdout:
            found = READY.search(line)
            if found:
                return int(found.group(1))
        said = (self.instance.directory / "serve.log").read_text(errors="replace")
        raise BenchFailed(f"provserver serve ended before it was ready: {said[-2000:].strip()}")


def _program(before: Sequence[str] = ()) -> list[str]:
    """The installed command, run by the interpreter that runs this: exactly what a user types."""
    script = Path(sys.executable).with_name("provserver")
    if not script.exists():
        raise BenchFailed(
            f"{script} is missing: install the checkout, e.g. {sys.executable} -m pip install -e ."
        )
    return [sys.executable, *before, str(script)]


def account_names(user: int) -> dict[str, str]:
    """The DN (internal form) of each account of a user, by its endpoint's name. The first one originates."""
    name = user_name(user)
    return {
        "bench-ad": f"eTADSAccountName={name},eTADSContainerName=Users,{AD}",
        "bench-unix": f"eTETCAccountName={name},eTETCAccountContainerName=Accounts,{UNIX}",
        "bench-mvs": f"eTACFLidName={name},eTACFLidContainerName=Accounts,{ACF2}",
    }


def _replace(user: int, attribute: str, password: bytes) -> ModifyRequest:
    dn = account_names(user)["bench-ad"] + VIEW
    return ModifyRequest(dn, (Change(ChangeKind.REPLACE, PartialAttribute(attribute, (password,))),))


def _entries(users: int, agent_password: str) -> Iterator[str]:
    """The domain: profile, endpoints, agent, users, and three accounts each with their inclusion."""
    profile = (
        f"eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,{COMMON}"
    )
    yield f"dn: {profile}\nchangetype: modify\nreplace: provProfileEnabled\nprovProfileEnabled: TRUE\n-\n"
    yield f"replace: provMinLength\nprovMinLength: {MIN_LENGTH}\n-\n"
    # Ours counts the password in force, as Windows does; slapd's pwdInHistory only those before it.
    yield f"replace: provHistoryCount\nprovHistoryCount: {HISTORY + 1}\n-\n\n"
    yield (
        "dn: eTConfigParamName=Use External Password Policies,"
        "eTConfigParamFolderName=Identity Manager Server,"
        f"eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,{COMMON}\n"
        "changetype: modify\nreplace: eTConfigParamValue\neTConfigParamValue: no\n-\n\n"
    )
    for endpoint, class_name, container in (
        (AD, "eTADS", "eTADSContainer"),
        (UNIX, "eTETC", "eTETCAccountContainer"),
        (ACF2, "eTACF", "eTACFLidContainer"),
    ):
        name = endpoint.split(",", 1)[0].split("=", 1)[1]
        inner = "Users" if endpoint == AD else "Accounts"
        yield f"dn: {endpoint}\nobjectClass: {class_name}Directory\n{class_name}DirectoryName: {name}\n"
        yield "provConnector: emulated\n\n"
        yield f"dn: {container}Name={inner},{endpoint}\nobjectClass: {container}\n"
        yield f"{container}Name: {inner}\n\n"
    yield f"dn: {AGENT}\nobjectClass: eTGlobalUser\neTGlobalUserName: bench-agent\n"
    yield f"eTPassword: {agent_password}\n"
    yield "eTUserAdminProfile: eTAdminProfileName=PasswordAdministrator,"
    yield f"eTAdminProfileContainerName=Admin Profiles,{COMMON}\nprovAgentScope: {AD}\n\n"
    for user in range(users):
        name = user_name(user)
        owner = f"eTGlobalUserName={name},{USERS}"
        yield f"dn: {owner}\nobjectClass: eTGlobalUser\neTGlobalUserName: {name}\neTFullName: User {name}\n"
        yield "eTPropagatePassword: 1\n\n"
        accounts = account_names(user)
        yield f"dn: {accounts['bench-ad']}\nobjectClass: eTADSAccount\neTADSAccountName: {name}\n"
        yield f"eTADSsAMAccountName: {name}\nprovGlobalUser: {owner}\n\n"
        yield f"dn: {accounts['bench-unix']}\nobjectClass: eTETCAccount\neTETCAccountName: {name}\n"
        yield f"provGlobalUser: {owner}\n\n"
        yield f"dn: {accounts['bench-mvs']}\nobjectClass: eTACFLid\neTACFLidName: {name}\n"
        yield f"provGlobalUser: {owner}\n\n"
