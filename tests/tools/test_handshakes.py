"""The TLS generator: verifies whom it speaks to, speaks TLS 1.3, says how often a session was taken up."""

from __future__ import annotations

import importlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    BindRequest,
    BindResponse,
    Message,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    UnbindRequest,
)
from provserver.ldap.results import Result
from provserver.testing.certificates import Certificates, make_certificates
from provserver.vault.secret import Secret

Run = Callable[..., dict[str, Any]]


class TlsServer:
    """Talks LDAP over TLS: one entry to every search. Counts unbinds, keeps the versions spoken."""

    def __init__(self, certificates: Certificates) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.certificate, certificates.key)
        self.versions: set[str | None] = set()
        self.unbound = threading.Semaphore(0)

    def __call__(self, client: socket.socket) -> None:
        with self.context.wrap_socket(client, server_side=True) as line:
            self.versions.add(line.version())
            while data := line.recv(1 << 16):
                message = decode_message(data, 0, len(data))
                if isinstance(message.operation, UnbindRequest):
                    self.unbound.release()
                    return
                line.sendall(answer(message))


def answer(message: Message) -> bytes:
    if isinstance(message.operation, BindRequest):
        return encode_message(Message(message.id, BindResponse(Result())))
    found = encode_message(Message(message.id, SearchResultEntry("cn=x", ())))
    return found + encode_message(Message(message.id, SearchResultDone(Result())))


@pytest.fixture
def run(compiled: Callable[[str], Path], listen: Any, tmp_path: Path) -> Run:
    prepared = importlib.import_module("prepared")
    path = tmp_path / "tls.cycles"
    search = prepared.first_step(prepared.search("", Scope.BASE, Present("cn"), []))
    steps = [prepared.Step(SearchRequest, entries=1)]
    prepared.write_cycles(path, prepared.bind_request("cn=a", Secret(b"b")), steps, [[search]])

    def run(talk: Any, authority: Path, *, clients: int = 1, resume: bool = False) -> dict[str, Any]:
        arguments = ["127.0.0.1", listen(talk), clients, "0.1", authority, int(resume)]
        done = subprocess.run(
            [compiled("handshakes"), path, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return run


def test_each_connection_binds_searches_and_unbinds_in_tls_1_3(run: Run, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    server = TlsServer(certificates)
    report = run(server, certificates.authority, clients=2)
    done = report["cycles"] + report["late"]
    assert report["refusals"] == []
    assert done == report["begun"] >= 2
    assert all(server.unbound.acquire(timeout=10) for _ in range(done))  # the last may still be on its way
    assert server.versions == {"TLSv1.3"}
    assert report["resumed"] == 0


def test_a_session_that_the_server_gave_is_taken_up_when_asked(run: Run, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    report = run(TlsServer(certificates), certificates.authority, resume=True)
    assert report["refusals"] == []
    assert report["resumed"] == report["begun"] - 1


def test_a_certificate_of_another_authority_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = make_certificates(tmp_path / "other")
    report = run(TlsServer(make_certificates(tmp_path)), stranger.authority)
    assert report["cycles"] + report["late"] == 0
    assert report["refusals"][0]["text"] == "certificate verify failed"


def test_a_certificate_for_another_host_is_refused(run: Run, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, ["192.0.2.1"])
    report = run(TlsServer(certificates), certificates.authority)
    assert report["cycles"] + report["late"] == 0
    assert report["refusals"][0]["text"] == "certificate verify failed"
