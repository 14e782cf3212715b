"""Which of a global user's accounts a change goes to, and why each other one is left out.

Source: seed 000 (the originating account and endpoints with propagation disabled are excluded; Update Only
Global User excludes all), design "The exchange" 6 (suspended accounts are included, without unlocking).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import Enum

from provserver.connectors.contract import Account
from provserver.directory.entries import Entry, EntryId
from provserver.imps.endpoints import Endpoint, Endpoints, leaf_value
from provserver.records import record


class Disposition(Enum):
    """What a change means for one account."""

    DELIVER = "deliver"
    ORIGINATING = "originating account"
    PROPAGATION_DISABLED = "propagation disabled on the endpoint"
    ONLY_GLOBAL_USER = "only the global user is updated"
    HOLDS_IT = "holds this password already"
    NO_ENDPOINT = "its endpoint is gone"


@record
class PlannedAccount:
    account: Entry
    endpoint: Endpoint | None
    disposition: Disposition


async def plan(
    accounts: Sequence[Entry],
    endpoints: Endpoints,
    *,
    originating: EntryId | None,
    only_global_user: bool,
    holds: Callable[[Entry], Awaitable[bool]] | None = None,
) -> list[PlannedAccount]:
    """One line an account. `holds` tells whether an account is known to have this very password (asked only
    for a repeat).
    """
    planned = []
    for account in accounts:
        endpoint = await endpoints.of_account(account.dn)
        if account.id == originating:
            disposition = Disposition.ORIGINATING
        elif endpoint is None:
            disposition = Disposition.NO_ENDPOINT
        elif endpoint.propagation_disabled:
            disposition = Disposition.PROPAGATION_DISABLED
        elif only_global_user:
            disposition = Disposition.ONLY_GLOBAL_USER
        elif holds is not None and await holds(account):
            disposition = Disposition.HOLDS_IT
        else:
            disposition = Disposition.DELIVER
        planned.append(PlannedAccount(account, endpoint, disposition))
    return planned


class _Texts(Mapping[str, tuple[str, ...]]):
    """An entry's attributes as text, decoded when they are asked for: most connectors need the name only."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __getitem__(self, description: str) -> tuple[str, ...]:
        attribute = self._entry.attributes[description.lower()]
        return tuple(value.decode(errors="replace") for value in attribute.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entry.attributes)

    def __len__(self) -> int:
        return len(self._entry.attributes)


def account_for_connector(entry: Entry) -> Account:
    """An account's entry as connectors are given it: its own name, its DN, its attributes by lower-case
    name.
    """
    return Account(leaf_value(entry.dn), entry.dn, _Texts(entry))
