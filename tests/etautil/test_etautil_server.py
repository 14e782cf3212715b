"""Statements, carried out by a running server."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from seen_commands import LDIF, SEED_MASSCHANGE, SEED_UPDATE, SEEN, USERS

from provserver.directory.ldif import read_ldif
from provserver.etautil.domains import Domain
from provserver.etautil.grammar import parse
from provserver.etautil.masschange import Stop
from provserver.etautil.outcomes import Ending
from provserver.etautil.performing import Manner, Performance
from provserver.etautil.planning import Planner
from provserver.etautil.sources import Source
from provserver.etautil.telling import Teller, TextTeller
from provserver.etautil.telling_json import JsonTeller
from provserver.etautil.vocabulary import shipped_vocabulary
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn

VOCABULARY = shipped_vocabulary()
SECRET = "Quay-Beacon-52"
NOT_YET = ("eTSyncUsers", "eTSyncAccounts")
"""Triggers that the server refuses for now."""


def crowd(size: int) -> str:
    """Users crew000, crew001, …"""
    return "\n".join(
        f"dn: eTGlobalUserName=crew{each:03},{USERS},dc=im\nobjectClass: eTGlobalUser\n"
        f"eTGlobalUserName: crew{each:03}\n"
        for each in range(size)
    )


class Desk:
    """Carries out statements as a bound client, and keeps what was told."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.out = io.StringIO()
        self.errors = io.StringIO()
        self.stop = Stop()
        self.stop_after = 0
        self.estimates: set[int] = set()

    async def do(
        self,
        text: str,
        manner: Manner = Manner(page_size=7, in_flight=4),  # noqa: B008 -- frozen
        *,
        as_json: bool = False,
        lines: int = 1,
    ) -> Ending:
        """The statements of a text, or of a shell's words."""
        self.out, self.errors = io.StringIO(), io.StringIO()
        self.stop.asked = False
        planner = Planner(VOCABULARY, Domain("im"))
        requests = [planner.plan(statement) for statement in parse(text)]
        teller: Teller = (
            JsonTeller(self.out, VOCABULARY) if as_json else TextTeller(self.out, self.errors, VOCABULARY)
        )
        bound = [await self.server.administrator() for _ in range(lines)]
        url = self.server.ldaps_url
        performance = Performance(bound, url, VOCABULARY, teller, manner, self.stop, self._progressed)
        return await performance.run(requests)

    def _progressed(self, handled: int, estimate: int) -> None:
        self.estimates.add(estimate)
        if handled == self.stop_after:
            self.stop.asked = True

    @property
    def said(self) -> str:
        return self.out.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said.splitlines()]

    async def values(self, dn: str, attribute: str) -> Sequence[bytes]:
        entry = await self.server.entry(dn)
        assert entry is not None, dn
        return list(entry.values(attribute.lower()))


@pytest.fixture
def desk(provserver: RunningServer) -> Desk:
    return Desk(provserver)


# -- every command of the documents


@pytest_twisted.ensureDeferred
async def test_every_command_of_the_documents_is_done_or_says_what_the_server_does_not_do_yet(
    start_provserver: Starter,
) -> None:
    desk = Desk(await start_provserver(more=[LDIF]))
    for seen in SEEN:
        ending = await desk.do(Source.of_arguments(seen.words()).text)
        not_yet = [trigger for trigger in NOT_YET if trigger in seen.line]
        said = f"{seen.line}\n{desk.errors.getvalue()}"
        assert ending is (Ending.FAILED if not_yet else Ending.DONE), said
        for trigger in not_yet:
            assert f"(53): {trigger} is understood, but does nothing yet" in said
    assert await desk.values(user_dn("denro01"), "eTRoleDN") == [
        b"eTRoleName=TeamManager,eTRoleContainerName=Roles,eTNamespaceName=CommonObjects,dc=im"
    ]
    assert await desk.values(user_dn("aokafor2"), "eTFullName") == [b"Ada Okafor"]
    assert await desk.server.has_password("user14", SECRET)


