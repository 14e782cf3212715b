"""Delimited text: CSV (RFC 4180) and its kin, down to files like `/etc/shadow`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from provserver.connectors.contract import PasswordIllFormed, SettingsError
from provserver.connectors.files.connector import SETTING_NAMES, FileConnector
from provserver.connectors.files.layout import Layout, Row, ShapeChanged
from provserver.connectors.registry import Settings

_WORDS: Final = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "colon": ":", "pipe": "|"}

Field = tuple[int, int]


class DelimitedLayout:
    """Rows of fields with one character between them; `quote` is empty where there are no quotes."""

    def __init__(self, given: Settings) -> None:
        self._delimiter = _character(given, "delimiter", ",")
        self._quote = "" if given.text("quote", '"') == "none" else _character(given, "quote", '"')
        if self._delimiter == self._quote:
            raise SettingsError("quote", "expected another character than the delimiter")
        self._comment = given.text("comment", "")
        self._header = given.flag("header", True)
        named = [name.strip() for name in given.text("columns", "").split(",")]
        self._columns = named if named != [""] else []
        if not (self._columns or self._header):
            raise SettingsError("columns", "expected the names of all columns, since there is no header")
        if len(set(self._columns)) != len(self._columns) or "" in self._columns[:-1]:
            raise SettingsError("columns", "expected a different name for each column")
        self._account, self._password = given.text("account"), given.text("password")
        if self._account == self._password:
            raise SettingsError("password", "expected another column than the account's")
        for key, column in (("account", self._account), ("password", self._password)):
            if self._columns and column not in self._columns:
                raise SettingsError(key, f"expected one of the columns, got {column!r}")

    def rows(self, text: str) -> Iterator[Row]:
        columns: Sequence[str] = self._columns
        at_header = self._header
        for line, fields in self._records(text):
            if at_header:
                columns = self._read_header(line, [self._value(text, field) for field in fields])
                at_header = False
            elif len(fields) != len(columns):
                raise ShapeChanged(line, f"expected {len(columns)} fields, found {len(fields)}")
            else:
                yield self._row(text, line, columns, fields)
        if at_header:
            raise ShapeChanged(1, "expected a header")

    def written(self, text: str, row: Row, value: str) -> str:
        quote = self._quote
        if not quote:
            if self._delimiter in value:
                raise PasswordIllFormed("expected no delimiter in it: the file has no quotes")
            return value
        was_quoted = text.startswith(quote, row.places[0][0])
        if was_quoted or self._delimiter in value or quote in value or value != value.strip():
            return quote + value.replace(quote, quote * 2) + quote
        return value

    def _read_header(self, line: int, found: list[str]) -> list[str]:
        if self._columns and found != self._columns:
            raise ShapeChanged(line, "the header has other columns than the setting `columns`")
        for column in (self._account, self._password):
            if found.count(column) != 1:
                raise ShapeChanged(line, f"expected one column {column!r} in the header")
        return found

    def _row(self, text: str, line: int, columns: Sequence[str], fields: Sequence[Field]) -> Row:
        values = {column: self._value(text, field) for column, field in zip(columns, fields, strict=True)}
        stored = values.pop(self._password)
        attributes = {column: (value,) for column, value in values.items() if column and value}
        place = fields[columns.index(self._password)]
        return Row(line, (values[self._account],), attributes, (place,), stored)

    def _value(self, text: str, field: Field) -> str:
        start, end = field
        quote = self._quote
        if quote and text.startswith(quote, start, end):
            return text[start + 1 : end - 1].replace(quote * 2, quote)
        return text[start:end]

    def _records(self, text: str) -> Iterator[tuple[int, list[Field]]]:
        """The line at which each record begins, and its fields, quotes included."""
        at, line = 0, 1
        while at < len(text):
            begin = at
            if self._comment and text.startswith(self._comment, at):
                end = text.find("\n", at)
                at = len(text) if end < 0 else end + 1
            else:
                fields, at = self._record(text, at, line)
                if len(fields) > 1 or fields[0][0] < fields[0][1]:  # not an empty line
                    yield line, fields
            line += text.count("\n", begin, at)

    def _record(self, text: str, at: int, line: int) -> tuple[list[Field], int]:
        fields: list[Field] = []
        line_feed = text.find("\n", at)
        if not (self._quote and self._quote in text[at : line_feed if line_feed >= 0 else len(text)]):
            return self._plain_record(text, at, line_feed)
        while True:
            start = at
            if text.startswith(self._quote, at):
                at = self._after_quotes(text, at, line)
            else:
                stops = [found for stop in (self._delimiter, "\n") if (found := text.find(stop, at)) >= 0]
                at = min(stops, default=len(text))
            end = at
            if text.startswith("\r\n", at):
                at += 1
            elif text.startswith("\n", at) and end > start and text[end - 1] == "\r":
                end -= 1
            fields.append((start, end))
            if at == len(text):
                return fields, at
            if text[at] == "\n":
                return fields, at + 1
            if text[at] != self._delimiter:
                raise ShapeChanged(line, "expected a delimiter after the closing quote")
            at += 1

    def _plain_record(self, text: str, at: int, line_feed: int) -> tuple[list[Field], int]:
        end = after = len(text)
        if line_feed >= 0:
            end, after = line_feed, line_feed + 1
            if end > at and text[end - 1] == "\r":
                end -= 1
        fields = []
        for part in text[at:end].split(self._delimiter):
            fields.append((at, at + len(part)))
            at += len(part) + 1
        return fields, after

    def _after_quotes(self, text: str, at: int, line: int) -> int:
        at += 1
        while True:
            at = text.find(self._quote, at)
            if at < 0:
                raise ShapeChanged(line, "a quote is opened and never closed")
            if not text.startswith(self._quote, at + 1):
                return at + 1
            at += 2


def _character(given: Settings, key: str, default: str) -> str:
    text = given.text(key, default)
    character = _WORDS.get(text, text)
    if len(character) != 1 or character in "\r\n":
        raise SettingsError(key, f"expected one character, or one of {', '.join(_WORDS)}; got {text!r}")
    return character


class DelimitedConnector(FileConnector):
    """A file of delimited text: CSV, or fields with colons between them."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **SETTING_NAMES,
        "delimiter": "the character between fields, or tab, space, comma (default), semicolon, colon, pipe",
        "quote": 'the character around fields that need it; " when not given; none: there are no quotes',
        "header": "yes (the default): the first line has the names of the columns; no: `columns` has them",
        "columns": "the names of all columns, with commas between them; a header must be the same",
        "account": "the column with the account's name",
        "password": "the column with the password",
        "comment": "what a line that is passed over begins with, e.g. #; none when not given",
    }

    @staticmethod
    def layout(given: Settings) -> Layout:
        return DelimitedLayout(given)
