"""The lines of LDIF (RFC 2849): gathered into records, unfolded, cut into fields; and where an error is.

A record is joined, unfolded and cut into fields as a whole, which is what makes it fast; line numbers are
worked out only when there is an error to report.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

LONGEST_LINE: Final = 16 * 2**20
"""Octets of one line when unfolded: a certificate list fits, a file that is no LDIF is found out."""
LARGEST_RECORD: Final = 128 * 2**20
"""Octets of one record as it stands, each line counted with `LINE_COST` more: 500,000 members fit."""
LINE_COST: Final = 64
"""Octets of memory that a line takes besides its own, so that very many very short lines are bounded too."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
BLANK_INSIDE: Final = "a blank line ends a record; are there blank lines inside one?"

FIELD: Final = re.compile(rb"([^:\n]*)(:[:<]?|) *([^\n]*)\n")
"""Name, mark and value; matches every line, one without a colon as a name with an empty mark."""
_COMMENT: Final = re.compile(rb"(?m)^#[^\n]*\n(?: [^\n]*\n)*")


class LdifError(ValueError):
    """Text that is no LDIF: the line, and what was expected and found there, never a value."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def chunks(
    lines: Iterable[bytes], longest_line: int, largest_record: int, first_line: int = 1
) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of each record, after the number of the first; comments before a record are dropped."""
    chunk: list[bytes] = []
    first = size = 0
    in_comment = False
    small = min(longest_line, largest_record)
    for number, line in enumerate(lines, first_line):
        size += len(line) + LINE_COST
        if size > small:
            _check_size(number, len(line), size if chunk else 0, longest_line, largest_record)
        if chunk:
            if line == b"\n" or line == b"\r\n":
                yield first, chunk
                chunk = []
                in_comment = False
            else:
                chunk.append(line)
            continue
        size = len(line) + LINE_COST
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        start = line[:1]
        if start == b"#":
            in_comment = True
        elif line in (b"\n", b"\r\n", b""):
            in_comment = False
        elif start != b" ":
            first, chunk = number, [line]
        elif not in_comment:
            found = "found a line that begins with a space, and no line before it to continue"
            raise LdifError(number, f"expected 'dn:', {found} — {BLANK_INSIDE}")
    if chunk:
        if chunk[-1][-1:] != b"\n":
            chunk[-1] += b"\n"
        yield first, chunk


def _check_size(number: int, length: int, size: int, longest_line: int, largest_record: int) -> None:
    if length > longest_line + 2:  # the line end
        raise LdifError(number, f"expected a line of at most {longest_line} octets, found a longer one")
    if size > largest_record:
        expected = (
            f"expected a record of at most {largest_record} octets (a line counts for {LINE_COST} more)"
        )
        raise LdifError(number, f"{expected}, found a larger one")


def physical_lines(text: bytes) -> list[bytes]:
    """The lines of a text, each with its line end, as a binary file gives them."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def fields_of(first: int, chunk: Sequence[bytes], longest_line: int) -> Fields:
    """The fields of the lines of a record, the first of which has that number. LdifError."""
    whole = text = b"".join(chunk)
    if text.count(b"\n") != len(chunk):
        raise _line_end_fault(first, chunk)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if b"\n#" in text:
        text = _COMMENT.sub(b"", text)
    if b"\r" in text or b"\0" in text:
        raise _octet_fault(first, chunk)
    if b"\n " in text:
        text = text.replace(b"\n ", b"")
    fields = Fields(first, whole, text)
    if len(text) > longest_line:
        for index, line in enumerate(text.split(b"\n")):
            if len(line) > longest_line:
                raise fields.fault(index, f"expected at most {longest_line} octets when unfolded, found more")
    return fields


def _content(chunk: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are no comment, and where they are."""
    in_comment = False
    for offset, line in enumerate(chunk):
        if line[:1] != b" ":
            in_comment = line[:1] == b"#"
        if not in_comment:
            yield offset, line


def _line_end_fault(first: int, chunk: Sequence[bytes]) -> LdifError:
    offset = next(i for i, line in enumerate(chunk) if line.count(b"\n") != 1)
    alone = chunk[offset].endswith(b"\r")
    found = "a CR alone" if alone else "a line with none, or with more than one"
    return LdifError(first + offset, f"expected a line that ends in LF or CR LF, found {found}")


def _octet_fault(first: int, chunk: Sequence[bytes]) -> LdifError:
    for offset, line in _content(chunk):
        body = line.removesuffix(b"\n").removesuffix(b"\r")
        if b"\0" in body:
            found = "found a NUL octet; is this UTF-16?"
        elif b"\r" in body:
            found = "found a CR inside a line"
        else:
            continue
        return LdifError(first + offset, f"expected text, or other octets in base64 ('::'); {found}")
    raise AssertionError("no such octet")


class Fields:
    """One record's fields; numbers an error's line."""

    __slots__ = ("_whole", "all", "first")

    first: int
    all: list[tuple[bytes, bytes, bytes]]
    """Name, mark (`:`, `::`, `:<` or nothing) and what follows."""

    def __init__(self, first: int, whole: bytes, text: bytes) -> None:
        """`whole` is the record as it stands, `text` the same unfolded and without comments."""
        self.first = first
        self._whole = whole
        self.all = FIELD.findall(text)

    def line(self, index: int) -> int:
        """The number of the physical line where a field begins."""
        begins = [offset for offset, line in _content(physical_lines(self._whole)) if line[:1] != b" "]
        return self.first + begins[min(index, len(begins) - 1)]

    def fault(self, index: int, reason: str) -> LdifError:
        """The error to raise at a field, or at the last one when something is missing after it."""
        return LdifError(self.line(index), reason)

    def value(self, index: int) -> bytes:
        """What a field says, decoded."""
        name, mark, value = self.all[index]
        if mark == b":":
            return value
        if mark == b"::":
            try:
                return a2b_base64(value, strict_mode=True)
            except Base64Error:
                raise self.fault(
                    index, "expected base64 (RFC 4648) after '::', found something else"
                ) from None
        if mark == b":<":
            expected = "expected the value itself after ':', or in base64 after '::'"
            raise self.fault(index, f"{expected}; found a URL (':<'), and files are not read from here")
        if name == b"-":
            raise self.fault(
                index, "expected 'attribute: value', found '-', which belongs between a modify's changes"
            )
        found = "found a line without a colon (a line is continued by one that begins with a space)"
        raise self.fault(index, f"expected 'attribute: value', {found}")

    def text(self, index: int) -> str:
        """What a field says, where the RFC has a name in UTF-8."""
        try:
            return self.value(index).decode()
        except UnicodeDecodeError:
            raise self.fault(index, "expected a name in UTF-8, found other octets") from None

    def word(self, index: int, keyword: str, expected: str) -> bytes:
        """The value of the keyword that must stand here, lower case."""
        if index < len(self.all):
            name, mark, value = self.all[index]
            if name.lower() != keyword.encode() or mark != b":":
                raise self.fault(index, f"expected {expected}, found something else")
            return value.rstrip(b" ").lower()
        raise self.fault(index, f"expected {expected}, found the end of the record — {BLANK_INSIDE}")

    def keyword(self, index: int) -> bytes:
        """The name of a field in lower case; empty behind the last."""
        return self.all[index][0].lower() if index < len(self.all) else b""

    def must_end(self, index: int, after: str) -> None:
        if index < len(self.all):
            raise self.fault(index, f"expected a blank line after {after}, found another line")
