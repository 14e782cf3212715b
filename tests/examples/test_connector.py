"""The example of a connector in a package of its own: installed, it passes the kit, and passwords pass it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from harbour import ADA_AD, LDAP_HQ, NEW, PASSWORDS
from plugins.served_instance import COMMAND, Ran, until

from provserver.testing.server import user_dn
from provserver.testing.wire import WireClient

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "connector"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Of a process that finds it installed. It is built from a copy, so that nothing is left beside it."""
    folder = tmp_path_factory.mktemp("example")
    source, site = folder / "source", folder / "site"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    how = ["--no-index", "--no-deps", "--no-build-isolation", "--target", site, source]
    done = subprocess.run([*pip, *how], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The server of the example's own tests, with a user for an account of the demo domain."""
    monkeypatch.syspath_prepend(str(EXAMPLE / "tests"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    server = importlib.import_module("redis_server").RedisServer(tmp_path)
    server.ask("ACL", "SETUSER", "aokafor", "on", "+@connection")
    yield server
    server.kill()


def run(environment: Mapping[str, str], *words: str | Path, stdin: str = "") -> Ran:
    """The real command, to its end."""
    return subprocess.run(
        [*COMMAND, *words], env=environment, input=stdin, capture_output=True, text=True, check=False
    )


@contextmanager
def serving(environment: Mapping[str, str], instance: Path) -> Iterator[tuple[str, int]]:
    """Where its LDAP is, over a loopback address."""
    words = [*COMMAND, "serve", instance, "--ldap-port", "0", "--ldaps-port", "0"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            places = dict(word.split("=") for word in served.stdout.readline().split()[1:])
            host, _, port = places["ldap"].rpartition(":")
            yield host, int(port)
        finally:
            served.terminate()


def endpoint(*settings: str) -> str:
    lines = "".join(f"provSetting: {setting}\n" for setting in settings)
    return (
        f"dn: {LDAP_HQ}\nchangetype: modify\nreplace: provConnector\nprovConnector: redis\n-\n"
        f"replace: provSetting\n{lines}-\nreplace: provSecret\nprovSecret: password=Service-Pass-1\n-\n"
    )


def test_its_own_tests_pass_with_the_kit_and_a_real_server(
    environment: Mapping[str, str], redis: Any
) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest_twisted.ensureDeferred
async def test_an_endpoint_of_it_is_tested_and_gets_its_password(
    environment: Mapping[str, str], redis: Any, demo_instance: Path
) -> None:
    from twisted.internet import reactor

    place = ("host=localhost", f"port={redis.port}", f"ca_file={redis.certificates.authority}")
    loaded = run(environment, "load", demo_instance, "-", stdin=endpoint(*place, "user=provserver"))
    assert loaded.returncode == 0, loaded.stderr
    tested = run(environment, "endpoints", "test", demo_instance, "ldap-hq")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "aokafor" in tested.stdout

    with serving(environment, demo_instance) as (host, port):
        agent = await WireClient.connect(reactor, host, port)
        await agent.bind(user_dn("psync-ad-corp"), PASSWORDS["psync-ad-corp"])
        assert (await agent.sync(ADA_AD, NEW)).code == 0
        assert until(lambda: redis.accepts("aokafor", NEW))
        agent.hang_up()


def test_a_setting_that_makes_no_sense_is_refused_before_it_is_written(
    environment: Mapping[str, str], redis: Any, demo_instance: Path
) -> None:
    loaded = run(environment, "load", demo_instance, "-", stdin=endpoint("host=localhost"))
    assert loaded.returncode == 1
    assert "user: must be given" in loaded.stderr
