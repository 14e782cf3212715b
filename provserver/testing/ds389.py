"""A real 389 Directory Server in a temporary directory, for tests.

    with Ds389Server(ldif=PEOPLE, policy={"passwordMinLength": "8"}) as ds389:
        ... ds389.ldaps_url, ds389.certificates.authority, ds389.root_dn, ds389.root_password

`ns-slapd` itself, without `dscreate` and systemd: a configuration made of the template that comes with it,
its own certificate, loopback only, ports of its own. It starts in half a second. `stop` always kills.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from provserver.testing.blocks import InBlock
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.slapd import _free_ports
from provserver.testing.slapd_configuration import ssha
from provserver.testing.stock_clients import stock_client

INSTALL_COMMAND: Final = "apt-get install -y 389-ds-base libnss3-tools ldap-utils"
START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02

_USER: Final = "dirsrv"
"""Who Debian lets it run as, when we are root."""
_TEMPLATES: Final = Path("/usr/share/dirsrv/data")
_FILES: Final = {
    "slapd-collations.conf": "",
    "certmap.conf": "certmap default default\n",
    "schema/99user.ldif": "dn: cn=schema\nobjectClass: top\nobjectClass: ldapSubentry\n"
    "objectClass: subschema\ncn: schema\n",
}
"""What it wants to find beside its configuration; Debian's own are for root's and its user's eyes only."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  where Linux has it
_PIN: Final = "not-a-secret-9"
"""Of the certificate database, which wants one: the directory is thrown away."""
_BACKEND: Final = "people"


class Ds389Missing(Exception):
    """There is no 389-ds here; the text says how to install it."""


class Ds389Failed(Exception):
    """389-ds, or a tool, did not do what was asked; the text is what it said."""


def find_ds389() -> Path:
    """The ns-slapd of this machine. Raises Ds389Missing."""
    found = {name: _which(name) for name in ("ns-slapd", "certutil", "pk12util", "ldapmodify")}
    missing = [name for name, path in found.items() if path is None]
    if not (_TEMPLATES / "template-dse.ldif").is_file():
        missing.append("its template")
    program = found["ns-slapd"]
    if program is None or missing:
        raise Ds389Missing(
            f"389-ds is not here ({', '.join(missing)} not found); install it: {INSTALL_COMMAND}"
        )
    return Path(program)


def require_ds389() -> Path:
    """For tests: the server of this machine; if there is none, skip with the reason, or with CI=true fail."""
    import pytest  # only tests call this

    try:
        return find_ds389()
    except Ds389Missing as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


