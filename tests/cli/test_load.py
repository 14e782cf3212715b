"""`provserver load`: all or nothing, and an error names file, line and reason."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from plugins.served_instance import COMMAND, ServedInstance, command

USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"


def user(name: str, *lines: str) -> str:
    return "\n".join([f"dn: eTGlobalUserName={name},{USERS}", "objectClass: eTGlobalUser", *lines, "", ""])


GOOD = user("newcomer", "eTFullName: New Comer")


def dumped(directory: Path) -> str:
    done = command("dump", directory)
    assert done.returncode == 0, done.stderr
    return done.stdout


def entries(directory: Path) -> list[tuple[str, int]]:
    """Every name and version, as they are on disk."""
    with contextlib.closing(sqlite3.connect(directory / "store.db")) as store:
        return store.execute("SELECT dn, version FROM entry ORDER BY dn").fetchall()


@pytest.mark.parametrize(
    ("bad", "line", "reason"),
    [
        ("dn: eTGlobalUserName=x\nobjectClass eTGlobalUser\n", 6, "expected"),
        ("dn: eTGlobalUserName=x\neTFullName:: not base64!\n", 6, "expected base64"),
        ("this is no LDIF\n", 5, "expected 'dn:', found another line"),
        (user("x", "eTNoSuchThing: 1"), 5, "eTNoSuchThing"),
        (user("x", "provGlobalUser: eTGlobalUserName=newcomer"), 5, ""),
        (user("newcomer"), 5, "exists already"),
        (user("x").replace("CommonObjects", "Nowhere"), 5, "its parent does not exist"),
        (user("x").replace("dc=im", "dc=other"), 5, "no such suffix"),
        (user("x", "eTPropagatePassword: perhaps"), 5, "eTPropagatePassword"),
        ("dn: eTGlobalUserName=x\nchangetype: modrdn\nnewrdn: a=b\ndeleteoldrdn: 0\n", 5, ""),
    ],
    ids=[
        "no colon",
        "no base64",
        "no LDIF",
        "unknown attribute",
        "not an account",
        "twice",
        "no parent",
        "other suffix",
        "bad value",
        "modrdn",
    ],
)
def test_a_bad_record_is_told_by_file_line_and_reason_and_nothing_is_loaded(
    demo_instance: Path, tmp_path: Path, bad: str, line: int, reason: str
) -> None:
    (tmp_path / "good.ldif").write_text(user("before"))
    file = tmp_path / "people.ldif"
    file.write_text(GOOD + bad)
    before = entries(demo_instance)
    refused = command("load", demo_instance, tmp_path / "good.ldif", file)
    assert refused.returncode == 1
    assert refused.stdout == ""
    first, last = refused.stderr.rstrip("\n").split("\n")
    assert first.startswith(f"provserver: {file}:{line}: ")
    assert first.count(f"{line}: ") == 1, "the line is told once"
    assert reason in first
    assert last == "nothing was loaded"
    assert entries(demo_instance) == before


def test_a_dry_run_checks_everything_and_writes_nothing(demo_instance: Path) -> None:
    before = entries(demo_instance)
    tried = command("load", demo_instance, "-", "--dry-run", stdin=GOOD)
    assert (tried.returncode, tried.stdout) == (0, "1 record would be loaded\n")
    assert entries(demo_instance) == before
    tried = command("load", demo_instance, "-", "--dry-run", stdin=GOOD + GOOD)
    assert tried.returncode == 1
    assert "<stdin>:5: " in tried.stderr


def test_with_continue_on_error_the_rest_is_loaded_and_what_was_left_out_is_told(demo_instance: Path) -> None:
    text = user("one") + user("two", "eTNoSuchThing: 1") + user("three") + user("one")
    done = command("load", demo_instance, "-", "--continue-on-error", stdin=text)
    assert done.returncode == 1
    assert done.stdout == "2 records loaded, 2 left out\n"
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == ["<stdin>:4", "<stdin>:11"]
    after = dumped(demo_instance)
    assert f"dn: eTGlobalUserName=three,{USERS[:10]}" in after
    assert "eTGlobalUserName: two" not in after


def test_with_continue_on_error_a_file_that_is_no_ldif_still_loads_nothing(demo_instance: Path) -> None:
    """After a syntax error nobody knows where the next record begins."""
    before = entries(demo_instance)
    done = command("load", demo_instance, "-", "--continue-on-error", stdin=GOOD + "\nnonsense\n")
    assert done.returncode == 1
    assert done.stderr.endswith("nothing was loaded\n")
    assert entries(demo_instance) == before


def test_a_record_without_changetype_is_an_add_also_among_changes(demo_instance: Path) -> None:
    named = f"dn: eTGlobalUserName=newcomer,{USERS}\n"
    change = f"{named}changetype: modify\nreplace: eTFullName\neTFullName: Changed\n\n"
    gone = f"dn: eTGlobalUserName=brief,{USERS}\nchangetype: delete\n\n"
    done = command("load", demo_instance, "-", stdin=GOOD + change + user("brief") + gone)
    assert (done.returncode, done.stdout) == (0, "4 records loaded\n"), done.stderr
    after = dumped(demo_instance)
    assert "eTFullName: Changed\n" in after
    assert "brief" not in after


def test_a_file_that_is_not_there_or_no_file_is_told(demo_instance: Path, tmp_path: Path) -> None:
    for path, problem in ((tmp_path / "none.ldif", "no such file"), (tmp_path, "is a directory")):
        refused = command("load", demo_instance, path)
        assert refused.returncode == 1
        assert refused.stderr == f"provserver: {path}: {problem}; nothing was loaded\n"


def test_a_line_without_an_end_is_refused_and_not_kept(demo_instance: Path) -> None:
    refused = command("load", demo_instance, "/dev/zero")
    assert refused.returncode == 1
    assert refused.stderr.startswith("provserver: /dev/zero:1: expected a line of at most 16777216 octets")


def test_a_store_that_is_served_says_who_has_it(
    demo_instance: Path, serve: Callable[..., ServedInstance]
) -> None:
    served = serve(demo_instance)
    for arguments in (["load", demo_instance, "-"], ["dump", demo_instance]):
        refused = command(*arguments, stdin=GOOD)
        assert refused.returncode == 1
        assert f"store.db is in use by process {served.process.pid} on " in refused.stderr
        assert "stop that one first, or change a running server over LDAP" in refused.stderr


def test_a_rename_in_a_file_takes_along_what_is_below(demo_instance: Path) -> None:
    endpoint = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im"
    renamed = "changetype: modrdn\nnewrdn: eTETCDirectoryName=hpdev02\ndeleteoldrdn: 1\n\n"
    moved = f"dn: eTGlobalUserName=newcomer,{USERS},dc=eta\nchangetype: moddn\n"
    moved += f"newrdn: eTGlobalUserName=settler\ndeleteoldrdn: 1\nnewsuperior: {USERS}\n"
    done = command("load", demo_instance, "-", stdin=f"dn: {endpoint}\n{renamed}" + GOOD + moved)
    assert (done.returncode, done.stdout) == (0, "3 records loaded\n"), done.stderr
    after = dumped(demo_instance).replace("\n ", "")
    assert f"dn: {endpoint.replace('hpdev01', 'hpdev02')}\n" in after
    assert f"dn: {endpoint}\n" not in after
    assert re.search(r"^dn: eTETCAccountName=.*,eTETCDirectoryName=hpdev02,", after, re.MULTILINE)
    assert f"dn: eTGlobalUserName=settler,{USERS}\n" in after
    assert "newcomer" not in after


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("newrdn: a=b,c=d\ndeleteoldrdn: 1\n", "expected a name of one level"),
        ("newrdn: no name\ndeleteoldrdn: 1\n", "not a relative distinguished name"),
        ("newrdn: eTFullName=x\ndeleteoldrdn: 1\n", "expected a name by eTGlobalUserName"),
        ("newrdn: eTGlobalUserName=x\ndeleteoldrdn: 1\nnewsuperior: dc=other\n", "no such suffix"),
    ],
)
def test_a_rename_that_cannot_be_is_told(demo_instance: Path, change: str, reason: str) -> None:
    named = f"dn: eTGlobalUserName=newcomer,{USERS}\nchangetype: modrdn\n"
    refused = command("load", demo_instance, "-", stdin=GOOD + named + change)
    assert refused.returncode == 1
    assert refused.stderr.startswith("provserver: <stdin>:5: ")
    assert reason in refused.stderr


def test_files_and_standard_input_are_read_in_their_order_by_as_many_workers_as_one_likes(
    demo_instance: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.ldif").write_text(user("a"))
    (tmp_path / "b.ldif").write_text(user("b") + user("c"))
    changed = f"dn: eTGlobalUserName=a,{USERS}\nchangetype: modify\nreplace: eTFullName\neTFullName: A\n"
    done = command(
        "load", demo_instance, tmp_path / "a.ldif", "-", tmp_path / "b.ldif", "--workers", "2", stdin=changed
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "4 records loaded\n", "")
    assert "\neTFullName: A\n" in dumped(demo_instance)


@pytest.mark.parametrize("number", ["-1", "many", "65"])
def test_a_number_of_workers_that_is_none_is_told(tmp_path: Path, number: str) -> None:
    refused = command("load", tmp_path, "-", "--workers", number)
    assert refused.returncode == 2
    assert f"--workers: expected a number from 0 to 64, not {number}" in refused.stderr


def test_a_terminal_is_shown_how_far_it_is_and_a_pipe_is_not(demo_instance: Path, tmp_path: Path) -> None:
    (tmp_path / "good.ldif").write_text(GOOD)
    ours, theirs = pty.openpty()
    words = [*COMMAND, "load", str(demo_instance), str(tmp_path / "good.ldif")]
    with (
        open(ours, "rb", buffering=0) as screen,
        subprocess.Popen(words, stderr=theirs, stdout=subprocess.DEVNULL) as load,
    ):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
            while part := screen.read(4096):
                shown += part
    assert load.returncode == 0
    assert b"good.ldif" in shown
    assert b"100 %" in shown
    assert command("load", demo_instance, "-", "--dry-run", stdin=user("other")).stderr == ""
