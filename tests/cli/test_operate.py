"""`provserver status`, `outbox` and `endpoints`: of a running server, and of a store that nobody serves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    Ran,
    ServedInstance,
    command,
    make_instance,
    serving,
    user_dn,
)

ADA_AD = (
    "eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,"
    "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
)
HPDEV01 = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im"
UNIX_NAME = "UNIX - etc Account 'aokafor' on 'hpdev01'"
NEW = "Kelp-Compass-88"
AGENT, AGENT_PASSWORD = "pam-hpdev01", "Seal-Ferry-Agent-22"
Serve = Callable[..., ServedInstance]
REPOSITORY = Path(__file__).resolve().parents[2]
STRICT = f"dn: {HPDEV01}\nchangetype: modify\nreplace: provSetting\nprovSetting: min_length=40\n"
"""The endpoint's own policy refuses whatever is sent."""


class Asked:
    """The commands, asked at an address or at a directory."""

    def __init__(self, where: str | Path, *trust: str, online: bool) -> None:
        self.where = str(where)
        self.online = online
        self._trust = trust

    def __call__(self, name: str, *arguments: str, password: str = ADMINISTRATOR_PASSWORD) -> Ran:
        acts = 0 if name == "status" else 1
        words = [name, *arguments[:acts], self.where, *arguments[acts:]]
        if not self.online:
            return command(*words)
        return command(*words, *self._trust, "--password-file", "-", stdin=password + "\n")

    def json(self, name: str, *arguments: str) -> Any:
        told = self(name, *arguments, "--json")
        assert told.returncode in (0, 1), told.stderr
        return json.loads(told.stdout)


@pytest.fixture(scope="module")
def held_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada's password was refused by hpdev01, and is held."""
    directory = tmp_path_factory.mktemp("held") / "demo"
    make_instance(directory, REPOSITORY / "ldif" / "demo.ldif", STRICT)
    with serving() as serve:
        served = serve(directory)
        done = served.set(ADA_AD, "eTSyncPassword", NEW)
        assert done.returncode == 0, done.stderr
        served.stop()
    return directory


@pytest.fixture
def offline(held_instance: Path, tmp_path: Path) -> Asked:
    return Asked(_copied(held_instance, tmp_path), online=False)


@pytest.fixture
def online(held_instance: Path, tmp_path: Path) -> Iterator[Asked]:
    with serving() as serve:
        served = serve(_copied(held_instance, tmp_path))
        yield Asked(served.url(), "--ca", str(served.authority), online=True)


@pytest.fixture(params=["online", "offline"])
def asked(request: pytest.FixtureRequest) -> Asked:
    """The same at both places."""
    found: Asked = request.getfixturevalue(request.param)
    return found


def _copied(instance: Path, parent: Path) -> Path:
    import shutil

    return Path(shutil.copytree(instance, parent / "demo"))


# ---------------------------------------------------------------- status


def test_one_user_is_told_account_by_account(asked: Asked, stock_clients: None) -> None:
    told = asked("status", "aokafor")
    assert (told.returncode, told.stderr) == (0, "")
    first, columns, *rows = told.stdout.splitlines()
    assert first.startswith("aokafor: password last changed 20")
    assert columns.split() == ["account", "state", "when", "event", "why"]
    unix = next(row for row in rows if UNIX_NAME in row)
    assert "held" in unix
    assert "  6927  " in unix
    assert "The endpoint's password policy refuses the password." in unix
    assert any("'ldap-hq'" in row and "updated" in row for row in rows)
    assert NEW not in told.stdout
    found = asked.json("status", user_dn("aokafor"))
    states = {one["endpoint"]: one["state"] for one in found["accounts"]}
    assert states["UNIX - etc:hpdev01"] == "held"
    assert asked.json("status", "etaadmin")["accounts"] == []


def test_totals_tell_what_is_held_where_and_since_when(asked: Asked, stock_clients: None) -> None:
    told = asked("status")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == "on its way: 0 pending, 0 sending, 0 retrying, 1 held"
    assert lines[2].startswith("UNIX - etc:hpdev01  ready")
    assert lines[3] == "held, until somebody acts (provserver outbox):"
    assert lines[5].split()[:3] == ["hpdev01", "6927", "1"]
    found = asked.json("status")
    assert found["totals"] == {"pending": 0, "sending": 0, "retrying": 0, "held": 1}
    assert [one["count"] for one in found["held"]] == [1]
    assert len(found["endpoints"]) == 4


