"""A real Samba Active Directory domain controller in a temporary directory, for tests.

    require_samba()
    with DomainController(template=template_of(tmp_path_factory)) as samba:
        samba.create_user("kit", "Gull-Ferry-1")
        ... samba.ldaps_url, samba.certificates.authority, samba.bind_dn, samba.password

Samba's ports are fixed, so each controller has a loopback address of its own. It needs Linux and root, but no
privilege beyond: files' ACLs are kept in a database. There is no DNS. `stop` always kills.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provserver.testing.blocks import InBlock
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.samba_domain import (
    HOST,
    PASSWORD_FILE,
    REALM,
    SambaFailed,
    SambaMissing,
    claimed_address,
    configuration,
    locked,
    provision,
    provision_whole,
)
from provserver.testing.stock_clients import stock_client

if TYPE_CHECKING:
    import pytest

__all__ = [
    "INSTALL_COMMAND",
    "REALM",
    "DomainController",
    "SambaFailed",
    "SambaMissing",
    "find_samba",
    "require_samba",
    "template_of",
]

INSTALL_COMMAND: Final = (
    "apt-get install -y samba samba-ad-provision samba-dsdb-modules samba-vfs-modules ldap-utils"
)
START_SECONDS: Final = 60.0
"""How long a start may take before it has failed; a quiet machine needs 0.3."""
POLL_SECONDS: Final = 0.01

_ESTABLISHED: Final = "01"
"""In /proc/net/tcp, whose addresses are hexadecimal and begin with the last octet."""
_FILES: Final = (
    "/usr/lib/*/samba/ldb/password_hash.so",
    "/usr/lib/*/samba/vfs/acl_xattr.so",
    "/usr/share/samba/setup/provision.ldif",
)


def find_samba() -> None:
    """Whether a domain controller can be made and run here. Raises SambaMissing."""
    programs = [name for name in ("samba", "samba-tool", "ldapsearch", "ldapmodify") if _which(name) is None]
    files = [pattern for pattern in _FILES if not list(Path("/").glob(pattern[1:]))]
    if programs or files:
        what = ", ".join(programs + files)
        raise SambaMissing(f"Samba's domain controller is not here ({what}); install it: {INSTALL_COMMAND}")
    if os.geteuid() != 0:
        raise SambaMissing("Samba's domain controller has ports below 1024 and needs root")
    if not sys.platform.startswith("linux"):
        raise SambaMissing("a loopback address for each domain controller needs Linux")


def require_samba() -> None:
    """For tests: skip with the reason where there is no domain controller; with CI=true fail, as root."""
    import pytest  # only tests call this

    try:
        find_samba()
    except SambaMissing as missing:
        if os.environ.get("CI", "").lower() == "true" and os.geteuid() == 0:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def template_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a test run keeps the domain that its controllers begin with: one for all workers of xdist."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "samba-domain"


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class DomainController(InBlock):
    """One domain with one controller. Owns processes, a directory and an address; `stop`, or leaving the
    `with`, ends them.

    `extra` are lines of smb.conf(5), to the end of its global section. `services` are Samba's "server
    services": LDAP and Kerberos (with kpasswd) when not given. `template` keeps a provisioned domain (4 s of
    work): who comes first makes it, the others copy it (0.2 s).
    """

    def __init__(
        self,
        *,
        extra: Sequence[str] = (),
        services: Sequence[str] = ("ldap", "kdc"),
        template: Path | None = None,
        log_level: int = 0,
    ) -> None:
        self.domain = REALM.lower()
        self.base = ",".join(f"DC={part}" for part in self.domain.split("."))
        self.users = f"CN=Users,{self.base}"
        self.bind_dn = f"CN=Administrator,{self.users}"
        self.password = ""
        self.address, self._claim = claimed_address()
        self._temporary = tempfile.TemporaryDirectory(prefix="samba-")
        self.directory = Path(self._temporary.name)
        self._configuration = self.directory / "smb.conf"
        self._template = template
        self._services = services
        self._log_level = log_level
        self.certificates: Certificates = make_certificates(
            self.directory, [f"{HOST}.{self.domain}", self.address]
        )
        self._extra = [
            f"tls certfile = {self.certificates.certificate}",
            f"tls keyfile = {self.certificates.key}",
            f"tls cafile = {self.certificates.authority}",
            *extra,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<DomainController {self.domain} {self.ldaps_url} {'up' if self.running else 'down'}>"

    @property
    def ldap_url(self) -> str:
        return f"ldap://{self.address}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # -- up and down

    def start(self) -> None:
        """Start, and return when LDAPS answers. The domain is made the first time. Blocks. Raises
        SambaMissing, SambaFailed.
        """
        if self.running:
            raise SambaFailed("samba is running already")
        find_samba()
        if not self.password:
            self._make()
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                # One process: -M single. Interactive: in the foreground, and it ends when it is told.
                self._guarded("samba", "-i", "-M", "single", "-d", str(self._log_level), "-s", self._conf),
                stdin=subprocess.PIPE,  # it ends at the end of its standard input
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                raise SambaFailed(f"samba did not answer (ended: {ended}): {self.log().strip()}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """Take it down as a crash would (SIGKILL), with all its processes; its data stay. Never fails."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        process.wait()

    def freeze(self) -> None:
        """Make it hang: connections stay open, nobody answers, until `thaw`. Raises SambaFailed."""
        if self._process is None or not self.running:
            raise SambaFailed("samba is not running")
        os.killpg(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Harmless when it does not hang."""
        if self._process is not None and self.running:
            os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill the server, remove its directory, give its address back. Harmless when done already."""
        self.kill()
        self._claim.close()
        self._temporary.cleanup()

    def begin(self) -> None:
        self.start()

    # -- asking it

    def lines(self) -> int:
        """How many LDAPS connections it has."""
        local = socket.inet_aton(self.address)[::-1].hex().upper() + f":{636:04X}"
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        return sum(row[1] == local and row[3] == _ESTABLISHED for row in rows)

    def log(self) -> str:
        """What samba said since its last start."""
        with contextlib.suppress(FileNotFoundError):
            return self._log_file.read_text(errors="replace")
        return ""

    def samba_tool(self, *words: str, stdin: str = "") -> str:
        """Run samba-tool(8) on the controller's own files; what it said. Blocks. Raises SambaFailed."""
        done = subprocess.run(
            ["samba-tool", *words, "-s", self._conf], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SambaFailed(f"samba-tool {' '.join(words[:2])}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def ldap_tool(
        self, name: str, *words: str, stdin: str = "", bind_dn: str = "", password: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a stock client (ldapsearch, ldapmodify, ...) over LDAPS, as the administrator when nobody is
        named. Blocks. Its exit code is LDAP's result code.
        """
        return stock_client(
            [name, *words],
            url=self.ldaps_url,
            bind_dn=bind_dn or self.bind_dn,
            password=password if bind_dn else self.password,
            authority=self.certificates.authority,
            folder=self.directory,
            stdin=stdin,
        )

    def modify(self, ldif: str) -> None:
        """Carry out LDIF as the administrator, additions as well as changes. Blocks. Raises SambaFailed."""
        done = self.ldap_tool("ldapmodify", "-a", stdin=ldif)
        if done.returncode:
            raise SambaFailed(f"ldapmodify: {done.stderr.strip()}")

    def attribute(self, name: str, attribute: str) -> str:
        """A user's value, or nothing. Blocks. Raises SambaFailed."""
        wanted = f"(sAMAccountName={name})"
        done = self.ldap_tool("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", self.base, wanted, attribute)
        if done.returncode not in (0, 10):  # 10: a referral to DNS's partition, after all entries
            raise SambaFailed(f"ldapsearch: {done.stderr.strip()}")
        lines = (line.partition(": ") for line in done.stdout.splitlines())
        return next((value for key, _, value in lines if key == attribute), "")

    def create_user(self, name: str, password: str, *, cn: str = "") -> str:
        """Somebody who can log in, with sAMAccountName `name` and a UPN of it; their DN. Blocks. Raises
        SambaFailed.
        """
        dn = f"CN={(cn or name).replace(',', chr(92) + ',')},{self.users}"
        self.modify(
            f"dn:: {_base64(dn.encode())}\nobjectClass: user\nsAMAccountName: {name}\n"
            f"userPrincipalName: {name}@{self.domain}\nuserAccountControl: 512\n"
            f"unicodePwd:: {_base64(_quoted(password))}\n"
        )
        return dn

    def set_password(self, name: str, password: str) -> None:
        """An administrator's reset, by samba-tool. Blocks. Raises SambaFailed, e.g. when policy refuses."""
        self.samba_tool("user", "setpassword", name, stdin=f"{password}\n{password}\n")

    def change_password(self, name: str, old: str, new: str) -> None:
        """The user's own change, over LDAPS. Blocks. Raises SambaFailed with what the server answered."""
        was, wanted = (_base64(_quoted(password)) for password in (old, new))
        change = (
            f"dn: {self.attribute(name, 'dn')}\nchangetype: modify\n"
            f"delete: unicodePwd\nunicodePwd:: {was}\n-\nadd: unicodePwd\nunicodePwd:: {wanted}\n-\n"
        )
        who = f"{name}@{self.domain}"
        done = self.ldap_tool("ldapmodify", stdin=change, bind_dn=who, password=old)
        if done.returncode:
            raise SambaFailed(f"ldapmodify: {done.stderr.strip()}")

    def accepts_password(self, name: str, password: str) -> bool:
        """Whether somebody can log in with it, by a simple bind over LDAPS. Blocks. Raises SambaFailed."""
        return self.refusal_of(name, password) == ""

    def refusal_of(self, name: str, password: str) -> str:
        """What the server says to a simple bind that it refuses; nothing when it lets in. Blocks. Raises
        SambaFailed.
        """
        who = f"{name}@{self.domain}"
        done = self.ldap_tool("ldapsearch", "-s", "base", "-b", "", "1.1", bind_dn=who, password=password)
        if done.returncode not in (0, 49):  # invalidCredentials, RFC 4511 appendix A.2
            raise SambaFailed(f"ldapsearch: {done.stderr.strip()}")
        return done.stderr.strip()

    def password_settings(self, **settings: str | int) -> None:
        """The domain's password policy: samba-tool's options with _ for -, e.g. `min_pwd_length=10,
        complexity="on", history_length=3, min_pwd_age=0, account_lockout_threshold=5`. Blocks. Raises
        SambaFailed.
        """
        options = (f"--{name.replace('_', '-')}={value}" for name, value in settings.items())
        self.samba_tool("domain", "passwordsettings", "set", *options)

    # -- how it is made

    @property
    def _conf(self) -> str:
        return str(self._configuration)

    @property
    def _log_file(self) -> Path:
        return self.directory / "samba.log"

    def _guarded(self, *words: str) -> list[str]:
        # A test run that is killed takes its server with it.
        guard = shutil.which("setpriv")
        command = [_which(words[0]) or words[0], *words[1:]]
        return [guard, "--pdeathsig", "KILL", *command] if guard else command

    def _make(self) -> None:
        if self._template is None:
            self.password = provision(self.directory)
        else:
            with locked(self._template.with_suffix(".lock")):
                if not self._template.exists():
                    provision_whole(self._template)
            shutil.copytree(self._template, self.directory, dirs_exist_ok=True)
            self.password = (self.directory / PASSWORD_FILE).read_text()
        self._configuration.write_text(
            configuration(
                self.directory,
                address=self.address,
                services=", ".join(self._services),
                extra=self._extra,
            )
        )

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        try:
            with (
                socket.create_connection((self.address, 636), timeout=5.0) as line,
                context.wrap_socket(line, server_hostname=self.address),
            ):
                return True
        except OSError:
            return False


def _quoted(password: str) -> bytes:
    """`unicodePwd` (MS-ADTS 3.1.1.3.1.5.1)."""
    return f'"{password}"'.encode("utf-16-le")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
