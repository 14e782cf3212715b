"""A long file loads to the very tree that its records make one by one, whoever reads it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plugins.served_instance import make_instance

from provserver.cli.casting_worker import Order
from provserver.cli.crew import Crew
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.loading import Load, LoadFailed, failure_of
from provserver.cli.offline import loading_of
from provserver.cli.running import at_once
from provserver.directory.ldif import read_ldif
from provserver.directory.ldifblocks import Block, blocks_of
from provserver.foundation import lay_foundation, load_schema, open_store, schema_texts
from provserver.imps.views import Views
from provserver.ldap.results import Refusal
from provserver.operations.casting import Caster, Run
from provserver.operations.loading import commit_of
from provserver.storage.bodies import decode
from provserver.storage.loading import LoadingStore

USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
ENDPOINT = "eTETCDirectoryName=host,eTNamespaceName=UNIX - etc,dc=im"
ACCOUNTS = f"eTETCAccountContainerName=Accounts,{ENDPOINT}"
BY = "provserver load"
NOW = 1.8e9
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def user(name: str, *lines: str) -> str:
    return "\n".join([f"dn: eTGlobalUserName={name},{USERS}", "objectClass: eTGlobalUser", *lines, "", ""])


def account(name: str, owner: str, *lines: str) -> str:
    return "\n".join(
        [
            f"dn: eTETCAccountName={name},{ACCOUNTS},dc=eta",
            "objectClass: eTETCAccount",
            f"provGlobalUser: eTGlobalUserName={owner},{USERS}",
            *lines,
            "",
            "",
        ]
    )


def change(name: str, kind: str, *lines: str) -> str:
    return "\n".join([f"dn: eTGlobalUserName={name},{USERS}", f"changetype: {kind}", *lines, "", ""])


def records() -> Iterator[str]:
    """What a site's file may be like: mostly plain entries, some of everything else, and what is wrong."""
    yield f"dn: {ENDPOINT}\nobjectClass: eTETCDirectory\nprovSecret: x=Locked-1\n\n"
    yield f"dn: {ACCOUNTS}\nobjectClass: eTETCAccountContainer\n\n"
    for number in range(700):
        more = [f"eTFullName: Person {number}", f"eTCustomField01:: {'w7w=' if number % 7 else 'eA=='}"]
        yield user(f"p{number}", *more[: number % 3], f"description: long {'x' * (number % 150)}")
        yield account(f"a{number}", f"p{number}")
        if number % 3 == 0:
            yield account(f"b{number}", f"p{max(0, number - 400)}")
        if number % 50 == 0:
            yield "# a comment\n"
        if number % 100 == 7:
            yield user(f"given{number}", f"eTID: 00000000-0000-4000-8000-{number:012d}")
        if number % 100 == 11:
            yield user(f"p{number}")  # exists already
            yield account(f"lost{number}", "nobody")
            yield user(f"bad{number}", "eTNoSuch: 1")
            yield user(f"twice{number}", "eTID: 00000000-0000-4000-8000-000000000007")
            yield user(f"far{number}").replace("CommonObjects", "Nowhere")
        if number % 100 == 13:
            yield user(f"secret{number}", "eTPassword: Quay-Lantern-41")
            yield change(f"p{number}", "modify", "replace: eTFullName", "eTFullName: Changed")
            yield change(f"p{number - 1}", "delete")
            yield change(f"p{number - 2}", "modrdn", f"newrdn: eTGlobalUserName=n{number}", "deleteoldrdn: 1")
            yield change(f"p{number - 2}", "delete")  # has another name
        if number == 300:
            yield f"dn: {ENDPOINT}\nchangetype: modrdn\nnewrdn: eTETCDirectoryName=Host\ndeleteoldrdn: 1\n\n"


TEXT = "version: 1\n\n" + "".join(records())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_instance(tmp_path_factory.mktemp("bulk") / "empty")


@pytest.fixture
def instance(empty: Path, tmp_path: Path) -> Instance:
    return _copy(empty, tmp_path / "bulk")


def _copy(directory: Path, to: Path) -> Instance:
    shutil.copytree(directory, to)
    return Instance.load(to, ["passwords.scheme=ssha512"])