class Ds389Server(InBlock):
    """One server process, and its directory. `policy` are attributes of cn=config, such as its password
    policy; `ldif` is what is below the suffix, with access rules as `aci` values.
    """

    root_dn: Final = "cn=Directory Manager"

    def __init__(
        self, *, suffix: str = "dc=example,dc=com", ldif: str = "", policy: Mapping[str, str] | None = None
    ) -> None:
        self.suffix = suffix
        self.root_password = secrets.token_urlsafe(12)
        self._ldif = ldif
        self._policy = dict(policy or {})
        self.directory = Path(tempfile.mkdtemp(prefix="ds389-"))
        self.directory.chmod(0o755)
        # The server calls itself by this folder, also where all servers of a machine leave things.
        self._configuration = self.directory / self.directory.name
        self.certificates: Certificates = make_certificates(self.directory)
        self.ldap_port, self.ldaps_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ldap_url(self) -> str:
        return f"ldap://127.0.0.1:{self.ldap_port}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.ldaps_port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # -- up and down

    def start(self) -> None:
        """Start, and return when it takes connections. Blocks. Ds389Missing, Ds389Failed."""
        program = find_ds389()
        fresh = not self._configuration.exists()
        if fresh:
            self._make()
        command = [*_as_user(), str(program), "-D", str(self._configuration), "-d", "0"]
        with (self.directory / "said").open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Ds389Failed(f"ns-slapd does not start: {self.log()}")
            time.sleep(POLL_SECONDS)
        if fresh:
            self.modify(self._first_changes())

    def kill(self) -> None:
        """Take it down as a crash would; data and ports stay. Never fails."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """Kill the server and remove its directory. Harmless when done already."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        for left in _SHARED_MEMORY.glob(f"*{self.directory.name}*"):  # a killed server leaves its semaphore
            left.unlink(missing_ok=True)

    def begin(self) -> None:
        self.start()

    # -- asking it

    def log(self) -> str:
        """What it said since its last start."""
        files = (self.directory / "said", self.directory / "log" / "errors")
        return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())

    def tool(
        self, name: str, *arguments: str, stdin: str = "", bind_dn: str = "", password: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a stock client over LDAPS, by default as the Directory Manager. Blocks. Its exit code is the
        LDAP result code.
        """
        return stock_client(
            [name, *arguments],
            url=self.ldaps_url,
            bind_dn=bind_dn or self.root_dn,
            password=password if bind_dn else self.root_password,
            authority=self.certificates.authority,
            folder=self.directory,
            stdin=stdin,
        )

    def modify(self, ldif: str) -> None:
        """Add and change entries as the Directory Manager. Blocks. Ds389Failed."""
        done = self.tool("ldapmodify", "-a", stdin=ldif)
        if done.returncode:
            raise Ds389Failed(f"ldapmodify: {done.stderr.strip()}")

    def configure(self, **attributes: str) -> None:
        """Set attributes of cn=config: a rule of the password policy, for instance. Blocks. Ds389Failed."""
        changes = "-\n".join(f"replace: {name}\n{name}: {value}\n" for name, value in attributes.items())
        self.modify(f"dn: cn=config\nchangetype: modify\n{changes}")

    def accepts_password(self, dn: str, password: str) -> bool:
        """Whether `dn` can bind with this password, be it that it must be changed first. Blocks. Ds389Failed:
        something else is wrong."""
        done = self.tool("ldapwhoami", bind_dn=dn, password=password)
        # Bound, and nothing else is done for it yet: the tool then ends with an exit code of its own.
        must_change = "(53)" in done.stderr and "ldap_bind" not in done.stderr
        if done.returncode not in (0, 49) and not must_change:
            raise Ds389Failed(f"ldapwhoami: {done.stderr.strip()}")
        return done.returncode != 49

    # -- how it is made

    def _make(self) -> None:
        """What must be there before the first start. Blocks."""
        (self._configuration / "schema").mkdir(parents=True)
        for name in ("db", "dbhome", "run", "lock", "log", "ldif", "bak", "tmp", "inst"):
            (self.directory / name).mkdir()
        for name, text in _FILES.items():
            (self._configuration / name).write_text(text)
        dse = self._configuration / "dse.ldif"
        dse.touch(mode=0o600)
        dse.write_text(self._dse())
        self._make_certificate_database()
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def _dse(self) -> str:
        at = self.directory
        told = {
            "ds_passwd": ssha(self.root_password.encode()),
            "ds_port": self.ldap_port,
            "ds_suffix": self.suffix,
            "ds_user": _USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name,
            "fqdn": "localhost",
            "rootdn": self.root_dn,
            "ldapi": at / "run" / "ldapi",
            "ldapi_enabled": "off",
            "ldapi_autobind": "off",
            "db_lib": "bdb",
            "db_home_dir": at / "dbhome",
            "cert_dir": self._configuration,
            "config_dir": self._configuration,
            "schema_dir": self._configuration / "schema",
            **{
                f"{name}_dir": at / name
                for name in ("db", "run", "lock", "log", "ldif", "bak", "tmp", "inst")
            },
        }
        template = (_TEMPLATES / "template-dse.ldif").read_text()
        text = re.sub("%([a-z_]+)%", lambda found: str(told[found[1]]), template)
        more = {
            "nsslapd-security": "on",
            "nsslapd-secureport": str(self.ldaps_port),
            "nsslapd-listenhost": "127.0.0.1",
            "nsslapd-securelistenhost": "127.0.0.1",
            "passwordStorageScheme": "SSHA512",  # its own takes a tenth of a second for each look
            **self._policy,
        }
        lines = "".join(f"{name}: {value}\n" for name, value in more.items())
        return text.replace("nsslapd-rootdn:", f"{lines}nsslapd-rootdn:", 1)

    def _make_certificate_database(self) -> None:
        own, database = self.certificates, str(self._configuration)
        pin = self.directory / "pin"
        pin.write_text(_PIN)
        (self._configuration / "pin.txt").write_text(f"Internal (Software) Token:{_PIN}\n")
        key = serialization.load_pem_private_key(own.key.read_bytes(), None)
        both = pkcs12.serialize_key_and_certificates(
            b"Server-Cert",
            key,  # type: ignore[arg-type]  # ours is elliptic, which it takes
            x509.load_pem_x509_certificate(own.certificate.read_bytes()),
            None,
            serialization.BestAvailableEncryption(_PIN.encode()),
        )
        bundle = self.directory / "server.p12"
        bundle.write_bytes(both)
        _run("certutil", "-N", "-d", database, "-f", str(pin))
        _run(
            "certutil",
            "-A",
            "-d",
            database,
            "-f",
            str(pin),
            "-n",
            "CA",
            "-t",
            "C,,",
            "-a",
            "-i",
            str(own.authority),
        )
        _run("pk12util", "-i", str(bundle), "-d", database, "-k", str(pin), "-w", str(pin))

    def _first_changes(self) -> str:
        """The suffix, which can only be made while it runs, and what is below."""
        name = self.suffix.split(",", 1)[0].split("=", 1)[1]
        return f"""\
dn: cn={_BACKEND},cn=ldbm database,cn=plugins,cn=config
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: {_BACKEND}
nsslapd-suffix: {self.suffix}

dn: cn="{self.suffix}",cn=mapping tree,cn=config
objectClass: extensibleObject
objectClass: nsMappingTree
cn: "{self.suffix}"
nsslapd-state: backend
nsslapd-backend: {_BACKEND}

dn: {self.suffix}
objectClass: domain
dc: {name}

{self._ldif}"""

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ldaps_port)) == 0


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def _as_user() -> list[str]:
    """What comes before the command, so that it runs as the server's user and ends with this process."""
    guard = shutil.which("setpriv")
    if guard is None:
        return []
    words = [guard, "--pdeathsig", "KILL"]
    if os.geteuid() == 0:
        words += [f"--reuid={_USER}", f"--regid={_USER}", "--init-groups"]
    return words


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Ds389Failed(f"{words[0]}: {(done.stderr or done.stdout).strip()}")
