"""A running server's journal as a file, across restarts, and its alerts, from the event to who is told."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import pytest_twisted
from following import followed
from harbour import ADA_AD, ADA_UNIX, HPDEV01, LDAP_HQ, NEW, OTHER, PASSWORDS, administrator, wire
from receivers import KEY, MailServer, Receiver, until

from provserver.connectors.contract import AccessDenied, PasswordPolicyViolation
from provserver.delivery.declared import DECLARED
from provserver.journal.schema import schema_of
from provserver.settings import SettingsError
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

Receivers = Callable[..., Receiver]
MailServers = Callable[..., MailServer]
FILE = "journal.file=true"


def lines(logs: Path) -> list[Any]:
    return [json.loads(line) for line in (logs / "journal.jsonl").read_text("ascii").splitlines()]


def hook(folder: Path, receiver: Receiver) -> list[str]:
    """Settings by which this one is told."""
    secret = folder / "alerts.secret"
    secret.write_bytes(KEY + b"\n")
    secret.chmod(0o600)
    return [f"alerts.webhooks={receiver.url()}", f"alerts.secret_file={secret}"]


async def all_told(server: RunningServer) -> None:
    """What is to be told has arrived; a clock that is turned before that would end it."""
    watching = server.service._telling.watching
    assert watching is not None
    assert watching._desk is not None
    outlets = watching._desk.outlets
    await until(lambda: all(outlet.idle for outlet in outlets))


async def busy_hour(server: RunningServer) -> None:
    """Some of everything."""
    agent, unix, admin = (
        await wire(server, "psync-ad-corp"),
        await wire(server, "pam-hpdev01"),
        await administrator(server),
    )
    server.endpoint("ldap-hq").down()
    await agent.test(ADA_AD, "weakling")
    await agent.test(ADA_AD, NEW)
    await agent.sync(ADA_AD, NEW)
    await unix.sync(ADA_UNIX, NEW)
    await unix.sync(ADA_UNIX, OTHER)
    await admin.modify(user_dn("bnovak"), replace("eTPassword", NEW))
    await admin.modify(user_dn("bnovak"), replace("eTPassword", "weakling"))


@pytest_twisted.ensureDeferred
async def test_every_event_is_a_line_of_that_form(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(settings=[FILE], logs=tmp_path)
    await busy_hour(server)
    await followed(server)
    found = lines(tmp_path)
    validator = jsonschema.Draft202012Validator(schema_of(DECLARED))
    assert [error.message for line in found for error in validator.iter_errors(line)] == []
    journal = await server.journal()
    assert [(line["seq"], line["event"], line["text"]) for line in found] == [
        (number, event.event, event.text) for number, event in enumerate(journal, 1)
    ]
    assert {8001, 8002, 8010, 8011, 8012, 8024, 8025, 7000, 7014} <= {line["event"] for line in found}
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o777 == 0o600
    said = (tmp_path / "journal.jsonl").read_text()
    for secret in ("weakling", NEW, OTHER, *PASSWORDS.values()):
        assert secret not in said


@pytest_twisted.ensureDeferred
async def test_it_is_off_by_default(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(logs=tmp_path)
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await server.stop()
    assert os.listdir(tmp_path) == []


@pytest_twisted.ensureDeferred
async def test_what_happened_last_is_in_it_when_the_server_has_stopped(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(settings=[FILE], logs=tmp_path / "logs", directory=tmp_path)
    await busy_hour(server)
    await server.stop()
    again = await start_provserver(directory=tmp_path, clock=server.clock)
    assert [line["seq"] for line in lines(tmp_path / "logs")] == list(
        range(1, 1 + len(await again.journal()))
    )


@pytest_twisted.ensureDeferred
async def test_nothing_is_missing_and_nothing_twice_after_a_restart(
    start_provserver: Starter, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    server = await start_provserver(settings=[FILE], logs=logs, directory=tmp_path)
    await busy_hour(server)
    await server.stop()
    unwatched = await start_provserver(directory=tmp_path, clock=server.clock)
    await busy_hour(unwatched)
    await unwatched.stop()
    again = await start_provserver(settings=[FILE], logs=logs, directory=tmp_path, clock=server.clock)
    await followed(again)
    assert [line["seq"] for line in lines(logs)] == list(range(1, 1 + len(await again.journal())))


@pytest_twisted.ensureDeferred
async def test_a_store_that_is_behind_its_file_goes_on_from_its_own_end(
    start_provserver: Starter, tmp_path: Path
) -> None:
    (tmp_path / "journal.jsonl").write_text('{"seq":500,"time":"2026-09-21T14:00:00.000Z"}\n')
    server = await start_provserver(settings=[FILE], logs=tmp_path)
    await (await wire(server, "psync-ad-corp")).test(ADA_AD, NEW)
    await followed(server)
    assert [line["seq"] for line in lines(tmp_path)] == [500, 1]


@pytest_twisted.ensureDeferred
async def test_a_hangup_begins_a_new_file(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(settings=[FILE], logs=tmp_path)
    agent = await wire(server, "psync-ad-corp")
    await agent.test(ADA_AD, NEW)
    await followed(server)
    (tmp_path / "journal.jsonl").rename(tmp_path / "moved")
    server.service.renew()
    await agent.test(ADA_AD, NEW)
    await followed(server)
    assert [line["seq"] for line in lines(tmp_path)] == [2]


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_refuses_what_the_policy_accepted_is_told_to_the_administrators(
    start_provserver: Starter, receiver: Receivers, mail_server: MailServers, tmp_path: Path
) -> None:
    """Event 6927."""
    there, post = receiver(), mail_server()
    mail = [
        "alerts.mail_server=127.0.0.1",
        f"alerts.mail_port={post.port}",
        "alerts.mail_security=none",
        "alerts.mail_from=provserver@example.com",
        "alerts.mail_to=ann@example.com",
    ]
    server = await start_provserver(settings=[*hook(tmp_path, there), *mail])
    server.endpoint("hpdev01").refuse(PasswordPolicyViolation)
    agent = await wire(server, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await followed(server)
    await until(lambda: there.bodies and post.mails)
    (told,) = there.documents
    assert there.all_signed()
    assert (told["rule"], told["severity"]) == ("6927", "error")
    assert told["endpoint"] == HPDEV01.removesuffix(",dc=eta")
    assert told["details"]["account"] == ADA_UNIX.removesuffix(",dc=eta")
    assert told["text"].startswith("The endpoint's password policy refuses the password.")
    assert "6927" in post.mails[0]["Subject"]
    for said in (there.bodies[0].decode(), post.mails[0].as_string()):
        assert NEW not in said


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_stays_away_and_what_is_held_are_told_of(
    start_provserver: Starter, receiver: Receivers, tmp_path: Path
) -> None:
    there = receiver()
    server = await start_provserver(settings=[*hook(tmp_path, there), "alerts.unreachable_after=300"])
    server.endpoint("ldap-hq").down()
    server.endpoint("hpdev01").refuse(AccessDenied)
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    for _ in range(6):
        await followed(server, 60)
        await all_told(server)
    told = {document["rule"]: document for document in there.documents}
    assert told.keys() == {"unreachable", "held"}
    assert told["unreachable"]["endpoint"] == LDAP_HQ.removesuffix(",dc=eta")
    assert told["held"]["endpoint"] == HPDEV01.removesuffix(",dc=eta")
    server.endpoint("ldap-hq").mend()
    for _ in range(3):
        await followed(server, 2)
        await all_told(server)
    assert (there.documents[-1]["rule"], there.documents[-1]["over"]) == ("unreachable", True)


@pytest_twisted.ensureDeferred
async def test_a_store_that_fails_is_told_of(
    start_provserver: Starter, receiver: Receivers, tmp_path: Path
) -> None:
    """The disk is full: SQLite says so wherever somebody writes."""
    there = receiver()
    server = await start_provserver(settings=hook(tmp_path, there))
    agent = await wire(server, "psync-ad-corp")
    store: Any = server.service.foundation.store
    commit = store.commit

    async def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    store.commit = full
    assert (await agent.sync(ADA_AD, NEW)).code == 80
    store.commit = commit
    await followed(server)
    await until(lambda: there.bodies)
    assert there.documents[0]["rule"] == "store"
    assert there.documents[0]["text"] == ("The store has failed: OperationalError: database or disk is full")


@pytest_twisted.ensureDeferred
async def test_what_was_not_told_before_the_end_is_told_after_the_next_start(
    start_provserver: Starter, receiver: Receivers, tmp_path: Path
) -> None:
    there = receiver()
    there.status = 503
    chosen = hook(tmp_path, there)
    server = await start_provserver(settings=chosen, logs=tmp_path / "logs", directory=tmp_path)
    await followed(server)
    server.endpoint("hpdev01").refuse(PasswordPolicyViolation)
    await (await wire(server, "psync-ad-corp")).sync(ADA_AD, NEW)
    await followed(server)
    await until(lambda: there.bodies)
    await server.stop()
    there.status = 204
    before = len(there.bodies)
    again = await start_provserver(
        settings=chosen, logs=tmp_path / "logs", directory=tmp_path, clock=server.clock
    )
    await followed(again)
    await until(lambda: len(there.bodies) > before)
    assert there.documents[-1]["rule"] == "6927"


@pytest.mark.parametrize(
    ("chosen", "key", "expected"),
    [
        (["alerts.webhooks=https://a.example.com/"], "alerts.secret_file", "expected a file"),
        (["alerts.rules=6927"], "alerts.rules", "expected SUBJECT"),
        (["alerts.mail_to=ann@example.com"], "alerts.mail_server", "expected a host"),
        (
            ["alerts.rules=6927 -> ann@example.com"],
            "alerts.mail_server",
            "expected a host",
        ),
        (
            ["alerts.mail_to=ann@example.com", "alerts.mail_server=mail.example.com"],
            "alerts.mail_from",
            "expected an address",
        ),
        (
            [
                "alerts.mail_to=ann@example.com",
                "alerts.mail_server=mail.example.com",
                "alerts.mail_security=none",
            ],
            "alerts.mail_security",
            "expected starttls or tls",
        ),
        (
            [
                "alerts.mail_to=ann@example.com",
                "alerts.mail_server=mail.example.com",
                "alerts.mail_from=p@example.com",
                "alerts.mail_user=p",
            ],
            "alerts.mail_password_file",
            "expected a file",
        ),
        (
            [
                "alerts.mail_to=ann",
                "alerts.mail_server=mail.example.com",
                "alerts.mail_from=p@example.com",
            ],
            "alerts.mail_to",
            "expected a list of mail addresses",
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_settings_that_tell_nobody_stop_the_start(
    start_provserver: Starter, chosen: list[str], key: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as error:
        await start_provserver(settings=chosen)
    assert error.value.key == key
    assert expected in error.value.problem


@pytest_twisted.ensureDeferred
async def test_files_that_others_can_read_stop_it_too(start_provserver: Starter, tmp_path: Path) -> None:
    path = tmp_path / "a.secret"
    path.write_bytes(KEY)
    path.chmod(0o644)
    mail = [
        "alerts.mail_to=ann@example.com",
        "alerts.mail_server=mail.example.com",
        "alerts.mail_from=p@example.com",
        "alerts.mail_user=p",
        f"alerts.mail_password_file={path}",
    ]
    webhook = ["alerts.webhooks=https://a.example.com/", f"alerts.secret_file={path}"]
    for chosen in (mail, webhook):
        with pytest.raises(SettingsError) as error:
            await start_provserver(settings=chosen)
        assert "chmod 600" in str(error.value)
        assert KEY.decode() not in str(error.value)
