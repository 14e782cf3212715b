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
from typing import Any, Final, NoReturn, Self

import pytest

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


class RealServer:
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

    def __enter__(self) -> Self:
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
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
            "--innodb-flush-log-at-trx-commit=0",
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
