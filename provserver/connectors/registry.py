"""Finds the kinds of connector by name, and checks the settings that an endpoint's entry gives them.

Kinds are entry points of the group `provserver.connectors`; third parties add theirs by installing a package.
A test, or the service, may put its own in the place of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeVar, cast

from provserver.connectors.contract import (
    ENCODINGS,
    Accepts,
    Capabilities,
    Connector,
    ConnectorKind,
    SettingsError,
)
from provserver.vault.secret import Secret

GROUP = "provserver.connectors"


_E = TypeVar("_E", bound=Enum)


class UnknownKind(LookupError):
    """No connector has this name; the text lists those that exist."""


@cache
def _installed() -> Mapping[str, EntryPoint]:
    """What is installed when it is first asked for: looking for it reads a file of every package."""
    return {point.name: point for point in entry_points(group=GROUP)}


class ConnectorKinds:
    """All kinds of connector that are installed. Each is imported when it is first asked for.

    `instead` takes precedence over what is installed: how the service gives
    `emulated` its own set of endpoints.
    """

    def __init__(self, instead: Mapping[str, ConnectorKind] | None = None) -> None:
        self._kinds: dict[str, ConnectorKind] = dict(instead or {})
        self._installed = _installed()

    def names(self) -> list[str]:
        return sorted(self._kinds.keys() | self._installed.keys())

    def kind(self, name: str) -> ConnectorKind:
        """The kind of this name. UnknownKind, also when its module cannot be imported."""
        kind = self._kinds.get(name)
        if kind is not None:
            return kind
        point = self._installed.get(name)
        if point is None:
            raise UnknownKind(f"there is no connector {name!r}; there are: {', '.join(self.names())}")
        try:
            kind = cast(ConnectorKind, point.load())
        except (ImportError, AttributeError) as error:
            raise UnknownKind(f"the connector {name!r} ({point.value}) cannot be loaded: {error}") from error
        self._kinds[name] = kind
        return kind

    def package(self, name: str) -> str:
        """The distribution that brings this kind; empty for one that was put in the place of it."""
        point = self._installed.get(name)
        return point.dist.name if point is not None and point.dist is not None else ""

    def make(
        self,
        name: str,
        settings: Mapping[str, str],
        secrets: Mapping[str, Secret],
        reactor: object,
        *,
        endpoint: str = "",
    ) -> Connector:
        """A closed connector. `endpoint` becomes the setting `name` where there is one and it was not given.

        UnknownKind, SettingsError. Does no I/O beyond importing the kind.
        """
        kind = self.kind(name)
        if endpoint and "name" in kind.setting_names and "name" not in settings:
            settings = {**settings, "name": endpoint}
        return kind(settings, secrets, reactor)


NOT_SAID: Final = "not said"


def capabilities_of(kind: ConnectorKind) -> Capabilities:
    """What a kind declares; of one that declares nothing, what can be told otherwise."""
    declared: Capabilities | None = getattr(kind, "capabilities", None)
    if declared is not None:
        return declared
    at_once = getattr(kind, "pipeline", None)
    return Capabilities(
        set=NOT_SAID,
        change=NOT_SAID,
        unlock=NOT_SAID,
        must_change=NOT_SAID,
        hashes=NOT_SAID,
        explore=NOT_SAID,
        secure=NOT_SAID,
        pipelining=at_once > 1 if isinstance(at_once, int) else NOT_SAID,
        locate=hasattr(kind, "locate"),
    )


class Settings:
    """An endpoint's settings while a connector reads them: every error names the key and what was expected.

    `known` are the connector's `setting_names`; an unknown key is refused (a typing error must not become a
    default).
    """

    def __init__(self, given: Mapping[str, str], known: Mapping[str, str]) -> None:
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise SettingsError(unknown[0], f"unknown setting; there are: {', '.join(sorted(known))}")
        self._given = given

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty; without a default it must be given."""
        value = self._given.get(key, default)
        if value is None:
            raise SettingsError(key, "must be given")
        if not value and default is None:
            raise SettingsError(key, "must not be empty")
        return value

    def number(self, key: str, default: float, *, least: float = 0.0, most: float = 86_400.0) -> float:
        text = self._given.get(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise SettingsError(key, f"expected a number from {least:g} to {most:g}, got {text!r}")
        return value

    def count(self, key: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        text = self._given.get(key)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise SettingsError(key, f"expected a whole number from {least} to {most}, got {text!r}")
        return int(text)

    def flag(self, key: str, default: bool) -> bool:
        text = self._given.get(key)
        if text is None:
            return default
        value = _FLAGS.get(text.lower())
        if value is None:
            raise SettingsError(key, f"expected yes or no, got {text!r}")
        return value

    def choice(self, key: str, default: _E) -> _E:
        """One of an enumeration's values (its texts)."""
        text = self._given.get(key)
        if text is None:
            return default
        try:
            return type(default)(text)
        except ValueError:
            choices = ", ".join(str(member.value) for member in type(default))
            raise SettingsError(key, f"expected one of {choices}, got {text!r}") from None

    def accepts(self, key: str) -> Accepts:
        """Clear text, and the hash schemes that are named, with commas between them."""
        named = frozenset(
            name.strip().upper() for name in self._given.get(key, "").split(",") if name.strip()
        )
        unknown = sorted(named.difference(ENCODINGS))
        if unknown:
            raise SettingsError(key, f"expected some of {', '.join(ENCODINGS)}, got {unknown[0]!r}")
        return Accepts(schemes=named)


_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def known_secrets(given: Mapping[str, Secret], known: Mapping[str, str]) -> None:
    """Refuse a secret that the connector has no use for. SettingsError."""
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        there_are = ", ".join(sorted(known)) or "none"
        raise SettingsError(unknown[0], f"unknown secret; there are: {there_are}")
