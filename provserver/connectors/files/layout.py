"""What a file endpoint knows of its format: which accounts there are, and where each keeps its password."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from provserver.connectors.contract import ConnectorError, ObjectMissing, PasswordIllFormed
from provserver.records import record

Place = tuple[int, int]
"""From a character to before another one."""


class ShapeChanged(Exception):
    """The file is not what the settings say. `line` counts from 1; never shows what stands there."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@record
class Row:
    """One account. `attributes` never have the password."""

    line: int
    names: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    places: tuple[Place, ...]
    """Where its passwords stand: the first one is written, further ones are removed. An empty place: it has
    none yet, and gets it there."""
    stored: str | None
    """What stands in the first place; None: it has none."""


class Layout(Protocol):
    """A format with its settings. Pure."""

    def rows(self, text: str) -> Iterator[Row]:
        """Every account, in the order of the file. ShapeChanged, at the latest when the text ends."""

    def written(self, text: str, row: Row, value: str) -> str:
        """What goes into the row's first place. PasswordIllFormed: this format cannot hold the value."""


def account_row(text: str, layout: Layout, name: str, *, ignore_case: bool) -> tuple[Row, int]:
    """The one row of an account, and how many rows there are. Reads all of it, so that a shape that changed
    anywhere is seen. ShapeChanged, ObjectMissing, ConnectorError: two rows have the name.
    """
    wanted = name.casefold() if ignore_case else name
    found: Row | None = None
    count = 0
    for row in layout.rows(text):
        count += 1
        if wanted in (map(str.casefold, row.names) if ignore_case else row.names):
            if found is not None:
                raise ConnectorError(f"lines {found.line} and {row.line} are both account {name!r}")
            found = row
    if found is None:
        raise ObjectMissing(f"there is no account {name!r}")
    return found, count


def replaced(
    text: str, layout: Layout, name: str, new_value: Callable[[Row], str], *, ignore_case: bool = False
) -> str:
    """The text with another password for one account, and nothing else different.

    It is read again before it is given out: a file that would not read back is never written. ShapeChanged,
    ObjectMissing, PasswordIllFormed, ConnectorError; what `new_value` raises.
    """
    row, count = account_row(text, layout, name, ignore_case=ignore_case)
    value = new_value(row)
    if UNWRITABLE.search(value):
        raise PasswordIllFormed("expected no control characters: no such file can hold them safely")
    parts, end = [], 0
    for number, (start, stop) in enumerate(row.places):
        parts += [text[end:start], "" if number else layout.written(text, row, value)]
        end = stop
    parts.append(text[end:])
    made = "".join(parts)
    try:
        again, same_count = account_row(made, layout, name, ignore_case=ignore_case)
    except (ShapeChanged, ObjectMissing):
        again, same_count = row, -1
    if (again.stored, again.names, again.attributes, same_count) != (value, row.names, row.attributes, count):
        raise PasswordIllFormed("it would not read back from this file as it was written")
    return made


UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
"""Control characters and what some programs take for the end of a line. A tab is left to the layouts."""


def lines(text: str) -> Iterator[tuple[int, int, int]]:
    """The number of each line, where it begins, and where it ends, before LF or CR LF."""
    start, number = 0, 0
    while start < len(text):
        number += 1
        stop = text.find("\n", start)
        after = len(text) if stop < 0 else stop + 1
        end = after if stop < 0 else stop
        if end > start and stop >= 0 and text[end - 1] == "\r":
            end -= 1
        yield number, start, end
        start = after


def line_end(text: str) -> str:
    """How the text ends its lines: as its first line does."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
