"""Real servers that tests start for themselves: on ports of their own, in folders of their own, always ended.

As root they run as the user that Debian made for them; otherwise as whoever runs the tests.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from provserver.testing.blocks import InBlock
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.slapd import _free_ports

START_SECONDS: Final = 60.0
ADMIN: Final = "harbour"


def not_here(what: str, package: str) -> NoReturn:
    """Skip, or with CI=true fail: the reason says what would install it (plugins.skipped_servers)."""
    reason = f"{what} is not here; install it: apt-get install -y {package}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def program(name: str, package: str, *folders: str) -> str:
    """The path of a server's program, or the test is skipped."""
    found = shutil.which(
        name, path=os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    )
    return found or not_here(name, package)


class RealServer(InBlock):
    """One server process and its folder. `kill` takes it down, `start` brings it back with its data."""

    user: str
    """Who it runs as when we are root; it must not be root."""
    kill_by: signal.Signals = signal.SIGKILL

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-"))
        self.port = _free_ports(1)[0]
        self.certificates: Certificates = make_certificates(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.chmod(0o755)

    # -- to be told by each kind

    def make(self) -> None:
        """What must be there before the first start."""
        raise NotImplementedError

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def accepts(self) -> bool:
        """Whether it takes connections by now."""
        raise NotImplementedError

    # -- up and down

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.as_user(), *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.accepts():
            assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
            assert time.monotonic() < deadline, (self.folder / "log").read_text(errors="replace")
            time.sleep(0.02)

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(self.kill_by)
            process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        for pid in self._with_children():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._with_children():
            os.kill(pid, signal.SIGCONT)

    def begin(self) -> None:
        self.make()
        self.start()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _with_children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def as_user(self) -> list[str]:
        """What comes before a command, so that it runs as the server's user and ends with this process."""
        guard = shutil.which("setpriv")
        if guard is None:
            return []
        words = [guard, "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            words += [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        return words

    def give(self, *paths: Path) -> None:
        """To the server's user."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self.user)
            for path in paths:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def run(self, *words: str) -> None:
        done = subprocess.run([*self.as_user(), *words], capture_output=True, check=False, cwd=self.folder)
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


class Postgres(RealServer):
    """TLS and SCRAM over TCP, trust over its socket for `harbour`, its superuser."""

    user = "postgres"
    kill_by = signal.SIGQUIT
    """Immediate shutdown: a postmaster that is killed leaves its children, and they the shared memory."""

    def make(self) -> None:
        folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
        self._program = program("postgres", "postgresql", *folders)
        initdb = program("initdb", "postgresql", *folders)
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        self.give(data, self.certificates.key, self.folder)
        secret = secrets.token_urlsafe(12)
        (self.folder / "pw").write_text(secret)
        self.run(
            initdb, "-D", str(data), "-U", ADMIN, "--auth-host=scram-sha-256", "--auth-local=trust",
            "--encoding=UTF8", "--locale=C", "--no-sync", f"--pwfile={self.folder / 'pw'}",
        )  # fmt: skip

    def command(self) -> Sequence[str]:
        own = self.certificates
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "ssl": "on",
            "ssl_cert_file": str(own.certificate),
            "ssl_key_file": str(own.key),
            "fsync": "off",
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [self._program, "-D", str(self.folder / "data"), *options]

    def accepts(self) -> bool:
        import psycopg

        try:
            self.admin("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def admin(self, *statements: str, database: str = "people", values: Any = None) -> list[tuple[Any, ...]]:
        """As the superuser; what the last statement found."""
        import psycopg

        where = f"host={self.folder} port={self.port} user={ADMIN} dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str = "people") -> str:
        return f"postgresql://provserver@127.0.0.1:{self.port}/{database}"


class MariaDb(RealServer):
    """TLS over TCP; `root` over its socket needs no password."""

    user = "mysql"

    def make(self) -> None:
        self._program = program("mariadbd", "mariadb-server")
        install = program("mariadb-install-db", "mariadb-server")
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        self.give(data, self.certificates.key, self.folder)
        self.run(
            install, "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve",
            "--auth-root-authentication-method=normal",
        )  # fmt: skip

    def command(self) -> Sequence[str]:
        own = self.certificates
        return [
            self._program,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            f"--ssl-ca={own.authority}",
            f"--ssl-cert={own.certificate}",
            f"--ssl-key={own.key}",
            "--innodb-flush-log-at-trx-commit=2",
        ]

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def admin(
        self, *statements: str, database: str | None = "people", values: Any = None
    ) -> list[tuple[Any, ...]]:
        import pymysql

        connection = pymysql.connect(
            unix_socket=str(self.socket), user="root", database=database, autocommit=True, charset="utf8mb4"
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, values)
            return list(cursor.fetchall())

    def url(self, database: str = "people") -> str:
        return f"mariadb://provserver@127.0.0.1:{self.port}/{database}"


def served(kind: Callable[[], RealServer]) -> Iterator[Any]:
    """For fixtures: a server for as long as the fixture lives."""
    with kind() as server:
        yield server


class UnixHost(RealServer):
    """sshd on a host of its own: another /etc, with a throw-away user, which nobody outside sees.

    root logs in with a key, people with their passwords through PAM, which remembers old ones. Needs root,
    for the namespace.
    """

    user = "root"

    def __init__(self) -> None:
        super().__init__()
        self.etc = self.folder / "etc"
        self.host_key = self.folder / "host_key"
        self.key = self.folder / "key"

    def make(self) -> None:
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            reason = "a throw-away user on a host of its own needs root and unshare(1)"
            pytest.skip(reason)
        self._program = program("sshd", "openssh-server")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        subprocess.run(["cp", "-a", "/etc", str(self.etc)], check=True)
        for key in (self.host_key, self.key):
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        rules = self.etc / "pam.d" / "common-password"
        # Whatever modules this machine's own stack has besides.
        rules.write_text(
            "password requisite pam_pwhistory.so remember=50 enforce_for_root\n"
            "password required pam_unix.so obscure yescrypt\n"
        )
        # Keys only, and no tries counted, so that no test waits for another.
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nUsePAM yes\n"
            f"AuthorizedKeysFile {self.key}.pub\nStrictModes no\nPermitRootLogin prohibit-password\n"
            f"PidFile none\nPasswordAuthentication yes\nMaxStartups 100\nUseDNS no\n"
        )
        self.inside("useradd", "-M", "-d", str(self.folder), "-s", "/bin/sh", "kit")

    def command(self) -> Sequence[str]:
        return self._in_its_etc(self._program, "-D", "-e", "-f", str(self.folder / "sshd_config"))

    def as_user(self) -> list[str]:
        guard = shutil.which("setpriv")
        return [guard, "--pdeathsig", "KILL"] if guard else []

    def accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _in_its_etc(self, *words: str) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", f'mount --bind {self.etc} /etc && exec "$@"', "-", *words]

    def inside(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command there."""
        done = subprocess.run(
            self._in_its_etc(*words), input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    def begin_with(self, name: str, hashed: str) -> None:
        """The account's password is of this hash, and no older ones are remembered."""
        (self.etc / "security" / "opasswd").write_text("")
        shadow = self.etc / "shadow"
        lines = [line.split(":") for line in shadow.read_text().splitlines()]
        for fields in lines:
            if fields[0] == name:
                fields[1] = hashed
        shadow.write_text("".join(":".join(fields) + "\n" for fields in lines))

    def hash_of(self, name: str) -> str:
        lines = (self.etc / "shadow").read_text().splitlines()
        return next(line.split(":")[1] for line in lines if line.startswith(f"{name}:"))

    def accepts_password(self, name: str, password: str) -> bool:
        """Whether somebody can log in with it: OpenSSH's client at sshd, through PAM."""
        ask = self.folder / "ask"
        ask.write_text('#!/bin/sh\nprintf "%s\\n" "$TOLD"\n')
        ask.chmod(0o700)
        done = subprocess.run(
            [
                "ssh", "-p", str(self.port), "-F", "none", "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=password",
                "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
                f"{name}@127.0.0.1", "true",
            ],
            env={**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "TOLD": password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )  # fmt: skip
        return done.returncode == 0

    @property
    def settings(self) -> dict[str, str]:
        kind, key, *_ = (self.folder / "host_key.pub").read_text().split()
        return {
            "host": "127.0.0.1",
            "port": str(self.port),
            "user": "root",
            "host_key": f"{kind} {key}",
            "key_file": str(self.key),
        }
