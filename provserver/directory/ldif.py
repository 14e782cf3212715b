"""LDIF (RFC 2849), read record by record and written entry by entry: no I/O, one record in memory.

No error and no repr shows a value: it may be a password.

Wider than the RFC (ours): a record without `changetype:` is an add even among changes, the last `-` of a
modify may be missing, octets above 127 are taken unencoded, a byte order mark is skipped, `increment:` (RFC
4525) is known. Reader and writer are one file, since each is the other's inverse.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal

from provserver.directory.ldifblocks import Block, fields_in
from provserver.directory.ldiflines import (
    BLANK_INSIDE,
    LARGEST_RECORD,
    LONGEST_LINE,
    Fields,
    LdifError,
    chunks,
    fields_of,
)
from provserver.records import field, record

__all__ = [
    "LARGEST_RECORD",
    "LONGEST_LINE",
    "LdifError",
    "LdifRecord",
    "read_block",
    "read_ldif",
    "write_entry",
    "write_modify",
]

_COLUMNS: Final = 76
"""Where written lines are folded (RFC 2849, note 2 and its examples)."""

_DESCRIPTION: Final = re.compile(
    rb"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)(?:;[A-Za-z0-9-]+)*"  # RFC 4512 2.5
)
_LONGEST_DESCRIPTION: Final = 1_024
_CONTROL: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)*(?: +(true|false))? *(?::.*)?", re.IGNORECASE | re.DOTALL)
_is_safe: Final = re.compile(rb"(?:[!-9;=-~](?:[ -~]*[!-~])?)?").fullmatch
"""What is written as it is: SAFE-STRING (RFC 2849) without the control characters, which a terminal obeys."""
_KEYWORDS: Final = frozenset({"dn", "changetype", "control"})
_CHANGE_KINDS: Final = {b"add": 0, b"delete": 1, b"replace": 2, b"increment": 3}
_CHANGE_WORDS: Final = tuple(_CHANGE_KINDS)
_BELONG_TO_A_CHANGE: Final = frozenset(
    {b"changetype", b"control", b"newrdn", b"deleteoldrdn", b"newsuperior", b"-", *_CHANGE_WORDS}
)
_DASH: Final = (b"-", b"", b"")

Attributes = tuple[tuple[str, list[bytes]], ...]
Changes = tuple[tuple[int, str, list[bytes]], ...]
Kind = Literal["add", "modify", "delete", "modrdn"]


@record
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
    found = chunks(lines, longest_line, largest_record)
    return _records(_read(found, longest_line), at_the_top=True)


def read_block(block: Block) -> Iterator[LdifRecord]:
    """The records of a block of a file, the very ones that `read_ldif` would give. LdifError."""
    return _records(fields_in(block), at_the_top=block.at_the_top)


# ---------------------------------------------------------------- records


def _read(found: Iterable[tuple[int, list[bytes]]], longest_line: int) -> Iterator[Fields]:
    for first, chunk in found:
        yield fields_of(first, chunk, longest_line)


def _records(found: Iterable[Fields], *, at_the_top: bool) -> Iterator[LdifRecord]:
    for fields in found:
        start = _after_version(fields) if at_the_top else 0
        at_the_top = False
        if start < len(fields.all):
            yield _record(fields, start)


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


def _after_version(fields: Fields) -> int:
    if fields.keyword(0) != b"version":
        return 0
    number = fields.word(0, "version", "'version: 1'")
    if not number.isdigit() or number.lstrip(b"0") != b"1":
        raise fields.fault(0, "expected 'version: 1', found another version")
    return 1


def _record(fields: Fields, start: int) -> LdifRecord:
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
        raise fields.fault(start, f"{expected} — {BLANK_INSIDE}")
    if fields.all[at][0].lower() not in (b"changetype", b"control"):
        return LdifRecord(line, dn, "add", _attributes(fields, at))
    at = _after_controls(fields, at)
    if fields.keyword(at) != b"changetype":
        return LdifRecord(line, dn, "add", _attributes(fields, at))
    return _change(fields, at, line, dn)


def _no_name(fields: Fields, start: int) -> LdifError:
    name = fields.keyword(start)
    if name == b"version":
        return fields.fault(start, "expected 'dn:', found 'version:', which stands only at the top of a file")
    found = f"found '{name.decode()}'" if name in _BELONG_TO_A_CHANGE else "found another line"
    return fields.fault(start, f"expected 'dn:', {found} — {BLANK_INSIDE}")


def _after_controls(fields: Fields, at: int) -> int:
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


def _attributes(fields: Fields, start: int) -> Attributes:
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
        raise fields.fault(start, f"expected attributes, found the end of the record — {BLANK_INSIDE}")
    return tuple(groups.values())


def _no_attribute(fields: Fields, index: int) -> LdifError:
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


def _change(fields: Fields, at: int, line: int, dn: str) -> LdifRecord:
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


def _changes(fields: Fields, at: int) -> Changes:
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
            hint = f" — {BLANK_INSIDE}" if not values else ""
            raise fields.fault(at - 1, f"expected {count} of '{description}', found {len(values)}{hint}")
        changes.append((kind, description, values))
        at += 1
    if not changes:
        raise fields.fault(at, f"expected {expected}, found the end of the record — {BLANK_INSIDE}")
    return tuple(changes)


def _rename(fields: Fields, at: int, line: int, dn: str) -> LdifRecord:
    if fields.keyword(at) != b"newrdn":
        hint = f"the end of the record — {BLANK_INSIDE}" if at == len(fields.all) else "something else"
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
    written = [_line(b"dn", dn.encode())]
    for description, values in attributes:
        name = _name(description)
        written += [_line(name, value) for value in values]
    return b"".join(written)


def write_modify(dn: str, changes: Sequence[tuple[int, str, Sequence[bytes]]]) -> bytes:
    """Changes as a record; kinds as in `LdifRecord.changes`. ValueError as for `write_entry`."""
    written = [_line(b"dn", dn.encode()), b"changetype: modify\n"]
    for kind, description, values in changes:
        name = _name(description)
        written.append(_line(_CHANGE_WORDS[kind], name))
        written += [_line(name, value) for value in values]
        written.append(b"-\n")
    return b"".join(written)


@lru_cache(maxsize=4_096)
def _name(description: str) -> bytes:
    """A description as it is written. ValueError: it cannot be."""
    name = description.encode()
    _described(name)
    return name


def _line(name: bytes, value: bytes) -> bytes:
    if not value:
        return name + b":\n"
    line = name + (b": " + value if _is_safe(value) else b":: " + b2a_base64(value, newline=False))
    if len(line) <= _COLUMNS:
        return line + b"\n"
    step = _COLUMNS - 1  # the space that says "continued" takes one
    folded = [line[:_COLUMNS]]
    folded += [line[start : start + step] for start in range(_COLUMNS, len(line), step)]
    return b"\n ".join(folded) + b"\n"
