"""LDIF (RFC 2849), read record by record and written entry by entry: no I/O, one record in memory.

A record is joined, unfolded and cut into fields as a whole, which is what makes it fast; line numbers are
worked out only when there is an error to report. No error and no repr shows a value: it may be a password.

Wider than the RFC (ours): a record without `changetype:` is an add even among changes, the last `-` of a
modify may be missing, octets above 127 are taken unencoded, a byte order mark is skipped, `increment:` (RFC
4525) is known. Reader and writer are one file, since each is the other's inverse.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

__all__ = [
    "LARGEST_RECORD",
    "LONGEST_LINE",
    "LdifError",
    "LdifRecord",
    "read_ldif",
    "write_entry",
    "write_modify",
]

LONGEST_LINE: Final = 16 * 2**20
"""Octets of one line when unfolded: a certificate list fits, a file that is no LDIF is found out."""
LARGEST_RECORD: Final = 128 * 2**20
"""Octets of one record as it stands, each line counted with `_LINE_COST` more: 500,000 members fit."""
_LINE_COST: Final = 64
"""Octets of memory that a line takes besides its own, so that very many very short lines are bounded too."""
_COLUMNS: Final = 76
"""Where written lines are folded (RFC 2849, note 2 and its examples)."""

_BLANK_INSIDE: Final = "a blank line ends a record; are there blank lines inside one?"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_FIELD: Final = re.compile(rb"([^:\n]*)(:[:<]?|) *([^\n]*)\n")
"""Name, mark and value; matches every line, one without a colon as a name with an empty mark."""
_COMMENT: Final = re.compile(rb"(?m)^#[^\n]*\n(?: [^\n]*\n)*")
_DESCRIPTION: Final = re.compile(
    rb"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)(?:;[A-Za-z0-9-]+)*"  # RFC 4512 2.5
)
_LONGEST_DESCRIPTION: Final = 1_024
_CONTROL: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)*(?: +(true|false))? *(?::.*)?", re.IGNORECASE | re.DOTALL)
_SAFE: Final = re.compile(rb"(?:[!-9;=-~](?:[ -~]*[!-~])?)?")
"""What is written as it is: SAFE-STRING (RFC 2849) without the control characters, which a terminal obeys."""
_KEYWORDS: Final = frozenset({"dn", "changetype", "control"})
_CHANGE_KINDS: Final = {b"add": 0, b"delete": 1, b"replace": 2, b"increment": 3}
_CHANGE_WORDS: Final = tuple(_CHANGE_KINDS)
_DASH: Final = (b"-", b"", b"")

Attributes = tuple[tuple[str, list[bytes]], ...]
Changes = tuple[tuple[int, str, list[bytes]], ...]
Kind = Literal["add", "modify", "delete", "modrdn"]


class LdifError(ValueError):
    """Text that is no LDIF: the line, and what was expected and found there, never a value."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class LdifRecord:
    """One record: an entry to add, or a change. `line` is its `dn:`, from 1; the name is not parsed here."""

    line: int
    dn: str
    kind: Kind
    attributes: Attributes = field(default=(), repr=False)
    """Of an add: one for each description, whatever its case, in order and spelling of first appearance."""
    changes: Changes = field(default=(), repr=False)
    """Of a modify: kind (RFC 4511 4.6: add 0, delete 1, replace 2, increment 3), description, values."""
    new_rdn: str | None = None
    delete_old_rdn: bool = False
    new_superior: str | None = None


def read_ldif(
    lines: Iterable[bytes],
    *,
    allow_files: bool = False,
    longest_line: int = LONGEST_LINE,
    largest_record: int = LARGEST_RECORD,
) -> Iterator[LdifRecord]:
    """The records of physical lines, each with its line end, as a binary file gives them.

    LdifError ends the reading; records before it have been given out. A file that is not trusted to have
    line ends is read by `iter(lambda: file.readline(LONGEST_LINE + 1), b"")`. `allow_files` has no effect
    yet: a value by URL (`:<`) is refused either way, since this room does no I/O.
    """
    at_the_top = True
    for first, chunk in _chunks(lines, longest_line, largest_record):
        fields = _Fields(first, chunk, longest_line)
        start = _after_version(fields) if at_the_top else 0
        at_the_top = False
        if start < len(fields.all):
            yield _record(fields, start)


# ---------------------------------------------------------------- physical lines


