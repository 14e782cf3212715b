"""An agent's host: a folder with its conf file, log and spool; and a bad line between it and the server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from harbour import PASSWORDS
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from provserver.agents.agent import Agent
from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.decisions import Decision
from provserver.agents.flushing import Flushed, flush
from provserver.agents.reading import read_conf
from provserver.agents.reporting import Report
from provserver.agents.spool import Held, Spool
from provserver.testing.server import RunningServer
from provserver.vault.secret import Secret

T = TypeVar("T")
NOBODY = "127.0.0.1:9"
"""Where nobody listens."""


def beside(work: Callable[..., T], *arguments: Any, **named: Any) -> Deferred[T]:
    """Do what blocks in a thread, while the server runs in this one."""
    return deferToThread(work, *arguments, **named)


def place(url: str) -> str:
    return url.partition("//")[2]


class Outpost:
    """`keys` of its conf file are given as they stand there; None leaves one out."""

    def __init__(self, folder: Path, **keys: str | None) -> None:
        self.folder = folder
        self.path = folder / "eta_pwdsync.conf"
        self.time = 1_800_000_000.0
        self._keys: dict[str, str | None] = {}
        self.set(**keys)

    @classmethod
    def of(cls, server: RunningServer, folder: Path, **keys: str | None) -> Outpost:
        """The demo domain's controller, over LDAPS."""
        chosen: dict[str, str | None] = {
            "host": place(server.ldaps_url),
            "ca_file": str(server.authority),
            "admin": "psync-ad-corp",
            "password": PASSWORDS["psync-ad-corp"],
            "endpoint_name": "AD-Corp",
            "profile_enable": "yes",
            "ldap_logging_enabled": "yes",
        }
        return cls(folder, **{**chosen, **keys})

    def set(self, **keys: str | None) -> None:
        """Edit the conf file."""
        self._keys.update(keys)
        lines = [f"{name} = {value}" for name, value in self._keys.items() if value is not None]
        self.path.touch(mode=0o600)
        self.path.write_text("\n".join(lines) + "\n")

    @property
    def conf(self) -> Conf:
        return read_conf(self.path)

    def agent(self) -> Agent:
        conf = self.conf
        return Agent(conf, Book(conf.logging), self.wall)

    def wall(self) -> float:
        return self.time

    async def test(self, account: str, password: str) -> Decision:
        return await beside(self.agent().test, account, Secret.of_text(password))

    async def sync(self, account: str, password: str) -> Decision:
        return await beside(self.agent().sync, account, Secret.of_text(password))

    async def change(self, account: str, password: str) -> Decision:
        return await beside(self.agent().change, account, Secret.of_text(password))

    async def flush(self) -> Flushed:
        def work() -> Flushed | None:
            with self.spool() as spool:
                return flush(self.conf, spool, Book(self.conf.logging), self.wall)

        flushed = await beside(work)
        assert flushed is not None
        return flushed

    def spool(self) -> Spool:
        return Spool(self.folder / "spool")

    def waiting(self) -> list[Held]:
        with self.spool() as spool:
            return spool.waiting()

    def log(self) -> str:
        file = self.folder / "eta_pwdsync.log"
        return file.read_text() if file.exists() else ""

    def requests(self) -> list[str]:
        """What went to the server, as the log has it: bind, search, eTTestPassword, eTSyncPassword."""
        lines = [line.partition(" LDAP ")[2].partition(": ")[2] for line in self.log().splitlines()]
        words = [line.split() for line in lines if line.split(" ")[0] in ("bind", "search", "modify")]
        return [word[0] if word[0] != "modify" else word[-2].rstrip(":") for word in words]

    def holds_nowhere(self, password: str) -> bool:
        """Whether no file of the agent has the password, but its conf file."""
        return all(
            password.encode() not in file.read_bytes()
            for file in self.folder.rglob("*")
            if file.is_file() and file != self.path
        )


def a_report(account: str, password: str, *, id: str = "1", captured: float = 0.0) -> Report:
    return Report(id, account, captured, Secret.of_text(password))


class BadLine:
    """Stands between agent and server, in clear text, and breaks the line where it is told to.

    `withhold` the answer to the n-th request of a connection: the server has answered, and the agent does not
    hear of it; with `hang` the line stays open. From the beginning with 0.
    """

    def __init__(self, server: RunningServer) -> None:
        host, _, port = place(server.ldap_url).rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.withhold: int | None = None
        self.hang = False
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                agent, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(agent,), daemon=True)
                self._open.append(agent)
                self._threads.append(thread)
                thread.start()

    def _serve(self, agent: socket.socket) -> None:
        """The agent asks one thing at a time, and each of its messages comes in one piece."""
        if self.withhold == 0 and self.hang:
            return
        with contextlib.suppress(OSError), agent, socket.create_connection(self._upstream) as server:
            self._open.append(server)
            number = 0
            while request := agent.recv(65_536):
                number += 1
                server.sendall(request)
                answer = server.recv(65_536)
                if number == self.withhold:
                    if self.hang:
                        self._open.append(agent.dup())
                    return
                agent.sendall(answer)

    def close(self) -> None:
        # A thread that waits keeps open what is closed: it has to be woken. The server wakes nobody while the
        # reactor waits for us.
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


@contextlib.contextmanager
def bad_line(server: RunningServer) -> Iterator[BadLine]:
    line = BadLine(server)
    try:
        yield line
    finally:
        line.close()
