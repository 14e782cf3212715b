"""`pam-agent` in a real PAM stack: pamtester changes a password, pam_exec calls the agent.

pam_wrapper lets the stack be a file of the test's own; nothing of this machine's PAM is touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from harbour import NEW, PASSWORDS, holds
from outpost import NOBODY, beside, place
from plugins.real_servers import not_here, program

from provserver.agents import pam
from provserver.agents.conf import ConfError
from provserver.agents.decisions import Ending
from provserver.agents.reading import parse_conf
from provserver.agents.spool import Spool
from provserver.testing.server import RunningServer

REPOSITORY = Path(__file__).resolve().parents[2]
UNIX = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im,dc=eta"
Ran = subprocess.CompletedProcess[str]


def library(*patterns: str) -> str:
    return next((str(found) for pattern in patterns for found in Path("/").glob(pattern)), "")


def module(name: str, variable: str) -> str:
    """A PAM module; a variable names another one than the machine's, where that is missing or too old."""
    folders = ("usr/lib/*", "lib/*", "usr/lib*")
    return os.environ.get(variable) or library(*(f"{folder}/security/{name}" for folder in folders))


@pytest.fixture(scope="module")
def pam_wrapper() -> str:
    """The library that lets a process have a PAM of its own."""
    wrapper = library("usr/lib/*/libpam_wrapper.so", "usr/lib*/libpam_wrapper.so")
    program("pamtester", "pamtester")
    return wrapper or not_here("libpam_wrapper.so", "libpam-wrapper")


class Stack:
    """A PAM stack that tests, sets (a script stands in for pam_unix), and tells. The password is asked for by
    the first module that needs it.
    """

    def __init__(self, folder: Path, wrapper: str) -> None:
        self.folder = folder
        self.shadow = folder / "shadow"
        self._wrapper = wrapper
        self._services = folder / "pam.d"
        self._services.mkdir()
        self._prompts = 1

    def of_pam_exec(self, agent: str, pam_exec: str) -> Stack:
        called = f"{pam_exec} expose_authtok stdout quiet seteuid"
        steps = {
            "requisite": self._script("test", f"exec {agent} test"),
            "required": self._script("local", f"cat > {self.shadow}"),
            "optional": self._script("sync", f"exec {agent} sync"),
        }
        self._write(*(f"password {kind} {called} {script}" for kind, script in steps.items()))
        return self

    def of_pam_script(self, agent: str, pam_script: str) -> Stack:
        """It gives the password in a variable, asks for the current one too, and for the new one twice."""
        self._prompts = 3
        given = 'printf %s "$PAM_AUTHTOK"'
        steps = {
            "requisite": self._script("test/pam_script_passwd", f"{given} | {agent} test"),
            "required": self._script("local/pam_script_passwd", f"{given} > {self.shadow}"),
            "optional": self._script("sync/pam_script_passwd", f"{given} | {agent} sync"),
        }
        self._write(*(f"password {kind} {pam_script} dir={script.parent}" for kind, script in steps.items()))
        return self

    def _write(self, *lines: str) -> None:
        (self._services / "passwd").write_text("\n".join(lines) + "\n")

    def _script(self, name: str, line: str) -> Path:
        script = self.folder / "scripts" / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
        return script

    def change(self, user: str, password: str) -> Ran:
        """What somebody sees who changes a password here."""
        return subprocess.run(
            ["pamtester", "passwd", user, "chauthtok"],
            input=(password + "\n") * self._prompts,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                **os.environ,
                "LD_PRELOAD": self._wrapper,
                "PAM_WRAPPER": "1",
                "PAM_WRAPPER_SERVICE_DIR": str(self._services),
            },
        )


def conf_text(running: RunningServer, **keys: str) -> str:
    lines = {
        "server": place(running.ldaps_url),
        "tls-cacert-file": str(running.authority),
        "user": "pam-hpdev01",
        "password": PASSWORDS["pam-hpdev01"],
        "endpoint-type": "ETC",
        "endpoint-name": "hpdev01",
        **{name.replace("_", "-"): value for name, value in keys.items()},
    }
    return "".join(f"{name:19} {value}\n" for name, value in lines.items())


@pytest.fixture(params=["pam_exec", "pam_script"])
def stack(
    request: pytest.FixtureRequest, tmp_path: Path, provserver: RunningServer, pam_wrapper: str
) -> Callable[..., Stack]:
    """`stack(key=value, ...)`: with further keys of the conf file. Users' first passwords are a day old."""
    provserver.clock.turn(86_400)
    pam_exec = module("pam_exec.so", "PROVSERVER_PAM_EXEC")
    pam_script = module("pam_script.so", "PROVSERVER_PAM_SCRIPT")
    if request.param == "pam_exec" and not gives_passwords(pam_exec, tmp_path / "probe", pam_wrapper):
        pytest.skip("the pam_exec here gives no password to its command: it is older than Linux-PAM 1.6.0")
    if request.param == "pam_script" and os.geteuid() != 0:
        pytest.skip("we are not root, whose the scripts of pam_script must be")
    if request.param == "pam_script" and not pam_script:
        not_here("pam_script", "libpam-script")

    def make(**keys: str) -> Stack:
        conf = tmp_path / "pam_CA_eta.conf"
        conf.touch(mode=0o600)
        conf.write_text(conf_text(provserver, **keys))
        agent = f"{sys.executable} -P -m provserver.agents.pam --conf {conf}"
        made = Stack(tmp_path, pam_wrapper)
        if request.param == "pam_exec":
            return made.of_pam_exec(agent, pam_exec)
        return made.of_pam_script(agent, pam_script)

    return make


