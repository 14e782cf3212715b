"""A provserver as a person has it: made, loaded and served by the real command, in processes of their own,
and spoken to with stock clients.

`demo_instance` is a fresh copy of an instance with the demo domain, `serve` starts servers that always end
with the test, `stock_clients` skips (or, with CI=true, fails) where ldap-utils are not installed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import pytest
from plugins.started import Started, ended

from provserver.testing.slapd import INSTALL_COMMAND

REPOSITORY: Final = Path(__file__).resolve().parents[2]
COMMAND: Final = (sys.executable, "-P", "-m", "provserver.cli.main")
"""For tests that are about a start; `command` and `ServedInstance` fork (see `plugins.nursery`)."""
ADMINISTRATOR_PASSWORD: Final = "Harbour-Master-99"
COMMON: Final = "eTNamespaceName=CommonObjects,dc=im,dc=eta"
GLOBAL_USERS: Final = f"eTGlobalUserContainerName=Global Users,{COMMON}"
READY_SECONDS: Final = 60.0
"""How long a start may take on a machine that does much else."""

Ran = subprocess.CompletedProcess[str]


def user_dn(name: str) -> str:
    """A global user, as clients name it."""
    return f"eTGlobalUserName={name},{GLOBAL_USERS}"


def command(
    *arguments: str | Path,
    stdin: str | bytes = "",
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """`provserver ...`, to its end."""
    words = [*map(str, arguments)]
    code, *said = ended(
        "provserver",
        words,
        stdin=stdin if isinstance(stdin, bytes) else stdin.encode(),
        directory=cwd,
        environment={**os.environ, **(environment or {})},
        timeout=120,
    )
    out, err = (part.decode(errors="backslashreplace") for part in said)
    return subprocess.CompletedProcess(["provserver", *words], code, out, err)


def until(what: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it comes true in time. For what happens in another process, which cannot call us."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class NotServed(Exception):
    """`provserver serve` ended before it was ready; the text is what it said."""


class ServedInstance:
    """One instance directory and, between `start` and `stop` or `kill`, the process that serves it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ready = ""
        """The line that said so."""
        self.said = ""
        """All of its standard output and standard error, of ended processes."""
        self._beside = Path(tempfile.mkdtemp(prefix="served-"))
        self._process: Started | None = None

    def start(self, *options: str) -> ServedInstance:
        """Serve on free ports; returns when it is ready. NotServed."""
        words = ["serve", str(self.directory), "--ldap-port", "0", "--ldaps-port", "0", *options]
        theirs, ours = os.pipe()
        self._out = open(theirs, "rb", buffering=0)  # noqa: SIM115  closed by `_ended`
        with open(ours, "wb") as out, self._errors.open("wb") as errors, open(os.devnull, "rb") as nothing:
            process = Started(
                "provserver", words, stdin=nothing.fileno(), stdout=out.fileno(), stderr=errors.fileno()
            )
        self._process = process
        self.ready = _line(self._out, READY_SECONDS)
        if not self.ready.startswith("ready "):
            self.kill()
            raise NotServed(self.ready + self.said)
        return self

    @property
    def process(self) -> Started:
        assert self._process is not None, "not started"
        return self._process

    def url(self, scheme: str = "ldaps") -> str:
        places = dict(word.split("=", 1) for word in self.ready.split()[1:])
        return f"{scheme}://{places[scheme]}"

    @property
    def authority(self) -> Path:
        return self.directory / "tls" / "ca.pem"

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        """SIGKILL; harmless when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._ended()

    def clean_up(self) -> None:
        self.kill()
        shutil.rmtree(self._beside, ignore_errors=True)

    def _ended(self) -> int:
        process, self._process = self.process, None
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        with self._out as rest:
            self.said += rest.read().decode(errors="backslashreplace")
        self.said += self._errors.read_text(errors="backslashreplace")
        return code

    @property
    def _errors(self) -> Path:
        return self._beside / "stderr"

    # -- stock clients

    def client(
        self, tool: str, *arguments: str, who: str = "", password: str = "", stdin: str = "", url: str = ""
    ) -> Ran:
        """ldapsearch, ldapmodify ...: by default over LDAPS, as etaadmin; `who` is a DN, "-" is nobody.

        The exit code is the LDAP result code. The password goes through a file, not a command line.
        """
        words = [tool, "-x", "-H", url or self.url()]
        if who != "-":
            words += ["-D", who or user_dn("etaadmin"), "-y", self._password_file(password, who)]
        return subprocess.run(
            [*words, *arguments],
            input=stdin,
            env={
                **os.environ,
                "LDAPTLS_CACERT": str(self.authority),
                "LDAPTLS_REQCERT": "demand",
                "HOME": str(self._beside),  # no .ldaprc of whoever runs this
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _password_file(self, password: str, who: str) -> str:
        file = self._beside / "password"
        file.touch(mode=0o600)
        file.write_text(password or ("" if who else ADMINISTRATOR_PASSWORD))
        return str(file)

    def search(self, base: str, filter: str, *attributes: str, who: str = "", password: str = "") -> Ran:
        arguments = ("-LLL", "-o", "ldif-wrap=no", "-b", base, filter, *attributes)
        return self.client("ldapsearch", *arguments, who=who, password=password)

    def modify(self, ldif: str, *, who: str = "", password: str = "") -> Ran:
        return self.client("ldapmodify", stdin=ldif, who=who, password=password)

    def set(self, dn: str, attribute: str, value: str, *, who: str = "", password: str = "") -> Ran:
        """Replace one attribute, as the seed's example does."""
        ldif = f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"
        return self.modify(ldif, who=who, password=password)

    def accepts_password(self, name: str, password: str) -> bool:
        """Whether a global user can bind with it, be it only to change it."""
        done = self.client("ldapsearch", "-s", "base", "-b", "", "1.1", who=user_dn(name), password=password)
        if done.returncode == 50 and "ETA_E_9045" in done.stdout:
            return True
        assert done.returncode in (0, 49), done.stderr
        return done.returncode == 0


