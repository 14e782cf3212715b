"""LDIF with content records (RFC 2849), as another program exports and imports it.

Only finds places: `directory.ldif` reads values, and this must know at which character each one stands.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, NamedTuple

from provserver.connectors.contract import PasswordIllFormed, SettingsError
from provserver.connectors.files.connector import SETTING_NAMES, FileConnector
from provserver.connectors.files.layout import Layout, Place, Row, ShapeChanged, line_end, lines
from provserver.connectors.registry import Settings

_DESCRIPTION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?:;[A-Za-z0-9-]+)*")
_SAFE: Final = re.compile(r"[!-9;=-~](?:[ -~]*[!-~])?")
"""SAFE-STRING without control characters and without spaces at its end."""


class _Field(NamedTuple):
    """`description: value`, unfolded. `after` is where the next line begins."""

    line: int
    description: str
    value: str | None
    """None: it is elsewhere, `attribute:< url`."""
    start: int
    colon: int
    end: int
    after: int


class LdifLayout:
    def __init__(self, given: Settings) -> None:
        self._account = given.text("account", "uid")
        self._password = given.text("password", "userPassword")
        for key, name in (("account", self._account), ("password", self._password)):
            if _DESCRIPTION.fullmatch(name) is None:
                raise SettingsError(key, f"expected the name of an attribute, got {name!r}")
        if self._account.casefold() == self._password.casefold():
            raise SettingsError("password", "expected another attribute than the account's")

    def rows(self, text: str) -> Iterator[Row]:
        for number, record in enumerate(_records(text)):
            fields = record
            if number == 0 and fields[0].description.casefold() == "version":
                if fields[0].value != "1":
                    raise ShapeChanged(fields[0].line, "expected version: 1")
                fields = fields[1:]
                if not fields:
                    continue
            row = self._row(fields)
            if row is not None:
                yield row

    def written(self, text: str, row: Row, value: str) -> str:
        try:
            octets = value.encode()
        except UnicodeEncodeError:
            raise PasswordIllFormed("it is no text") from None
        plain = _SAFE.fullmatch(value) is not None
        shown = f": {value}" if plain else f":: {binascii.b2a_base64(octets, newline=False).decode()}"
        return shown if row.stored is not None else f"{line_end(text)}{self._password}{shown}"

    def _row(self, fields: list[_Field]) -> Row | None:
        """None: an entry that is no account, such as the folder they are in."""
        if fields[0].description.casefold() != "dn":
            raise ShapeChanged(fields[0].line, "expected a record to begin with dn:")
        names: list[str] = []
        passwords: list[_Field] = []
        attributes: dict[str, tuple[str, ...]] = {}
        for field in fields:
            key = field.description.casefold()
            if key in ("changetype", "control"):
                raise ShapeChanged(field.line, "expected entries, found a change")
            if key in (self._account.casefold(), self._password.casefold()) and field.value is None:
                raise ShapeChanged(field.line, "expected a value, found the address of one")
            if key == self._password.casefold():
                passwords.append(field)
                continue
            value = field.value or ""
            if key == self._account.casefold():
                names.append(value)
            attributes[field.description] = (*attributes.get(field.description, ()), value)
        if not names:
            return None
        last = fields[-1]
        places: list[Place] = [(one.start, one.after) for one in passwords]
        if passwords:
            places[0] = (passwords[0].colon, passwords[0].end)
        else:
            places.append((last.end, last.end))
        stored = passwords[0].value if passwords else None
        return Row(fields[0].line, tuple(names), attributes, tuple(places), stored)


def _records(text: str) -> Iterator[list[_Field]]:
    """Records of at least one field; comments are none."""
    record: list[_Field] = []
    for line, start, end, after, blank in _logical_lines(text):
        if blank:
            if record:
                yield record
            record = []
        elif not text.startswith("#", start):
            record.append(_field(text, line, start, end, after))
    if record:
        yield record


def _logical_lines(text: str) -> Iterator[tuple[int, int, int, int, bool]]:
    """Number, start, end and the start of the next line, with folded lines taken together."""
    held: tuple[int, int, int, bool] | None = None
    after = 0
    for number, start, end in lines(text):
        if text.startswith(" ", start) and held is not None and not held[3]:
            held = (*held[:2], end, False)
            continue
        if start < end and text.startswith(" ", start):
            raise ShapeChanged(number, "a continuation of nothing")
        if held is not None:
            yield *held[:3], start, held[3]
        held = number, start, end, start == end
    if held is not None:
        after = len(text)
        yield *held[:3], after, held[3]


def _field(text: str, line: int, start: int, end: int, after: int) -> _Field:
    colon = text.find(":", start, end)
    description = text[start : max(colon, start)]
    if _DESCRIPTION.fullmatch(description) is None:
        raise ShapeChanged(line, "expected attribute: value")
    rest = re.sub(r"\r?\n ", "", text[colon + 1 : end])
    value: str | None
    if rest.startswith(":"):
        try:
            value = binascii.a2b_base64(rest[1:].strip(" "), strict_mode=True).decode(
                errors="surrogateescape"
            )
        except ValueError:
            raise ShapeChanged(line, "expected base64 after ::") from None
    else:
        value = None if rest.startswith("<") else rest.lstrip(" ")
    return _Field(line, description, value, start, colon, end, after)


class LdifConnector(FileConnector):
    """A file of LDIF entries (RFC 2849)."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **SETTING_NAMES,
        "account": "the attribute with the account's name; uid when not given",
        "password": "the attribute with the password; userPassword when not given. All its values become one",
    }

    @staticmethod
    def layout(given: Settings) -> Layout:
        return LdifLayout(given)
