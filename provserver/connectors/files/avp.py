"""Attribute-value pairs: `attribute: value` line by line, and an empty line between records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from provserver.connectors.contract import PasswordIllFormed, SettingsError
from provserver.connectors.files.connector import SETTING_NAMES, FileConnector
from provserver.connectors.files.layout import Layout, Place, Row, ShapeChanged, line_end, lines
from provserver.connectors.registry import Settings


@dataclass(slots=True)
class _Record:
    line: int
    names: list[str] = field(default_factory=list)
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    stored: str | None = None
    end: int = 0
    """Before the end of its last line."""


class AvpLayout:
    def __init__(self, given: Settings) -> None:
        self._separator = given.text("separator", ":")
        if not self._separator.strip() or len(self._separator) > 8:
            raise SettingsError("separator", "expected what stands between attribute and value, e.g. = or :")
        self._account, self._password = given.text("account"), given.text("password")
        if self._account.casefold() == self._password.casefold():
            raise SettingsError("password", "expected another attribute than the account's")
        for key, name in (("account", self._account), ("password", self._password)):
            if self._separator in name:
                raise SettingsError(key, "expected a name without the separator")
        self._comment = given.text("comment", "#")

    def rows(self, text: str) -> Iterator[Row]:
        reading: _Record | None = None
        for number, start, end in lines(text):
            if not text[start:end].strip():
                if reading is not None:
                    yield self._row(reading)
                reading = None
            elif not (self._comment and text.startswith(self._comment, start)):
                reading = reading or _Record(number)
                self._read(text, reading, number, start, end)
        if reading is not None:
            yield self._row(reading)

    def written(self, text: str, row: Row, value: str) -> str:
        if value != value.strip():
            raise PasswordIllFormed("expected no space at its ends: they do not count in such a file")
        if row.stored is not None:
            return value
        return f"{line_end(text)}{self._password}{self._separator} {value}"

    def _read(self, text: str, reading: _Record, number: int, start: int, end: int) -> None:
        name, separator, rest = text[start:end].partition(self._separator)
        if not separator or not name.strip():
            raise ShapeChanged(number, f"expected attribute{self._separator}value, or an empty line")
        reading.end = end
        key, value = name.strip().casefold(), rest.strip()
        if key == self._password.casefold():
            if reading.places:
                raise ShapeChanged(number, "a second password in one record")
            begin = start + len(name) + len(separator) + (len(rest) - len(rest.lstrip()) if value else 0)
            reading.places.append((begin, begin + len(value)))
            reading.stored = value
        elif key == self._account.casefold():
            if reading.names:
                raise ShapeChanged(number, "a second account in one record")
            reading.names.append(value)
        if key != self._password.casefold():
            reading.attributes[name.strip()] = (*reading.attributes.get(name.strip(), ()), value)

    def _row(self, reading: _Record) -> Row:
        if not reading.names:
            raise ShapeChanged(reading.line, f"a record without {self._account!r}")
        places = tuple(reading.places) or ((reading.end, reading.end),)
        return Row(reading.line, tuple(reading.names), reading.attributes, places, reading.stored)


class AvpConnector(FileConnector):
    """A file of attribute-value pairs, with an empty line between records."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **SETTING_NAMES,
        "separator": "what stands between attribute and value; : when not given",
        "account": "the attribute with the account's name",
        "password": "the attribute with the password; a record that has none gets one",
        "comment": "what a line that is passed over begins with; # when not given",
    }

    @staticmethod
    def layout(given: Settings) -> Layout:
        return AvpLayout(given)
