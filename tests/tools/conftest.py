"""What tests of the benchmark share: its modules, its compiled generators, servers that do as they are told.

The modules of tools/bench are scripts beside each other; they are imported from there, after everything else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "tools" / "bench"
sys.path.append(str(BENCH))

Compile = Callable[[str], Path]
Talk = Callable[[socket.socket], None]
Listen = Callable[[Talk], int]


def missing(what: str, install: str) -> None:
    """Skip, or with CI=true fail."""
    reason = f"{what} is not here; install it: apt-get install -y {install}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """`compiled(name)`: a generator, compiled without a warning."""
    import generator

    known: dict[str, Path] = {}

    def compile(name: str) -> Path:
        if shutil.which("cc") is None:
            missing("a C compiler", "gcc libc6-dev")
        if name not in known:
            program = tmp_path_factory.mktemp("bench") / name
            sources = [BENCH / one for one in (*generator.SOURCES[name], *generator.COMMON_SOURCES)]
            flags = ("-O1", "-Wall", "-Wextra", "-Wshadow", "-Werror")
            libraries = generator.LIBRARIES.get(name, ())
            done = subprocess.run(
                ["cc", *flags, "-o", program, *sources, *libraries],
                capture_output=True,
                text=True,
                check=False,
            )
            if "openssl/" in done.stderr:
                missing("OpenSSL's headers", "libssl-dev")
            assert done.returncode == 0, done.stderr
            known[name] = program
        return known[name]

    return compile


@pytest.fixture
def listen() -> Iterator[Listen]:
    """`listen(talk)`: a port of 127.0.0.1 whose connections are given to `talk`, each in a thread of its own.
    It may raise OSError. All ends with the test.
    """
    listeners: list[socket.socket] = []
    clients: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def begin(target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        threads.append(thread)
        thread.start()

    def serve(listener: socket.socket, talk: Talk) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients.append(client)
                begin(one, client, talk)

    def one(client: socket.socket, talk: Talk) -> None:
        with client, contextlib.suppress(OSError):
            talk(client)

    def listen(talk: Talk) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        listeners.append(listener)
        begin(serve, listener, talk)
        port: int = listener.getsockname()[1]
        return port

    yield listen
    for open_socket in (*listeners, *clients):
        with contextlib.suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