def one_by_one(instance: Instance, text: str) -> list[str]:
    """Every record by itself through the ordinary edits into the ordinary store; what was refused."""
    schema = load_schema()
    store = at_once(open_store(instance.store, schema, None))
    foundation = lay_foundation(instance.settings, instance.keys, schema, store, wall=lambda: NOW)
    failures = []
    try:
        for record in read_ldif(text.encode().splitlines(keepends=True)):
            try:
                at_once(store.commit(at_once(commit_of(record, foundation.rooms, BY))))
            except Refusal as refusal:
                failures.append(str(failure_of("file", record, refusal)))
    finally:
        at_once(store.close())
    return failures


def in_bulk(instance: Instance, file: Path, *, keep: bool = True, **how: Any) -> tuple[int, list[str]]:
    """How many records were loaded, and what was refused."""
    failures: list[str] = []
    with loading_of(instance) as (foundation, store):
        assert isinstance(store, LoadingStore)
        store.many = 100  # so that an index is made anew on the way
        foundation = replace(foundation, rooms=replace(foundation.rooms, wall=lambda: NOW))
        load = Load(
            instance, foundation, store, BY, failed=lambda failure: failures.append(str(failure)), **how
        )
        count = load.run([file])
        if keep:
            store.keep()
    return count, failures


def tree(instance: Instance) -> tuple[object, ...]:
    """All that is in the store, with names in the place of made-up ids, and without what is random."""
    with closing(sqlite3.connect(instance.store)) as store:
        ids = dict(store.execute("SELECT id, dn FROM entry"))
        keys = dict(store.execute("SELECT attribute, key FROM indexed"))

        def named(text: str) -> str:
            for _ in range(2):  # an inclusion's name is made of ids
                text = UUID.sub(lambda found: f"<{ids.get(found[0], 'gone')}>", text)
            return text

        entries = {}
        names = {}
        for seq, key, parent, version, dn, body in store.execute(
            "SELECT seq, key, parent, version, dn, body FROM entry ORDER BY seq"
        ):
            names[seq] = named(key)
            assert parent < seq
            attributes = {
                key: (description, [named(value.decode("latin-1")) for value in values])
                for key, (description, values) in decode(body).items()
                if key not in ("provpasswordhash", "provpasswordhistory", "provsecret")
            }
            entries[names[seq]] = (names.get(parent), version, named(dn), attributes)
        postings = sorted(
            (keys[attribute], named(value.decode("latin-1")), names[seq])
            for attribute, value, seq in store.execute("SELECT attribute, value, entry FROM posting")
            if len(value) <= 64  # longer ones end in a digest, of ids too
        )
        count = store.execute("SELECT count(*) FROM posting").fetchone()
        log = sorted(
            (by, kind, named(dn), version)
            for by, kind, dn, version in store.execute("SELECT by, kind, dn, version FROM change")
        )
        numbers = store.execute("SELECT min(sequence), max(sequence), count(*) FROM change").fetchone()
        sound = store.execute("PRAGMA integrity_check").fetchone()
    return entries, postings, count, log, numbers, sound


@pytest.fixture(scope="module")
def expected(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], tuple[object, ...]]:
    instance = _copy(empty, tmp_path_factory.mktemp("bulk") / "one by one")
    return one_by_one(instance, TEXT), tree(instance)


@pytest.mark.parametrize(
    ("workers", "block", "end"),
    [(0, 1 << 19, "\n"), (0, 3000, "\n"), (0, 20_000, "\r\n"), (2, 9000, "\n")],
    ids=["one block", "small blocks", "CR LF", "two workers"],
)
def test_a_file_with_everything_in_it_loads_as_its_records_do_one_by_one(
    instance: Instance,
    tmp_path: Path,
    expected: tuple[list[str], tuple[object, ...]],
    workers: int,
    block: int,
    end: str,
) -> None:
    file = tmp_path / "all.ldif"
    file.write_bytes(TEXT.replace("\n", end).encode())
    count, failures = in_bulk(instance, file, workers=workers, block=block)
    refused, all_of_it = expected
    assert len(refused) == 44
    assert [failure.replace(str(file), "file") for failure in failures] == refused
    assert count == TEXT.count("\ndn: ") - len(refused)
    for ours, theirs in zip(tree(instance), all_of_it, strict=True):
        assert ours == theirs