def _line(file: IO[bytes], seconds: float) -> str:
    """The first line of a process's standard output; "" when it ended, or time is up."""
    got = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        while b"\n" not in got and selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(file.fileno(), 4096)
            if not piece:
                break
            got += piece
    return got.decode()


def make_instance(directory: Path, *ldif: Path | str, options: Sequence[str] = ()) -> Path:
    """`provserver init`, then `load` of files or of texts."""
    made = command(
        "init", directory, "--admin-password-file", "-", *options, stdin=ADMINISTRATOR_PASSWORD + "\n"
    )
    assert made.returncode == 0, made.stderr
    for source in ldif:
        if isinstance(source, Path):
            loaded = command("load", directory, source)
        else:
            loaded = command("load", directory, "-", stdin=source)
        assert loaded.returncode == 0, loaded.stderr
    return directory


@pytest.fixture(scope="session")
def _demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_instance(tmp_path_factory.mktemp("template") / "demo", REPOSITORY / "ldif" / "demo.ldif")


@pytest.fixture
def demo_instance(_demo_template: Path, tmp_path: Path) -> Path:
    """An instance with the demo domain, for this test alone; nobody serves it."""
    return shutil.copytree(_demo_template, tmp_path / "demo")


@contextlib.contextmanager
def serving() -> Iterator[Callable[..., ServedInstance]]:
    """`serve(directory, *options)` as often as wanted; every server ends with the block."""
    begun: list[ServedInstance] = []

    def serve(directory: Path, *options: str) -> ServedInstance:
        served = ServedInstance(directory)
        begun.append(served)
        return served.start(*options)

    try:
        yield serve
    finally:
        for served in begun:
            served.clean_up()


@pytest.fixture
def serve() -> Iterator[Callable[..., ServedInstance]]:
    """`serve(directory, *options)`: a ServedInstance that is ready."""
    with serving() as start:
        yield start


@pytest.fixture(scope="session")
def stock_clients() -> None:
    """OpenLDAP's command-line clients are here."""
    missing = [
        tool for tool in ("ldapsearch", "ldapmodify", "ldapadd", "ldapdelete") if not shutil.which(tool)
    ]
    if not missing:
        return
    reason = f"OpenLDAP's clients are not here ({', '.join(missing)}); install them: {INSTALL_COMMAND}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