@pytest_twisted.ensureDeferred
async def test_the_seeds_masschange_and_update_let_reverse_synchronisation_in(
    start_provserver: Starter,
) -> None:
    desk = Desk(await start_provserver(more=[LDIF]))
    assert await desk.values(user_dn("fgreco"), "eTPropagatePassword") == []
    await desk.do(Source.of_arguments(SEED_MASSCHANGE.words()).text)
    assert desk.said.endswith(" changed, 0 failed\n")
    assert await desk.values(user_dn("fgreco"), "eTPropagatePassword") == [b"1"]
    await desk.do(f"update '{USERS}' eTGlobalUser name=my_user to eTPropagatePassword=''")
    assert await desk.values(user_dn("my_user"), "eTPropagatePassword") == []
    await desk.do(Source.of_arguments(SEED_UPDATE.words()).text)
    assert await desk.values(user_dn("my_user"), "eTPropagatePassword") == [b"1"]


# -- one object


@pytest_twisted.ensureDeferred
async def test_values_are_added_removed_replaced_and_cleared(desk: Desk) -> None:
    one = f"update '{USERS}' GlobalUser name=aokafor to "
    await desk.do(one + "+CustomField01=a +CustomField01=b eTOffice=x")
    await desk.do(one + "-CustomField01=a eTOffice='' title='Harbour; master'")
    dn = user_dn("aokafor")
    assert await desk.values(dn, "eTCustomField01") == [b"b"]
    assert await desk.values(dn, "eTOffice") == []
    assert await desk.values(dn, "eTTitle") == [b"Harbour; master"]


@pytest_twisted.ensureDeferred
async def test_copy_takes_properties_and_roles_but_neither_password_nor_accounts(desk: Desk) -> None:
    await desk.do(f"update '{USERS}' GlobalUser name=aokafor to +eTRoleDN='eTRoleName=R,x=y'")
    assert await desk.do(f"copy '{USERS}' GlobalUser name=aokafor to name=twin title=''") is Ending.DONE
    twin = await desk.server.entry(user_dn("twin"))
    assert twin is not None
    assert list(twin.values("etroledn")) == [b"eTRoleName=R,x=y,dc=im"]
    assert list(twin.values("ettitle")) == []
    assert list(twin.values("etcompany")) == [b"Port of Marenholm"]
    assert not await desk.server.has_password("twin", "Quay-Lantern-41")
    inclusions = desk.server.service.foundation.inclusions
    assert not await inclusions.accounts(twin)


@pytest_twisted.ensureDeferred
async def test_copyall_takes_the_relationships_too(desk: Desk) -> None:
    assert await desk.do(f"copyall '{USERS}' GlobalUser name=aokafor to name=twin") is Ending.DONE
    inclusions = desk.server.service.foundation.inclusions
    original, twin = [await desk.server.entry(user_dn(name)) for name in ("aokafor", "twin")]
    assert original is not None
    assert twin is not None
    owned = [account.dn for account in await inclusions.accounts(original)]
    assert len(owned) == 4
    assert [account.dn for account in await inclusions.accounts(twin)] == owned


@pytest_twisted.ensureDeferred
async def test_an_exploration_asks_the_endpoint_and_shows_what_comes(desk: Desk) -> None:
    explore = "explore 'eTNamespaceName=ActiveDirectory' eTADSDirectory name="
    assert await desk.do(explore + "AD-Corp to eTExploreUpdateEtrust eTExploreCorrelateUsers") is Ending.DONE
    assert "dn: eTADSDirectoryName=AD-Corp," in desk.said.replace("\n ", "")
    assert await desk.do(explore + "Nowhere") is Ending.FAILED
    assert "no_such_object (32)" in desk.errors.getvalue()


# -- what there is


@pytest_twisted.ensureDeferred
async def test_select_prints_ldif_that_can_be_read_again(desk: Desk) -> None:
    await desk.do(f"select '{USERS}' GlobalUser name='*sen' list name FullName")
    [record] = read_ldif(desk.said.encode().splitlines(keepends=True))
    assert record.dn == user_dn("dsorensen")
    assert dict(record.attributes) == {
        "eTGlobalUserName": [b"dsorensen"],
        "eTFullName": ["Dan Sørensen".encode()],
    }
    await desk.do(f"select '{USERS}' GlobalUser name=nobody")
    assert desk.said.endswith(": no entries\n")


