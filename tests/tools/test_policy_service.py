"""tools/policy_service.py, as others run it: beside a server, and by itself."""

from __future__ import annotations

import http.client
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, holds, wire

from provserver.https.signing import SharedSecret
from provserver.testing.certificates import make_certificates
from provserver.testing.clock import TurnedClock
from provserver.testing.pytest_plugin import Starter

TOOL = Path(__file__).resolve().parents[2] / "tools" / "policy_service.py"
KEY = b"Capstan-And-Windlass-0123456789abcdef"
SECRET = SharedSecret(KEY)
Run = Callable[..., "Running"]


class Now(TurnedClock):
    """The service believes requests of this hour only."""

    def wall(self) -> float:
        return time.time()


class Running:
    """The tool in a process of its own."""

    def __init__(self, *arguments: str | Path) -> None:
        words = [sys.executable, TOOL, *map(str, arguments)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready, _, self.url = self.process.stdout.readline().strip().partition(" ")
        assert ready == "ready"

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        place = urlsplit(self.url)
        assert place.hostname is not None
        line = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
        try:
            line.request("POST", "/", body, headers)
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            line.close()

    def stop(self) -> tuple[int, str]:
        """SIGTERM; the exit code, and all that it printed after it was ready."""
        self.process.terminate()
        said, complained = self.process.communicate(timeout=30)
        return self.process.returncode, said + complained


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.secret"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def run(secret_file: Path) -> Iterator[Run]:
    begun: list[Running] = []

    def start(*arguments: str | Path) -> Running:
        running = Running("--secret-file", secret_file, *arguments)
        begun.append(running)
        return running

    yield start
    for running in begun:
        running.process.kill()
        running.process.communicate()


def request(password: object, **more: object) -> bytes:
    document = {"kind": "test", "user": "aokafor", "account": None, "endpoint": None, "namespace": None}
    return json.dumps({**document, "password": password, **more}).encode()


def signed(body: bytes, nonce: str = "0" * 32, at: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    return {
        "X-Provserver-Time": stamp,
        "X-Provserver-Nonce": nonce,
        "X-Provserver-Signature": SECRET.of_request(stamp, nonce, body),
    }


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest_twisted.ensureDeferred
async def test_it_judges_beside_a_server(
    start_provserver: Starter, run: Run, secret_file: Path, tmp_path: Path, scheme: str
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("kelp\n\nArgo\n")
    certificates = make_certificates(tmp_path)
    tls = ["--certificate", certificates.certificate, "--key", certificates.key] if scheme == "https" else []
    service = run("--words", words, "--pattern", "[0-9]{2}$", "--advice", "end with two digits", *tls)
    assert service.url.startswith(f"{scheme}://127.0.0.1:")
    server = await start_provserver(
        settings=[
            f"external_policy.urls={service.url}",
            f"external_policy.secret_file={secret_file}",
            f"external_policy.authority={certificates.authority}",
        ],
        clock=Now(),
    )
    ad = await wire(server, "psync-ad-corp")
    assert "a word that is not allowed" in (await ad.test(ADA_AD, "Seaweed-And-Kelp-88")).text
    told = await ad.test(ADA_AD, "Argo-Navis-One-2-x")
    assert (told.code, "a word that is not allowed; end with two digits" in told.text) == (19, True)
    assert (await ad.test(ADA_AD, "Dune-Compass-88")).code == 0
    assert (await ad.sync(ADA_AD, "Dune-Compass-88")).code == 0
    assert holds(server, "hpdev01", "aokafor", "Dune-Compass-88")
    await server.stop()
    code, said = service.stop()
    assert code == 0
    assert said.splitlines() == ["test 'aokafor': refuse"] * 2 + ["test 'aokafor': accept"]


def test_an_answer_is_signed_for_its_request(run: Run) -> None:
    service = run()
    body = request(NEW)
    status, headers, answer = service.post(body, signed(body))
    assert (status, json.loads(answer)) == (200, {"verdict": "accept"})
    assert headers["X-Provserver-Signature"] == SECRET.of_answer("0" * 32, answer)


def test_a_request_that_was_here_before_is_not_believed(run: Run) -> None:
    service = run()
    body = request(NEW)
    headers = signed(body)
    assert service.post(body, headers)[0] == 200
    assert service.post(body, headers)[0] == 401
    assert service.post(body, signed(body, "1" * 32))[0] == 200


def test_what_is_not_signed_now_by_who_has_the_secret_is_not_believed(run: Run) -> None:
    service = run()
    body = request(NEW)
    for headers in (
        {},
        signed(request("another")),
        signed(body, at=time.time() - 400),
        signed(body, at=time.time() + 400),
        {**signed(body), "X-Provserver-Nonce": "1" * 32},
        {**signed(body), "X-Provserver-Signature": "\xff" * 64},
    ):
        status, answered, answer = service.post(body, headers)
        assert (status, answer) == (401, b"")
        assert "X-Provserver-Signature" not in answered
    assert service.post(body, signed(body))[0] == 200, "a nonce is used by a request that is believed"


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"null", b"\xff", b"{" * 2000, request(1), b"7"])
def test_a_request_of_another_form_is_told_so(run: Run, body: bytes) -> None:
    service = run("--words", "/dev/null", "--pattern", "x")
    assert service.post(body, signed(body))[0] == 400


def test_a_request_that_is_too_long_is_not_read(run: Run) -> None:
    service = run()
    body = b" " * (64 * 1024 + 1)
    assert service.post(body, signed(body))[0] == 413


def test_no_password_is_printed(run: Run) -> None:
    service = run()
    for body in (request(NEW), request(NEW, kind=NEW[::-1])[:-1], request(NEW)):
        service.post(body, signed(body))
    _, said = service.stop()
    assert NEW not in said
    assert KEY.decode() not in said


def test_other_machines_need_tls(secret_file: Path) -> None:
    words = [sys.executable, TOOL, "--secret-file", secret_file, "--address", "0.0.0.0"]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "under TLS only" in done.stderr


# -- its memory of nonces


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("policy_service", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_nonce_is_remembered_for_as_long_as_its_request_could_be_believed(tool: ModuleType) -> None:
    now = [1_000_000.0]
    signatures = tool.Signatures(KEY, lambda: now[0])
    stamp = str(int(now[0]) + tool.WINDOW)
    signature = SECRET.of_request(stamp, "n", b"{}")
    signatures.demand(stamp, "n", signature, b"{}")
    for _ in range(2 * tool.WINDOW):
        with pytest.raises(tool.NotBelieved):
            signatures.demand(stamp, "n", signature, b"{}")
        now[0] += 1
    now[0] += 10
    with pytest.raises(tool.NotBelieved, match="time"):
        signatures.demand(stamp, "n", signature, b"{}")
    later = str(int(now[0]))
    signatures.demand(later, "m", SECRET.of_request(later, "m", b"{}"), b"{}")
    assert list(signatures._seen) == ["m"], "and no longer"
