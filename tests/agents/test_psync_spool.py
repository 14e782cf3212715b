"""The spool: newest of each account, in order, durable, sealed."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outpost import a_report

from provserver.agents.spool import Held, SealBroken, Spool, SpoolError
from provserver.vault.secret import Secret

PASSWORD = "Kelp-Compass-88"


def ids(held: list[Held]) -> list[str]:
    return [one.id for one in held]


def test_what_waits_is_told_in_the_order_in_which_it_came(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        for name in "cab":
            spool.put(a_report(name, PASSWORD, id=name, captured=5.0), 0)
        assert ids(spool.waiting()) == ["c", "a", "b"]
        report = spool.report(spool.waiting()[0])
        assert (report.account, report.captured, report.secret) == ("c", 5.0, Secret.of_text(PASSWORD))


def test_a_newer_change_replaces_an_older_one_of_its_account(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        assert spool.put(a_report("Ada", PASSWORD, id="1"), 0) == []
        spool.put(a_report("boris", PASSWORD, id="2"), 0)
        assert spool.put(a_report("ADA", PASSWORD, id="3"), 0) == ["1"]
        assert ids(spool.waiting()) == ["2", "3"]


def test_it_is_still_there_for_the_next_process(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD), 0)
        spool.take("1", "first:1")
    with Spool(tmp_path / "s") as spool:
        (held,) = spool.waiting()
        assert held.taken == {"first:1"}
        assert spool.report(held).secret == Secret.of_text(PASSWORD)


def test_two_processes_may_use_it_at_once(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as one, Spool(tmp_path / "s") as other:
        one.put(a_report("a", PASSWORD, id="1"), 0)
        other.put(a_report("b", PASSWORD, id="2"), 0)
        assert [spool.report(held).secret for spool in (one, other) for held in spool.waiting()] == [
            Secret.of_text(PASSWORD)
        ] * 4


def test_one_at_a_time_delivers(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as one, Spool(tmp_path / "s") as other:
        with one.delivering() as mine, other.delivering() as theirs:
            assert (mine, theirs) == (True, False)
        with other.delivering() as theirs:
            assert theirs


def test_what_is_not_due_is_left_out(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD, id="1"), 10)
        spool.put(a_report("b", PASSWORD, id="2"), 20)
        assert ids(spool.waiting(until=10)) == ["1"]
        spool.later("1", 30, 2, "busy")
        assert ids(spool.waiting(until=20)) == ["2"]
        (first, _) = spool.waiting()
        assert (first.due, first.tries, first.trouble) == (30, 2, "busy")


def test_a_clock_that_is_set_back_does_not_keep_anything_waiting(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD, id="1"), 1_000_000)
        assert ids(spool.waiting(until=1_000_000 - 86_000)) == []
        assert ids(spool.waiting(until=500_000)) == ["1"]


def test_settling_takes_older_changes_of_the_account_and_leaves_newer_ones(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD, id="old", captured=1), 0)
        spool.settle(a_report("A", PASSWORD, id="new", captured=2))
        assert spool.waiting() == []
        spool.put(a_report("a", PASSWORD, id="newest", captured=3), 0)
        spool.settle(a_report("a", PASSWORD, id="new", captured=2))
        assert ids(spool.waiting()) == ["newest"]


def test_what_is_too_old_is_purged_and_named(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD, id="1", captured=10), 0)
        spool.put(a_report("b", PASSWORD, id="2", captured=20), 0)
        assert ids(spool.purge(before=20)) == ["1"]
        assert ids(spool.waiting()) == ["2"]


def test_nothing_on_the_disk_shows_a_password_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "spool"
    with Spool(folder) as spool:
        spool.put(a_report("a", PASSWORD), 0)
        files = sorted(folder.iterdir())
        assert {"spool.db", "spool.key"} <= {file.name for file in files}
        for file in files:
            assert PASSWORD.encode() not in file.read_bytes()
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_sealed_password_opens_for_its_own_change_and_account_only(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD), 0)
    with sqlite3.connect(tmp_path / "s" / "spool.db") as base:
        base.execute("UPDATE change SET account = 'administrator'")
    base.close()
    with Spool(tmp_path / "s") as spool, pytest.raises(SealBroken):
        spool.report(spool.waiting()[0])


def test_a_folder_that_others_may_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    os.chmod(tmp_path / "s", 0o750)
    with pytest.raises(SpoolError, match="others may use it: chmod 700"):
        Spool(tmp_path / "s")


def test_a_missing_key_is_told_and_no_new_one_made(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD), 0)
    (tmp_path / "s" / "spool.key").unlink()
    with pytest.raises(SpoolError, match=r"what waits in .* cannot be read"):
        Spool(tmp_path / "s")
    assert not (tmp_path / "s" / "spool.key").exists()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.put(a_report("a", PASSWORD), 0)
    (tmp_path / "s" / "spool.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(SpoolError, match="not a database"):
        Spool(tmp_path / "s")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("aAbBc"), st.sampled_from(["put", "drop", "settle"])), max_size=12))
def test_it_holds_what_a_list_would(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str]]
) -> None:
    model: list[tuple[str, str]] = []
    with Spool(tmp_path_factory.mktemp("spool") / "s") as spool:
        for number, (account, act) in enumerate(acts):
            report = a_report(account, PASSWORD, id=str(number), captured=number)
            if act == "put":
                spool.put(report, 0)
                model = [one for one in model if one[1] != account.casefold()]
                model.append((report.id, account.casefold()))
            elif act == "settle":
                spool.settle(report)
                model = [one for one in model if one[1] != account.casefold()]
            elif model:
                spool.drop(model.pop(0)[0])
        assert ids(spool.waiting()) == [id for id, _ in model]