def test_everybody_who_lacks_a_password_is_listed(asked: Asked, stock_clients: None) -> None:
    told = asked("status", "--failed")
    rows = told.stdout.splitlines()[1:]
    assert len(rows) == 1
    assert rows[0].startswith(f"aokafor  {UNIX_NAME}  held")
    [found] = asked.json("status", "--failed")
    assert (found["user"], found["event"]) == (user_dn("aokafor").removesuffix(",dc=eta"), 6927)


def test_users_who_never_changed_their_password_here_are_listed(asked: Asked, stock_clients: None) -> None:
    found = {
        one["user"].partition("=")[2].partition(",")[0]
        for one in asked.json("status", "--never-synchronised")
    }
    assert "bnovak" in found
    assert not found & {"aokafor", "etaadmin", "psync-ad-corp"}
    assert asked("status", "--never-synchronised").stdout.splitlines()[-1].startswith(f"{len(found)} users")


# ---------------------------------------------------------------- outbox


def test_the_outbox_is_listed_and_a_delivery_is_shown(asked: Asked, stock_clients: None) -> None:
    told = asked("outbox", "list")
    columns, row = told.stdout.splitlines()
    assert columns.split()[:5] == ["id", "state", "user", "account", "endpoint"]
    id, state, user, account, endpoint, tries = row.split()[:6]
    assert (state, user, account, endpoint, tries) == ("held", "aokafor", "aokafor", "hpdev01", "1")
    shown = asked("outbox", "show", id)
    assert f"endpoint    {HPDEV01}" in shown.stdout
    assert "held since  20" in shown.stdout
    for condition in (
        ("--user", "aokafor"),
        ("--user", user_dn("aokafor")),
        ("--account", "UNIX - etc:hpdev01:aokafor"),
        ("--endpoint", "hpdev01"),
        ("--endpoint", f"{HPDEV01},dc=eta"),
        ("--state", "held"),
        ("--endpoint", "UNIX - etc:hpdev01", "--user", "aokafor"),
    ):
        assert [one["provDelivery"] for one in asked.json("outbox", "list", *condition)] == [id], condition
    for condition in (("--user", "bnovak"), ("--endpoint", "ldap-hq"), ("--state", "retrying")):
        assert asked.json("outbox", "list", *condition) == [], condition
        assert asked("outbox", "list", *condition).stdout == "nothing is in the outbox that fits\n"


def test_a_retry_and_a_drop_say_what_they_did(asked: Asked, stock_clients: None) -> None:
    told = asked("outbox", "retry", "--endpoint", "ldap-hq")
    assert told.stdout == "nothing was retried: nothing that fits is held or retrying\n"
    refused = asked("outbox", "drop", "--all")
    assert refused.returncode == 1
    assert "give --yes" in refused.stderr
    dropped = asked("outbox", "drop", "--user", "aokafor", "--yes")
    assert (dropped.returncode, dropped.stdout) == (0, f"dropped: {UNIX_NAME} (was held)\n")
    assert asked("outbox", "list").stdout == "nothing is in the outbox\n"
    [account] = [one for one in asked.json("status", "aokafor")["accounts"] if one["account"] == UNIX_NAME]
    assert (account["state"], account["event"]) == ("cancelled", 7031)
    by = "provserver outbox drop" if not asked.online else "eTGlobalUserName=etaadmin,"
    assert f"By {by}" in account["text"]


