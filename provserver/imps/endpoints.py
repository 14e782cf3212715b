"""Endpoints as their entries describe them, and which endpoint an account belongs to.

An endpoint's entry is the child of a namespace's entry; everything below it is its own. The attributes are
ours (prefix `prov`): IMPS's names for the check boxes are not public, and a site adds them as further NAMEs
(facts/imps.md 1.4, design "Contracts").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.messages import account_name
from provserver.imps.namespaces import display_name
from provserver.storage.contract import Store


class RetryStyle(Enum):
    """How the pauses between attempts come about (`delivery.retry`)."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the server knows of an endpoint. `sealed_secrets` are `key=<sealed>` values as stored."""

    id: EntryId
    dn: DN
    version: int
    name: str
    namespace: str
    type_name: str
    connector: str
    settings: Mapping[str, str]
    sealed_secrets: tuple[str, ...] = field(repr=False)
    propagation_disabled: bool
    agent_installed: bool
    require_secure: bool
    retry_limit: int
    retry_interval: float
    retry_style: RetryStyle = RetryStyle.FIXED
    retry_cap: float = 3600.0
    concurrency: int | None = None
    """Lines at the same time; None: as the settings say."""
    paused: bool = False

    def account_name(self, account: Entry) -> str:
        """`Active Directory Account 'test, user' on 'AD-Test'`."""
        return account_name(self.type_name, leaf_value(account.dn), self.name)


def leaf_value(dn: DN) -> str:
    """The value of a name's first RDN: what people call the entry."""
    return dn.rdns[0].pairs[0][1]


def _flag(entry: Entry, key: str, default: bool) -> bool:
    values = entry.values(key)
    return values[0].upper() in (b"TRUE", b"1", b"YES") if values else default


@dataclass(frozen=True, slots=True)
class _Bounds:
    """A whole number of an endpoint's entry: its name, and what it may be."""

    name: str
    least: int
    most: int
    default: int

    def read(self, entry: Entry) -> int:
        """What the entry says; the default where it says nothing, or (before a version that refuses that)
        nonsense.
        """
        text = entry.text(self.name.lower())
        return int(text) if text and not self.problem(text) else self.default

    def problem(self, text: str) -> str:
        """What is wrong with a value, and what was expected; empty when nothing is."""
        if text.isascii() and text.isdigit() and len(text) < 12 and self.least <= int(text) <= self.most:
            return ""
        return f"{self.name}: expected a whole number from {self.least} to {self.most}, got {text!r}"


_DAY: Final = 86_400
_RETRY_LIMIT: Final = _Bounds("provRetryLimit", 0, 1_000_000, 10)
_RETRY_INTERVAL: Final = _Bounds("provRetryInterval", 0, _DAY, 60)
_RETRY_CAP: Final = _Bounds("provRetryCap", 1, 7 * _DAY, 3600)
_CONCURRENCY: Final = _Bounds("provConcurrency", 1, 256, 0)
_BOUNDED: Final = (_RETRY_LIMIT, _RETRY_INTERVAL, _RETRY_CAP, _CONCURRENCY)
_RETRY_STYLE: Final = "provRetryStyle"


def problem_of_endpoint(entry: Entry) -> str | None:
    """What is wrong with the numbers and choices of an endpoint's entry, and what was expected."""
    for bounds in _BOUNDED:
        text = entry.text(bounds.name.lower())
        problem = bounds.problem(text) if text else ""
        if problem:
            return problem
    style = entry.text(_RETRY_STYLE.lower())
    if style and _style(style) is None:
        choices = ", ".join(style.value for style in RetryStyle)
        return f"{_RETRY_STYLE}: expected one of {choices}, got {style!r}"
    return None


def _style(text: str) -> RetryStyle | None:
    return next((style for style in RetryStyle if style.value == text.lower()), None)


def settings_of(values: tuple[str, ...]) -> dict[str, str]:
    """`key=value` values as a mapping; what has no `=` is a key with an empty value."""
    settings = {}
    for value in values:
        key, _, rest = value.partition("=")
        settings[key.strip()] = rest.strip()
    return settings


def read_endpoint(entry: Entry) -> Endpoint:
    """An endpoint from its entry."""
    namespace = entry.dn.rdns[1].pairs[0][1]
    return Endpoint(
        id=entry.id,
        dn=entry.dn,
        version=entry.version,
        name=leaf_value(entry.dn),
        namespace=namespace,
        type_name=display_name(namespace),
        connector=entry.text("provconnector"),
        settings=settings_of(entry.texts("provsetting")),
        sealed_secrets=entry.texts("provsecret"),
        propagation_disabled=_flag(entry, "provdisablepasswordpropagation", False),
        agent_installed=_flag(entry, "provpasswordsyncagentinstalled", True),
        require_secure=_flag(entry, "provrequiresecureconnection", True),
        retry_limit=_RETRY_LIMIT.read(entry),
        retry_interval=float(_RETRY_INTERVAL.read(entry)),
        retry_style=_style(entry.text(_RETRY_STYLE.lower())) or RetryStyle.FIXED,
        retry_cap=float(_RETRY_CAP.read(entry)),
        concurrency=_CONCURRENCY.read(entry) or None,
        paused=_flag(entry, "provpaused", False),
    )


class Endpoints:
    """Endpoints as they are now; an entry is read into an `Endpoint` once per version."""

    def __init__(self, store: Store, domain: DN) -> None:
        self._store = store
        self._levels = domain.depth + 2
        self._known: dict[EntryId, Endpoint] = {}
        self._names: dict[str, DN] = {}

    def dn_of(self, account: DN) -> DN | None:
        """The endpoint that a name belongs to; None: it lies above all endpoints."""
        key = account.ancestor_key(self._levels)
        if key is None or key == account.key:
            return None
        known = self._names.get(key)
        if known is None:
            known = self._names[key] = account.ancestor(self._levels)
        return known

    async def of_account(self, account: DN) -> Endpoint | None:
        dn = self.dn_of(account)
        entry = await self._store.read(dn) if dn is not None else None
        return self._read(entry) if entry is not None else None

    async def get(self, endpoint: EntryId) -> Endpoint | None:
        entry = await self._store.read_id(endpoint)
        return self._read(entry) if entry is not None else None

    def _read(self, entry: Entry) -> Endpoint:
        known = self._known.get(entry.id)
        if known is None or known.version != entry.version:
            known = self._known[entry.id] = read_endpoint(entry)
        return known
