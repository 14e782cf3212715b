"""`provserver alerts test DIR`, as a person gives it: what came of each way, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from plugins.served_instance import command

from provserver.cli.instance import create

KEY = "Mooring-Lines-And-Fenders-0123456789"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance; its store is not needed."""
    directory = tmp_path_factory.mktemp("alerts") / "lab"
    create(directory, domain="im", host="localhost", clock=lambda: 1_790_000_000.0)
    secret = directory / "alerts.secret"
    secret.write_text(KEY)
    secret.chmod(0o600)
    return directory


@pytest.fixture
def receiver() -> Iterator[Callable[[int], str]]:
    """`receiver(status)`: the URL of one who answers so."""
    begun: list[HTTPServer] = []

    def start(status: int) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Answer)
        begun.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/hook"

    yield start
    for server in begun:
        server.shutdown()
        server.server_close()


def tried(directory: Path, *settings: str) -> tuple[int, str, str]:
    chosen = [part for one in settings for part in ("--set", one)]
    ran = command("alerts", "test", directory, *chosen)
    return ran.returncode, ran.stdout, ran.stderr


def test_each_way_is_tried_and_said(made: Path, receiver: Callable[[int], str]) -> None:
    good, bad = receiver(204), receiver(500)
    secret = "alerts.secret_file=alerts.secret"
    assert tried(made, f"alerts.webhooks={good}", secret) == (0, "webhook 1: sent\n", "")
    mail = ("alerts.mail_server=127.0.0.1", "alerts.mail_port=1", "alerts.mail_security=none")
    people = ("alerts.mail_from=p@example.com", "alerts.mail_to=ann@example.com")
    code, said, problem = tried(made, f"alerts.webhooks={good},{bad}", secret, *mail, *people)
    assert (code, problem) == (1, "")
    assert said.splitlines() == [
        "webhook 1: sent",
        "webhook 2: HTTP status 500, 200 to 299 was expected",
        "mail to ann@example.com: no connection: Connection refused",
    ]


def test_where_nobody_is_to_be_told_it_says_so(made: Path) -> None:
    code, said, problem = tried(made)
    assert (code, said) == (1, "")
    assert "alerts.webhooks and alerts.mail_to name nobody" in problem


def test_settings_that_are_not_right_are_named(made: Path) -> None:
    code, said, problem = tried(made, "alerts.webhooks=https://a.example.com/")
    assert (code, said) == (2, "")
    assert "alerts.secret_file: expected a file" in problem