@pytest_twisted.ensureDeferred
async def test_report_counts_entries_and_values_over_all_pages(start_provserver: Starter) -> None:
    desk = Desk(await start_provserver(more=[crowd(30)]))
    await desk.do(f"masschange '{USERS}' GlobalUser name='crew00*' to eTTitle=Mate eTOffice=1")
    await desk.do(f"report '{USERS}' GlobalUser name='crew*' list title", as_json=True)
    told, ended = desk.lines()
    assert told == {
        "statement": 1,
        "entries": 30,
        "attributes": {
            "eTTitle": {"values": [{"value": "Mate", "entries": 10}], "other values": 0, "none": 20}
        },
    }
    assert ended["outcome"] == "done"
    await desk.do(f"report '{USERS}' GlobalUser name='crew*' list title")
    assert desk.said == "30 entries\n          10  eTTitle: Mate\n          20  eTTitle: (none)\n"


# -- many


@pytest_twisted.ensureDeferred
async def test_a_masschange_over_pages_and_lines_changes_each_entry_once(start_provserver: Starter) -> None:
    desk = Desk(await start_provserver(more=[crowd(50)]))
    ending = await desk.do(
        f"masschange '{USERS}' GlobalUser name='crew*' to +CustomField02=x",  # a second time is refused
        Manner(page_size=7, in_flight=10),
        lines=3,
    )
    assert ending is Ending.DONE
    assert desk.said.endswith(": 50 changed, 0 failed\n")
    for each in range(50):
        assert await desk.values(user_dn(f"crew{each:03}"), "eTCustomField02") == [b"x"]


