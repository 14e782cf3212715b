"""DSML: directory entries in XML, version 1 (`entry`) and 2 (`searchResultEntry`, `addRequest`).

Expat says at which octet every tag begins; the document is never written anew, only the password's elements.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from provserver.connectors.contract import PasswordIllFormed, SettingsError
from provserver.connectors.files.connector import SETTING_NAMES, FileConnector
from provserver.connectors.files.layout import Layout, Place, Row, ShapeChanged
from provserver.connectors.registry import Settings

_ENTRIES: Final = frozenset(("entry", "searchResultEntry", "addRequest"))
_TAG: Final = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no way to write (2.2)."""


@dataclass(slots=True)
class _Value:
    start: int
    encoded: bool
    text: list[str] = field(default_factory=list)
    end: int = 0


@dataclass(slots=True)
class _Entry:
    start: int
    line: int
    values: dict[str, list[_Value]] = field(default_factory=dict)
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    end: int = 0
    """Where its end tag begins."""


class _Reading:
    """What expat calls. Positions are octets."""

    def __init__(self, octets: bytes, encoding: str) -> None:
        self.entries: list[_Entry] = []
        self._encoding = encoding
        self._octets = octets
        self._entry: _Entry | None = None
        self._name = ""
        self._value: _Value | None = None
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration

    def read(self) -> list[_Entry]:
        """ShapeChanged."""
        try:
            self._parser.Parse(self._octets, True)
        except expat.ExpatError as error:
            raise ShapeChanged(error.lineno, f"no XML: {expat.errors.messages[error.code]}") from None
        return self.entries

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local, line = _local(tag), self._parser.CurrentLineNumber
        if local in _ENTRIES:
            if self._entry is not None:
                raise ShapeChanged(line, "an entry inside an entry")
            self._entry = _Entry(self._parser.CurrentByteIndex, line)
            if dn := attributes.get("dn"):
                self._entry.attributes["dn"] = (dn,)
        elif self._entry is None:
            return
        elif local == "attr":
            if not attributes.get("name"):
                raise ShapeChanged(line, "an attr without a name")
            self._name = attributes["name"]
        elif local == "value" and self._name:
            self._value = _Value(self._parser.CurrentByteIndex, _is_encoded(attributes))

    def _end(self, tag: str) -> None:
        local, at = _local(tag), self._parser.CurrentByteIndex
        value, entry = self._value, self._entry
        if entry is None:
            return
        if local == "value" and value is not None:
            value.end = at if self._is_empty(value.start) else self._tag(at).end()
            entry.values.setdefault(self._name, []).append(value)
            self._value = None
        elif local == "attr":
            self._name = ""
        elif local in _ENTRIES:
            entry.end = at
            if self._is_empty(entry.start):
                raise ShapeChanged(entry.line, "an entry without attributes")
            self.entries.append(entry)
            self._entry = None

    def _tag(self, at: int) -> re.Match[bytes]:
        found = _TAG.match(self._octets, at)
        assert found is not None  # noqa: S101  expat has found a tag there
        return found

    def _is_empty(self, start: int) -> bool:
        """Whether an element is of the form `<a/>`."""
        return self._tag(start)[0].endswith(b"/>")

    def _characters(self, text: str) -> None:
        if self._value is not None:
            self._value.text.append(text)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if _codec(encoding or "utf-8") != _codec(self._encoding):
            raise ShapeChanged(1, f"it says that it is {encoding or 'utf-8'}, the setting {self._encoding}")

    def _doctype(self, *_: object) -> None:
        # Entities of a document's own: a file of ten lines that is gigabytes when it is read.
        raise ShapeChanged(self._parser.CurrentLineNumber, "expected no DOCTYPE")


class DsmlLayout:
    def __init__(self, given: Settings) -> None:
        self._account = given.text("account", "uid")
        self._password = given.text("password", "userPassword")
        if self._account.casefold() == self._password.casefold():
            raise SettingsError("password", "expected another attribute than the account's")
        self._encoding = given.text("encoding", "utf-8")

    def rows(self, text: str) -> Iterator[Row]:
        octets = text.encode()
        position = _Characters(octets)
        for entry in _Reading(octets, self._encoding).read():
            row = self._row(entry, position)
            if row is not None:
                yield row

    def written(self, text: str, row: Row, value: str) -> str:
        if _NOT_XML.search(value):
            raise PasswordIllFormed("it has characters that XML cannot hold")
        start = row.places[0][0]
        if row.stored is None:
            entry = re.compile(r"</\s*([^\s>]+)").match(text, start)
            prefix = entry[1].rpartition(":")[0] if entry else ""
            q = f"{prefix}:" if prefix else ""
            return f"<{q}attr name={quoteattr(self._password)}><{q}value>{escape(value)}</{q}value></{q}attr>"
        tag = text[start + 1 :]
        name = re.split(r"[\s/>]", tag[:256], maxsplit=1)[0]
        return f"<{name}>{escape(value)}</{name}>"

    def _row(self, entry: _Entry, position: _Characters) -> Row | None:
        """None: an entry that is no account."""
        names: tuple[str, ...] = ()
        passwords: list[_Value] = []
        attributes = dict(entry.attributes)
        for name, values in entry.values.items():
            if name.casefold() == self._password.casefold():
                passwords += values
                continue
            attributes[name] = tuple(_text(value, entry.line) for value in values)
            if name.casefold() == self._account.casefold():
                names += attributes[name]
        if not names:
            return None
        passwords.sort(key=lambda value: value.start)
        places = [position.place(value.start, value.end) for value in passwords]
        if not places:
            places = [position.place(entry.end, entry.end)]
        stored = _text(passwords[0], entry.line) if passwords else None
        return Row(entry.line, names, attributes, tuple(places), stored)


class _Characters:
    """Octets to characters, for positions that come in about their order."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._octet = self._character = 0

    def place(self, start: int, end: int) -> Place:
        return self._at(start), self._at(end)

    def _at(self, octet: int) -> int:
        if octet < self._octet:
            self._octet = self._character = 0
        self._character += len(self._octets[self._octet : octet].decode())
        self._octet = octet
        return self._character


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name.removesuffix("-sig")
    except LookupError:
        return ""


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _is_encoded(attributes: Mapping[str, str]) -> bool:
    """DSML 1: encoding="base64"; DSML 2: xsi:type="xsd:base64Binary"."""
    return any(
        (_local(name) == "encoding" and value == "base64")
        or (_local(name) == "type" and _local(value) == "base64Binary")
        for name, value in attributes.items()
    )


def _text(value: _Value, line: int) -> str:
    text = "".join(value.text)
    if not value.encoded:
        return text
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True).decode(errors="surrogateescape")
    except ValueError:
        raise ShapeChanged(line, "expected base64 in a value that says it is") from None


class DsmlConnector(FileConnector):
    """A file of directory entries in DSML, version 1 or 2."""

    setting_names: ClassVar[Mapping[str, str]] = {
        **SETTING_NAMES,
        "account": "the attribute with the account's name; uid when not given",
        "password": "the attribute with the password; userPassword when not given. All its values become one",
    }

    @staticmethod
    def layout(given: Settings) -> Layout:
        return DsmlLayout(given)
