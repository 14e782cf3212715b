"""Config parameters, read live from their entries.

A parameter is an entry `eTConfigParamName=<name>,eTConfigParamFolderName=<folder>,…`; its value is in
`eTConfigParamValue`. Source of names and defaults: facts/imps.md 1.2 (seed 000); the folder `provserver` is
ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.storage.contract import Store

T = TypeVar("T")

VALUE_KEY = "etconfigparamvalue"


def _yes(values: tuple[str, ...]) -> bool:
    word = values[0].strip().lower()
    if word in ("yes", "true", "1"):
        return True
    if word in ("no", "false", "0"):
        return False
    raise ValueError("expected yes or no")


def _seconds(values: tuple[str, ...]) -> float:
    seconds = float(values[0])
    if not 0 <= seconds <= 10_000_000:
        raise ValueError("expected a number of seconds from 0 to 10,000,000")
    return seconds


def _level(values: tuple[str, ...]) -> int:
    level = int(values[0])
    if not 0 <= level <= 7:
        raise ValueError("expected a level from 0 to 7")
    return level


def _words(values: tuple[str, ...]) -> tuple[str, ...]:
    return values


class Parameter(Generic[T]):
    """A parameter: where it is, what it is when it is absent, and how its values are read (ValueError: makes
    no sense).
    """

    def __init__(self, folder: str, name: str, default: T, read: Callable[[tuple[str, ...]], T]) -> None:
        self.folder = folder
        self.name = name
        self.default = default
        self.read = read

    def dn(self, domain: DN) -> DN:
        return DN.parse(
            f"eTConfigParamName={self.name},eTConfigParamFolderName={self.folder},"
            "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
            f"eTNamespaceName=CommonObjects,{domain}"
        )


AGENT_RESPONSE_THRESHOLD = Parameter("Password Synchronization", "Agent Response Threshold", 600.0, _seconds)
UPDATE_ONLY_GLOBAL_USER = Parameter("Password Synchronization", "Update Only Global User", False, _yes)
USE_EXTERNAL_PASSWORD_POLICIES = Parameter(
    "Identity Manager Server", "Use External Password Policies", True, _yes
)
AUTOMATIC_CORRELATION = Parameter("Synchronization", "Automatic Correlation", False, _yes)
CREATE_USERS_DEFAULT_ATTRIBUTES = Parameter[tuple[str, ...]](
    "Explore and Correlate", "Create Users Default Attributes", (), _words
)
TRANSACTION_LOG_LEVEL = Parameter("Transaction Log", "Level", 3, _level)
PROPAGATION_WAIT = Parameter[float | None]("provserver", "Propagation Wait", None, _seconds)
"""Ours. Absent: the setting `passwords.propagation_wait`."""


class Parameters:
    """The parameters of one domain, as they are now; a value is parsed once per version of its entry."""

    def __init__(self, store: Store, domain: DN) -> None:
        self._store = store
        self._domain = domain
        self._names: dict[str, DN] = {}
        self._parsed: dict[str, tuple[EntryId, int, object]] = {}

    async def get(self, parameter: Parameter[T]) -> T:
        """The value now; the default when the entry or its value is absent or makes no sense."""
        name = parameter.name
        dn = self._names.get(name)
        if dn is None:
            dn = self._names[name] = parameter.dn(self._domain)
        entry = await self._store.read(dn)
        if entry is None:
            return parameter.default
        known = self._parsed.get(name)
        # The id too: an entry that was deleted and made again begins at version 1 again.
        if known is not None and known[1] == entry.version and known[0] == entry.id:
            return known[2]  # type: ignore[return-value]  # stored below, under this very parameter's name
        values = entry.texts(VALUE_KEY)
        try:
            value = parameter.read(values) if values else parameter.default
        except ValueError:
            value = parameter.default
        self._parsed[name] = (entry.id, entry.version, value)
        return value
