"""LDIF in blocks of whole records: a long file is cut where a record ends, and each block is read by itself.

What a block holds is read as the file would be read line by line (`ldiflines.chunks`), only faster: nearly
every record is plain text between two empty lines. Whatever is not goes the careful way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from provserver.directory.ldiflines import (
    BYTE_ORDER_MARK,
    LARGEST_RECORD,
    LINE_COST,
    LONGEST_LINE,
    Fields,
    chunks,
    fields_of,
    physical_lines,
)
from provserver.records import field, record

_BLANK_LINES: Final = (b"\n\n", b"\n\r\n")
"""Line end and blank line: what a record ends with."""
_SOMETHING: Final = re.compile(rb"(?m)^[^#\s]")
"""A line that is no comment, not blank and no continuation."""
_COMMENTS: Final = re.compile(rb"(?:#[^\n]*\n(?: [^\n]*\n)*)+")
_MOST_PLAIN: Final = min(LONGEST_LINE, LARGEST_RECORD // (1 + LINE_COST))
"""Octets of a block in which no line and no record can be too long."""


@record
class Block:
    """Some whole records as they stand in a file. `first` is the number of the first line, from 1."""

    first: int
    octets: bytes = field(repr=False)
    at_the_top: bool = False
    """Whether no record came before, so that `version:` may stand here."""


def blocks_of(file: BinaryIO, size: int) -> Iterator[Block]:
    """A file in blocks of about `size` octets, of more where a record is larger. OSError.

    A line or a record that is larger than any may be comes as far as it was read, which shows that it is.
    """
    first, at_the_top, rest = 1, True, b""
    while read := file.read(max(size, len(rest))):
        octets = rest + read
        end = _end_of_records(octets)
        if not end and len(octets) > LONGEST_LINE:
            known = octets.count(b"\n")
            octets = _without_comments(octets, first)
            first += known - octets.count(b"\n")
            end = len(octets) if _too_long(octets) else 0
        rest = octets[end:]
        if end:
            block = Block(first, octets[:end], at_the_top)
            yield block
            first += block.octets.count(b"\n")
            text = octets[_start(octets, block.first) : end] if at_the_top else b""
            at_the_top = at_the_top and not _SOMETHING.search(text)
    if rest:
        yield Block(first, rest, at_the_top)


def _end_of_records(octets: bytes) -> int:
    """Where the last blank line ends; 0: there is none."""
    return max([0, *[octets.rfind(end) + len(end) for end in _BLANK_LINES if end in octets]])


def _without_comments(octets: bytes, first: int) -> bytes:
    """A file may begin with any number of comments: one stands for those that lead here."""
    comments = _COMMENTS.match(octets, _start(octets, first))
    return b"#\n" + octets[comments.end() :] if comments else octets


def _start(octets: bytes, first: int) -> int:
    """Where the text begins: a byte order mark may stand before line 1."""
    return len(BYTE_ORDER_MARK) if first == 1 and octets.startswith(BYTE_ORDER_MARK) else 0


def _too_long(octets: bytes) -> bool:
    """Whether lines without a blank one among them cannot become a record any more."""
    longest = LONGEST_LINE + 2  # the line end
    return len(octets) > LARGEST_RECORD or (len(octets) > longest and b"\n" not in octets[-longest:])


def fields_in(block: Block) -> Iterator[Fields]:
    """The fields of each record of a block. LdifError."""
    octets = block.octets
    if b"\r" in octets and octets.count(b"\r") == octets.count(b"\r\n"):
        octets = octets.replace(b"\r\n", b"\n")
    if b"\r" in octets or b"\0" in octets or len(octets) > _MOST_PLAIN or block.first == 1:
        yield from _carefully(block.first, octets)
        return
    commented = b"\n#" in octets or octets[:1] == b"#"
    number = block.first
    for piece in octets.split(b"\n\n"):
        first = number
        number += piece.count(b"\n") + 2
        text = piece.lstrip(b"\n")
        first += len(piece) - len(text)
        if not text:
            continue
        if text[-1:] != b"\n":
            text += b"\n"
        if commented:
            comments = _COMMENTS.match(text)
            if comments is not None:
                first += comments.group().count(b"\n")
                text = text[comments.end() :]
        if not text:
            continue
        if text[:1] == b" " or (commented and b"\n#" in text):
            yield from _carefully(first, text)
        else:
            yield Fields(first, text, text.replace(b"\n ", b"") if b"\n " in text else text)


def _carefully(first: int, octets: bytes) -> Iterator[Fields]:
    for number, chunk in chunks(physical_lines(octets), LONGEST_LINE, LARGEST_RECORD, first):
        yield fields_of(number, chunk, LONGEST_LINE)
