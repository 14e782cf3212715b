"""`provserver dump`: the tree as LDIF, that `load` takes again."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from plugins.served_instance import COMMAND, command

UNIX = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im"


def names(ldif: str) -> list[str]:
    return re.findall(r"^dn: (.*)$", ldif.replace("\n ", ""), re.MULTILINE)


def test_the_tree_comes_parents_first_with_eTIDs_and_without_secrets(demo_instance: Path) -> None:
    done = command("dump", demo_instance)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("version: 1\n\ndn: dc=im\n")
    seen: set[str] = set()
    for name in names(done.stdout):
        parent = re.split(r"(?<!\\),", name, maxsplit=1)[-1]
        assert parent in seen or name == "dc=im"
        seen.add(name)
    assert "eTGlobalUserName: aokafor\n" in done.stdout
    assert len(re.findall(r"^eTID: \S+$", done.stdout, re.MULTILINE)) == len(seen)
    assert not re.search(r"password|secret|hash|history", "\n".join(attributes(done.stdout)), re.IGNORECASE)


def attributes(ldif: str) -> set[str]:
    known = {"eTPropagatePassword", "provPasswordSyncAgentInstalled", "provDisablePasswordPropagation"}
    profile = {
        "eTPasswordProfileName",
        "eTPasswordProfileContainerName",
        "provHistoryCount",
        "provHistoryDays",
    }
    return set(re.findall(r"^([\w-]+):", ldif, re.MULTILINE)) - known - profile


def test_only_what_is_below_a_base_whatever_its_suffix(demo_instance: Path) -> None:
    found = [
        names(command("dump", demo_instance, "--base", UNIX + tail).stdout)
        for tail in ("", ",dc=eta", ",dc=etadb")
    ]
    assert found[0][0] == UNIX
    assert len(found[0]) == 6
    assert found[0] == found[1] == found[2]


def test_a_base_that_is_not_there_or_no_name_is_told(demo_instance: Path) -> None:
    for base, said in (
        ("eTNamespaceName=Nothing,dc=im", "'eTNamespaceName=Nothing,dc=im' does not exist"),
        ("dc=other", "no such suffix"),
        ("no name", "not a distinguished name"),
    ):
        refused = command("dump", demo_instance, "--base", base)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"provserver: --base: {said}")


def test_what_was_dumped_and_deleted_is_loaded_again_with_its_eTIDs(demo_instance: Path) -> None:
    before = command("dump", demo_instance, "--base", UNIX).stdout
    inclusions = "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im"
    joined = command("dump", demo_instance, "--base", inclusions).stdout
    deletions = "".join(f"dn: {name}\nchangetype: delete\n\n" for name in reversed(names(before)))
    deleted = command("load", demo_instance, "-", stdin=deletions)
    assert deleted.returncode == 0, deleted.stderr
    fewer = command("dump", demo_instance, "--base", inclusions).stdout
    assert len(names(fewer)) == len(names(joined)) - 3, "three accounts were joined to somebody"

    lost = [record for record in joined.split("\n\n") if record.strip() not in fewer]
    loaded = command("load", demo_instance, "-", stdin=before + "\n" + "\n\n".join(lost[:]))
    assert loaded.returncode == 0, loaded.stderr
    assert command("dump", demo_instance, "--base", UNIX).stdout == before
    after = command("dump", demo_instance, "--base", inclusions).stdout
    assert sorted(after.split("\n\n")) == sorted(joined.split("\n\n"))


def test_an_entry_that_is_damaged_is_told_by_its_name(demo_instance: Path) -> None:
    with closing(sqlite3.connect(demo_instance / "store.db", isolation_level=None)) as store:
        store.execute("UPDATE entry SET body = x'010000000041' WHERE dn = ?", (UNIX,))
    refused = command("dump", demo_instance)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"provserver: the entry '{UNIX}' of the store is damaged: ")
    assert refused.stderr.endswith("; what was written is not complete\n")
    assert f"dn: {UNIX}\n" not in refused.stdout


def test_a_reader_that_goes_away_is_no_fault(demo_instance: Path) -> None:
    """`provserver dump lab | head -1`."""
    line = f"{' '.join(COMMAND)} dump '{demo_instance}' | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "version: 1\n"
    assert done.stderr == ""