@pytest_twisted.ensureDeferred
async def test_entries_that_fail_are_listed_each_with_its_code_and_reason(
    start_provserver: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk(await start_provserver(more=[crowd(20)]))
    await desk.do(f"update '{USERS}' GlobalUser name=crew007 to CustomField02=x")
    change = f"masschange '{USERS}' GlobalUser name='crew*' to +CustomField02=x"
    assert await desk.do(change, as_json=True) is Ending.FAILED
    failed, ended = desk.lines()
    assert (failed["failed"], failed["code"], failed["name"]) == (
        user_dn("crew007"),
        20,
        "attribute_or_value_exists",
    )
    assert (ended["outcome"], ended["entries"], ended["failures"]) == ("failed", 19, 1)
    await desk.do(change)
    assert f"etautil: {user_dn('crew007')}: attribute_or_value_exists (20): " in desk.errors.getvalue()
    assert ": 0 changed, 20 failed: to go on where it stopped: " in desk.errors.getvalue()


@pytest_twisted.ensureDeferred
async def test_an_interrupted_masschange_is_gone_on_with(start_provserver: Starter, tmp_path: Path) -> None:
    desk = Desk(await start_provserver(more=[crowd(40)]))
    text = f"masschange '{USERS}' GlobalUser name='crew*' to +CustomField02=x"
    manner = Manner(page_size=7, in_flight=3, resume=tmp_path / "far")
    desk.stop_after = 11
    assert await desk.do(text, manner) is Ending.INTERRUPTED
    assert f"--resume {tmp_path / 'far'}" in desk.errors.getvalue()
    desk.stop_after = 0
    assert await desk.do(text, manner) is Ending.DONE
    first, rest = 13, 27  # what was in flight at the eleventh has ended
    assert desk.said.endswith(f": {rest} changed, 0 failed, {first} done before\n")
    assert not (tmp_path / "far").exists()


@pytest_twisted.ensureDeferred
async def test_the_statements_after_an_interrupted_one_are_not_done(
    start_provserver: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = Desk(await start_provserver(more=[crowd(30)]))
    desk.stop_after = 5
    change = f"masschange '{USERS}' GlobalUser name='crew*' to CustomField02=x"
    text = f"{change}; delete '{USERS}' GlobalUser name=aokafor"
    assert await desk.do(text, as_json=True) is Ending.INTERRUPTED
    assert [line["outcome"] for line in desk.lines()] == ["interrupted", "not done"]
    [kept] = os.listdir(tmp_path)
    desk.stop_after = 0
    assert await desk.do(change, Manner(resume=tmp_path / kept)) is Ending.DONE
    assert ", 8 done before" in desk.said


# -- lists


@pytest_twisted.ensureDeferred
async def test_after_a_statement_that_fails_the_others_are_told_as_not_done(desk: Desk) -> None:
    update = f"update '{USERS}' GlobalUser name="
    text = f"{update}aokafor to eTTitle=a; {update}nobody to eTTitle=b; {update}bnovak to eTTitle=c"
    assert await desk.do(text) is Ending.FAILED
    assert desk.said == f"update {user_dn('aokafor')}: done\n"
    assert f"etautil: {user_dn('nobody')}: no_such_object (32): " in desk.errors.getvalue()
    assert f"etautil: statement 3 (update {user_dn('bnovak')}): not done\n" in desk.errors.getvalue()
    assert await desk.values(user_dn("bnovak"), "eTTitle") == [b"Systems engineer"]

    going_on = Manner(continue_on_error=True)
    assert await desk.do(text, going_on, as_json=True) is Ending.FAILED
    outcomes = [line["outcome"] for line in desk.lines() if "outcome" in line]
    assert outcomes == ["done", "failed", "done"]
    assert await desk.values(user_dn("bnovak"), "eTTitle") == [b"c"]


# -- dry runs


@pytest_twisted.ensureDeferred
async def test_a_dry_run_shows_everything_and_writes_nothing(desk: Desk) -> None:
    before = await desk.server.journal()
    dry = Manner(dry_run=True, page_size=3)
    text = (
        f"add '{USERS}' GlobalUserName=neu eTPassword={SECRET};"
        f"update '{USERS}' GlobalUser name=aokafor to eTPassword={SECRET} -eTTitle=x;"
        f"delete '{USERS}' GlobalUser name=bnovak;"
        f"copyall '{USERS}' GlobalUser name=aokafor to name=twin;"
        f"masschange '{USERS}' GlobalUser name='*' to eTTitle=x;"
        "explore 'eTNamespaceName=ActiveDirectory' eTADSDirectory name=AD-Corp;"
        f"select '{USERS}' GlobalUser name=aokafor list title"
    )
    assert await desk.do(text, dry) is Ending.DONE
    told = desk.said.replace("\n ", "")
    assert SECRET not in told
    assert told.count("eTPassword: ********\n") == 2
    assert f"dn: {user_dn('bnovak')}\nchangetype: delete\n" in told
    assert told.count("replace: eTTitle\neTTitle: x\n-\n") == 12
    assert "# would explore eTADSDirectoryName=AD-Corp," in told
    assert "eTTitle: Berth planner\n" in told, "what only reads is done"
    assert told.count(": not done: a dry run") + told.count(", not done: a dry run") == 6
    assert await desk.server.entry(user_dn("neu")) is None
    assert await desk.server.entry(user_dn("twin")) is None
    assert await desk.values(user_dn("aokafor"), "eTTitle") == [b"Berth planner"]
    assert await desk.server.journal() == before
    assert await desk.do(text, dry, as_json=True) is Ending.DONE
    assert SECRET not in desk.said
    assert [line["outcome"] for line in desk.lines() if "outcome" in line] == [
        *["not done: a dry run"] * 6,
        "done",
    ]


@pytest_twisted.ensureDeferred
async def test_a_value_that_is_no_text_is_base64_for_programs(desk: Desk) -> None:
    teller = JsonTeller(desk.out, VOCABULARY)
    teller.entry(1, "cn=x", {"a": [b"\xff", b"ok"]})
    assert desk.lines() == [
        {"statement": 1, "entry": "cn=x", "attributes": {"a": [{"base64": "/w=="}, "ok"]}}
    ]