def _chunks(
    lines: Iterable[bytes], longest_line: int, largest_record: int
) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of each record, after the number of the first; comments before a record are dropped."""
    chunk: list[bytes] = []
    first = size = 0
    in_comment = False
    small = min(longest_line, largest_record)
    for number, line in enumerate(lines, 1):
        size += len(line) + _LINE_COST
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
        size = len(line) + _LINE_COST
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        start = line[:1]
        if start == b"#":
            in_comment = True
        elif line in (b"\n", b"\r\n", b""):
            in_comment = False
        elif start != b" ":
            first, chunk = number, [line]
        elif not in_comment:
            found = "found a line that begins with a space, and no line before it to continue"
            raise LdifError(number, f"expected 'dn:', {found} — {_BLANK_INSIDE}")
    if chunk:
        if chunk[-1][-1:] != b"\n":
            chunk[-1] += b"\n"
        yield first, chunk


def _check_size(number: int, length: int, size: int, longest_line: int, largest_record: int) -> None:
    if length > longest_line + 2:  # the line end
        raise LdifError(number, f"expected a line of at most {longest_line} octets, found a longer one")
    if size > largest_record:
        expected = (
            f"expected a record of at most {largest_record} octets (a line counts for {_LINE_COST} more)"
        )
        raise LdifError(number, f"{expected}, found a larger one")


def _content(chunk: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are no comment, and where they are."""
    in_comment = False
    for offset, line in enumerate(chunk):
        if line[:1] != b" ":
            in_comment = line[:1] == b"#"
        if not in_comment:
            yield offset, line


class _Fields:
    """One record's lines: unfolded, without comments, cut at the colon; numbers an error's line."""

    __slots__ = ("_chunk", "all", "first")

    first: int
    all: list[tuple[bytes, bytes, bytes]]
    """Name, mark (`:`, `::`, `:<` or nothing) and what follows."""

    def __init__(self, first: int, chunk: list[bytes], longest_line: int) -> None:
        self.first = first
        self._chunk = chunk
        text = b"".join(chunk)
        if text.count(b"\n") != len(chunk):
            raise self._line_end_fault()
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        if b"\n#" in text:
            text = _COMMENT.sub(b"", text)
        if b"\r" in text or b"\0" in text:
            raise self._octet_fault()
        if b"\n " in text:
            text = text.replace(b"\n ", b"")
        if len(text) > longest_line:
            for index, line in enumerate(text.split(b"\n")):
                if len(line) > longest_line:
                    raise self.fault(
                        index, f"expected at most {longest_line} octets when unfolded, found more"
                    )
        self.all = _FIELD.findall(text)

    def line(self, index: int) -> int:
        """The number of the physical line where a field begins."""
        begins = [offset for offset, line in _content(self._chunk) if line[:1] != b" "]
        return self.first + begins[min(index, len(begins) - 1)]

    def fault(self, index: int, reason: str) -> LdifError:
        """The error to raise at a field, or at the last one when something is missing after it."""
        return LdifError(self.line(index), reason)

    def _line_end_fault(self) -> LdifError:
        offset = next(i for i, line in enumerate(self._chunk) if line.count(b"\n") != 1)
        alone = self._chunk[offset].endswith(b"\r")
        found = "a CR alone" if alone else "a line with none, or with more than one"
        return LdifError(self.first + offset, f"expected a line that ends in LF or CR LF, found {found}")

    def _octet_fault(self) -> LdifError:
        for offset, line in _content(self._chunk):
            body = line.removesuffix(b"\n").removesuffix(b"\r")
            if b"\0" in body:
                found = "found a NUL octet; is this UTF-16?"
            elif b"\r" in body:
                found = "found a CR inside a line"
            else:
                continue
            return LdifError(self.first + offset, f"expected text, or other octets in base64 ('::'); {found}")
        raise AssertionError("no such octet")

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
        raise self.fault(index, f"expected {expected}, found the end of the record — {_BLANK_INSIDE}")

    def keyword(self, index: int) -> bytes:
        """The name of a field in lower case; empty behind the last."""
        return self.all[index][0].lower() if index < len(self.all) else b""

    def must_end(self, index: int, after: str) -> None:
        if index < len(self.all):
            raise self.fault(index, f"expected a blank line after {after}, found another line")


# ---------------------------------------------------------------- records


