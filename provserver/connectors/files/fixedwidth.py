"""Fixed width: every line is as long as every other, and a column is a range of characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from provserver.connectors.contract import PasswordIllFormed, SettingsError
from provserver.connectors.files.connector import SETTING_NAMES, FileConnector
from provserver.connectors.files.layout import Layout, Row, ShapeChanged, lines
from provserver.connectors.registry import Settings

_COLUMN: Final = re.compile(r"([^:,]+):(\d{1,6})-(\d{1,6})")


class FixedWidthLayout:
    def __init__(self, given: Settings) -> None:
        self._width = given.count("width", 0, least=1)
        if not self._width:
            raise SettingsError("width", "must be given: how many characters every line has")
        self._columns = self._read_columns(given)
        self._account, self._password = given.text("account"), given.text("password")
        for key, column in (("account", self._account), ("password", self._password)):
            if column not in self._columns:
                raise SettingsError(key, f"expected one of the columns, got {column!r}")
        if self._account == self._password:
            raise SettingsError("password", "expected another column than the account's")
        self._comment = given.text("comment", "")

    def rows(self, text: str) -> Iterator[Row]:
        password = self._columns[self._password]
        for line, start, end in lines(text):
            if start == end or (self._comment and text.startswith(self._comment, start)):
                continue
            if end - start != self._width:
                raise ShapeChanged(line, f"expected {self._width} characters, found {end - start}")
            values = {
                column: text[start + first : start + last].rstrip(" ")
                for column, (first, last) in self._columns.items()
            }
            stored = values.pop(self._password)
            attributes = {column: (value,) for column, value in values.items() if value}
            place = (start + password[0], start + password[1])
            yield Row(line, (values[self._account],), attributes, (place,), stored)

    def written(self, text: str, row: Row, value: str) -> str:
        start, end = row.places[0]
        if len(value) > end - start:
            raise PasswordIllFormed(f"what is stored has {len(value)} characters, and room for {end - start}")
        return value.ljust(end - start)

    def _read_columns(self, given: Settings) -> Mapping[str, tuple[int, int]]:
        columns: dict[str, tuple[int, int]] = {}
        taken = 0
        for part in given.text("columns").split(","):
            found = _COLUMN.fullmatch(part.strip())
            if found is None:
                raise SettingsError("columns", f"expected NAME:FIRST-LAST, e.g. login:1-8, got {part!r}")
            name, first, last = found[1], int(found[2]), int(found[3])
            if not taken < first <= last <= self._width or name in columns:
                raise SettingsError(
                    "columns", f"expected names and ranges in order, apart, up to {self._width}; got {part!r}"
                )
            columns[name] = (first - 1, last)
            taken = last
        return columns


class FixedWidthConnector(FileConnector):
    """A file whose lines have a fixed width."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **SETTING_NAMES,
        "width": "how many characters every line has, its end not counted",
        "columns": "which characters are which column, from 1: login:1-8,password:9-24",
        "account": "the column with the account's name",
        "password": "the column with the password; what is longer than the column is refused",
        "comment": "what a line that is passed over begins with, e.g. *; none when not given",
    }

    @staticmethod
    def layout(given: Settings) -> Layout:
        return FixedWidthLayout(given)
