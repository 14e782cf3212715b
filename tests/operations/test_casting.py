"""What is cast of an LDIF record is what the ordinary edits make of it; what they refuse is not cast."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provserver.cli.loading import load_stream
from provserver.directory.entries import Entry, EntryId
from provserver.directory.ldif import LdifError, LdifRecord, write_entry
from provserver.directory.ldifblocks import Block
from provserver.foundation import Foundation, generalized_time, lay_foundation, load_schema
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.casting import Caster, Run
from provserver.operations.edits import Edits
from provserver.operations.identities import identities
from provserver.settings import Settings
from provserver.storage import bodies
from provserver.storage.contract import Put
from provserver.storage.postings import Postings
from provserver.storage.sqlite import SqliteStore
from provserver.vault.keyring import KeyRing

T = TypeVar("T")
Attributes = list[tuple[str, list[bytes]]]

USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im"
ADA = f"eTGlobalUserName=aokafor,{USERS}"
ACCOUNTS = "eTETCAccountContainerName=Accounts,eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im"
PROFILE = "eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles"
BY = "tests"
OF_THE_TREE = {ResultCode.ENTRY_ALREADY_EXISTS, ResultCode.NO_SUCH_OBJECT}
"""Refusals that only somebody who knows the tree can know."""


def end(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waits")


@cache
def demo() -> Foundation:
    """The demo domain, in memory."""
    schema = load_schema()
    store = end(SqliteStore.in_memory(schema))
    foundation = lay_foundation(Settings(), KeyRing.generate(), schema, store, wall=lambda: 1.7e9)
    edits = Edits(foundation.rooms, BY)
    for name in ("base.ldif", "demo.ldif"):
        text = re.sub(rb"\neTPassword: .*", b"", (files("provserver.ldif") / name).read_bytes())
        end(load_stream(foundation, edits, name, text.splitlines(keepends=True)))
    end(store.commit(edits.commit()))
    return foundation


@cache
def numbers() -> dict[str, int]:
    return {key: number for number, key in enumerate(sorted(load_schema().indexed), 1)}


def counted() -> Callable[[], EntryId]:
    numbers = itertools.count()
    return lambda: EntryId(f"id{next(numbers)}")


def caster(new_id: Callable[[], EntryId] | None = None) -> Caster:
    rooms = demo().rooms
    return Caster(
        rooms.schema,
        rooms.views,
        numbers(),
        generalized_time(1.7e9),
        BY,
        new_id or counted(),
        rooms.meanings,
    )


def run_of(caster: Caster, *records: tuple[str, Attributes]) -> Sequence[Run | LdifRecord | LdifError]:
    text = b"\n".join([write_entry(name, attributes) for name, attributes in records])
    return caster.parts(Block(1, text))


def ordinarily(name: str, attributes: Attributes, first_id: str) -> list[Entry]:
    """The entry, and the inclusion. Refusal."""
    ids = itertools.count(int(first_id.removeprefix("id")))
    rooms = replace(demo().rooms, new_id=lambda: EntryId(f"id{next(ids)}"))
    edits = Edits(rooms, BY)
    end(edits.add(rooms.views.resolve(name)[0], attributes))
    return [write.entry for write in edits.commit().writes if isinstance(write, Put)]


def found(run: Run, row: int) -> set[tuple[int, bytes]]:
    """The terms of a row."""
    number, *own = run.arrivals.found[row]
    assert isinstance(number, int)
    pairs = set(zip(own[::2], own[1::2], strict=True))
    return pairs | set(run.arrivals.shared[number])  # type: ignore[arg-type]  # numbers and values alternate


def check(run: Run, name: str, attributes: Attributes, first_id: str) -> None:
    """That the one row of a run is what the edits make, unless they refuse it for what only they see."""
    (row,) = run.arrivals.rows
    refused: Refusal | None = None
    try:
        entry, *inclusion = ordinarily(name, attributes, first_id)
    except Refusal as refusal:
        refused = refusal
    if refused is not None:
        missing_owner = bool(run.owners) and refused.code is ResultCode.CONSTRAINT_VIOLATION
        assert refused.code in OF_THE_TREE or missing_owner, (name, attributes, refused)
        return
    entry_id, key, above, text, body = row
    parent = entry.dn.parent
    assert parent is not None
    assert (entry_id, key, text) == (entry.id, entry.dn.key, entry.dn.text)
    assert run.arrivals.above[~above] == parent.key
    assert bodies.decode(body) == entry.attributes
    assert list(bodies.decode(body)) == list(entry.attributes)
    assert body == bodies.encode(entry.attributes)
    assert found(run, 0) == Postings(demo().schema, numbers()).of(entry)
    assert len(inclusion) == len(run.owned)


texts = st.one_of(
    st.text(max_size=12).map(str.encode),
    st.sampled_from(
        [
            b"x",
            b"1",
            b"0",
            b"TRUE",
            b" a  b ",
            b"",
            b"%s %b %",
            b"\x1d\x1e\x1f",
            b"\xff",
            "ü".encode(),
            b"\x07",
        ]
    ),
    st.sampled_from(["\ue000".encode(), b"x" * 200, b"y" * 2_000, b"20260101000000Z", b"a@b.example"]),
)
dns = st.sampled_from(
    [
        *(PROFILE + ",eTNamespaceName=CommonObjects,dc=im" + tail for tail in ("", ",dc=eta", ",dc=etadb")),
        *(ADA, ADA.upper(), "no name", "cn=elsewhere", "cn=a+b=c,dc=im", "dc=im,dc=eta"),
    ]
).map(str.encode)
values = st.lists(texts, min_size=1, max_size=3)
extras = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["eTFullName", "etfullname", "description", "eTCustomField01"]), values),
        st.tuples(st.sampled_from(["eTEmailAddress", "eTUserID", "eTSuspended", "eTMobilePhone"]), values),
        st.tuples(
            st.sampled_from(["2.5.4.13", "description;lang-de", "eTNoSuch", "createTimestamp"]), values
        ),
        st.tuples(
            st.sampled_from(["eTUserAdminProfile", "eTRoleDN", "provAgentScope"]),
            st.lists(dns, min_size=1, max_size=3),
        ),
        st.tuples(st.just("eTID"), st.lists(texts | st.just(b"0A-1"), min_size=1, max_size=2)),
        st.tuples(
            st.just("provGlobalUser"),
            st.lists(dns | st.just(b"eTGlobalUserName=nobody,dc=im"), min_size=1, max_size=2),
        ),
        st.tuples(st.sampled_from(["eTPassword", "provPasswordHash", "eTSyncPassword"]), values),
    ),
    max_size=4,
    unique_by=lambda attribute: attribute[0].lower(),
)
people = st.sampled_from(
    ["zoe", "ZOE", "a b", "ü", r"Okafor\, Ada", r"a\+b", '"quo,ted"', "#04024869", " zoe"]
)
classes = st.sampled_from(
    [
        [b"eTGlobalUser"],
        [b"etglobaluser", b"top"],
        [b"eTETCAccount"],
        [b"eTETCAccount", b"extensibleObject"],
        [b"eTNoSuch"],
        [b"eTGlobalUser", b"eTETCAccount"],
        [b"provObject"],
    ]
)
above = st.sampled_from(
    [USERS, ACCOUNTS, USERS + ",dc=eta", " " + ACCOUNTS + ",dc=etadb", "dc=im", "cn=none,dc=im", "dc=other"]
)
types = st.sampled_from(
    ["eTGlobalUserName", "eTETCAccountName", "ETETCACCOUNTNAME", "eTFullName", "oid.2.5.4.13"]
)


@st.composite
def records(draw: st.DrawFn) -> tuple[str, Attributes]:
    type, value = draw(types), draw(people)
    name = f"{type}={value},{draw(above)}"
    if draw(st.integers(0, 9)) == 0:
        name = f"eTFullName=x+{name}"
    attributes: Attributes = [("objectClass", draw(classes)), *draw(extras)]
    if draw(st.booleans()):
        attributes.insert(1, (type.removeprefix("oid."), [draw(st.just(value.encode()) | texts)]))
    if draw(st.integers(0, 9)) == 0:
        del attributes[0]
    return name, attributes


many = settings(max_examples=250)


@many
@given(st.lists(records(), min_size=1, max_size=6))
@example([(ADA, [("objectClass", [b"eTGlobalUser"]), ("eTFullName", [b"x" * 10])])] * 3)
def test_what_is_cast_is_what_the_edits_make(records: list[tuple[str, Attributes]]) -> None:
    """Each record twice and more by one caster, so that most are made by what was learned of others."""
    ids: list[str] = []
    new_id = counted()

    def noted() -> EntryId:
        ids.append(new_id())
        return EntryId(ids[-1])

    one = caster(noted)
    for name, attributes in [*records, *records[::-1], *records]:
        if not attributes:
            continue
        ids.clear()
        for part in run_of(one, (name, attributes)):
            if isinstance(part, Run):
                check(part, name, attributes, ids[-1] if ids else "id0")


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        (f"eTGlobalUserName=%s,{USERS}", [("objectClass", [b"eTGlobalUser"]), ("eTFullName", [b"%s"])]),
        (
            f"eTETCAccountName=%s,{ACCOUNTS},dc=eta",
            [("objectClass", [b"eTETCAccount"]), ("provGlobalUser", [ADA.encode()])],
        ),
        (
            rf"eTGlobalUserName=%s\, jr,{USERS}",
            [("objectClass", [b"eTGlobalUser"]), ("eTRoleDN", [b"cn=%s,dc=im"])],
        ),
    ],
)
def test_what_is_plain_is_cast_in_one_run(name: str, attributes: Attributes) -> None:
    """Not only rightly, but at all: else a load is slow."""
    records = [
        (
            name.replace("%s", f"person{number}"),
            [(d, [v.replace(b"%s", b"%d" % number) for v in values]) for d, values in attributes],
        )
        for number in range(5)
    ]
    one = caster()
    (run,) = run_of(one, *records)
    assert isinstance(run, Run)
    assert run.count == 5
    assert len({own[0] for own in run.arrivals.found[1:]}) == 1, "they share their classes with each other"
    for number, record in enumerate(records):
        (alone,) = run_of(caster(lambda: EntryId("id0")), record)
        assert isinstance(alone, Run)
        check(alone, *record, "id0")
        assert alone.arrivals.rows[0][1] == run.arrivals.rows[number][1]


def user(name: str, *more: tuple[str, list[bytes]]) -> tuple[str, Attributes]:
    return f"eTGlobalUserName={name},{USERS}", [("objectClass", [b"eTGlobalUser"]), *more]


def account(name: str, owner: str) -> tuple[str, Attributes]:
    return (
        f"eTETCAccountName={name},{ACCOUNTS}",
        [
            ("objectClass", [b"eTETCAccount"]),
            ("provGlobalUser", [f"eTGlobalUserName={owner},{USERS}".encode()]),
        ],
    )


def test_an_account_after_its_user_brings_its_inclusion() -> None:
    (run,) = run_of(
        caster(), user("zoe"), account("z1", "zoe"), account("a1", "aokafor"), account("z2", "ZOE")
    )
    assert isinstance(run, Run)
    assert run.count == 4
    names = [row[3].partition(",")[0] for row in run.arrivals.rows]
    assert names == [
        "eTGlobalUserName=zoe",
        "eTETCAccountName=z1",
        "eTInclusionID=id0@id1",
        "eTETCAccountName=a1",
        "eTETCAccountName=z2",
        "eTInclusionID=id0@id4",
    ]
    assert [(run.arrivals.rows[row][0], kind) for row, kind, _ in run.owned] == [("id3", "eTETCAccount")]
    assert len(run.owners) == 1


@pytest.mark.parametrize(
    "second",
    [user("zoe"), account("x", "nobody"), user("y", ("eTPassword", [b"x"])), user("y", ("eTNoSuch", [b"x"]))],
    ids=["a name again", "an account whose owner comes later", "a password", "an unknown attribute"],
)
def test_what_does_not_go_with_the_others_is_handed_on_in_its_place(second: tuple[str, Attributes]) -> None:
    parts = run_of(caster(), user("nobody2"), user("zoe"), second, user("last"))
    if "nobody" in str(second):
        assert [type(part) for part in parts] == [Run], "who its owner is shows when the tree is looked at"
        return
    assert [type(part) for part in parts] == [Run, LdifRecord, Run]
    assert isinstance(parts[1], LdifRecord)
    assert parts[1].dn == second[0]
    runs = [part for part in parts if isinstance(part, Run)]
    lines = b"\n".join([write_entry(*one) for one in (user("nobody2"), user("zoe"), second, user("last"))])
    begins = [n for n, line in enumerate(lines.split(b"\n"), 1) if line.startswith(b"dn:")]
    assert [(run.count, run.first, run.last) for run in runs] == [
        (2, begins[0], begins[1]),
        (1, begins[3], begins[3]),
    ]
    assert parts[1].line == begins[2]


def test_an_owner_that_is_no_user_is_left_to_the_edits() -> None:
    parts = run_of(
        caster(),
        user("zoe"),
        (f"eTETCAccountName=z,{ACCOUNTS}", [("objectClass", [b"eTETCAccount"])]),
        (
            f"eTETCAccountName=y,{ACCOUNTS}",
            [
                ("objectClass", [b"eTETCAccount"]),
                ("provGlobalUser", [f"eTETCAccountName=z,{ACCOUNTS}".encode()]),
            ],
        ),
        (
            f"eTGlobalUserName=x,{USERS}",
            [("objectClass", [b"eTGlobalUser"]), ("provGlobalUser", [ADA.encode()])],
        ),
    )
    assert [type(part) for part in parts] == [Run, LdifRecord, LdifRecord]


def test_after_what_is_no_ldif_nothing_is_read() -> None:
    text = write_entry(*user("zoe")) + b"\nnonsense\n\n" + write_entry(*user("last"))
    run, error = caster().parts(Block(11, text))
    assert isinstance(run, Run)
    assert run.count == 1
    assert isinstance(error, LdifError)
    assert error.line == 11 + text.split(b"\n").index(b"nonsense")


def test_ids_are_uuids_of_random_octets() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes(range(256)) * (count // 256)

    made = list(itertools.islice(identities(random), 300))
    assert made[:2] == ["00010203-0405-4607-8809-0a0b0c0d0e0f", "10111213-1415-4617-9819-1a1b1c1d1e1f"]
    assert len(asked) == 2


# ---------------------------------------------------------------- what has a meaning


def dated(name: str, day: bytes) -> tuple[str, Attributes]:
    attributes: Attributes = [("objectClass", [b"eTGlobalUser"]), ("eTPasswordExpirationDate", [day])]
    return f"eTGlobalUserName={name},{USERS}", attributes


def test_a_day_that_is_none_is_left_to_whoever_says_why() -> None:
    """The mould of the first knows the form as well."""
    first, good, bad = dated("x1", b"0000124366"), dated("x2", b"0000000000"), dated("x3", b"0000124367")
    run, left = run_of(caster(), first, good, bad)
    assert isinstance(run, Run)
    assert run.count == 2
    assert isinstance(left, LdifRecord)
    with pytest.raises(Refusal) as caught:
        ordinarily(*bad, "id0")
    assert caught.value.code is ResultCode.CONSTRAINT_VIOLATION


@pytest.mark.parametrize("kind", ["eTConfigParam", "ETPASSWORDPROFILE"])
def test_entries_that_somebody_wants_to_see_before_are_not_cast(kind: str) -> None:
    naming = "eTConfigParamName" if kind == "eTConfigParam" else "eTPasswordProfileName"
    records = [(f"{naming}=x{number},dc=im", [("objectClass", [kind.encode()])]) for number in range(3)]
    assert all(isinstance(part, LdifRecord) for part in run_of(caster(), *records))
