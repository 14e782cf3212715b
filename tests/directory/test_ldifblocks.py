"""Long files in blocks: where they are cut, and what is too long to be a record."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest

from provserver.directory.ldif import LdifError, read_block
from provserver.directory.ldifblocks import Block, blocks_of
from provserver.directory.ldiflines import LARGEST_RECORD, LONGEST_LINE

RECORD = b"dn: cn=a\ncn: a\n\n"


def blocks(octets: bytes, size: int) -> list[Block]:
    return list(blocks_of(io.BytesIO(octets), size))


def lines(found: Iterable[Block]) -> list[int]:
    """Where each record begins."""
    return [record.line for block in found for record in read_block(block)]


def test_blocks_are_whole_records_about_as_large_as_was_asked_for() -> None:
    found = blocks(RECORD * 1000, 500)
    assert b"".join(block.octets for block in found) == RECORD * 1000
    assert all(block.octets.endswith(RECORD) and len(block.octets) <= 500 + len(RECORD) for block in found)
    assert [block.first for block in found[:2]] == [1, 1 + found[0].octets.count(b"\n")]
    assert [block.at_the_top for block in found[:3]] == [True, False, False]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_record_that_is_larger_than_a_block_is_a_block(end: bytes) -> None:
    large = b"dn: cn=b\ncn: b\n" + b"description: x\n" * 500 + b"\n"
    found = blocks((RECORD + large + RECORD).replace(b"\n", end), 64)
    assert [record.dn for block in found for record in read_block(block)] == ["cn=a", "cn=b", "cn=a"]


def test_an_empty_file_has_no_block() -> None:
    assert blocks(b"", 100) == []


def test_a_version_may_come_after_many_blocks_of_comments() -> None:
    text = b"# comment\n\n" * 100 + b"version: 1\n" + RECORD
    found = blocks(text, 50)
    assert len(found) > 10
    assert lines(found) == [202]


@pytest.mark.parametrize("before", [b"", RECORD, b"# comment\n", b"\xef\xbb\xbf# comment\n continued\n"])
def test_a_line_that_never_ends_is_read_as_far_as_shows_that_it_is_too_long(before: bytes) -> None:
    endless = io.BytesIO(before + b"x" * (3 * LONGEST_LINE))
    with pytest.raises(
        LdifError, match=rf"line {before.count(10) + 1}: expected a line of at most {LONGEST_LINE}"
    ):
        lines(blocks_of(endless, 2**20))
    assert endless.tell() < 3 * LONGEST_LINE


def test_comments_may_be_longer_than_any_record() -> None:
    line = b"# " + b"x" * 1021 + b"\n"
    count = LARGEST_RECORD // len(line) + 2000
    found = blocks(b"\xef\xbb\xbf" + line * count + RECORD, 2**20)
    assert lines(found) == [count + 1]
    assert max(len(block.octets) for block in found) < 2 * LONGEST_LINE