@lru_cache(maxsize=4_096)
def _described(name: bytes) -> tuple[str, str]:
    """An attribute description to compare by, and as it is spelled; ValueError. Remembered: there are few."""
    if len(name) > _LONGEST_DESCRIPTION or not _DESCRIPTION.fullmatch(name):
        raise ValueError("no attribute description")
    description = name.decode("ascii")
    key = description.lower()
    if key in _KEYWORDS:
        raise ValueError("a keyword of LDIF")
    return key, description


def _after_version(fields: _Fields) -> int:
    if fields.keyword(0) != b"version":
        return 0
    number = fields.word(0, "version", "'version: 1'")
    if not number.isdigit() or number.lstrip(b"0") != b"1":
        raise fields.fault(0, "expected 'version: 1', found another version")
    return 1


def _record(fields: _Fields, start: int) -> LdifRecord:
    name, mark, value = fields.all[start]
    if name != b"dn" and name.lower() != b"dn":
        raise _no_name(fields, start)
    if mark == b":":
        try:
            dn = value.decode()
        except UnicodeDecodeError:
            raise fields.fault(start, "expected a name in UTF-8, found other octets") from None
    else:
        dn = fields.text(start)
    line = fields.line(start) if start else fields.first
    at = start + 1
    if at == len(fields.all):
        expected = "expected attributes or 'changetype:' after 'dn:', found the end of the record"
        raise fields.fault(start, f"{expected} — {_BLANK_INSIDE}")
    if fields.all[at][0].lower() not in (b"changetype", b"control"):
        return LdifRecord(line, dn, "add", _attributes(fields, at))
    at = _after_controls(fields, at)
    if fields.keyword(at) != b"changetype":
        return LdifRecord(line, dn, "add", _attributes(fields, at))
    return _change(fields, at, line, dn)


def _no_name(fields: _Fields, start: int) -> LdifError:
    name = fields.keyword(start)
    if name == b"version":
        return fields.fault(start, "expected 'dn:', found 'version:', which stands only at the top of a file")
    if name in (b"changetype", b"control", b"newrdn", b"deleteoldrdn", b"newsuperior", b"-", *_CHANGE_WORDS):
        found = f"found '{name.decode()}'"
    else:
        found = "found another line"
    return fields.fault(start, f"expected 'dn:', {found} — {_BLANK_INSIDE}")


def _after_controls(fields: _Fields, at: int) -> int:
    """Controls are left out: none is known here, and those that must be are refused (RFC 4511 4.1.11)."""
    while fields.keyword(at) == b"control":
        parts = _CONTROL.fullmatch(fields.word(at, "control", "'control:' and an OID"))
        if parts is None:
            raise fields.fault(
                at, "expected an OID, then 'true' or 'false' after 'control:', found something else"
            )
        if parts[1] == b"true":
            raise fields.fault(
                at, "expected a control that is not critical, found a critical one; none is supported"
            )
        at += 1
    return at


def _attributes(fields: _Fields, start: int) -> Attributes:
    groups: dict[str, tuple[str, list[bytes]]] = {}
    every = fields.all
    for index in range(start, len(every)):
        name, mark, value = every[index]
        if mark != b":":
            value = fields.value(index)
        try:
            key, description = _described(name)
        except ValueError:
            raise _no_attribute(fields, index) from None
        group = groups.get(key)
        if group is None:
            groups[key] = (description, [value])
        else:
            group[1].append(value)
    if not groups:
        raise fields.fault(start, f"expected attributes, found the end of the record — {_BLANK_INSIDE}")
    return tuple(groups.values())


def _no_attribute(fields: _Fields, index: int) -> LdifError:
    name = fields.keyword(index)
    if name == b"dn":
        return fields.fault(index, "expected a blank line before the next record, found 'dn:'")
    if name in (b"changetype", b"control"):
        return fields.fault(
            index, f"expected an attribute, found '{name.decode()}:', which stands next to 'dn:'"
        )
    expected = (
        "expected an attribute's name (letters, digits and '-', or an OID; then ';options') before the colon"
    )
    return fields.fault(index, f"{expected}, found something else")