def test_an_error_far_inside_leaves_the_store_as_it_was(instance: Instance, tmp_path: Path) -> None:
    before = tree(instance)
    file = tmp_path / "all.ldif"
    file.write_text(TEXT)
    with loading_of(instance) as (foundation, store):
        load = Load(instance, foundation, store, BY, workers=0, block=5000)
        with pytest.raises(LoadFailed, match=rf"^{file}:\d+: .* exists already$"):
            load.run([file])
    assert tree(instance) == before
    file.write_text(TEXT.replace("eTNoSuch: 1", "no LDIF", 1))
    with pytest.raises(LoadFailed, match=rf"^{file}:\d+: expected"):
        in_bulk(instance, file, workers=2, block=5000)
    assert tree(instance) == before


def test_what_is_only_tried_leaves_the_store_as_it_was(instance: Instance, tmp_path: Path) -> None:
    before = tree(instance)
    file = tmp_path / "all.ldif"
    file.write_text(TEXT)
    count, _ = in_bulk(instance, file, keep=False, workers=0)
    assert count > 1000
    assert tree(instance) == before


def test_a_second_file_finds_what_the_first_one_brought(instance: Instance, tmp_path: Path) -> None:
    for name, text in (
        ("endpoint", "".join(list(records())[:2])),
        ("users", "".join(user(f"u{number}") for number in range(300))),
        ("accounts", "".join(account(f"a{number}", f"U{299 - number}") for number in range(300))),
    ):
        (tmp_path / name).write_text(text)
    with loading_of(instance) as (foundation, store):
        load = Load(instance, foundation, store, BY, workers=0, block=2000)
        count = load.run([tmp_path / name for name in ("endpoint", "users", "accounts")])
        store.keep()
    assert count == 602
    entries = tree(instance)[0]
    assert isinstance(entries, dict)
    assert sum("etinclusionid=" in key for key in entries) == 300
    with loading_of(instance) as (foundation, store):
        load = Load(instance, foundation, store, BY)
        with pytest.raises(LoadFailed, match=rf"^{tmp_path / 'users'}:1: .* exists already$"):
            load.run([tmp_path / "users"])


# ---------------------------------------------------------------- the crew


def order() -> Order:
    schema = load_schema()
    numbers = {key: number for number, key in enumerate(sorted(schema.indexed), 1)}
    return Order(tuple(schema_texts()), "im", numbers, "20260101000000Z", BY, ("eTConfigParam",))


def nobody() -> Caster:
    """Whoever asks it is wrong."""
    return Caster(load_schema(), Views("im"), {}, "", "", lambda: pytest.fail("asked here"), ())


def blocks(tmp_path: Path) -> Iterator[tuple[int, Block]]:
    file = tmp_path / "users.ldif"
    file.write_text("".join(user(f"u{number}") for number in range(400)))
    with file.open("rb") as opened:
        yield from enumerate(blocks_of(opened, 1500))


def test_what_workers_bring_is_in_the_order_of_the_file(tmp_path: Path) -> None:
    with Crew(nobody(), order(), 2) as crew:
        brought = list(crew.cast(blocks(tmp_path)))
    assert [mark for mark, _, _ in brought] == list(range(len(brought)))
    names = [
        row[3].partition(",")[0]
        for _, _, parts in brought
        for part in parts
        if isinstance(part, Run)
        for row in part.arrivals.rows
    ]
    assert names == [f"eTGlobalUserName=u{number}" for number in range(400)]
    assert all(worker.process.returncode is not None for worker in crew.workers)


def test_a_worker_that_is_killed_ends_the_load_and_says_so(tmp_path: Path) -> None:
    with Crew(nobody(), order(), 2) as crew:
        brought = crew.cast(blocks(tmp_path))
        next(brought)
        for worker in crew.workers:
            worker.process.kill()
        with pytest.raises(CommandFailed, match=r"ended before its work did \(signal 9\)"):
            list(brought)
    assert all(worker.process.returncode == -9 for worker in crew.workers)


def test_what_is_short_starts_no_process(tmp_path: Path) -> None:
    numbers = order().numbers
    here = Caster(load_schema(), Views("im"), numbers, "", BY, lambda: pytest.fail("no id is needed"), ())
    given = Block(1, user("x", "eTID: 1").encode())
    with Crew(here, order()) as crew:
        [(mark, block, parts)] = crew.cast([("file", given)])
        assert (mark, block, len(parts), crew.workers) == ("file", given, 1, [])
