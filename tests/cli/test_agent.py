"""`provserver agent`: an agent that is let in can do its work with the conf file that it is given, and
nothing else; of a running server, and of a store that nobody serves.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    REPOSITORY,
    Ran,
    ServedInstance,
    command,
    make_instance,
    serving,
    user_dn,
)

from provserver.agents.reading import parse_conf
from provserver.cli.agent import Let
from provserver.cli.joining import CONF, Reach, conf_text
from provserver.directory.names import DN
from provserver.imps.users import global_user_dn
from provserver.vault.secret import Secret

NEW = "Kelp-Compass-88"
AD_CORP = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im"
DOMAIN = DN.parse("dc=im")


class Asked:
    """`asked(ACT, ...)` at one place."""

    def __init__(self, directory: Path, served: ServedInstance | None) -> None:
        self.directory = directory
        self.served = served

    def __call__(self, act: str, *arguments: str | Path) -> Ran:
        words: list[str | Path] = ["agent", act, self.served.url() if self.served else self.directory]
        if self.served is None:
            return command(*words, *arguments)
        trust = "--ca", self.served.authority, "--password-file", "-"
        return command(*words, *arguments, *trust, stdin=ADMINISTRATOR_PASSWORD + "\n")

    def json(self, act: str, *arguments: str | Path) -> Any:
        told = self(act, *arguments, "--json")
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)


@pytest.fixture(params=["online", "offline"])
def asked(request: pytest.FixtureRequest, demo_instance: Path, serve: Callable[..., ServedInstance]) -> Asked:
    return Asked(demo_instance, serve(demo_instance) if request.param == "online" else None)


@pytest.fixture
def online(demo_instance: Path, serve: Callable[..., ServedInstance]) -> Asked:
    return Asked(demo_instance, serve(demo_instance))


@pytest.fixture
def offline(demo_instance: Path) -> Asked:
    return Asked(demo_instance, None)


def psync(conf: Path, *arguments: str, stdin: str = "") -> Ran:
    return subprocess.run(
        [sys.executable, "-P", "-m", "provserver.agents", "--conf", str(conf), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_agent_that_is_let_in_works_with_the_files_that_it_is_given(online: Asked, tmp_path: Path) -> None:
    out = tmp_path / "for-dc2"
    done = online("add", "psync-dc2", "--endpoint", "AD-Corp", "--out", out)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert stat.S_IMODE((out / CONF).stat().st_mode) == 0o600
    password = parse_conf((out / CONF).read_text(), out / CONF).password.reveal_text()
    assert password not in done.stderr
    checked = psync(out / CONF, "check")
    assert checked.returncode == 0, checked.stdout
    assert "remark:" not in checked.stdout
    assert "certificate verified, logged in, endpoint found" in checked.stdout
    changed = psync(out / CONF, "change", "cmercier", stdin=NEW)
    assert changed.returncode == 0, changed.stdout
    assert online.served is not None
    assert online.served.accepts_password("cmercier", NEW)


def test_elsewhere_it_may_do_nothing(online: Asked, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert online("add", "psync-dc2", "--endpoint", "AD-Corp", "--out", out).returncode == 0
    conf = out / CONF
    text = conf.read_text().replace("ActiveDirectory", "UNIX - etc").replace("AD-Corp", "hpdev01")
    conf.write_text(text)
    checked = psync(conf, "check")
    assert checked.returncode == 1
    assert "is not known there, or not to this agent" in checked.stdout
    assert psync(conf, "change", "aokafor", stdin=NEW).returncode == 3


@pytest.mark.parametrize("name", ["AD-Corp", "activedirectory:ad-corp", AD_CORP, f"{AD_CORP},dc=eta"])
def test_the_endpoint_is_named_as_people_name_it(offline: Asked, name: str) -> None:
    done = offline("add", "psync-dc2", "--endpoint", name, "--server", "provserver.example.com")
    assert done.returncode == 0, done.stderr
    conf = parse_conf(done.stdout, Path("eta_pwdsync.conf"))
    assert conf.post.endpoint_dn == f"{AD_CORP},dc=eta"
    assert conf.identity == user_dn("psync-dc2")
    assert str(conf.servers[0]) == "provserver.example.com:20390"
    assert conf.remarks == ()
    assert conf.judged_first
    assert f"the agent needs {offline.directory / 'tls' / 'ca.pem'}, as ca.pem" in done.stderr
    assert conf.password.reveal_text() not in done.stderr


def test_agents_are_listed_with_where_they_may_act(asked: Asked) -> None:
    assert asked("add", "psync-dc2", "--endpoint", "AD-Corp").returncode == 0
    told = asked("list")
    assert (told.returncode, told.stderr) == (0, "")
    rows = [line.split() for line in told.stdout.splitlines()]
    assert rows[0][:2] == ["agent", "endpoints"]
    assert ["psync-dc2", "AD-Corp", "an", "agent"] in rows
    assert ["lds-mvsprod", "MVSPROD", "an", "agent"] in rows
    found = {one["agent"]: one for one in asked.json("list")}
    assert found["psync-dc2"] == {
        "agent": "psync-dc2",
        "dn": user_dn("psync-dc2").removesuffix(",dc=eta"),
        "scope": [AD_CORP],
        "onlyAgent": True,
        "endpointsThere": True,
    }
    assert "etaadmin" not in found


def test_a_new_password_takes_the_place_of_the_old_one(asked: Asked) -> None:
    first = asked.json("add", "psync-dc2", "--endpoint", "AD-Corp")
    again = asked.json("password", "psync-dc2")
    assert {name: again[name] for name in ("agent", "endpoint")} == {
        "agent": "psync-dc2",
        "endpoint": "AD-Corp",
    }
    old, new = (parse_conf(one["conf"], Path("x.conf")).password.reveal_text() for one in (first, again))
    assert old != new
    with serving_again(asked) as served:
        assert served.accepts_password("psync-dc2", new)
        assert not served.accepts_password("psync-dc2", old)
        found = served.search(
            f"{AD_CORP},dc=eta", "(eTADSsAMAccountName=aokafor)", who=user_dn("psync-dc2"), password=new
        )
        assert (found.returncode, found.stdout.count("dn: ")) == (0, 1), "it need not change it first"


@contextlib.contextmanager
def serving_again(asked: Asked) -> Iterator[ServedInstance]:
    """The server, which is started where nobody serves the instance."""
    if asked.served is not None:
        yield asked.served
    else:
        with serving() as serve:
            yield serve(asked.directory)


def test_who_is_removed_is_gone_and_its_name_is_free(asked: Asked) -> None:
    assert asked("add", "psync-dc2", "--endpoint", "AD-Corp").returncode == 0
    done = asked("remove", "psync-dc2")
    assert (done.returncode, done.stdout) == (0, "psync-dc2: removed; it cannot log in any more\n")
    assert "psync-dc2" not in asked("list").stdout
    assert asked("remove", "psync-dc2").returncode == 1
    assert asked("add", "psync-dc2", "--endpoint", "hpdev01").returncode == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["add", "psync-dc2", "--endpoint", "AD-Crop"],
            "there is no endpoint 'AD-Crop': expected one of ActiveDirectory:AD-Corp, ",
        ),
        (
            ["add", "aokafor", "--endpoint", "AD-Corp"],
            "there is a global user 'aokafor' already: give the agent a name of its own",
        ),
        (["add", "psync-dc2"], "add: expected --endpoint, where the agent may act"),
        (["add", ""], "add: expected --endpoint"),
        (["add", "", "--endpoint", "AD-Corp"], "eTGlobalUserName: expected a non-empty text"),
        (["remove"], "remove: expected the NAME of an agent"),
        (
            ["remove", "etaadmin"],
            "'etaadmin' is no agent: expected a global user with provAgentScope, and no",
        ),
        (["remove", "aokafor"], "'aokafor' is no agent: "),
        (["password", "aokafor"], "'aokafor' is no agent: "),
        (["password", "ghost"], "there is no global user 'ghost'"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_changed(
    offline: Asked, words: list[str], told: str
) -> None:
    before = command("dump", offline.directory).stdout
    done = offline(words[0], *words[1:])
    assert done.returncode == 1
    assert done.stderr.startswith(f"provserver: {told}"), done.stderr
    assert command("dump", offline.directory).stdout == before


def test_the_lines_of_the_page_do_what_it_says(offline: Asked, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "connect-an-agent.md").read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        words = shlex.split(line.replace("LAB", str(offline.directory)))
        assert words.pop(0) == "provserver"
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 0, line + done.stderr
    for folder in ("for-dc2", "for-dc2-again"):
        assert sorted(file.name for file in (tmp_path / folder).iterdir()) == ["ca.pem", CONF]


@pytest.mark.parametrize("server", ["ldaps://x", "a b", "host:0", "host:99999", ""])
def test_a_server_that_is_none_is_a_usage_error(offline: Asked, server: str) -> None:
    done = offline("add", "psync-dc2", "--endpoint", "AD-Corp", "--server", server)
    assert done.returncode == 2
    assert "expected HOST or HOST:PORT" in done.stderr


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (["ldap://127.0.0.1:20389"], "agents ask by LDAPS: give --server HOST:PORT, where they reach"),
        (["LAB", "--set", "server.ldaps_port=0"], "the instance listens on any free port: give --server"),
    ],
)
def test_where_an_agent_reaches_the_server_is_asked_for_where_it_is_not_known(
    demo_instance: Path, where: list[str], told: str
) -> None:
    place, *more = [word.replace("LAB", str(demo_instance)) for word in where]
    done = command("agent", "add", place, "psync-dc2", "--endpoint", "AD-Corp", *more)
    assert (done.returncode, done.stderr.startswith(f"provserver: {told}")) == (1, True), done.stderr


def test_files_that_are_there_are_left_and_nobody_is_let_in(offline: Asked, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("somebody else's")
    done = offline("add", "psync-dc2", "--endpoint", "AD-Corp", "--out", tmp_path)
    assert done.returncode == 1
    assert "ca.pem is there already; nothing was changed" in done.stderr
    assert (tmp_path / "ca.pem").read_text() == "somebody else's"
    assert not (tmp_path / CONF).exists()
    assert "psync-dc2" not in offline("list").stdout


def test_where_nobody_is_let_in_no_file_is_left(online: Asked, tmp_path: Path) -> None:
    assert online.served is not None
    done = command(
        "agent", "add", online.served.url(), "psync-dc2", "--endpoint", "AD-Corp", "--out", tmp_path / "out",
        "--as", "aokafor", "--ca", online.served.authority, "--password-file", "-",
        stdin="Quay-Lantern-41\n",
    )  # fmt: skip
    assert done.returncode == 1
    assert list(tmp_path.glob("out/*")) == []


def test_an_address_that_no_other_host_reaches_and_an_endpoint_that_expects_no_agent_are_remarked(
    offline: Asked,
) -> None:
    done = offline("add", "crab2", "--endpoint", "ldap-hq")
    assert done.returncode == 0
    assert "is reached from this machine only: --server HOST:PORT says it for others" in done.stderr
    assert "provPasswordSyncAgentInstalled is FALSE at ldap-hq" in done.stderr
    done = offline("add", "psync-dc2", "--endpoint", "AD-Corp", "--server", "10.1.2.3:20390")
    assert "remark" not in done.stderr


def test_an_endpoint_that_is_gone_shows_in_the_list(tmp_path: Path) -> None:
    gone = (
        f"dn: {user_dn('stray')}\n"
        "objectClass: eTGlobalUser\neTGlobalUserName: stray\n"
        "provAgentScope: eTADSDirectoryName=Gone,eTNamespaceName=ActiveDirectory,dc=im\n"
    )
    told = Asked(make_instance(tmp_path / "lab", gone), None)("list")
    assert "stray  Gone       an agent without the profile, or with others too; an endpoint is gone" in (
        told.stdout
    )


def test_of_many_endpoints_the_nearest_names_are_told(tmp_path: Path) -> None:
    many = "\n".join(
        f"dn: eTADSDirectoryName=DC-{number:02},eTNamespaceName=ActiveDirectory,dc=im\n"
        f"objectClass: eTADSDirectory\neTADSDirectoryName: DC-{number:02}\nprovConnector: emulated\n"
        for number in range(30)
    )
    there = Asked(make_instance(tmp_path / "lab", many), None)
    done = there("add", "psync-dc2", "--endpoint", "ActiveDirectory:DC-2")
    named = done.stderr.partition("expected one of ")[2].split(", ")
    assert named[-1] == "...\n"
    assert len(named) == 21
    assert {f"ActiveDirectory:DC-2{digit}" for digit in range(10)} <= set(named)


def test_a_domain_without_agents_says_so(tmp_path: Path) -> None:
    assert Asked(make_instance(tmp_path / "lab"), None)("list").stdout == "the domain has no agents\n"


NAMES = st.text(st.sampled_from("aZ09 ,+\"'\\<>;=#:%[]é漢-."), min_size=1, max_size=8)


@given(NAMES, NAMES, st.sampled_from(["im", "chicago.usa"]))
def test_whatever_things_are_called_the_agent_reads_what_was_written(
    agent: str, endpoint: str, domain: str
) -> None:
    top = DN.parse(",".join(f"dc={part}" for part in domain.split(".")))
    scope = top.child("eTNamespaceName", "UNIX - etc").child("eTETCDirectoryName", endpoint)
    identity = global_user_dn(agent, top)
    secret = Secret.of_text("a;b # c")
    text = conf_text(identity, secret, scope, top, Reach("provserver.example.com", Path("ca.pem")))
    conf = parse_conf(text, Path("eta_pwdsync.conf"))
    assert DN.parse(conf.identity) == DN.parse(f"{identity.text},dc=eta")
    assert DN.parse(conf.post.endpoint_dn) == DN.parse(f"{scope.text},dc=eta")
    assert (conf.password, conf.remarks) == (secret, ())
    assert conf.trust is not None
    assert conf.trust.ca_file == Path.cwd() / "ca.pem"


def test_what_is_handed_over_does_not_show_its_password() -> None:
    assert "Kelp-Compass-88" not in repr(Let("pam", "hpdev01", "password = Kelp-Compass-88\n"))