def _change(fields: _Fields, at: int, line: int, dn: str) -> LdifRecord:
    kinds = "'changetype:' and one of add, delete, modify, modrdn, moddn"
    kind = fields.word(at, "changetype", kinds)
    if kind == b"add":
        return LdifRecord(line, dn, "add", _attributes(fields, at + 1))
    if kind == b"modify":
        return LdifRecord(line, dn, "modify", changes=_changes(fields, at + 1))
    if kind == b"delete":
        fields.must_end(at + 1, "'changetype: delete'")
        return LdifRecord(line, dn, "delete")
    if kind in (b"modrdn", b"moddn"):
        return _rename(fields, at + 1, line, dn)
    raise fields.fault(at, f"expected {kinds}, found another word")


def _changes(fields: _Fields, at: int) -> Changes:
    changes: list[tuple[int, str, list[bytes]]] = []
    every = fields.all
    expected = "'add:', 'delete:', 'replace:' or 'increment:' and an attribute's name"
    while at < len(every):
        name, mark, value = every[at]
        kind = _CHANGE_KINDS.get(name.lower())
        if kind is None or mark != b":":
            raise fields.fault(at, f"expected {expected}, found something else")
        try:
            key, description = _described(value.rstrip(b" "))
        except ValueError:
            raise fields.fault(at, f"expected {expected}, found no such name") from None
        at += 1
        values: list[bytes] = []
        while at < len(every) and every[at] != _DASH:
            if every[at][0].lower() != key.encode():
                raise fields.fault(at, f"expected '{description}:' or '-', found something else")
            values.append(fields.value(at))
            at += 1
        if (kind == 0 and not values) or (kind == 3 and len(values) != 1):
            count = "at least one value" if kind == 0 else "one value"
            hint = f" — {_BLANK_INSIDE}" if not values else ""
            raise fields.fault(at - 1, f"expected {count} of '{description}', found {len(values)}{hint}")
        changes.append((kind, description, values))
        at += 1
    if not changes:
        raise fields.fault(at, f"expected {expected}, found the end of the record — {_BLANK_INSIDE}")
    return tuple(changes)


def _rename(fields: _Fields, at: int, line: int, dn: str) -> LdifRecord:
    if fields.keyword(at) != b"newrdn":
        hint = f"the end of the record — {_BLANK_INSIDE}" if at == len(fields.all) else "something else"
        raise fields.fault(at, f"expected 'newrdn:', found {hint}")
    new_rdn = fields.text(at)
    delete = fields.word(at + 1, "deleteoldrdn", "'deleteoldrdn:' and 0 or 1")
    if delete not in (b"0", b"1"):
        raise fields.fault(at + 1, "expected 0 or 1 after 'deleteoldrdn:', found something else")
    at += 2
    new_superior: str | None = None
    if fields.keyword(at) == b"newsuperior":
        new_superior = fields.text(at)
        at += 1
    fields.must_end(at, "the new name")
    return LdifRecord(
        line, dn, "modrdn", new_rdn=new_rdn, delete_old_rdn=delete == b"1", new_superior=new_superior
    )


# ---------------------------------------------------------------- writing


def write_entry(dn: str, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> bytes:
    """An entry as a record that is read as an add; the blank line between records is the caller's.

    ValueError: a description that LDIF cannot carry. Without any value the result is a name alone, which no
    reader takes.
    """
    written = [_line("dn", dn.encode())]
    for description, values in attributes:
        _described(description.encode())
        written += [_line(description, value) for value in values]
    return b"".join(written)


def write_modify(dn: str, changes: Sequence[tuple[int, str, Sequence[bytes]]]) -> bytes:
    """Changes as a record; kinds as in `LdifRecord.changes`. ValueError as for `write_entry`."""
    written = [_line("dn", dn.encode()), b"changetype: modify\n"]
    for kind, description, values in changes:
        _described(description.encode())
        written.append(_line(_CHANGE_WORDS[kind].decode(), description.encode()))
        written += [_line(description, value) for value in values]
        written.append(b"-\n")
    return b"".join(written)


def _line(name: str, value: bytes) -> bytes:
    if not value:
        return name.encode() + b":\n"
    if _SAFE.fullmatch(value):
        line = name.encode() + b": " + value
    else:
        line = name.encode() + b":: " + b2a_base64(value, newline=False)
    if len(line) <= _COLUMNS:
        return line + b"\n"
    step = _COLUMNS - 1  # the space that says "continued" takes one
    folded = [line[:_COLUMNS]]
    folded += [line[start : start + step] for start in range(_COLUMNS, len(line), step)]
    return b"\n ".join(folded) + b"\n"
