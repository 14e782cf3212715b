"""What is written is what is read, and no octets give anything but records or an LdifError."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.directory.ldif import LdifError, LdifRecord, read_ldif, write_entry, write_modify

few = settings(max_examples=150)

KEYWORDS = {"dn", "changetype", "control"}
names = st.text(max_size=120)
values = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b" ", b"-", b":", b"<", b"#", b"a ", b"\r\n", b"dn: x", b"a" * 71, b"a" * 72, b" " * 90]
    ),
    st.text(alphabet=" -:<#=a\n", max_size=170).map(str.encode),
)
descriptions = st.one_of(
    st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,90}(;[A-Za-z0-9-]{1,8}){0,2}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,4}){1,6}", fullmatch=True),
    st.sampled_from(["add", "version", "newrdn", "objectClass", "cn"]),
).filter(lambda description: description.lower() not in KEYWORDS)
entries = st.lists(
    st.tuples(descriptions, st.lists(values, min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
    unique_by=lambda attribute: attribute[0].lower(),
)
changes = st.one_of(
    st.tuples(st.just(0), descriptions, st.lists(values, min_size=1, max_size=3)),
    st.tuples(st.sampled_from([1, 2]), descriptions, st.lists(values, max_size=3)),
    st.tuples(st.just(3), descriptions, st.lists(values, min_size=1, max_size=1)),
)
LINES = [
    *(
        b"dn: x",
        b"dn::",
        b"::",
        b"cn: a",
        b"cn:: !",
        b"cn:< x",
        b"-",
        b"",
        b" ",
        b" x",
        b"#",
        b"\r",
        b"\0",
        b"\xff",
    ),
    *(
        b"version: 1",
        b"control: 1.2 true",
        b"changetype: modify",
        b"changetype: modrdn",
        b"changetype: delete",
    ),
    *(b"changetype: add", b"add: cn", b"replace: cn", b"newrdn: x", b"deleteoldrdn: 1"),
]
ends = st.sampled_from([b"\n", b"\r\n"])


def read(octets: bytes) -> list[LdifRecord]:
    return list(read_ldif(io.BytesIO(octets)))


@few
@given(names, entries, ends)
def test_every_entry_is_read_as_it_was_written(
    dn: str, attributes: list[tuple[str, list[bytes]]], end: bytes
) -> None:
    written = write_entry(dn, attributes)
    assert max(map(len, written.split(b"\n"))) <= 76
    assert written.isascii()
    (record,) = read(written.replace(b"\n", end))
    assert (record.line, record.dn, record.kind, record.attributes) == (1, dn, "add", tuple(attributes))


@few
@given(names, st.lists(changes, min_size=1, max_size=4), ends)
def test_every_change_is_read_as_it_was_written(
    dn: str, made: list[tuple[int, str, list[bytes]]], end: bytes
) -> None:
    (record,) = read(write_modify(dn, made).replace(b"\n", end))
    assert (record.dn, record.kind, record.changes) == (dn, "modify", tuple(made))


@few
@given(st.lists(st.tuples(names, entries), min_size=1, max_size=4), st.integers(1, 3), st.booleans(), ends)
def test_records_are_where_they_were_written_whatever_stands_between(
    many: list[tuple[str, list[tuple[str, list[bytes]]]]], blank: int, commented: bool, end: bytes
) -> None:
    text = b"version: 1\n"
    begin = []
    for dn, attributes in many:
        text += b"\n" * blank + (b"# comment\n  continued\n" if commented else b"")
        begin.append(text.count(b"\n") + 1)
        text += write_entry(dn, attributes)
    assert [(r.line, r.dn) for r in read(text.replace(b"\n", end).removesuffix(end))] == list(
        zip(begin, [dn for dn, _ in many], strict=True)
    )


@few
@given(st.lists(st.sampled_from(LINES), max_size=12), ends)
def test_any_order_of_lines_gives_records_or_an_error_at_one_of_them(lines: list[bytes], end: bytes) -> None:
    octets = end.join(lines)
    at = 1
    try:
        read(octets)
    except LdifError as error:
        at = error.line
    assert 1 <= at <= octets.count(b"\n") + 1


@few
@given(st.binary(max_size=300))
def test_any_octets_give_records_or_an_error(octets: bytes) -> None:
    with contextlib.suppress(LdifError):
        read(octets)
    with contextlib.suppress(LdifError):
        list(read_ldif(octets.splitlines(keepends=True)))
