"""The rules of the Password Profile on the wire: who is judged by them, what is told, and who writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    NEW,
    PROFILE,
    administrator,
    overwrite,
    snapshot,
    wire,
)
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from provserver.cli.failure import CommandFailed
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.extended import PasswordModified, PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.passwords.rules.listing import ListError
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, delete, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
WORDS, BREACHED = EXAMPLES / "words.txt", EXAMPLES / "breached-sha1.txt"
ADA = user_dn("aokafor")
ASKED = [encode_request(PasswordPolicyRequest())]
C = ResultCode

Change = Callable[[RunningServer, str], Awaitable[Told]]


async def set_profile(server: RunningServer, **values: str) -> Told:
    admin = await administrator(server)
    return await admin.modify(PROFILE, *[replace(name, value) for name, value in values.items()])


async def demand(server: RunningServer, **values: str) -> None:
    told = await set_profile(server, **values)
    assert told.code is C.SUCCESS, told


async def checked(server: RunningServer, password: str) -> Told:
    agent = await wire(server, "psync-ad-corp")
    return await agent.ask(ModifyRequest(ADA_AD, (replace("eTTestPassword", password),)), ASKED)


async def synced(server: RunningServer, password: str) -> Told:
    agent = await wire(server, "psync-ad-corp")
    return await agent.ask(ModifyRequest(ADA_AD, (replace("eTSyncPassword", password),)), ASKED)


async def chosen(server: RunningServer, password: str) -> Told:
    ada = await wire(server, "aokafor")
    return await ada.ask(ModifyRequest(ADA, (replace("eTPassword", password),)), ASKED)


async def was_reset(server: RunningServer, password: str) -> Told:
    admin = await administrator(server)
    return await admin.ask(ModifyRequest(ADA, (replace("eTPassword", password),)), ASKED)


async def was_reset_by_password_modify(server: RunningServer, password: str) -> Told:
    admin = await administrator(server)
    return await admin.ask(extended(PasswordModify(ADA, None, Secret.of_text(password))), ASKED)


WAYS = [checked, synced, chosen, was_reset, was_reset_by_password_modify]


def error(told: Told) -> PolicyError | None:
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None
    return answer.error


@pytest.fixture
def listed(start_provserver: Starter) -> Callable[[], Awaitable[RunningServer]]:
    """A server with the lists that come as examples."""
    return lambda: start_provserver(
        settings=[f"passwords.dictionary={WORDS}", f"passwords.breached={BREACHED}"]
    )


RULES = [
    ({"provMinClasses": "4"}, "Kelp0Compass88", "kinds of characters are needed", "tooFewClasses"),
    ({"provMaxRepeated": "2"}, "Kelp-Compasss-88", "at most twice in a row", "repeatedCharacter"),
    ({"provMaxOccurrences": "2"}, "K-lp-Comp-ss-88", "may come at most twice [", "frequentCharacter"),
    ({"provMaxSequence": "3"}, "Kelp-fGhJ-8765-x", "may follow each other as in the alphabet", "sequence"),
    ({"provNameLength": "4"}, "Kelp-OKAFOR-88", "a name or an id of the user", "ownName"),
    ({"provWordLength": "6"}, "Kelp-P4$$w0rD-88", "a word that is easily guessed", "dictionaryWord"),
    ({"provBreachCount": "2"}, "Dragon-Monkey-1", "known from data breaches", "breached"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("values", "password", "text", "name"), RULES, ids=[rule[3] for rule in RULES])
@test
async def test_every_way_to_set_a_password_is_judged_by_every_rule(
    listed: Callable[[], Awaitable[RunningServer]],
    values: dict[str, str],
    password: str,
    text: str,
    name: str,
    way: Change,
) -> None:
    server = await listed()
    await demand(server, **values)
    before = await snapshot(server)
    told = await way(server, password)
    assert (told.code, error(told)) == (C.CONSTRAINT_VIOLATION, PolicyError.INSUFFICIENT_PASSWORD_QUALITY)
    assert text in told.text
    assert told.text.endswith(f"[{name}]")
    assert password not in told.text
    assert await snapshot(server) == before
    assert (await way(server, NEW)).code is C.SUCCESS


@test
async def test_all_that_is_wrong_is_told_in_one_answer(
    listed: Callable[[], Awaitable[RunningServer]],
) -> None:
    server = await listed()
    await demand(server, **{name: value for values, *_ in RULES for name, value in values.items()})
    told = await checked(server, "okaforaaa1234password")
    assert told.text.rpartition(" [")[2].rstrip("]").split(", ") == [
        "tooFewUpper",
        "tooFewClasses",
        "repeatedCharacter",
        "frequentCharacter",
        "sequence",
        "ownName",
        "dictionaryWord",
    ]
    assert error(told) is PolicyError.INSUFFICIENT_PASSWORD_QUALITY
    assert told.text.count("; ") == 6


@test
async def test_the_names_of_the_account_under_change_count_too(provserver: RunningServer) -> None:
    """Of the other accounts of the user they do not: nobody there may know them."""
    await demand(provserver, provNameLength="4")
    account = await provserver.entry(ADA_AD)
    assert account is not None
    await overwrite(provserver, ADA_AD, "eTADSsAMAccountName", b"lighthouse7")
    told = await checked(provserver, "My-Lighthouse7-99")
    assert (told.code, told.text.endswith("[ownName]")) == (C.CONSTRAINT_VIOLATION, True)
    unix = await wire(provserver, "pam-hpdev01")
    assert (await unix.test(ADA_UNIX, "My-Lighthouse7-99")).code is C.SUCCESS
    assert (await was_reset(provserver, "My-Lighthouse7-99")).code is C.SUCCESS


@test
async def test_the_minimum_interval_is_for_changes_by_the_user_alone(provserver: RunningServer) -> None:
    await demand(provserver, provMinInterval="3600")
    provserver.clock.turn(3600)
    assert (await chosen(provserver, NEW)).code is C.SUCCESS
    ada = await provserver.wire("aokafor", NEW)
    told = await ada.ask(ModifyRequest(ADA, (replace("eTPassword", "Dune-Beacon-17"),)), ASKED)
    assert (told.code, error(told)) == (C.CONSTRAINT_VIOLATION, PolicyError.PASSWORD_TOO_YOUNG)
    assert told.text.endswith("wait 3600 seconds and try again [tooYoung]")
    for way in (synced, was_reset):
        assert (await way(provserver, f"{way.__name__}-Beacon-17")).code is C.SUCCESS


# ---------------------------------------------------------------- the profile, when it is written


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"provMaxLength": "9"}, "provMaxLength is 9, at least provMinLength (10) was expected"),
        ({"provMinLength": "-1"}, "provMinLength is a whole number from 0 to 999999999"),
        ({"provMaxSequence": "1"}, "provMaxSequence is 0, or a whole number from 2"),
        ({"provWordLength": "5"}, "there is no dictionary: set passwords.dictionary"),
        ({"provBreachCount": "1"}, "there is no list of breached passwords: set passwords.breached"),
        ({"provMaxAgeDays": "10", "provWarningDays": "10"}, "provWarningDays is 10, less than"),
    ],
)
@test
async def test_a_profile_that_makes_no_sense_is_refused_when_it_is_written(
    provserver: RunningServer, values: dict[str, str], problem: str
) -> None:
    """Over LDAP, as a new entry, and in a load."""
    before = await provserver.entry(PROFILE)
    told = await set_profile(provserver, **values)
    assert told.code is C.CONSTRAINT_VIOLATION
    assert problem in told.text
    changes = "".join(f"replace: {name}\n{name}: {value}\n-\n" for name, value in values.items())
    with pytest.raises(CommandFailed) as caught:
        await provserver.load(f"dn: {PROFILE}\nchangetype: modify\n{changes}")
    assert problem in str(caught.value)
    assert await provserver.entry(PROFILE) == before
    assert (await checked(provserver, NEW)).code is C.SUCCESS

    admin = await administrator(provserver)
    assert (await admin.delete(PROFILE)).code is C.SUCCESS
    attributes = {"objectClass": ["eTPasswordProfile"], "provMinLength": ["10"]}
    made = attributes | {name: [value] for name, value in values.items()}
    told = await admin.add(PROFILE, made)
    assert told.code is C.CONSTRAINT_VIOLATION
    assert problem in told.text
    assert (await admin.add(PROFILE, attributes)).code is C.SUCCESS


@test
async def test_a_profile_is_judged_as_it_will_be_not_change_by_change(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(PROFILE, replace("provMaxLength", "6"), delete("provMinLength"))
    assert told.code is C.SUCCESS
    assert (await admin.modify(PROFILE, replace("provMinLength", "7"))).code is C.CONSTRAINT_VIOLATION
    assert (await admin.modify(PROFILE, delete("provMaxLength"))).code is C.SUCCESS


@test
async def test_entries_of_the_class_that_are_not_the_profile_may_say_what_they_like(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    other = PROFILE.replace("eTPasswordProfileName=Password Profile", "eTPasswordProfileName=Draft")
    told = await admin.add(other, {"objectClass": ["eTPasswordProfile"], "provMinLength": ["-1"]})
    assert told.code is C.SUCCESS


# ---------------------------------------------------------------- the lists


def put(path: Path, text: str) -> None:
    """In the place of what was there, as one should."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the server's own log says."""
    lines: list[str] = []

    def note(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


async def renewed(server: RunningServer, done: Callable[[], bool]) -> None:
    """What SIGHUP does; the lists are read in a thread."""
    server.service.renew()
    for _ in range(10_000):
        if done():
            return
        await server.breathe()
    raise AssertionError("nothing came of it")


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("lantern\n")
    return path


@test
async def test_a_list_that_is_renewed_is_in_force_at_once_also_for_what_was_tested_before(
    start_provserver: Starter, words: Path
) -> None:
    server = await start_provserver(settings=[f"passwords.dictionary={words}"])
    await demand(server, provWordLength="5")
    assert (await checked(server, NEW)).code is C.SUCCESS
    lists = server.service._lists
    version = lists.version
    put(words, "compass\n")
    await renewed(server, lambda: lists.version > version)
    told = await synced(server, NEW)
    assert (told.code, told.text.endswith("[dictionaryWord]")) == (C.CONSTRAINT_VIOLATION, True)
    assert (await synced(server, "New-Lantern-99")).code is C.SUCCESS


@test
async def test_a_list_that_is_broken_is_told_and_the_old_one_stays_in_force(
    start_provserver: Starter, words: Path, said: list[str]
) -> None:
    server = await start_provserver(settings=[f"passwords.dictionary={words}"])
    await demand(server, provWordLength="5")
    put(words, "\0")
    await renewed(
        server, lambda: any("the lists that were read before stay in force" in line for line in said)
    )
    (line,) = [line for line in said if "stay in force" in line]
    assert f"{words}:1: expected words, one a line, and no NUL" in line
    assert (await checked(server, "My-Lantern-99")).code is C.CONSTRAINT_VIOLATION


@pytest.mark.parametrize("setting", ["dictionary", "breached"])
@test
async def test_a_server_whose_list_is_missing_does_not_start(
    start_provserver: Starter, tmp_path: Path, setting: str
) -> None:
    with pytest.raises(ListError, match="none: cannot be read: No such file"):
        await start_provserver(settings=[f"passwords.{setting}={tmp_path / 'none'}"])


@test
async def test_while_a_list_cannot_be_asked_nobodys_password_is_changed(
    start_provserver: Starter, tmp_path: Path
) -> None:
    path = tmp_path / "breached.txt"
    path.write_bytes(BREACHED.read_bytes())
    server = await start_provserver(settings=[f"passwords.breached={path}"])
    await demand(server, provBreachCount="1")
    os.truncate(path, 0)
    before = await snapshot(server)
    for way in WAYS:
        told = await way(server, NEW)
        assert told.code is C.UNAVAILABLE
        assert "the Password Profile cannot be applied" in told.text
    assert await snapshot(server) == before


@test
async def test_a_profile_that_lost_its_list_is_told_when_the_server_starts(
    start_provserver: Starter, tmp_path: Path, words: Path, said: list[str]
) -> None:
    server = await start_provserver(directory=tmp_path, settings=[f"passwords.dictionary={words}"])
    await demand(server, provWordLength="5")
    await server.stop()
    assert not any("no password can be changed" in line for line in said)
    again = await start_provserver(directory=tmp_path, clock=server.clock)
    (line,) = [line for line in said if "no password can be changed" in line]
    assert "provWordLength is not 0, but there is no dictionary: set passwords.dictionary" in line
    told = await checked(again, NEW)
    assert (told.code, "set passwords.dictionary" in told.text) == (C.UNAVAILABLE, True)


# ---------------------------------------------------------------- passwords that the server makes up


@test
async def test_a_password_that_is_made_up_keeps_to_all_rules(
    listed: Callable[[], Awaitable[RunningServer]],
) -> None:
    server = await listed()
    every = {name: value for values, *_ in RULES for name, value in values.items()}
    await demand(server, **every | {"provMaxLength": "12", "provMaxOccurrences": "1"})
    admin = await administrator(server)
    for _ in range(20):
        told = await admin.ask(extended(PasswordModify(ADA, None, None)), ASKED)
        assert told.code is C.SUCCESS, told
        assert told.value is not None
        made = PasswordModified.decode(told.value).generated
        assert made is not None
        assert len(made.reveal()) == len(set(made.reveal())) == 12


# ---------------------------------------------------------------- the page about them


@test
async def test_the_examples_of_the_page_are_taken_one_after_the_other(
    listed: Callable[[], Awaitable[RunningServer]],
) -> None:
    page = (EXAMPLES.parent / "set-password-rules.md").read_text("utf-8")
    examples = re.findall(r"^```ldif\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    server = await listed()
    await server.load(*examples)
    profile = await server.entry(PROFILE)
    assert profile is not None
    used = {name for name, attribute in profile.attributes.items() if attribute.values != (b"0",)}
    described = set(re.findall(r"`(prov(?:Min|Max|Name|Word|Breach|Warning|Grace|History)\w+)", page))
    assert {name.lower() for name in described} >= {name for name in used if name.startswith("prov")} - {
        "provprofileenabled"
    }
    assert (await checked(server, NEW)).code is C.SUCCESS


@pytest.mark.parametrize(
    ("password", "name"),
    [
        ("Kelp-Compasss", "repeatedCharacter"),
        ("banana-Split-a", "frequentCharacter"),
        ("xyz-1234", "sequence"),
        ("QWER-kelp", "sequence"),
        ("dcba-kelp", "sequence"),
    ],
)
@test
async def test_what_the_page_says_is_refused_is_refused(
    provserver: RunningServer, password: str, name: str
) -> None:
    await demand(provserver, provMaxRepeated="2", provMaxOccurrences="3", provMaxSequence="3")
    assert name in (await checked(provserver, password)).text.rpartition("[")[2]
