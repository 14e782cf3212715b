"""A real OpenLDAP server in a temporary directory, for tests, benchmarks and the demo.

    with SlapdServer(policy=PasswordPolicy(min_length=8), ldif=PEOPLE) as slapd:
        ... slapd.ldap_url, slapd.ldaps_url, slapd.certificates.authority, slapd.root_dn, slapd.root_password

    slapd = SlapdServer(); await slapd.start(reactor); ...; slapd.stop()      # the same under Twisted

back-mdb with durable writes, its own certificate, loopback only, ports of its own. `stop` always kills.
Between `kill` and the next start the endpoint is down and keeps its data and its ports.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from provserver.testing.blocks import InBlock
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.slapd_configuration import (
    OPEN_ACCESS,
    PasswordPolicy,
    SlapdConfiguration,
    SlapdProgram,
)
from provserver.testing.stock_clients import stock_client

__all__ = [
    "INSTALL_COMMAND",
    "OPEN_ACCESS",
    "PasswordPolicy",
    "SlapdFailed",
    "SlapdMissing",
    "SlapdProgram",
    "SlapdServer",
    "find_slapd",
    "require_slapd",
]

INSTALL_COMMAND: Final = "apt-get install -y slapd ldap-utils"
START_SECONDS: Final = 20.0
"""How long a start may take before it has failed; a quiet machine needs 0.05."""
POLL_SECONDS: Final = 0.005
PORTS: Final = range(20400, 32000)
"""Below Linux's ephemeral range, so that no outgoing connection takes the port while the server is down."""

_PROGRAMS: Final = (
    "/usr/sbin/slapd",
    "/usr/local/sbin/slapd",
    "/usr/libexec/slapd",
    "/usr/local/libexec/slapd",
    "/usr/lib/openldap/slapd",
    "/opt/symas/lib/slapd",
)
_SCHEMA_FOLDERS: Final = (
    "/etc/ldap/schema",
    "/etc/openldap/schema",
    "/usr/local/etc/openldap/schema",
    "/opt/symas/etc/openldap/schema",
)
_MODULE_FOLDERS: Final = (
    "/usr/lib/ldap",
    "/usr/lib64/openldap",
    "/usr/lib/openldap",
    "/usr/local/libexec/openldap",
    "/opt/symas/lib/openldap",
)


class SlapdMissing(Exception):
    """There is no slapd here; the text says how to install it."""


class SlapdFailed(Exception):
    """slapd, or a tool of its family, did not do what was asked; the text is what it said."""


def find_slapd() -> SlapdProgram:
    """The slapd of this machine. Raises SlapdMissing."""
    on_path = shutil.which("slapd")
    candidates = ([on_path] if on_path else []) + list(_PROGRAMS)
    slapd = next((Path(path) for path in candidates if os.access(path, os.X_OK)), None)
    schemas = next((Path(path) for path in _SCHEMA_FOLDERS if Path(path, "core.schema").is_file()), None)
    if slapd is None or schemas is None:
        what = "slapd" if slapd is None else "slapd's core.schema"
        raise SlapdMissing(f"OpenLDAP's server is not here ({what} not found); install it: {INSTALL_COMMAND}")
    modules = next((Path(path) for path in _MODULE_FOLDERS if list(Path(path).glob("back_mdb*"))), None)
    return SlapdProgram(slapd, schemas, modules)


def require_slapd() -> SlapdProgram:
    """For tests: the slapd of this machine; if there is none, skip with the reason, or with CI=true fail."""
    import pytest  # only tests call this; whoever uses the demo need not have pytest

    try:
        return find_slapd()
    except SlapdMissing as missing:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