def test_what_is_retried_where_nobody_serves_is_sent_when_somebody_does(
    offline: Asked, stock_clients: None
) -> None:
    mended = command("load", offline.where, "-", stdin=STRICT.replace("min_length=40", "min_length=8"))
    assert mended.returncode == 0, mended.stderr
    told = offline("outbox", "retry", "--all")
    assert told.stdout == f"retried: {UNIX_NAME} (was held)\n"
    assert [one["provOutboxState"] for one in offline.json("outbox", "list")] == ["pending"]
    with serving() as serve:
        served = serve(Path(offline.where))
        here = Asked(served.url(), "--ca", str(served.authority), online=True)
        assert here.json("outbox", "list") == []
        served.stop()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["outbox", "show", "none"], "not in the outbox: none"),
        (["outbox", "show"], "show: expected ids"),
        (["outbox", "retry"], "retry: expected ids, --user, --account, --endpoint or --state, or --all"),
        (["outbox", "retry", "none"], "not in the outbox: 'none'"),
        (
            ["outbox", "list", "--user", "ghost"],
            "there is no global user 'ghost': expected an eTGlobalUserName",
        ),
        (
            ["outbox", "list", "--endpoint", "ghost"],
            "there is no endpoint 'ghost': expected one of ActiveDir",
        ),
        (["outbox", "list", "--account", "UNIX - etc:hpdev01:ghost"], "there is no account 'UNIX - etc:hpd"),
        (["outbox", "retry", "--user", "ghost"], "there is no global user 'ghost'"),
        (["status", "ghost"], "there is no global user 'ghost'"),
        (["status", "aokafor", "--failed"], "expected only one of USER"),
        (["endpoints", "pause"], "pause: expected the NAME of an endpoint"),
        (["endpoints", "pause", "ghost"], "there is no endpoint 'ghost'"),
        (["endpoints", "test", "ghost"], "there is no endpoint 'ghost'"),
    ],
)
def test_what_is_not_there_is_told_with_what_was_expected(
    demo_instance: Path, words: list[str], problem: str
) -> None:
    told = Asked(demo_instance, online=False)(*words)
    assert (told.returncode, told.stdout) == (1, "")
    assert problem in told.stderr


# ---------------------------------------------------------------- endpoints


def test_endpoints_are_listed_paused_and_resumed(asked: Asked, stock_clients: None) -> None:
    def state() -> str:
        [one] = asked.json("endpoints", "list", "hpdev01")
        return str(one["provEndpointState"])

    told = asked("endpoints", "list")
    columns, *rows = told.stdout.splitlines()
    assert columns.split()[:4] == ["endpoint", "connector", "state", "pending"]
    assert [row.split("  ")[0] for row in rows] == [
        "ActiveDirectory:AD-Corp",
        "CA-ACF2:MVSPROD",
        "OpenLDAP:ldap-hq",
        "UNIX - etc:hpdev01",
    ]
    assert state() == "ready"
    paused = asked("endpoints", "pause", "hpdev01")
    assert (paused.returncode, paused.stdout) == (0, "UNIX - etc:hpdev01: paused: what is for it waits\n")
    assert state() == "paused"
    assert asked("endpoints", "resume", "hpdev01").stdout == "UNIX - etc:hpdev01: goes on\n"
    assert state() == "ready"


def test_an_endpoint_is_tested_step_by_step(asked: Asked, stock_clients: None) -> None:
    told = asked("endpoints", "test", "ldap-hq")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[:2] == ["OpenLDAP:ldap-hq", "  ok      settings: connector emulated"]
    assert asked.json("endpoints", "test", "ldap-hq")["good"] is True


def test_a_test_that_fails_says_what_to_do_and_ends_with_one(demo_instance: Path) -> None:
    broken = f"dn: {HPDEV01}\nchangetype: modify\ndelete: provConnector\n"
    assert command("load", demo_instance, "-", stdin=broken).returncode == 0
    told = command("endpoints", "test", demo_instance, "hpdev01")
    assert told.returncode == 1
    assert "FAILED  settings: The endpoint has no usable connector." in told.stdout
    assert "what to do: mend provConnector, provSetting or provSecret" in told.stdout


# ---------------------------------------------------------------- both


def test_both_places_give_the_same_tables(held_instance: Path, tmp_path: Path, stock_clients: None) -> None:
    directory = _copied(held_instance, tmp_path)
    here = Asked(directory, online=False)
    questions = (
        ("status",),
        ("status", "aokafor"),
        ("status", "--failed"),
        ("status", "--never-synchronised"),
        ("outbox", "list"),
        ("endpoints", "list"),
    )
    told = {words: here(*words).stdout for words in questions}
    with serving() as serve:
        served = serve(directory)
        there = Asked(served.url(), "--ca", str(served.authority), online=True)
        assert {words: there(*words).stdout for words in questions} == told
        served.stop()


def test_who_may_not_is_told(online: Asked, stock_clients: None) -> None:
    for words in (
        ("status",),
        ("outbox", "list"),
        ("outbox", "retry", "--all"),
        ("endpoints", "test", "hpdev01"),
    ):
        told = online(*words, "--as", AGENT, password=AGENT_PASSWORD)
        assert (told.returncode, told.stdout) == (1, "")
        assert f"'{AGENT}' may not ask about 'cn=" in told.stderr
    told = online("endpoints", "pause", "hpdev01", "--as", AGENT, password=AGENT_PASSWORD)
    assert told.returncode == 1
