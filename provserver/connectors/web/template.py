"""Texts with places for an account's values: `{name}`, `{attribute}`, and in a body `{password}` too.

What stands in for a place is escaped for where it stands, so that no value can become more than a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape as xml_escape

from provserver.connectors.contract import (
    Account,
    ObjectMissing,
    PasswordIllFormed,
    PasswordOption,
    SettingsError,
)
from provserver.connectors.hashes import text_of
from provserver.vault.secret import Secret

PASSWORD: Final = "password"
FLAGS: Final[Mapping[str, PasswordOption]] = {
    "force_change": PasswordOption.FORCE_CHANGE_AT_LOGON,
    "unlock": PasswordOption.UNLOCK_ACCOUNT,
}
_PLACE: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")
_NOTHING: Final = Secret(b"")


class Values:
    """What places stand for, for one account. `words`: of a flag that is set, and of one that is not."""

    __slots__ = ("_account", "_options", "_secret", "_words")

    def __init__(
        self,
        account: Account,
        secret: Secret = _NOTHING,
        options: PasswordOption = PasswordOption.NONE,
        words: tuple[str, str] = ("true", "false"),
    ) -> None:
        self._account = account
        self._secret = secret
        self._options = options
        self._words = words

    def is_set(self, flag: str) -> bool:
        return FLAGS[flag] in self._options

    def of(self, place: str) -> str:
        """ObjectMissing: the account has no such attribute. PasswordIllFormed: the password is no text."""
        if place == PASSWORD:
            return text_of(self._secret)
        if place in FLAGS:
            return self._words[0 if self.is_set(place) else 1]
        if place == "name":
            return self._account.name
        for name, values in self._account.attributes.items():
            if name.casefold() == place.casefold() and values:
                return values[0]
        raise ObjectMissing(
            f"account {self._account.name!r} has no attribute {place}, which the settings name"
        )

    def check(self, place: str, bad: re.Pattern[str], where: str) -> None:
        """ObjectMissing, PasswordIllFormed: a value holds what cannot stand there."""
        if bad.search(self.of(place)) is None:
            return
        if place == PASSWORD:
            raise PasswordIllFormed(f"a character of the password cannot stand in {where}")
        raise ObjectMissing(f"the {place} of account {self._account.name!r} cannot stand in {where}")


def places_of(text: str) -> set[str]:
    return set(_PLACE.findall(text))


def filled(text: str, value: Callable[[str], str]) -> str:
    """The text with `value` of each place in it."""
    return _PLACE.sub(lambda found: value(found[1]), text)


class Text:
    """A url, a header or a name: never with the password, which others would see there."""

    def __init__(self, key: str, text: str, bad: re.Pattern[str], where: str) -> None:
        """SettingsError. `bad`: what no value may hold."""
        self._text, self._bad, self._where = text, bad, where
        self.places = sorted(places_of(text))
        for place in self.places:
            if place == PASSWORD:
                raise SettingsError(
                    key, "expected no {password}: such lines are logged; it belongs in the body"
                )
            if place in FLAGS:
                raise SettingsError(key, f"expected no {{{place}}}: it belongs in the body")

    def fill(self, values: Values, escaped: Callable[[str], str] = str) -> str:
        """ObjectMissing."""
        for place in self.places:
            values.check(place, self._bad, self._where)
        return filled(self._text, lambda place: escaped(values.of(place)))


def in_url(value: str) -> str:
    """Percent-encoded (RFC 3986 2.1): a value stays a part of one segment, of one parameter."""
    return quote(value, safe="")


NO_SEGMENT: Final = re.compile(r"^\.{0,2}$|[\x00-\x1f\x7f]")
"""What is no part of a path: nothing at all, `.` and `..`, which servers resolve (RFC 3986 5.2.4)."""
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
NO_HEADER: Final = re.compile(r"[^\x20-\x7e]|^ | $")
"""RFC 9110 5.5, and no more than everybody reads alike."""


HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110 5.6.2."""
HTTPS_OWN: Final = frozenset(
    {"host", "content-length", "content-encoding", "transfer-encoding", "connection", "upgrade", "expect"}
)
"""Headers, in lower case, by which HTTP itself keeps in step: never for settings to say."""


class Form(Enum):
    """What a body is written in."""

    JSON = "json"
    FORM = "form"
    XML = "xml"
    RAW = "raw"


CONTENT_TYPES: Final[Mapping[Form, str]] = {
    Form.JSON: "application/json",
    Form.FORM: "application/x-www-form-urlencoded",
    Form.XML: "text/xml; charset=utf-8",
    Form.RAW: "text/plain; charset=utf-8",
}

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0 2.2."""
_BAD: Final[Mapping[Form, re.Pattern[str]]] = {
    Form.JSON: re.compile("[\ud800-\udfff]"),
    Form.FORM: re.compile("[\ud800-\udfff]"),
    Form.XML: _NO_XML,
    Form.RAW: CONTROLS,
}
_JSON_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\{(force_change|unlock)\}')


class Body:
    """A body's template."""

    def __init__(self, key: str, text: str, form: Form) -> None:
        """SettingsError."""
        self._text, self._form = text, form
        self.places = sorted(places_of(text))
        if PASSWORD not in self.places:
            raise SettingsError(key, "expected a place for the password: {password}")
        if form is Form.JSON:
            try:
                json.loads(self._json(lambda place: "x", lambda flag: True))
            except ValueError as error:
                raise SettingsError(
                    key, f'expected JSON, with places inside of strings, as "{{name}}": {error}'
                ) from None

    def fill(self, values: Values) -> Secret:
        """ObjectMissing, PasswordIllFormed."""
        for place in self.places:
            values.check(place, _BAD[self._form], f"a body in {self._form.value}")
        if self._form is Form.JSON:
            return Secret.of_text(self._json(values.of, values.is_set))
        escaped = _ESCAPES[self._form]
        return Secret.of_text(filled(self._text, lambda place: escaped(values.of(place))))

    def _json(self, value: Callable[[str], str], flag: Callable[[str], bool]) -> str:
        """Places in strings are filled in as JSON writes them; a flag outside of one is true or false."""

        def part(found: re.Match[str]) -> str:
            if found[1]:
                return json.dumps(flag(found[1]))
            return json.dumps(filled(json.loads(found[0]), value))

        return _JSON_PART.sub(part, self._text)


def _in_xml(value: str) -> str:
    return xml_escape(value, {'"': "&quot;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


_ESCAPES: Final[Mapping[Form, Callable[[str], str]]] = {
    Form.FORM: in_url,
    Form.XML: _in_xml,
    Form.RAW: str,
}


def header_lines(key: str, text: str, own: Iterable[str]) -> dict[str, Text]:
    """`Name: value | Name: value`. `own`: names in lower case that are ours to say. SettingsError."""
    lines: dict[str, Text] = {}
    for part in text.split("|") if text.strip() else ():
        name, colon, value = (piece.strip() for piece in part.partition(":"))
        if not colon or HEADER_NAME.fullmatch(name) is None or NO_HEADER.search(value):
            raise SettingsError(key, f"expected Name: value, with | between several, got {part.strip()!r}")
        if name.lower() in own:
            raise SettingsError(key, f"expected no {name}: that is ours to say")
        lines[name] = Text(key, value, NO_HEADER, "a header")
    return lines