def gives_passwords(pam_exec: str, folder: Path, wrapper: str) -> bool:
    folder.mkdir()
    probe = Stack(folder, wrapper).of_pam_exec("true", pam_exec)
    probe.change("aokafor", NEW)
    return probe.shadow.exists() and NEW in probe.shadow.read_text()


@pytest_twisted.ensureDeferred
async def test_a_password_that_is_changed_here_arrives_elsewhere(
    provserver: RunningServer, stack: Callable[..., Stack]
) -> None:
    here = stack()
    done = await beside(here.change, "aokafor", NEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "updated successfully" in done.stdout + done.stderr
    assert here.shadow.read_text().rstrip("\0") == NEW
    await provserver.delivered()
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "ldap-hq", "aokafor", NEW)
    assert not holds(provserver, "hpdev01", "aokafor", NEW), "where it came from it is not sent"


@pytest_twisted.ensureDeferred
async def test_what_the_server_refuses_is_not_changed_here_and_the_user_sees_why(
    provserver: RunningServer, stack: Callable[..., Stack]
) -> None:
    here = stack(verbose="no")
    done = await beside(here.change, "aokafor", "short")
    assert done.returncode != 0
    assert "at least" in done.stdout + done.stderr
    assert not here.shadow.exists()
    assert await provserver.has_password("aokafor", PASSWORDS["aokafor"])


@pytest_twisted.ensureDeferred
async def test_without_a_server_it_depends_on_out_of_sync(
    stack: Callable[..., Stack], tmp_path: Path
) -> None:
    here = stack(server=NOBODY, out_of_sync="no")
    assert (await beside(here.change, "aokafor", NEW)).returncode != 0
    assert not here.shadow.exists()
    conf = tmp_path / "pam_CA_eta.conf"
    conf.write_text(conf.read_text().replace("out-of-sync         no", "out-of-sync         yes"))
    assert (await beside(here.change, "aokafor", NEW)).returncode == 0
    assert here.shadow.exists()
    with Spool(tmp_path / "spool") as spool:
        assert [held.account for held in spool.waiting()] == ["aokafor"]


# -- its conf file


def test_the_example_in_the_docs_is_read() -> None:
    text = (REPOSITORY / "docs" / "examples" / "pam_CA_eta.conf").read_text("utf-8")
    found = parse_conf(text, Path("pam_CA_eta.conf"), pam.form())
    assert found.remarks == ()
    assert found.post.endpoint_dn == UNIX
    assert (found.profile, found.verbose, found.out_of_sync) == (True, False, False)
    assert str(found.servers[0]) == "provserver.example.com:20390"


@pytest.mark.parametrize("sign", [" ", "\t", "=", " = ", ": "])
def test_keys_and_values_may_be_separated_in_several_ways(sign: str) -> None:
    keys = {"server": "a", "password": "b c", "user": "d"}
    text = "".join(f"{name}{sign}{value}\n" for name, value in keys.items())
    found = parse_conf(text, Path("x"), pam.form())
    assert (str(found.servers[0]), found.password.reveal_text()) == ("a:20390", "b c")


def test_what_is_left_out_is_as_the_module_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "hpdev01")
    found = parse_conf("server a\npassword b\nsize-limit 100\nuse-status no\n", Path("x"), pam.form())
    assert found.identity.startswith("eTGlobalUserName=etaadmin,")
    assert found.post.endpoint_dn == UNIX
    assert [remark.partition(" is no key")[0] for remark in found.remarks] == [
        "line 3: size-limit",
        "line 4: use-status",
    ]


def test_a_line_that_is_none_is_told_without_showing_it() -> None:
    with pytest.raises(ConfError) as caught:
        parse_conf("server a\nuser b\n!secret!\n", Path("x"), pam.form())
    assert caught.value.problems[0] == "line 3: key value, or key = value, was expected"


# -- the command


def test_the_user_is_whom_pam_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "x.conf"
    conf.touch(mode=0o600)
    conf.write_text(f"server {NOBODY}\npassword b\nendpoint-name e\n")
    reading, writing = os.pipe()
    os.write(writing, NEW.encode())
    os.close(writing)
    with open(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setenv("PAM_USER", "aokafor")
        assert pam.main(["--conf", str(conf), "test"]) == Ending.COULD_NOT_ASK
    assert capsys.readouterr().out.startswith("aokafor: test: ")


def test_the_environment_cannot_name_its_conf_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PSYNC_AGENT_CONF", str(tmp_path / "mine.conf"))
    assert pam.main(["check"]) == Ending.WRONG
    assert "/etc/pam_CA_eta/pam_CA_eta.conf: " in capsys.readouterr().err


def test_it_starts_without_what_takes_long_to_import() -> None:
    """How long that takes, tools/bench/hooks.py says."""
    code = "import sys, provserver.agents.pam, provserver.agents.asking; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    heavy = {"twisted", "ldaptor", "zope", "attr", "asyncio", "OpenSSL", "rich", "sqlite3", "cryptography"}
    assert heavy & {name.partition(".")[0] for name in loaded.split()} == set()