class SlapdServer(InBlock):
    """One slapd with one database. Owns a process and a directory; `stop`, or leaving the `with`, ends both.

    `ldif` is loaded as it is (slapadd: no policy, no hashing) before the first start, after the suffix entry
    and, with a policy, `cn=policy,<suffix>`, which are always made. `access` and `indexes` are lines of
    slapd.conf(5); so are `global_extra` and `extra`, which go to the end of the global section and of the
    database's. `log_level` is slapd's -d: what it writes to its log file.
    """

    def __init__(
        self,
        *,
        suffix: str = "dc=example,dc=com",
        policy: PasswordPolicy | None = None,
        access: Sequence[str] = OPEN_ACCESS,
        indexes: Sequence[str] = ("objectClass eq", "uid eq"),
        ldif: str | bytes = "",
        certificates: Certificates | None = None,
        hash_scheme: str = "{SSHA}",
        demand_tls: bool = False,
        global_extra: Sequence[str] = (),
        extra: Sequence[str] = (),
        log_level: str = "none",
        parent_directory: Path | None = None,
    ) -> None:
        if not suffix.lower().startswith("dc="):
            raise ValueError(f"suffix: expected a DN that begins with dc=, not {suffix!r}")
        self.suffix = suffix
        self.root_dn = f"cn=admin,{suffix}"
        self.root_password = secrets.token_urlsafe(18)
        self.ldap_port = 0
        self.ldaps_port = 0
        self._configuration = SlapdConfiguration(
            suffix=suffix,
            root_dn=self.root_dn,
            policy=policy,
            access=tuple(access),
            indexes=tuple(indexes),
            hash_scheme=hash_scheme,
            demand_tls=demand_tls,
            global_extra=tuple(global_extra),
            extra=tuple(extra),
        )
        self._ldif = ldif.encode() if isinstance(ldif, str) else ldif
        self._log_level = log_level
        self._temporary = tempfile.TemporaryDirectory(prefix="slapd-", dir=parent_directory)
        self.directory = Path(self._temporary.name)
        # Apart, and where the system's temporary files are: the path of a socket has room for 107 bytes only.
        self._socket_directory = tempfile.TemporaryDirectory(prefix="slapd-")
        self.certificates = certificates or make_certificates(self.directory)
        self._program: SlapdProgram | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ports_known = False

    def __repr__(self) -> str:
        return f"<SlapdServer {self.suffix} {self.ldap_url} {'up' if self.running else 'down'}>"

    @property
    def ldap_url(self) -> str:
        return f"ldap://127.0.0.1:{self.ldap_port}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.ldaps_port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running slapd. Raises SlapdFailed when it is down."""
        if self._process is None or self._process.poll() is not None:
            raise SlapdFailed("slapd is not running")
        return self._process.pid

    # -- up and down

    def start_blocking(self) -> None:
        """Start, and return when the server accepts connections. Raises SlapdMissing, SlapdFailed."""
        program = self._prepared()
        for _ in self._starting(program):
            time.sleep(POLL_SECONDS)

    async def start(self, reactor: IReactorTime) -> None:
        """The same under Twisted: prepares in a thread of its own, waits on the reactor."""
        pool = ThreadPool(minthreads=1, maxthreads=1, name="slapd-preparation")
        pool.start()
        try:
            program = await deferToThreadPool(cast(IReactorFromThreads, reactor), pool, self._prepared)
        finally:
            pool.stop()
        for _ in self._starting(program):
            await deferLater(reactor, POLL_SECONDS)

    def kill(self) -> None:
        """Take the endpoint down as a crash would (SIGKILL); data and ports stay. Never fails."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # also ends a frozen process
            process.wait()

    def freeze(self) -> None:
        """Make it hang: connections stay open, nobody answers, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)
        # A thread on another processor may go on for a moment; it has stopped when the parent is told.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill the server and remove its directory. Harmless when done already."""
        self.kill()
        self._temporary.cleanup()
        self._socket_directory.cleanup()

    def begin(self) -> None:
        self.start_blocking()

    # -- asking it

    def log(self) -> str:
        """What slapd said on its standard error since its last start."""
        with contextlib.suppress(FileNotFoundError):
            return self._log_file.read_text(errors="replace")
        return ""

    def tool(
        self,
        name: str,
        *arguments: str,
        url: str = "",
        stdin: str = "",
        bind_dn: str = "",
        password: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a stock client (ldapsearch, ldapmodify, ...), by default over LDAPS as the root DN. Blocks.

        The exit code is the LDAP result code.
        """
        try:
            return stock_client(
                [name, *arguments],
                url=url or self.ldaps_url,
                bind_dn=bind_dn or self.root_dn,
                password=password if bind_dn else self.root_password,
                authority=self.certificates.authority,
                folder=self.directory,
                stdin=stdin,
            )
        except FileNotFoundError:
            raise SlapdMissing(f"{name} is not here; install it: {INSTALL_COMMAND}") from None

    def add(self, ldif: str) -> None:
        """Add entries while the server runs, as the root DN. Blocks. Raises SlapdFailed."""
        done = self.tool("ldapmodify", "-a", stdin=ldif)
        if done.returncode:
            raise SlapdFailed(f"ldapmodify: {done.stderr.strip()}")

    def accepts_password(self, dn: str, password: str) -> bool:
        """Whether `dn` can bind with this password: how a test sees that a password arrived. Blocks."""
        done = self.tool("ldapwhoami", bind_dn=dn, password=password)
        if done.returncode not in (0, 49):  # 49 = invalidCredentials, RFC 4511 appendix A.2
            raise SlapdFailed(f"ldapwhoami: {done.stderr.strip()}")
        return done.returncode == 0

    # -- how it is made

    @property
    def _socket(self) -> Path:
        return Path(self._socket_directory.name) / "ldapi"

    @property
    def _log_file(self) -> Path:
        return self.directory / "slapd.log"

    def _prepared(self) -> SlapdProgram:
        """Makes what must be there before the first start, once. Blocks."""
        if self._program is None:
            program = find_slapd()
            data = self.directory / "data"
            data.mkdir()
            file = self.directory / "slapd.conf"
            file.touch(mode=0o600)
            file.write_text(
                self._configuration.text(program, self.certificates, data, self.root_password.encode())
            )
            for ldif in (self._configuration.first_entries().encode(), self._ldif):
                self._slapadd(program, ldif)
            self._program = program
        return self._program

    def _slapadd(self, program: SlapdProgram, ldif: bytes) -> None:
        """Load entries into the files of a server that is down; -q, since there is nothing to protect yet."""
        command = [str(program.slapd), "-T", "add", "-q", "-f", str(self.directory / "slapd.conf")]
        done = subprocess.run(command, input=ldif, capture_output=True, check=False)
        if done.returncode:
            raise SlapdFailed(f"slapadd: {done.stderr.decode(errors='replace').strip()}")

    def _starting(self, program: SlapdProgram) -> Iterator[None]:
        """Start the process and yield until it accepts connections; the caller waits a moment at every step.

        Two runs can pick the same free port at the same time: the one that could not bind picks again,
        unless it was up before: then clients know its ports, and it waits for them.
        """
        if self.running:
            raise SlapdFailed("slapd is running already")
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self._ports_known:
                self.ldap_port, self.ldaps_port = _free_ports(2)
            process = self._process = self._spawned(program)
            while process.poll() is None and time.monotonic() < deadline:
                if self._accepts():
                    self._ports_known = True
                    return
                yield
            ended, said = process.poll(), self.log().strip()
            self.kill()
            if ended is None:
                raise SlapdFailed(f"slapd accepted no connection in {START_SECONDS:g} s: {said}")
            if "bind(" not in said or time.monotonic() >= deadline:
                raise SlapdFailed(f"slapd ended with {ended}: {said or 'it said nothing'}")
            yield

    def _spawned(self, program: SlapdProgram) -> subprocess.Popen[bytes]:
        # The local socket comes last: slapd listens in this order, and a path in our own directory cannot be
        # somebody else's, as a port can.
        urls = f"{self.ldap_url}/ {self.ldaps_url}/ ldapi://{quote(str(self._socket), safe='')}"
        command = [str(program.slapd), "-f", str(self.directory / "slapd.conf"), "-h", urls]
        command += ["-d", self._log_level]  # any -d keeps it in the foreground; `none` still shows errors
        guard = shutil.which("setpriv")
        if guard is not None:
            # A test run that is killed takes its slapd with it. This is bound to the life of the thread that
            # starts it: that is why only the preparation has a thread of its own.
            command = [guard, "--pdeathsig", "KILL", *command]
        self._socket.unlink(missing_ok=True)
        with self._log_file.open("wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0


def _free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on at this moment."""
    found: list[int] = []
    while len(found) < count:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as slapd does
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found += [port] if port not in found else []
    return found
