"""A file that is read in blocks gives the very records, or the very error, of one that is read by the
line.
"""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.directory.ldif import LdifError, LdifRecord, read_block, read_ldif
from provserver.directory.ldifblocks import blocks_of

many = settings(max_examples=300)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINES = [
    *(b"dn: cn=a", b"dn:: Y249YQ==", b"cn: a", b"cn:: YQ==", b"cn:: !", b"cn:< x", b"objectClass: top"),
    *(b"", b"", b"", b" ", b" x", b"  x", b"#", b"# c", b"-", b"nonsense", b"\0", b"a\rb", b"\r", b"\xff"),
    *(
        b"version: 1",
        b"version: 2",
        b"control: 1.2 true",
        b"changetype: add",
        b"changetype: modify",
        b"add: cn",
    ),
    BYTE_ORDER_MARK + b"dn: cn=b",
    BYTE_ORDER_MARK,
]
RECORDS = [
    b"dn: cn=a\ncn: a\n\n",
    b"dn: cn=b\ncn: b\n c\n\n\n",
    b"# comment\n of two lines\ndn: cn=c\ncn: c\n# inside\nsn: c\n\n",
    b"# alone\n\n",
    b"version: 1\ndn: cn=d\ncn: d\n\n",
    b"\n\n",
    b"dn: cn=e\nchangetype: delete\n\n",
]
lines = st.lists(st.sampled_from(LINES), max_size=14)
ends = st.sampled_from([b"\n", b"\r\n"])
Outcome = tuple[list[LdifRecord], tuple[int, str] | None]


def by_line(octets: bytes) -> Outcome:
    records: list[LdifRecord] = []
    try:
        for record in read_ldif(io.BytesIO(octets)):
            records.append(record)
    except LdifError as error:
        return records, (error.line, error.reason)
    return records, None


def in_blocks(octets: bytes, size: int) -> Outcome:
    records: list[LdifRecord] = []
    try:
        for block in blocks_of(io.BytesIO(octets), size):
            for record in read_block(block):
                records.append(record)
    except LdifError as error:
        return records, (error.line, error.reason)
    return records, None


@many
@given(lines, ends, st.integers(1, 60))
def test_any_lines(found: list[bytes], end: bytes, size: int) -> None:
    octets = end.join(found)
    assert in_blocks(octets, size) == by_line(octets)


@many
@given(
    st.lists(st.sampled_from(RECORDS), max_size=12),
    st.sampled_from([b"", BYTE_ORDER_MARK]),
    ends,
    st.integers(1, 200),
    lines,
)
def test_records_with_anything_at_their_end(
    found: list[bytes], mark: bytes, end: bytes, size: int, last: list[bytes]
) -> None:
    octets = mark + b"".join(found).replace(b"\n", end) + end.join(last)
    assert in_blocks(octets, size) == by_line(octets)


@many
@given(st.binary(max_size=200), st.integers(1, 80))
def test_any_octets(octets: bytes, size: int) -> None:
    assert in_blocks(octets, size) == by_line(octets)
